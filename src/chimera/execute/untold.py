"""What an order has most likely filled though no trade of it has come: nothing is sent in its place (I4).

The venue's position, or a trade whose order it cannot name, may show that an order has filled long before the order
itself is found. That is no silence: the order counts as filled by so much until its own word or its own trades say
better. Its position is another matter, and booked by whoever saw it.
"""

from typing import Final

from chimera.trading.holding import Holding
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Qty
from chimera.trading.order import Order, Status

_WORDLESS: Final = (Status.PENDING_NEW, Status.IN_DOUBT, Status.PENDING_CANCEL)


def presumed(holding: Holding, side: Side, qty: Qty) -> tuple[Holding, Order | None]:
    """With so much more (base asset) counted to orders of intents on which there is no word, the oldest first.

    And the first that is filled beyond its trades: whose intent has most likely opened it. It may be one of earlier.
    """
    likely: Order | None = None
    for order in holding.orders.values():
        if order.request.side is not side or holding.working_of(order) is None:
            continue
        more = min(qty, order.leaves_qty) if order.status in _WORDLESS else ZERO
        if more:
            qty = Qty(qty - more)
            holding = holding.with_order(order.but(untold_qty=Qty(order.untold_qty + more)))
        if likely is None and (more or order.untold_qty):
            likely = order
    return holding, likely
