"""Running a symbol's rules, lowest priority number first, and what they say together.

Multipliers are multiplied, then clamped to the bundle's bounds. Rules that name different sides or markets say
nothing together: that is a skip, not a race. ``skip_entry`` ends the run. A missing or stale factor of a rule that
is reached makes the whole decision a skip; the run goes on only to report every such factor. A rule outside its
``valid_from`` and ``valid_until`` is as if it were not there: its factors are not needed either.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chimera.decide.features import Features
from chimera.decide.rules.action import (
    Execute,
    GoMarket,
    GoSide,
    SizeMult,
    SkipEntry,
    StopMult,
    TargetMult,
)
from chimera.decide.rules.bundle import Bounds, Rule
from chimera.trading.decision import Clamp, Code, RuleVerdict, Verdict
from chimera.trading.intent import ExecPolicy
from chimera.trading.market import Market, Side


@dataclass(frozen=True, slots=True)
class Fired:
    """The rules' common word. ``against`` are the reasons not to trade at all."""

    rule_ids: tuple[str, ...]
    verdicts: tuple[RuleVerdict, ...]
    against: tuple[Verdict, ...]
    clamps: tuple[Clamp, ...] = ()
    size_mult: Decimal = Decimal(1)
    sl_mult: Decimal = Decimal(1)
    tp_mult: Decimal = Decimal(1)
    side: Side | None = None
    market: Market | None = None
    policy: ExecPolicy | None = None


def fire(symbol: str, rules: Sequence[Rule], features: Features, bounds: Bounds) -> Fired:
    verdicts: list[RuleVerdict] = []
    lacking: dict[str, Verdict] = {}
    fired: list[Rule] = []
    asked = 0
    for rule in rules:
        if idle := rule.window.closed(features.now_ms):
            verdicts.append(_idle(rule, idle))
            continue
        asked += 1
        values, absent = _values(rule, features)
        if absent:
            for verdict in absent:
                lacking.setdefault(verdict.name, verdict.but(text=f"{verdict.text} (rule {rule.rule_id})"))
            verdicts.append(_idle(rule, "; ".join(verdict.text for verdict in absent)))
            continue
        holds = rule.clause.holds(values)
        clauses = rule.clause.explain(values)
        verdicts.append(RuleVerdict(rule_id=rule.rule_id, fired=holds, action=rule.action_text, clauses=clauses))
        if holds:
            fired.append(rule)
            if _ends(rule):
                break
    if not asked:
        return Fired((), tuple(verdicts), (_no(Code.NO_RULE, f"no enabled rule applies to {symbol} now"),))
    against = tuple(lacking.values())
    if not fired and not lacking:
        against = (_none_fired(asked),)
    return _together(tuple(verdicts), against, fired, bounds)


def _values(rule: Rule, features: Features) -> tuple[dict[str, Decimal], list[Verdict]]:
    """The rule's factors, and those that cannot be used."""
    values: dict[str, Decimal] = {}
    absent: list[Verdict] = []
    for name in rule.clause.factors:
        value = features.need(name)
        if isinstance(value, Verdict):
            absent.append(value)
        else:
            values[name] = value
    return values, absent


def _ends(rule: Rule) -> bool:
    return any(isinstance(action, SkipEntry) for action in rule.actions.values())


def _idle(rule: Rule, why: str) -> RuleVerdict:
    return RuleVerdict(rule_id=rule.rule_id, fired=False, action=rule.action_text, idle=why)


def _together(
    verdicts: tuple[RuleVerdict, ...],
    lacking: tuple[Verdict, ...],
    fired: Sequence[Rule],
    bounds: Bounds,
) -> Fired:
    """What the rules that fired say as one."""
    against = list(lacking)
    size, stop, target = Decimal(1), Decimal(1), Decimal(1)
    sides: dict[Side, str] = {}
    markets: dict[Market, str] = {}
    policy: ExecPolicy | None = None
    for rule_id, action in ((rule.rule_id, action) for rule in fired for action in rule.actions.values()):
        match action:
            case SizeMult(factor=factor):
                size *= factor
            case StopMult(factor=factor):
                stop *= factor
            case TargetMult(factor=factor):
                target *= factor
            case GoSide(side=side):
                sides.setdefault(side, rule_id)
            case GoMarket(market=market):
                markets.setdefault(market, rule_id)
            case Execute():
                policy = policy or action.policy  # the first in firing order
            case SkipEntry():
                against.append(_no(Code.SKIP_ENTRY, f"rule {rule_id} says skip_entry"))
    if len(sides) > 1:
        against.append(_no(Code.SIDE_CONFLICT, _quarrel(sides)))
    if len(markets) > 1:
        against.append(_no(Code.MARKET_CONFLICT, _quarrel(markets)))
    size, size_clamp = bounds.size_mult.clamp("size_mult", size)
    stop, stop_clamp = bounds.sl_mult.clamp("sl_mult", stop)
    target, target_clamp = bounds.tp_mult.clamp("tp_mult", target)
    return Fired(
        rule_ids=tuple(rule.rule_id for rule in fired),
        verdicts=verdicts,
        against=tuple(against),
        clamps=(*size_clamp, *stop_clamp, *target_clamp),
        size_mult=size,
        sl_mult=stop,
        tp_mult=target,
        side=next(iter(sides), None),
        market=next(iter(markets), None),
        policy=policy,
    )


def _quarrel(said: dict[Side, str] | dict[Market, str]) -> str:
    return ", ".join(f"rule {rule_id} says {what}" for what, rule_id in said.items())


def _none_fired(asked: int) -> Verdict:
    """How far each one was from firing stands in its clauses."""
    one, none = Decimal(1), Decimal(0)
    return _no(Code.NO_RULE_FIRED, f"none of {asked} rules fired").but(
        name="rules_fired", value=none, op=">=", limit=one, margin=none - one
    )


def _no(code: Code, words: str) -> Verdict:
    return Verdict(code=code, passed=False, text=words)
