"""A bundle of rules, read, linted and compiled once per revision; immutable afterwards.

Invariants: rules stand in ascending ``priority``, ties by ``rule_id``; only enabled ones of this service are kept; a
bundle with any finding does not exist (``LintFailed`` tells them all); what a decision costs does not depend on rules
that name other symbols, and hardly on the number of those that do (``sieve``). Rule documents have the shape of R-023
(``docs/rule.schema.json``).
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches
from heapq import merge
from typing import Any, Final

from chimera.decide.rules.action import Action, Effect, describe, effect_of, read_actions
from chimera.decide.rules.clause import Clause, compile_clause
from chimera.decide.rules.finding import SYMBOL, Finding, Lint, LintFailed
from chimera.decide.rules.reach import dead_ends
from chimera.decide.rules.sieve import Sieve, sieving
from chimera.decide.steps import finished
from chimera.trading.decision import Clamp
from chimera.trading.money import Millis
from chimera.trading.value import Value

SERVICE: Final = "s3-strategy"
EVERY_SYMBOL: Final = "*"
NEEDED: Final = ("rule_id", "priority", "applies", "when", "action", "status")
KEYS: Final = (*NEEDED, "valid_from", "valid_until", "description", "schema_version")
STATUSES: Final = ("ENABLED", "DISABLED")
MAX_PRIORITY: Final = 1_000_000
ALIKE: Final = 0.9  # of two names, from where on one is the other misspelt


class Bound(Value, tag=False):
    """A closed interval for a multiplier."""

    low: Decimal
    high: Decimal

    def clamp(self, name: str, asked: Decimal) -> tuple[Decimal, tuple[Clamp, ...]]:
        """The value inside, and the clamp if it bit."""
        if self.low <= asked <= self.high:
            return asked, ()
        given = min(max(asked, self.low), self.high)
        return given, (Clamp(name=name, asked=asked, given=given, low=self.low, high=self.high),)


class Bounds(Value, tag=False):
    """Of the rules' products. A target multiplier under 1 would undercut the profit that is wanted."""

    size_mult: Bound
    sl_mult: Bound
    tp_mult: Bound


class Window(Value, tag=False):
    """When a rule counts: from the first moment on, before the last; None is no bound."""

    from_ms: Millis | None = None
    until_ms: Millis | None = None

    def closed(self, now_ms: Millis) -> str:
        """Why the rule does not count now; empty where it does."""
        if self.from_ms is not None and now_ms < self.from_ms:
            return f"valid from {_moment(self.from_ms)}"
        if self.until_ms is not None and now_ms >= self.until_ms:
            return f"valid until {_moment(self.until_ms)}"
        return ""


ALWAYS: Final = Window()


def _moment(at_ms: Millis) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Rule:
    """``actions`` by their JSON path, in the order in which they are written; ``effect`` is what they come to."""

    rule_id: str
    priority: int
    symbols: tuple[str, ...]
    clause: Clause
    actions: Mapping[str, Action]
    action_text: str
    effect: Effect
    window: Window

    @property
    def ends(self) -> bool:
        """It says ``skip_entry``: nothing after it runs."""
        return self.effect.skips

    @property
    def everywhere(self) -> bool:
        return EVERY_SYMBOL in self.symbols

    def applies(self, symbol: str) -> bool:
        return self.everywhere or symbol in self.symbols


def order(rule: Rule) -> tuple[int, str]:
    return rule.priority, rule.rule_id


@dataclass(frozen=True, slots=True)
class Bundle:
    """What decides. ``by_symbol`` has each symbol that a rule names; ``everywhere`` is for all others.

    ``sieves`` have the same names; that of all others is ``sieve``. Bits stand for the rules in firing order.
    """

    bundle_id: str
    rev: int
    rules: tuple[Rule, ...]
    bounds: Bounds
    factors: frozenset[str]
    everywhere: tuple[Rule, ...]
    by_symbol: Mapping[str, tuple[Rule, ...]]
    sieve: Sieve
    sieves: Mapping[str, Sieve]
    timed: tuple[Rule, ...]  # with a time of their own

    def for_symbol(self, symbol: str) -> tuple[Rule, ...]:
        return self.by_symbol.get(symbol, self.everywhere)

    def sieve_for(self, symbol: str) -> Sieve:
        return self.sieves.get(symbol, self.sieve)

    def counted(self, symbol: str, now_ms: Millis) -> int:
        """How many rules apply to the symbol and are inside their time."""
        apart = sum(1 for rule in self.timed if rule.applies(symbol) and rule.window.closed(now_ms))
        return len(self.for_symbol(symbol)) - apart


def compile_bundle(
    documents: Sequence[Mapping[str, Any]], *, bundle_id: str, rev: int, bounds: Bounds, factors: Collection[str]
) -> Bundle:
    """Raises ``LintFailed`` with every finding of every rule, disabled ones included: they may be enabled tomorrow."""
    return finished(compiling(documents, bundle_id=bundle_id, rev=rev, bounds=bounds, factors=factors))


def compiling(
    documents: Sequence[Mapping[str, Any]], *, bundle_id: str, rev: int, bounds: Bounds, factors: Collection[str]
) -> Generator[None, None, Bundle]:
    """The same in small steps, so that whoever drives it may do other things between two of them."""
    findings: list[Finding] = []
    rules: list[Rule] = []
    seen: set[str] = set()
    known = frozenset(factors)
    for position, document in enumerate(documents):
        rule, found = read_rule(document, known, name=f"rule[{position}]")
        findings += found
        rule_id = document.get("rule_id") if isinstance(document, Mapping) else None
        if isinstance(rule_id, str):
            if rule_id in seen:
                findings.append(Finding(rule_id=rule_id, path="$.rule_id", message="stands twice in the bundle"))
            seen.add(rule_id)
        if rule is not None:
            rules.append(rule)
        yield
    if findings:
        raise LintFailed(findings)
    rules.sort(key=order)
    everywhere, by_symbol = index(rules)
    sieve = yield from _sieving(everywhere)
    sieves = {}
    for symbol, own in by_symbol.items():
        sieves[symbol] = yield from _sieving(own)
    return Bundle(
        bundle_id=bundle_id,
        rev=rev,
        rules=tuple(rules),
        bounds=bounds,
        factors=known,
        everywhere=everywhere,
        by_symbol=by_symbol,
        sieve=sieve,
        sieves=sieves,
        timed=tuple(rule for rule in rules if rule.window is not ALWAYS),
    )


def _sieving(rules: Sequence[Rule]) -> Generator[None, None, Sieve]:
    return sieving([rule.clause for rule in rules])


def index(rules: Sequence[Rule]) -> tuple[tuple[Rule, ...], dict[str, tuple[Rule, ...]]]:
    """Rules in firing order: those of every symbol, and for each symbol that is named its own among them."""
    everywhere = tuple(rule for rule in rules if rule.everywhere)
    named: dict[str, list[Rule]] = {}
    for rule in rules:
        for symbol in () if rule.everywhere else rule.symbols:
            named.setdefault(symbol, []).append(rule)
    return everywhere, {symbol: tuple(merge(own, everywhere, key=order)) for symbol, own in named.items()}


def read_rule(
    document: Any, factors: Collection[str], *, name: str = "rule"
) -> tuple[Rule | None, tuple[Finding, ...]]:
    """The compiled rule (None where it is disabled, of another service, or wrong) and what is wrong with it."""
    rule_id = document.get("rule_id") if isinstance(document, Mapping) else None
    lint = Lint(rule_id if isinstance(rule_id, str) and rule_id else name)
    if lint.only(document, "$", KEYS, NEEDED) is None:
        return None, tuple(lint.findings)
    if not isinstance(rule_id, str) or not rule_id:
        lint.say("$.rule_id", f"needs a name, has {rule_id!r}")
    priority = lint.whole(document["priority"], "$.priority", 0, MAX_PRIORITY)
    applies = lint.only(document["applies"], "$.applies", ("symbols", "services"), ("symbols",)) or {}
    symbols = lint.words(applies["symbols"], "$.applies.symbols") if "symbols" in applies else None
    services = lint.words(applies["services"], "$.applies.services") if "services" in applies else (SERVICE,)
    _spelt(symbols or (), services or (), lint)
    clause = compile_clause(document["when"], lint, factors)
    for path, words in dead_ends(clause.condition) if clause is not None else ():
        lint.say(path, words)
    actions = read_actions(document["action"], lint)
    window = _window(document, lint)
    status = document["status"]
    if status not in STATUSES:
        lint.say("$.status", f"needs {' or '.join(STATUSES)}, has {status!r}")
    if not isinstance(document.get("description", ""), str):
        lint.say("$.description", f"needs words, has {document['description']!r}")
    if "schema_version" in document:
        lint.whole(document["schema_version"], "$.schema_version", 1, MAX_PRIORITY)
    if lint.findings:
        return None, tuple(lint.findings)
    if priority is None or symbols is None or services is None or clause is None or actions is None:
        raise AssertionError("a part of a rule is missing without a finding")
    if status == "DISABLED" or SERVICE not in services:
        return None, ()
    action_text = ", ".join(map(describe, actions.values()))
    return Rule(lint.rule_id, priority, symbols, clause, actions, action_text, effect_of(actions.values()), window), ()


def _spelt(symbols: Sequence[str], services: Sequence[str], lint: Lint) -> None:
    """A rule of a misspelt symbol or service never fires, also where it is one that says ``skip_entry``."""
    for symbol in symbols:
        if not SYMBOL.fullmatch(symbol):
            lint.say("$.applies.symbols", f"{symbol!r} is no symbol; they are written as in BTCUSDT")
    for service in services:
        if service != SERVICE and get_close_matches(service.lower(), (SERVICE,), cutoff=ALIKE):
            lint.say("$.applies.services", f"{service!r} is not known; did you mean {SERVICE}?")


def _window(document: Mapping[str, Any], lint: Lint) -> Window:
    moments = {
        key: lint.moment(document[key], f"$.{key}") if key in document else None
        for key in ("valid_from", "valid_until")
    }
    start, end = moments["valid_from"], moments["valid_until"]
    if start is not None and end is not None and end <= start:
        lint.say("$.valid_until", "is not after valid_from: the rule never counts")
    return ALWAYS if start is end is None else Window(from_ms=start, until_ms=end)
