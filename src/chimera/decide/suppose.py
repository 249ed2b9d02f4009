"""A what-if: the same case with some figures supposed instead of seen, by the names that verdicts use.

A factor is supposed under everything else and is as of now. A figure of the touch is supposed of both markets' touches,
one of the room is what the budget gate sees, promises of our own already taken off. What was not there at all cannot be
half supposed: a touch that is missing needs all four of its figures, a budget that is missing stays so.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from chimera.decide.decision import Case
from chimera.decide.features import BUILT_IN, HINTS, SIDE_HINT, built_in
from chimera.decide.gates import ROOM, Room, room
from chimera.trading.errors import Refused
from chimera.trading.market import Market, Side, Touch
from chimera.trading.money import ZERO, Millis, Price, Qty, sound
from chimera.trading.value import Value

PRICES: Final = ("touch.bid", "touch.ask", "touch.bid_qty", "touch.ask_qty")
TOUCH_AGE: Final = "touch.age_ms"
SCORE: Final = {"score.p": "p", "score.size_mult_ml": "size_mult_ml"}
FIGURES: Final = (*PRICES, TOUCH_AGE, *SCORE, *ROOM)  # beside every factor
WHOLE: Final = (TOUCH_AGE, "risk.budget.age_ms", "concurrent_entries")
SIGNED: Final = ("risk.budget.loss_usdt", "risk.budget.margin_usdt", "risk.budget.notional_usdt")


class Supposed(Value, tag=False, omit_defaults=False):
    """One figure of a what-if. ``seen`` None: it was not there."""

    name: str
    given: Decimal
    seen: Decimal | None = None


def supposing(case: Case, given: Mapping[str, Decimal]) -> Case:
    """Raises ``Refused`` for a figure that cannot be so."""
    if not given:
        return case
    for name in FIGURES:
        if name in given:
            _check(name, given[name])
    factors = {name: value for name, value in given.items() if name not in FIGURES}
    return case.but(
        supposed={**case.supposed, **factors},
        supposed_room={**case.supposed_room, **{name: given[name] for name in ROOM if name in given}},
        touches=_touches(case, given),
        side_hint=_hint(given) if SIDE_HINT in given else case.side_hint,
        score=case.score.but(**{SCORE[name]: given[name] for name in SCORE if name in given}),
    )


def figure(case: Case, name: str) -> Decimal | None:
    """What the case has under this name, on the market that it enters first; None where it is not there."""
    market = case.asked_market or Market.FUT
    if name in SCORE:
        score: Decimal = getattr(case.score, SCORE[name])
        return score
    if name in ROOM:
        return _of_room(case, room(market, case.budget, case.reserved, case.now_ms), name)
    touch = case.touches.get(market)
    if name in (*PRICES, TOUCH_AGE):
        return None if touch is None else _of_touch(touch, name, case.now_ms)
    if name in case.supposed:
        return case.supposed[name]
    seen = built_in(touch, case.side_hint, case.now_ms)
    feature = seen.get(name) if name in BUILT_IN else case.features.values.get(name)
    return None if feature is None or not sound(feature.value) else feature.value


def told(case: Case, given: Mapping[str, Decimal]) -> tuple[Supposed, ...]:
    """Each figure of a what-if, and what it took the place of."""
    return tuple(Supposed(name=name, given=value, seen=figure(case, name)) for name, value in given.items())


def _touches(case: Case, given: Mapping[str, Decimal]) -> dict[Market, Touch]:
    if not any(name in given for name in (*PRICES, TOUCH_AGE)):
        return case.touches
    touches = {}
    for market in Market:
        touch = _touch(case.touches.get(market), given, case.now_ms)
        if touch is not None:
            touches[market] = touch
    return touches


def _touch(seen: Touch | None, given: Mapping[str, Decimal], now_ms: Millis) -> Touch | None:
    """A supposed price is as of now, unless an age is supposed as well."""
    if seen is None and not any(name in given for name in PRICES):
        return None
    figures = {name: given[name] if seen is None else given.get(name, _of_touch(seen, name, now_ms))
               for name in PRICES if seen is not None or name in given}  # fmt: skip
    if len(figures) < len(PRICES):
        missing = next(name for name in PRICES if name not in figures)
        words = "there is no touch to take it from"
        raise Refused("MISSING_FIELD", words, field=f"context.{missing}", accepted=", ".join(PRICES))
    bid, ask, bid_qty, ask_qty = (figures[name] for name in PRICES)
    if bid > ask:
        words = f"a bid of {bid:f} is above the ask of {ask:f}"
        raise Refused("OUT_OF_RANGE", words, field="context.touch.bid", value=bid, accepted="bid <= ask")
    at_ms = now_ms if seen is None or any(name in given for name in PRICES) else seen.at_ms
    if TOUCH_AGE in given:
        at_ms = Millis(now_ms - int(given[TOUCH_AGE]))
    return Touch(bid=Price(bid), bid_qty=Qty(bid_qty), ask=Price(ask), ask_qty=Qty(ask_qty), at_ms=at_ms)


def _of_touch(touch: Touch, name: str, now_ms: Millis) -> Decimal:
    if name == TOUCH_AGE:
        return Decimal(abs(now_ms - touch.at_ms))
    value: Decimal = getattr(touch, name.removeprefix("touch."))
    return value


def _of_room(case: Case, left: Room | None, name: str) -> Decimal | None:
    if left is None or name in case.supposed_room:
        return case.supposed_room.get(name)
    return Decimal(getattr(left, ROOM[name]))


def _hint(given: Mapping[str, Decimal]) -> Side | None:
    value = given[SIDE_HINT]
    for side, number in HINTS.items():
        if number == value:
            return side
    words = "the wished side is 1 (BUY), -1 (SELL) or 0 (none)"
    raise Refused("OUT_OF_RANGE", words, field=f"context.{SIDE_HINT}", value=value, accepted="1, -1, 0")


def _check(name: str, value: Decimal) -> None:
    field = f"context.{name}"
    if not sound(value):
        raise Refused("OUT_OF_RANGE", f"{name} has no such size", field=field, value=value, accepted="below 1e20")
    if name in WHOLE and (value < ZERO or value != value.to_integral_value()):
        raise Refused("OUT_OF_RANGE", f"{name} is a whole number", field=field, value=value, accepted="0, 1, 2, ...")
    if name in PRICES[:2] and value <= ZERO:
        raise Refused("OUT_OF_RANGE", f"{name} is above 0", field=field, value=value, accepted="greater than 0")
    if name not in SIGNED and value < ZERO:
        raise Refused("OUT_OF_RANGE", f"{name} is not below 0", field=field, value=value, accepted="at least 0")
