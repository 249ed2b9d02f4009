"""Conditional orders while they wait for the last price: to reach ``stop_price``, or to turn by ``trailing_delta``.

A trailing order follows the best last price since it began (at once, or from its stop price on) and is due when the
price has come back by that many basis points: a SELL falls from the highest, a BUY rises from the lowest. Source:
Binance spot trailing-stop FAQ. Deliberately unaware of what a due order does.
"""

from decimal import Decimal
from typing import Final

from chimera.simulate.spot.orders import SpotOrder
from chimera.simulate.spot.pair import Pair
from chimera.trading.market import Side

_BPS: Final = Decimal(10_000)


def wait(order: SpotOrder, now_ms: int) -> None:
    """It waits from now on."""
    order.waits = True
    pair, last = order.listing, order.listing.last
    if order.trailing_ms >= 0 or not order.stop_price:
        if order.trailing_ms < 0 and last is not None:
            _trail(order, last, now_ms)
        pair.trailing[order.order_id] = order
    else:
        pair.triggers.add(order)


def forget(order: SpotOrder) -> None:
    """It waits no more."""
    if not order.waits:
        return
    order.waits = False
    if order.listing.trailing.pop(order.order_id, None) is None:
        order.listing.triggers.remove(order)


def _trail(order: SpotOrder, price: Decimal, now_ms: int) -> None:
    order.trailing_ms = now_ms
    order.extreme = price


def due(pair: Pair, now_ms: int) -> list[SpotOrder]:
    """Those the last price triggers now; they wait no more."""
    price = pair.trigger_price
    if price is None or not pair.is_trading:
        return []
    found: list[SpotOrder] = []
    trailing = sorted(pair.trailing.values(), key=lambda order: order.order_id)
    for order in [each for each in trailing if _turned(each, price, now_ms)]:
        forget(order)
        found.append(order)
    for order in pair.triggers.pop_due(price):
        if order.trailing_delta:
            _trail(order, price, now_ms)
            pair.trailing[order.order_id] = order
        else:
            order.waits = False
            found.append(order)
    return found


def _turned(order: SpotOrder, price: Decimal, now_ms: int) -> bool:
    """Whether it came back far enough; a new best price is remembered."""
    if order.trailing_ms < 0:
        _trail(order, price, now_ms)
    if order.side is Side.SELL:
        order.extreme = max(order.extreme, price)
        return price <= order.extreme * (1 - order.trailing_delta / _BPS)
    order.extreme = min(order.extreme, price)
    return price >= order.extreme * (1 + order.trailing_delta / _BPS)
