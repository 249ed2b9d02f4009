"""What is asked of every order before it is placed, on either market: how urgent it is, and whether it is in time.

Whether an order may leave is decided by whoever sends it, who asks for its moment, too. It is asked again here because
only here nothing can come between the question and the request, whoever calls.
"""

from typing import Final

from chimera.trading.errors import NotSent
from chimera.trading.money import Millis
from chimera.trading.order import NewOrder, OrderType, TimeInForce
from chimera.trading.rates import Lane

SELF_TRADE: Final = "EXPIRE_MAKER"  # of two orders of the account that would meet, the one that rests goes


def lane_of(order: NewOrder) -> Lane:
    """How urgent it is: what guards, what gets out, what takes a profit or waits for its price, what gets in."""
    if order.type in (OrderType.STOP_MARKET, OrderType.STOP_LOSS_LIMIT):
        return Lane.PROTECT
    if not order.reduce_only:
        return Lane.OPEN
    rests = order.type is OrderType.TAKE_PROFIT_MARKET or order.time_in_force is TimeInForce.GTX
    return Lane.TARGET if rests else Lane.CLOSE


def in_time(order: NewOrder, now_ms: Millis) -> None:
    """Past its moment (UTC ms) it does not leave: ``NotSent``, kept back by ourselves."""
    if order.not_after_ms is not None and now_ms > order.not_after_ms:
        raise NotSent("LATE: its time to be sent has passed", held=True)
