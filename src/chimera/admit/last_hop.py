"""May this order leave? Asked at the last hop before the wire, in the step in which it would leave.

What it waited for (the disk, its turn) took time: what was admitted may be late, killed, changed, cancelled or too much
by now. An answer is the fact that the order's owner hears in its place. What keeps an order back for now is held by us
and uses up no try of its intent (``PlaceNotSent``); what would say no again ends it (``PlaceRefused``, KEPT_BACK). Of
stops and exits nothing is asked but that a wallet holds it. Knows neither who sends nor what has left already.
"""

from decimal import Decimal
from typing import Final, NamedTuple

from chimera.admit.limits import Exposure, LimitBook
from chimera.trading.execution import Working
from chimera.trading.facts import PlaceNotSent, PlaceRefused
from chimera.trading.holding import Holding
from chimera.trading.ids import DEFAULT_STRATEGY
from chimera.trading.money import ZERO, Millis
from chimera.trading.order import NewOrder, Role
from chimera.trading.refusal import Refusal
from chimera.trading.standstill import Standstill

LATE: Final = "LATE: held back past its moment"
NO_MARKET_DATA: Final = "NO_MARKET_DATA: no price to judge limits by, of this position or of another of the account"
CHANGED: Final = "CHANGED: its intent has other terms by now, by which the next is made"
BARE: Final = "BARE: what was to stand in its place stands no more"

No = PlaceNotSent | PlaceRefused


class Seen(NamedTuple):
    """What an entry meets at this moment, beside its holding."""

    now_ms: Millis
    exposure: Exposure | None  # with this order in it; None: no fresh price, or other positions are not known yet
    closed: tuple[str, Millis | None] | None  # why nothing may enter just now, and for how long
    standstill: Standstill


def entry(order: NewOrder, holding: Holding, seen: Seen, limits: LimitBook) -> No | None:
    """Why it may not leave; None: it may, and ``limits`` have it reserved."""
    if _late(order, seen.now_ms):
        return held(order, LATE)
    if seen.exposure is None:
        return held(order, NO_MARKET_DATA)
    if seen.closed is not None:
        return held(order, *seen.closed)
    known = holding.orders.get(order.ref)
    working = holding.working_of(known) if known else None
    if working is not None and working.next_plan is not None:
        return held(order, CHANGED)
    own = known.leaves_qty - known.owed_qty if known else ZERO
    no = (
        killed(working, holding, seen.standstill)
        or beyond_parent(working, holding)
        or limits.reserve(order, seen.exposure.and_open(order.side, -own), seen.now_ms)
    )
    return None if no is None else kept_back(order, no)


def reduction(order: NewOrder, holding: Holding, offered: Decimal, now_ms: Millis) -> No | None:
    """Why an order that only reduces may not leave. ``offered``: base asset that orders of ours may still sell."""
    no = _of_an_intent(order, holding, now_ms)
    if no is None and (over := oversold(holding, offered)) is not None:
        no = kept_back(order, over)
    return no


def _of_an_intent(order: NewOrder, holding: Holding, now_ms: Millis) -> No | None:
    """What stops a reduce-only intent that had to wait for the disk: its moment, its caller. Never a stop."""
    known = holding.orders.get(order.ref)
    if known is None or known.intent_id is None:
        return None
    if _late(order, now_ms):
        return held(order, LATE)
    working = holding.working_of(known)
    if working is not None and working.next_plan is not None:
        return held(order, CHANGED)
    no = beyond_parent(working, holding)
    return None if no is None else kept_back(order, no)


def oversold(holding: Holding, offered: Decimal) -> str | None:
    """On spot nothing at the venue keeps us from selling the user's own coins (I12)."""
    if holding.key.market.reduces_only:
        return None
    ours = holding.exposure
    return None if offered <= ours else f"LIMIT_HELD: {offered} would be for sale, {ours} is ours"


def killed(working: Working | None, holding: Holding, standstill: Standstill) -> str | None:
    """An order of no intent is judged as the default strategy's."""
    kill = standstill.over(holding.key, working.intent.strategy_id if working else DEFAULT_STRATEGY)
    return None if kill is None else f"KILL_SWITCH: {kill.told}"


def beyond_parent(working: Working | None, holding: Holding) -> str | None:
    """Knight's missing check: filled + leaves of all children, this one among them, never exceed the intent."""
    if working is None:
        return "LIMIT_PARENT: no intent owns this order"
    if working.canceling:
        return f"CANCELED: {working.reason}"
    children = holding.of_intent(working.intent_id)
    total = sum((child.cum_qty + child.leaves_qty for child in children), ZERO)
    if total > working.intent.qty:
        return f"LIMIT_PARENT: children of {working.intent_id} come to {total}, intended {working.intent.qty}"
    return None


def bares(role: Role, holding: Holding) -> bool:
    """Whether something of the position would have no stop; the cancel of one (``role``) has waited for the disk.

    On spot a balance is locked once: there what stands goes first.
    """
    if not holding.key.market.reduces_only:
        return False
    return role is Role.STOP and holding.covered_qty < abs(holding.exposure)


def held(order: NewOrder, reason: str, wait_ms: Millis | None = None) -> PlaceNotSent:
    """We keep it back ourselves: no try of its intent is used up."""
    return PlaceNotSent(ref=order.ref, reason=reason, retry_after_ms=wait_ms, held=True)


def kept_back(order: NewOrder, why: str) -> PlaceRefused:
    """Our own last look says no, and would again."""
    return PlaceRefused(ref=order.ref, code=0, message=why, refusal=Refusal.KEPT_BACK)


def _late(order: NewOrder, now_ms: Millis) -> bool:
    return order.not_after_ms is not None and now_ms > order.not_after_ms
