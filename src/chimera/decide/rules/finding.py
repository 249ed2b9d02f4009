"""What lint says: the rule, the JSON path inside its document, and the sentence."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from chimera.trading.errors import ChimeraError
from chimera.trading.money import Millis
from chimera.trading.value import Value

PLAIN_NUMBER: Final = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
SYMBOL: Final = re.compile(r"[^a-z\s]+")
MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3})?Z")


class Finding(Value, tag=False):
    rule_id: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule_id} {self.path}: {self.message}"


class LintFailed(ChimeraError):
    """A bundle that must not decide."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(map(str, findings)))
        self.findings = tuple(findings)


class Lint:
    """Collects findings for one rule while its document is read; ``None`` from a reader means it has spoken."""

    def __init__(self, rule_id: str) -> None:
        self.rule_id = rule_id
        self.findings: list[Finding] = []

    def say(self, path: str, message: str) -> None:
        self.findings.append(Finding(rule_id=self.rule_id, path=path, message=message))

    def number(self, node: Any, path: str) -> Decimal | None:
        """An exact number: int, Decimal or its plain text (stores keep decimals as strings)."""
        exact = isinstance(node, int | Decimal) and not isinstance(node, bool)
        if not exact and not (isinstance(node, str) and PLAIN_NUMBER.fullmatch(node)):
            self.say(path, f"needs a number, has {node!r}")
            return None
        number = Decimal(node)
        if not number.is_finite():
            self.say(path, f"needs a finite number, has {node!r}")
            return None
        return number

    def whole(self, node: Any, path: str, low: int, high: int) -> int | None:
        if isinstance(node, bool) or not isinstance(node, int) or not low <= node <= high:
            self.say(path, f"needs a whole number from {low} to {high}, has {node!r}")
            return None
        return node

    def moment(self, node: Any, path: str) -> Millis | None:
        """A UTC moment as ``2026-11-21T08:00:00Z``."""
        if isinstance(node, str) and MOMENT.fullmatch(node):
            try:
                return Millis(round(datetime.fromisoformat(node).timestamp() * 1000))
            except ValueError:
                pass  # the 30th of February
        self.say(path, f"needs a UTC moment like 2026-11-21T08:00:00Z, has {node!r}")
        return None

    def words(self, node: Any, path: str) -> tuple[str, ...] | None:
        if not isinstance(node, list) or not node or not all(isinstance(item, str) and item for item in node):
            self.say(path, f"needs a list of names, has {node!r}")
            return None
        return tuple(dict.fromkeys(node))

    def only(
        self, node: Any, path: str, allowed: Sequence[str], needed: Sequence[str] = ()
    ) -> Mapping[str, Any] | None:
        """An object with no key beyond ``allowed`` and every one of ``needed``."""
        if not isinstance(node, Mapping):
            self.say(path, f"needs an object, has {node!r}")
            return None
        for key in node:
            if key not in allowed:
                self.say(f"{path}.{key}", f"is not known; known are {', '.join(allowed)}")
        missing = [key for key in needed if key not in node]
        for key in missing:
            self.say(f"{path}.{key}", "is missing")
        return None if missing else node
