"""What a decision comes to, part by part in words: two that agree in all of them would have done the same.

Amounts are plain digits without trailing zeros, so that a decision that was stored and one that was just made compare.
"""

from decimal import Decimal

import msgspec

from chimera.trading.decision import Open, Skip, Verdict
from chimera.trading.intent import ExecPolicy, StopSpec, TargetSpec
from chimera.trading.market import Market, Side
from chimera.trading.money import text
from chimera.trading.value import Value


class Outcome(Value, tag=False):
    """Empty is what this one has not: a skip has no size, an entry no reasons."""

    decision: str  # open or skip
    market: str
    side: str = ""
    qty: str = ""
    stop: str = ""
    target: str = ""
    policy: str = ""
    leverage: str = ""
    reasons: str = ""
    rules_fired: str = ""


class Part(Value, tag=False):
    """One part in which two outcomes differ."""

    what: str
    one: str
    other: str


def outcome(decision: Open | Skip) -> Outcome:
    if isinstance(decision, Skip):
        return skipped(decision.market, decision.reasons, decision.rules_fired)
    return opened(
        decision.market,
        decision.side,
        decision.qty,
        decision.stop,
        decision.target,
        decision.policy,
        decision.leverage,
        decision.rules_fired,
    )


def skipped(market: Market, reasons: tuple[Verdict, ...], rules_fired: tuple[str, ...]) -> Outcome:
    return Outcome(
        decision="skip",
        market=str(market),
        reasons=", ".join(f"{reason.code} {reason.name}".rstrip() for reason in reasons),
        rules_fired=", ".join(rules_fired),
    )


def opened(
    market: Market,
    side: Side,
    qty: Decimal,
    stop: StopSpec | None,
    target: TargetSpec | None,
    policy: ExecPolicy,
    leverage: int,
    rules_fired: tuple[str, ...],
) -> Outcome:
    return Outcome(
        decision="open",
        market=str(market),
        side=str(side),
        qty=text(qty),
        stop="" if stop is None or stop.price is None else text(stop.price),
        target="" if target is None else f"{target.kind} {text(target.value)}",
        policy=_worded(policy),
        leverage=str(leverage),
        rules_fired=", ".join(rules_fired),
    )


def parts(one: Outcome, other: Outcome) -> tuple[Part, ...]:
    """Where they differ: in what would have happened, first; then in why."""
    both = ((name, getattr(one, name), getattr(other, name)) for name in Outcome.__struct_fields__)
    return tuple(Part(what=name, one=ours, other=theirs) for name, ours, theirs in both if ours != theirs)


def _worded(node: object) -> str:
    match node:
        case msgspec.Struct():
            said = ((name, getattr(node, name)) for name in node.__struct_fields__)
            inside = ", ".join(f"{name}={_worded(value)}" for name, value in said if value is not None)
            return f"{type(node).__name__}({inside})" if inside else type(node).__name__
        case Decimal():
            return text(node)
        case _:
            return str(node)
