"""The limit price that ``priceMatch`` takes from the book.

Where only the touch is known, the levels behind it are taken to stand tick by tick, as ``venue.book`` assumes.
"""

from decimal import Decimal
from itertools import islice

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm.orders import PriceMatch
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.trading.market import Side
from chimera.trading.money import ZERO


def matched(listing: Perpetual, side: Side, match: PriceMatch) -> Decimal:
    """The price of the level that ``match`` names for an order of ``side``; -5041 where there is none."""
    looked_at = side.opposite if match.crosses else side
    book = listing.book
    ladder = book.side(looked_at)
    if book.deep:
        found = next(islice(ladder.levels(), match.rank - 1, None), None)
    else:
        best = ladder.best
        found = None if best is None else best - book.tick * (match.rank - 1) * looked_at.sign
    if found is None or found <= ZERO:
        raise Refusal(-5041)
    return found
