"""What should stand guard over a position: one stop and one target for all of it."""

from chimera.trading.intent import WorkingType
from chimera.trading.market import Side
from chimera.trading.money import Price, Qty
from chimera.trading.value import Value


class Bracket(Value):
    """The wish, not the fact: orders in the holding show what is live. ``side`` is the exit's; ``qty`` base asset."""

    side: Side
    qty: Qty
    stop_price: Price | None  # None only where an intent was allowed to go unprotected
    working_type: WorkingType
    target_price: Price | None = None
    late_price: Price | None = None  # where the stop belongs by its wish, and the venue would liquidate before it
