"""Whether the ledger has forgotten something: what the venue shows under our ids, against what is on record.

An entry leaves only after the state that ordered it is on disk (``commands.waits_for_save``). So an entry of ours at
the venue of which the ledger has no trace proves that the ledger is gone, is an old copy, or that another router trades
this account with a ledger of its own. Stops, targets and whole closes go out before they are saved and prove nothing,
but where the ledger is empty: then any order of ours does, save a stand-in's, who sends without a ledger.
"""

from collections.abc import Iterable
from typing import Final

from chimera.trading.ids import child_of, stands_in
from chimera.trading.money import Millis
from chimera.trading.order import Role
from chimera.trading.venue import VenueOrder

BY: Final = "LEDGER_LOST"
_ENTRIES: Final = (Role.MAKER.value, Role.TAKER.value)


def newest_entry(orders: Iterable[VenueOrder], since_ms: Millis) -> VenueOrder | None:
    """The newest entry under one of our ids, changed at or after ``since_ms`` (venue clock): the one to know."""
    entries = (order for order in orders if order.updated_ms >= since_ms and _entry(order))
    return max(entries, key=lambda order: (order.updated_ms, order.ref), default=None)


def ours(orders: Iterable[VenueOrder]) -> tuple[VenueOrder, ...]:
    """Those under our ids, but for what a stand-in sent while the ledger was away."""
    return tuple(order for order in orders if (child := child_of(order.ref)) is not None and not stands_in(child[0]))


def why(traces: Iterable[VenueOrder], *, empty: bool) -> str:
    """The sentence of the kill."""
    names = sorted(f"{order.symbol} {order.ref}" for order in traces)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    state = "is empty" if empty else "does not know all"
    return f"the ledger {state}, and the venue shows orders of ours: {shown}; protecting and closing only"


def _entry(order: VenueOrder) -> bool:
    child = child_of(order.ref)
    return child is not None and child[1] in _ENTRIES and not order.reduce_only
