"""Running a symbol's rules, lowest priority number first, and what they say together.

Multipliers are multiplied, then clamped to the bundle's bounds. Rules that name different sides or markets say
nothing together: that is a skip, not a race. ``skip_entry`` ends the run. A missing or stale factor of a rule that
is reached makes the whole decision a skip; the run goes on only to report every such factor. A rule outside its
``valid_from`` and ``valid_until`` is as if it were not there: its factors are not needed either.

``ask_each`` is all of that, one rule after the other, with a verdict for each comparison: the trace is written by it.
``fire`` finds the same rules by the sieve, as long as every factor can be used, and else by ``ask_each`` itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from chimera.decide.features import Features
from chimera.decide.rules.bundle import ALWAYS, Bounds, Bundle, Rule
from chimera.trading.decision import Clamp, Code, RuleVerdict, Verdict
from chimera.trading.intent import ExecPolicy
from chimera.trading.market import Market, Side
from chimera.trading.money import ONE, ZERO
from chimera.trading.value import Value


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking rules one by one. ``lacking``: factors that cannot be used, each with the first rule that
    needs it. ``counted``: rules inside their time."""

    fired: tuple[Rule, ...]
    verdicts: tuple[RuleVerdict, ...]
    lacking: tuple[Verdict, ...]
    counted: int


class Fired(Value):
    """The rules' common word. ``against`` are the reasons not to trade at all."""

    rule_ids: tuple[str, ...] = ()
    against: tuple[Verdict, ...] = ()
    clamps: tuple[Clamp, ...] = ()
    size_mult: Decimal = ONE
    sl_mult: Decimal = ONE
    tp_mult: Decimal = ONE
    side: Side | None = None
    market: Market | None = None
    policy: ExecPolicy | None = None


def fire(bundle: Bundle, symbol: str, features: Features) -> Fired:
    fired = _sifted(bundle, symbol, features)
    if fired:
        return _together((), fired, bundle.bounds)
    if fired is None:
        asked = ask_each(bundle.for_symbol(symbol), features)
        counted, fired, lacking = asked.counted, asked.fired, asked.lacking
    else:
        counted, lacking = bundle.counted(symbol, features.now_ms), ()
    if not counted:
        return Fired(against=(_no(Code.NO_RULE, f"no enabled rule applies to {symbol} now"),))
    reasons = lacking if fired or lacking else (_none_fired(counted),)
    return _together(reasons, fired, bundle.bounds)


def _sifted(bundle: Bundle, symbol: str, features: Features) -> Sequence[Rule] | None:
    """The rules that fire, in order; None where a factor cannot be used."""
    rules, sieve = bundle.for_symbol(symbol), bundle.sieve_for(symbol)
    values: dict[str, Decimal] = {}
    for name in sieve.factors:
        value = features.usable(name)
        if value is None:
            return None
        values[name] = value
    fired = []
    for position in sieve.holding(values):
        rule = rules[position]
        if rule.window is not ALWAYS and rule.window.closed(features.now_ms):
            continue
        fired.append(rule)
        if rule.ends:
            break
    return fired


def ask_each(rules: Sequence[Rule], features: Features) -> Asked:
    """Every rule in turn, until one says ``skip_entry``."""
    verdicts: list[RuleVerdict] = []
    lacking: dict[str, Verdict] = {}
    fired: list[Rule] = []
    counted = 0
    for rule in rules:
        if idle := rule.window.closed(features.now_ms):
            verdicts.append(_idle(rule, idle))
            continue
        counted += 1
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
            if rule.ends:
                break
    return Asked(tuple(fired), tuple(verdicts), tuple(lacking.values()), counted)


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


def _idle(rule: Rule, why: str) -> RuleVerdict:
    return RuleVerdict(rule_id=rule.rule_id, fired=False, action=rule.action_text, idle=why)


def _together(reasons: Sequence[Verdict], fired: Sequence[Rule], bounds: Bounds) -> Fired:
    """What the rules that fired say as one, where ``reasons`` may speak against it already."""
    against = list(reasons)
    size, stop, target = ONE, ONE, ONE
    sides: dict[Side, str] = {}
    markets: dict[Market, str] = {}
    policy: ExecPolicy | None = None
    for rule in fired:
        effect = rule.effect
        size, stop, target = size * effect.size, stop * effect.stop, target * effect.target
        if effect.side is not None:
            sides.setdefault(effect.side, rule.rule_id)
        if effect.market is not None:
            markets.setdefault(effect.market, rule.rule_id)
        if effect.skips:
            against.append(_no(Code.SKIP_ENTRY, f"rule {rule.rule_id} says skip_entry"))
        policy = policy or effect.policy  # the first in firing order
    if len(sides) > 1:
        against.append(_no(Code.SIDE_CONFLICT, _quarrel(sides)))
    if len(markets) > 1:
        against.append(_no(Code.MARKET_CONFLICT, _quarrel(markets)))
    size, size_clamp = bounds.size_mult.clamp("size_mult", size)
    stop, stop_clamp = bounds.sl_mult.clamp("sl_mult", stop)
    target, target_clamp = bounds.tp_mult.clamp("tp_mult", target)
    return Fired(
        rule_ids=tuple([rule.rule_id for rule in fired]),
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
    return _no(Code.NO_RULE_FIRED, f"none of {asked} rules fired").but(
        name="rules_fired", value=ZERO, op=">=", limit=ONE, margin=-ONE
    )


def _no(code: Code, words: str) -> Verdict:
    return Verdict(code=code, passed=False, text=words)
