"""The venue's whole word against ours: what is missing, what is strange, and by how much the positions differ.

Pure comparison; ``execute.advance`` acts on it. A survey is made of several queries at different moments, so a
difference is only a suspicion until it stays (``Policy.strikes``), and news younger than the survey outranks it.
Readings agree that lie on the same side of ours, and what they agree on is the least of them: nothing is believed that
one of them did not show, and a position that goes on moving is believed as far as all of them saw it.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId
from chimera.trading.money import ZERO, Millis
from chimera.trading.order import OPEN, Status
from chimera.trading.scene import Policy
from chimera.trading.value import Value
from chimera.trading.venue import VenueOrder, VenueSnapshot

LISTING_LAG_MS: Final = 1_000  # a listing may lag behind an end by this much

_THOUGHT_OPEN: Final = (*OPEN, Status.TRIGGERING)


class Difference(Value):
    """``missing``: we think it rests, the venue does not list it. ``strange``: it rests there, we do not know it.

    ``gap`` is the venue's signed position minus ours, base asset, after this survey's trades were counted. A wallet
    on spot that holds more than our lots holds the user's own: no gap.
    """

    known: tuple[VenueOrder, ...]
    strange: tuple[VenueOrder, ...]
    missing: tuple[ClientOrderId, ...]
    gap: Decimal


def compare(holding: Holding, snapshot: VenueSnapshot) -> Difference:
    """``holding`` already has the survey's trades counted."""
    listed = {order.ref for order in snapshot.orders}
    gap = snapshot.position.qty - holding.position.qty
    return Difference(
        known=tuple(order for order in snapshot.orders if order.ref in holding.orders),
        strange=tuple(order for order in snapshot.orders if _strange(order, holding, snapshot.asked_ms)),
        missing=tuple(
            ref
            for ref, order in holding.orders.items()
            if order.status in _THOUGHT_OPEN and ref not in listed and order.created_ms < snapshot.asked_ms
        ),
        gap=gap if holding.key.market.reduces_only else min(gap, ZERO),
    )


def _strange(listed: VenueOrder, holding: Holding, asked_ms: Millis) -> bool:
    """Unknown; or it ended well before the question and lives again: a listing may lag a little."""
    end = holding.ended.get(listed.ref)
    return listed.ref not in holding.orders and (end is None or end.at_ms + LISTING_LAG_MS <= asked_ms)


def suspecting(holding: Holding, gap: Decimal) -> Holding:
    """With one more reading counted, of a ``gap`` other than zero; one to the other side begins anew."""
    suspected = holding.suspected
    if not holding.strikes or (gap > 0) != (suspected > 0):
        return holding.but(strikes=1, suspected=gap)
    return holding.but(strikes=holding.strikes + 1, suspected=min(gap, suspected, key=abs))


def needed(holding: Holding, policy: Policy) -> int:
    """How many readings must agree on what is suspected: more where our position would become smaller."""
    return policy.strikes_to_shrink if shrinks(holding) else policy.strikes


def shrinks(holding: Holding) -> bool:
    """Whether our position would be smaller, were the suspicion believed."""
    held = holding.position.qty
    return abs(held + holding.suspected) < abs(held)
