"""The venue's whole word against ours: what is missing, what is strange, and by how much the positions differ.

Pure comparison; ``execute.advance`` acts on it. A survey is made of several queries at different moments, so a
difference is only a suspicion until it stays (``Policy.strikes``), and news younger than the survey outranks it.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId
from chimera.trading.order import OPEN, Status
from chimera.trading.value import Value
from chimera.trading.venue import VenueOrder, VenueSnapshot

LISTING_LAG_MS: Final = 1_000  # a listing may lag behind an end by this much

_THOUGHT_OPEN: Final = (*OPEN, Status.TRIGGERING)


class Difference(Value):
    """``missing``: we think it rests, the venue does not list it. ``strange``: it rests there, we do not know it.

    ``gap`` is the venue's signed position minus ours, base asset, after this survey's trades were counted.
    """

    known: tuple[VenueOrder, ...]
    strange: tuple[VenueOrder, ...]
    missing: tuple[ClientOrderId, ...]
    gap: Decimal


def compare(holding: Holding, snapshot: VenueSnapshot) -> Difference:
    """``holding`` already has the survey's trades counted."""
    listed = {order.ref for order in snapshot.orders}
    return Difference(
        known=tuple(order for order in snapshot.orders if order.ref in holding.orders),
        strange=tuple(order for order in snapshot.orders if order.ref not in holding.orders),
        missing=tuple(
            ref
            for ref, order in holding.orders.items()
            if order.status in _THOUGHT_OPEN and ref not in listed and order.created_ms < snapshot.asked_ms
        ),
        gap=snapshot.position.qty - holding.position.qty,
    )
