"""Binance Spot as it is: endpoints, weights, and what its door has of its own. The calls are ``signed``'s.

Weights are those of a call that fails: since 2026-04-02 placements and cancels that succeed weigh nothing. The venue
counts *unfilled* orders and gives some back when they fill; we count every placement, which is never too little.
Source: Binance Spot rest-api.md.
"""

from collections.abc import Mapping
from typing import Final

from chimera.adapters.binance.signed import Dialect, Endpoint, Security
from chimera.adapters.binance.spot.outcomes import throttled, trouble
from chimera.trading.money import DAY_MS, MINUTE_MS
from chimera.trading.rates import Lane, Metered, RateLimit

API_PATH: Final = "/ws-api/v3"
METHODS: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/api/v3/order"): "order.place",
    ("DELETE", "/api/v3/order"): "order.cancel",
    ("GET", "/api/v3/order"): "order.status",
    ("POST", "/api/v3/orderList/oco"): "orderList.place.oco",
    ("DELETE", "/api/v3/orderList"): "orderList.cancel",
}

PLACE_ORDER: Final = Endpoint(method="POST", path="/api/v3/order", order=True, orders=1, lane=Lane.OPEN)
TEST_ORDER: Final = Endpoint(method="POST", path="/api/v3/order/test", order=True)
CANCEL_ORDER: Final = Endpoint(method="DELETE", path="/api/v3/order", order=True, lane=Lane.CANCEL)
GET_ORDER: Final = Endpoint(method="GET", path="/api/v3/order", weight=4, lane=Lane.SIGHT)
ALL_ORDERS: Final = Endpoint(method="GET", path="/api/v3/allOrders", weight=20)
OPEN_ORDERS: Final = Endpoint(method="GET", path="/api/v3/openOrders", weight=6, weight_all=80, lane=Lane.SIGHT)
PLACE_OCO: Final = Endpoint(method="POST", path="/api/v3/orderList/oco", order=True, orders=2, lane=Lane.PROTECT)
ACCOUNT: Final = Endpoint(method="GET", path="/api/v3/account", weight=20, lane=Lane.SIGHT)
MY_TRADES: Final = Endpoint(method="GET", path="/api/v3/myTrades", weight=20, lane=Lane.SIGHT)
COMMISSION: Final = Endpoint(method="GET", path="/api/v3/account/commission", weight=20, lane=Lane.OPEN)
SERVER_TIME: Final = Endpoint(method="GET", path="/api/v3/time", security=Security.NONE, lane=Lane.SIGHT)
EXCHANGE_INFO: Final = Endpoint(
    method="GET",
    path="/api/v3/exchangeInfo",
    security=Security.NONE,
    weight=20,
    weight_all=20,
    slow=True,
    lane=Lane.SIGHT,
)
BOOK_TICKER: Final = Endpoint(
    method="GET", path="/api/v3/ticker/bookTicker", security=Security.NONE, weight=2, weight_all=4, lane=Lane.OPEN
)
SUBSCRIBE: Final = Endpoint(  # and to connect
    method="WS", path="userDataStream.subscribe.signature", weight=2 + 2, lane=Lane.SIGHT
)

SPOT: Final = Dialect(
    server_time=SERVER_TIME,
    place=PLACE_ORDER,
    counts=("x-mbx-used-weight-1m", "x-mbx-order-count-10s", "x-mbx-order-count-1d"),
    limits=(
        RateLimit(counts=Metered.WEIGHT, span_ms=MINUTE_MS, most=6_000),
        RateLimit(counts=Metered.ORDERS, span_ms=10_000, most=100),
        RateLimit(counts=Metered.ORDERS, span_ms=DAY_MS, most=200_000),
    ),
    trouble=trouble,
    throttled=throttled,
)
