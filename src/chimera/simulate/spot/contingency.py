"""What happens to the other orders of a list when one of them moves.

OCO: any fill of a leg, even a partial one, and the trigger of a leg expire the other at once, before anything else can
happen; so both never trade. OTO: the pending orders end when the working order ends unfilled; when it is filled, the
list is noted in ``floor.filled`` to be released once matching is done. A list is done when none of its orders is open.
Sources: S/fix-api.md ListTriggerType (assumed for REST), S/rest-api.md.
"""

from typing import Final

from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.lists import ListOrderStatus, ListStatus, OrderList
from chimera.simulate.spot.orders import SpotOrder
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Status, Step

OCO_TRIGGER: Final = "OCO_TRIGGER"
PHASE_ONE_EXPIRED: Final = "OTO_PHASE_ONE_EXPIRED"
REJECTED: Final = "REJECTED"


class Contingency:
    """Keeps lists true to their kind."""

    def __init__(self, floor: SpotFloor, matcher: Matcher[SpotOrder]) -> None:
        self.floor = floor
        self.matcher = matcher

    def traded(self, order: SpotOrder) -> None:
        """It had a fill."""
        held = order.order_list
        if held is None:
            return
        self.triggered(order)
        if order is held.working and order.status is Status.FILLED:
            self.floor.filled[held.list_id] = held
        self._close_if_done(held)

    def triggered(self, order: SpotOrder) -> None:
        """It trades or goes to the market: the other leg of its OCO is out."""
        sibling = None if order.order_list is None else order.order_list.sibling(order)
        if sibling is not None and sibling.is_open:
            self.matcher.end(sibling, Step.EXPIRE, OCO_TRIGGER)

    def ended(self, order: SpotOrder) -> None:
        """It was canceled, expired or prevented."""
        held = order.order_list
        if held is None:
            return
        if order is held.working:
            for leg in held.legs:
                if leg.pending:
                    self.matcher.end(leg, Step.EXPIRE, PHASE_ONE_EXPIRED)
        self._close_if_done(held)

    def _close_if_done(self, held: OrderList) -> None:
        if not held.is_open or any(order.is_open for order in held.orders):
            return
        held.status_type, held.order_status = ListStatus.ALL_DONE, ListOrderStatus.ALL_DONE
        held.updated_ms = self.floor.now_ms
        self.floor.lists.close(held)
        self.floor.reports.list_status(held)
