"""docs/codes.md has words for every code that an answer, a barrier, a skip or an alert of ours can carry."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from chimera.trading.decision import Code
from chimera.wire.failures import STATUSES

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = frozenset(re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs/codes.md").read_text(encoding="utf-8")))
TELLING: Final = ("Alert", "level", "notice", "say", "_alarm")
PARTS: Final = ("services/router", "services/strategy", "execute", "protect", "reconcile", "admit", "trading")
A_CODE: Final = re.compile(r"[A-Z][A-Z_]{4,}")


def _told() -> Iterator[str]:
    """Codes that alerts and levels name where they are raised, by word or by a constant of the module."""
    for part in PARTS:
        for path in sorted((ROOT / "src/chimera" / part).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            named = {
                node.target.id: node.value.value
                for node in ast.walk(tree)
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
                if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and _called(node) in TELLING:
                    given = [*node.args[:2], *(word.value for word in node.keywords if word.arg == "code")]
                    yield from (code for each in given if (code := _code(each, named)) is not None)


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _code(given: ast.expr, named: dict[str, str]) -> str | None:
    value = named.get(given.id) if isinstance(given, ast.Name) else getattr(given, "value", None)
    return value if isinstance(value, str) and A_CODE.fullmatch(value) else None


def test_alerts_are_found_by_word_and_by_constant() -> None:
    told = set(_told())
    assert {"DOUBT_OLD", "LEDGER_AWAY", "PROBING", "VENUE_BAN", "SCORE_FALLBACK"} <= told


@pytest.mark.parametrize("code", sorted({*STATUSES, *map(str, Code), *_told()}))
def test_a_code_has_words(code: str) -> None:
    assert code.removesuffix("_OVER") in PAGE
