"""A stop that stands beyond the price at which the venue liquidates never fires: it is placed before that price.

An entry of ours with such a stop is refused (``admit.admission``). But what was opened by hand has the leverage that
its owner chose, and margin may be taken out later: the venue's own word on the price is what counts then. Anchored at
the entry and not at the market, so that a stop does not give way as the price comes towards it.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.holding import Holding
from chimera.trading.market import Side
from chimera.trading.money import Price
from chimera.trading.venue import VenuePosition

ROOM: Final = Decimal("0.25")  # of the way from there to the entry: a close has costs, and the price may jump
STEADY: Final = Decimal("0.05")  # likewise: a smaller change of it moves no stop (funding, other positions' results)


def before_liquidation(price: Price, holding: Holding, entry_side: Side) -> Price:
    """``price``, or one that is reached before the liquidation, not rounded."""
    there, entry = holding.liquidation_px, holding.position.entry_px
    if there is None or entry is None or (entry - there) * entry_side.sign <= 0:
        return price
    late = (price - there) * entry_side.sign <= 0
    return Price(there + (entry - there) * ROOM) if late else price


def seen(holding: Holding, told: VenuePosition) -> Holding:
    """After a survey's word on the position."""
    known, there, entry = holding.liquidation_px, told.liquidation_px, told.entry_px
    if known is None or there is None or entry is None:
        return holding if known == there else holding.but(liquidation_px=there)
    return holding if abs(known - there) <= abs(entry - there) * STEADY else holding.but(liquidation_px=there)
