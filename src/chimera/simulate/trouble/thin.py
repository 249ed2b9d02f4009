"""A book with less in it, as if others had just taken it."""

from decimal import Decimal
from typing import Any

from chimera.simulate.venue.listing import Listing
from chimera.trading.market import Side


def thin_out(listing: Listing[Any], taker: Side, left: Decimal, now_ms: int) -> None:
    """Leave a taker of ``taker`` side only ``left`` (whole steps of it), best prices first.

    The market restates its levels as ever, so the book is whole again a moment later.
    """
    left = listing.instrument.floor_to_step(left)
    for price, size in tuple(listing.book.offers(taker, now_ms)):
        stays = min(left, size)
        left -= stays
        if size > stays:
            listing.book.take(taker, price, size - stays, now_ms)
