"""A bundle of rules, read, linted and compiled once per revision; immutable afterwards.

Invariants: rules stand in ascending ``priority``, ties by ``rule_id``; only enabled ones of this service are kept; a
bundle with any finding does not exist (``LintFailed`` tells them all). Rule documents have the shape of R-023.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from chimera.decide.rules.action import Action, read_action
from chimera.decide.rules.clause import Clause, compile_clause
from chimera.decide.rules.finding import Finding, Lint, LintFailed
from chimera.trading.decision import Clamp
from chimera.trading.money import text
from chimera.trading.value import Value

SERVICE: Final = "s3-strategy"
EVERY_SYMBOL: Final = "*"
_KEYS: Final = ("rule_id", "priority", "applies", "when", "action", "status", "description", "schema_version")
_NEEDED: Final = ("rule_id", "priority", "applies", "when", "action", "status")
_MAX_PRIORITY: Final = 1_000_000


class Bound(Value, tag=False):
    """A closed interval for a multiplier."""

    low: Decimal
    high: Decimal

    def clamp(self, name: str, asked: Decimal) -> tuple[Decimal, tuple[Clamp, ...]]:
        """The value inside, and the clamp if it bit."""
        given = min(max(asked, self.low), self.high)
        if given == asked:
            return given, ()
        return given, (Clamp(name=name, asked=asked, given=given, low=self.low, high=self.high),)


class Bounds(Value, tag=False):
    """Of the rules' products. A target multiplier under 1 would undercut the profit that is wanted."""

    size_mult: Bound
    sl_mult: Bound
    tp_mult: Bound


@dataclass(frozen=True, slots=True)
class Rule:
    rule_id: str
    priority: int
    symbols: tuple[str, ...]
    clause: Clause
    action: Action
    action_text: str

    def applies_to(self, symbol: str) -> bool:
        return symbol in self.symbols or EVERY_SYMBOL in self.symbols


@dataclass(frozen=True, slots=True)
class Bundle:
    """What decides. ``for_symbol`` is asked often: answers are kept, and are a function of the rules alone."""

    bundle_id: str
    rev: int
    rules: tuple[Rule, ...]
    bounds: Bounds
    factors: frozenset[str]
    _by_symbol: dict[str, tuple[Rule, ...]] = field(default_factory=dict, compare=False)

    def for_symbol(self, symbol: str) -> tuple[Rule, ...]:
        known = self._by_symbol.get(symbol)
        if known is None:
            known = tuple(rule for rule in self.rules if rule.applies_to(symbol))
            self._by_symbol[symbol] = known
        return known


def compile_bundle(
    documents: Sequence[Mapping[str, Any]], *, bundle_id: str, rev: int, bounds: Bounds, factors: Collection[str]
) -> Bundle:
    """Raises ``LintFailed`` with every finding of every rule, disabled ones included: they may be enabled tomorrow."""
    findings: list[Finding] = []
    rules: list[Rule] = []
    seen: set[str] = set()
    for position, document in enumerate(documents):
        rule, found = read_rule(document, factors, name=f"rule[{position}]")
        findings += found
        rule_id = document.get("rule_id") if isinstance(document, Mapping) else None
        if isinstance(rule_id, str):
            if rule_id in seen:
                findings.append(Finding(rule_id=rule_id, path="$.rule_id", message="stands twice in the bundle"))
            seen.add(rule_id)
        if rule is not None:
            rules.append(rule)
    if findings:
        raise LintFailed(findings)
    rules.sort(key=lambda rule: (rule.priority, rule.rule_id))
    return Bundle(bundle_id=bundle_id, rev=rev, rules=tuple(rules), bounds=bounds, factors=frozenset(factors))


def read_rule(
    document: Any, factors: Collection[str], *, name: str = "rule"
) -> tuple[Rule | None, tuple[Finding, ...]]:
    """The compiled rule (None where it is disabled, of another service, or wrong) and what is wrong with it."""
    rule_id = document.get("rule_id") if isinstance(document, Mapping) else None
    lint = Lint(rule_id if isinstance(rule_id, str) and rule_id else name)
    if lint.only(document, "$", _KEYS, _NEEDED) is None:
        return None, tuple(lint.findings)
    if not isinstance(rule_id, str) or not rule_id:
        lint.say("$.rule_id", f"needs a name, has {rule_id!r}")
    priority = lint.whole(document["priority"], "$.priority", 0, _MAX_PRIORITY)
    applies = lint.only(document["applies"], "$.applies", ("symbols", "services"), ("symbols",)) or {}
    symbols = lint.words(applies["symbols"], "$.applies.symbols") if "symbols" in applies else None
    services = lint.words(applies["services"], "$.applies.services") if "services" in applies else (SERVICE,)
    clause = compile_clause(document["when"], lint, factors)
    action = read_action(document["action"], lint)
    status = document["status"]
    if status not in ("ENABLED", "DISABLED"):
        lint.say("$.status", f"needs ENABLED or DISABLED, has {status!r}")
    if lint.findings:
        return None, tuple(lint.findings)
    if priority is None or symbols is None or services is None or clause is None or action is None:
        raise AssertionError("a part of a rule is missing without a finding")
    if status == "DISABLED" or SERVICE not in services:
        return None, ()
    return Rule(lint.rule_id, priority, symbols, clause, action, _action_text(document["action"])), ()


def _action_text(node: Mapping[str, Any]) -> str:
    value = node.get("value")
    return f"{node['type']} {text(value) if isinstance(value, Decimal) else value}" if "value" in node else node["type"]
