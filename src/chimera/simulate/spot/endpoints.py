"""The routing table of the spot face: which path and method is which handler, what a call costs and needs; and the
WebSocket API's names for the same calls.

Since 2026-04-02 placements and cancels that succeed weigh nothing; those that fail weigh what is listed. A spot
placement counts as unfilled orders: two or three for a list. ``cancelReplace`` counts its own.
"""

from collections.abc import Callable
from typing import Any, Final

from chimera.simulate.door import clock_api
from chimera.simulate.door.auth import Security
from chimera.simulate.door.call import Endpoint, endpoint
from chimera.simulate.door.keyring import Permission
from chimera.simulate.door.params import Params
from chimera.simulate.spot import account_api, lists_api, market_api, orders_api
from chimera.simulate.spot.call import SpotCall
from chimera.simulate.spot.lists_api import ABOVE, BELOW, PENDING, PENDING_ABOVE, PENDING_BELOW, WORKING, options
from chimera.simulate.spot.tickets import PLAIN

_NONE, _SIGNED = Security.NONE, Security.SIGNED
_ORDER_REF = "orderId origClientOrderId"
_PERIOD = "startTime endTime limit"
_PICK = "symbol symbols symbolStatus"
_ORDER = f"{' '.join(PLAIN.terms)} quantity quoteOrderQty newOrderRespType selfTradePreventionMode"
_CANCEL_FIRST = (
    "cancelNewClientOrderId cancelOrigClientOrderId cancelOrderId cancelRestrictions orderRateLimitExceededMode"
)
_OLD_OCO = options(lists_api.OLD_LIMIT, lists_api.OLD_STOP).replace("stopPrice ", "")
_LISTEN_KEY = "listenKey timestamp recvWindow signature"
_WORKS = "workingType workingSide workingPrice workingQuantity"


def _trade(
    handler: Callable[[SpotCall], Any], mandatory: str, optional: str = "", *, orders: int = 0
) -> Endpoint[SpotCall]:
    """A call that places or cancels."""
    return endpoint(
        handler, _SIGNED, 1, mandatory, optional, permission=Permission.SPOT, orders=orders, weight_on_success=0
    )


def _pairs(one: int, more: int) -> Callable[[Params], int]:
    """The weight of a call about one pair or several."""
    return lambda params: one if params.has("symbol") else more


def _test_weight(params: Params) -> int:
    return 20 if params.text("computeCommissionRates").lower() == "true" else 1


def _trades_weight(params: Params) -> int:
    return 5 if params.has("orderId") else 20


def _prevented_weight(params: Params) -> int:
    return 20 if params.has("orderId") else 2


ENDPOINTS: Final[dict[tuple[str, str], Endpoint[SpotCall]]] = {
    ("GET", "/api/v3/ping"): endpoint(clock_api.ping, _NONE, 1),
    ("GET", "/api/v3/time"): endpoint(clock_api.time, _NONE, 1),
    ("GET", "/api/v3/exchangeInfo"): endpoint(
        market_api.exchange_info, _NONE, 20, "", f"{_PICK} permissions showPermissionSets"
    ),
    ("GET", "/api/v3/depth"): endpoint(
        market_api.depth, _NONE, market_api.depth_weight, "symbol", "limit symbolStatus"
    ),
    ("GET", "/api/v3/avgPrice"): endpoint(market_api.average, _NONE, 2, "symbol"),
    ("GET", "/api/v3/ticker/price"): endpoint(market_api.price, _NONE, _pairs(2, 4), "", _PICK),
    ("GET", "/api/v3/ticker/bookTicker"): endpoint(market_api.book_ticker, _NONE, _pairs(2, 4), "", _PICK),
    ("GET", "/api/v3/ticker/24hr"): endpoint(market_api.day_ticker, _NONE, market_api.day_weight, "", f"{_PICK} type"),
    **{
        ("GET", f"/api/v3/{name}"): endpoint(market_api.klines, _NONE, 2, "symbol interval", f"{_PERIOD} timeZone")
        for name in ("klines", "uiKlines")
    },
    ("GET", "/api/v3/trades"): endpoint(market_api.trades, _NONE, 25, "symbol", "limit"),
    ("GET", "/api/v3/historicalTrades"): endpoint(market_api.trades, _NONE, 25, "symbol", "limit fromId"),
    ("GET", "/api/v3/aggTrades"): endpoint(market_api.aggregates, _NONE, 4, "symbol", f"fromId {_PERIOD}"),
    ("POST", "/api/v3/order"): _trade(orders_api.place, "symbol side type", _ORDER, orders=1),
    ("POST", "/api/v3/order/test"): endpoint(
        orders_api.test,
        _SIGNED,
        _test_weight,
        "symbol side type",
        f"{_ORDER} computeCommissionRates",
        permission=Permission.SPOT,
    ),
    ("DELETE", "/api/v3/order"): _trade(
        orders_api.cancel, "symbol", f"{_ORDER_REF} newClientOrderId cancelRestrictions"
    ),
    ("DELETE", "/api/v3/openOrders"): _trade(orders_api.cancel_all, "symbol"),
    ("POST", "/api/v3/order/cancelReplace"): _trade(
        orders_api.replace, "symbol side type cancelReplaceMode", f"{_ORDER} {_CANCEL_FIRST}"
    ),
    ("PUT", "/api/v3/order/amend/keepPriority"): endpoint(
        orders_api.amend, _SIGNED, 4, "symbol newQty", f"{_ORDER_REF} newClientOrderId", permission=Permission.SPOT
    ),
    ("GET", "/api/v3/order/amendments"): endpoint(
        orders_api.amendments, _SIGNED, 4, "symbol orderId", "fromExecutionId limit"
    ),
    ("GET", "/api/v3/order"): endpoint(orders_api.query, _SIGNED, 4, "symbol", _ORDER_REF),
    ("GET", "/api/v3/openOrders"): endpoint(orders_api.list_open, _SIGNED, 6, "", "symbol", without_symbol=80),
    ("GET", "/api/v3/allOrders"): endpoint(orders_api.list_all, _SIGNED, 20, "symbol", f"orderId {_PERIOD}"),
    ("GET", "/api/v3/myTrades"): endpoint(
        orders_api.list_trades, _SIGNED, _trades_weight, "symbol", f"orderId fromId {_PERIOD}"
    ),
    ("GET", "/api/v3/myPreventedMatches"): endpoint(
        orders_api.prevented_matches,
        _SIGNED,
        _prevented_weight,
        "symbol",
        "preventedMatchId orderId fromPreventedMatchId limit",
    ),
    ("POST", "/api/v3/orderList/oco"): _trade(
        lists_api.place_oco, "symbol side quantity aboveType belowType", options(ABOVE, BELOW), orders=2
    ),
    ("POST", "/api/v3/orderList/oto"): _trade(
        lists_api.place_oto,
        f"symbol {_WORKS} pendingType pendingSide pendingQuantity",
        options(WORKING, PENDING),
        orders=2,
    ),
    ("POST", "/api/v3/orderList/otoco"): _trade(
        lists_api.place_otoco,
        f"symbol {_WORKS} pendingSide pendingQuantity pendingAboveType",
        f"pendingBelowType {options(WORKING, PENDING_ABOVE, PENDING_BELOW)}",
        orders=3,
    ),
    ("POST", "/api/v3/orderList/opo"): _trade(
        lists_api.place_opo,
        f"symbol {_WORKS} pendingType pendingSide",
        f"pendingQuantity {options(WORKING, PENDING)}",
        orders=2,
    ),
    ("POST", "/api/v3/orderList/opoco"): _trade(
        lists_api.place_opoco,
        f"symbol {_WORKS} pendingSide pendingAboveType",
        f"pendingBelowType pendingQuantity {options(WORKING, PENDING_ABOVE, PENDING_BELOW)}",
        orders=3,
    ),
    ("POST", "/api/v3/order/oco"): _trade(
        lists_api.place_old_oco, "symbol side quantity price stopPrice", _OLD_OCO, orders=2
    ),
    ("DELETE", "/api/v3/orderList"): _trade(
        lists_api.cancel, "symbol", "orderListId listClientOrderId newClientOrderId"
    ),
    ("GET", "/api/v3/orderList"): endpoint(lists_api.query, _SIGNED, 4, "", "orderListId origClientOrderId"),
    ("GET", "/api/v3/openOrderList"): endpoint(lists_api.list_open, _SIGNED, 6),
    ("GET", "/api/v3/allOrderList"): endpoint(lists_api.list_all, _SIGNED, 20, "", f"fromId {_PERIOD}"),
    ("GET", "/api/v3/account"): endpoint(account_api.account, _SIGNED, 20, "", "omitZeroBalances"),
    ("GET", "/api/v3/account/commission"): endpoint(account_api.commission, _SIGNED, 20, "symbol"),
    ("GET", "/api/v3/rateLimit/order"): endpoint(account_api.order_counts, _SIGNED, 40),
    ("GET", "/api/v3/myFilters"): endpoint(account_api.my_filters, _SIGNED, 40, "symbol"),
    **{
        (method, "/api/v3/userDataStream"): endpoint(account_api.no_listen_key, _NONE, 2, "", _LISTEN_KEY)
        for method in ("POST", "PUT", "DELETE")
    },
}

METHODS: Final[dict[str, tuple[str, str]]] = {
    "ping": ("GET", "/api/v3/ping"),
    "time": ("GET", "/api/v3/time"),
    "exchangeInfo": ("GET", "/api/v3/exchangeInfo"),
    "depth": ("GET", "/api/v3/depth"),
    "avgPrice": ("GET", "/api/v3/avgPrice"),
    "trades.recent": ("GET", "/api/v3/trades"),
    "trades.historical": ("GET", "/api/v3/historicalTrades"),
    "trades.aggregate": ("GET", "/api/v3/aggTrades"),
    "klines": ("GET", "/api/v3/klines"),
    "uiKlines": ("GET", "/api/v3/uiKlines"),
    "ticker.24hr": ("GET", "/api/v3/ticker/24hr"),
    "ticker.price": ("GET", "/api/v3/ticker/price"),
    "ticker.book": ("GET", "/api/v3/ticker/bookTicker"),
    "order.place": ("POST", "/api/v3/order"),
    "order.test": ("POST", "/api/v3/order/test"),
    "order.status": ("GET", "/api/v3/order"),
    "order.cancel": ("DELETE", "/api/v3/order"),
    "order.cancelReplace": ("POST", "/api/v3/order/cancelReplace"),
    "order.amend.keepPriority": ("PUT", "/api/v3/order/amend/keepPriority"),
    "order.amendments": ("GET", "/api/v3/order/amendments"),
    "openOrders.status": ("GET", "/api/v3/openOrders"),
    "openOrders.cancelAll": ("DELETE", "/api/v3/openOrders"),
    "orderList.place": ("POST", "/api/v3/order/oco"),
    "orderList.place.oco": ("POST", "/api/v3/orderList/oco"),
    "orderList.place.oto": ("POST", "/api/v3/orderList/oto"),
    "orderList.place.otoco": ("POST", "/api/v3/orderList/otoco"),
    "orderList.place.opo": ("POST", "/api/v3/orderList/opo"),
    "orderList.place.opoco": ("POST", "/api/v3/orderList/opoco"),
    "orderList.status": ("GET", "/api/v3/orderList"),
    "orderList.cancel": ("DELETE", "/api/v3/orderList"),
    "openOrderLists.status": ("GET", "/api/v3/openOrderList"),
    "allOrderLists": ("GET", "/api/v3/allOrderList"),
    "allOrders": ("GET", "/api/v3/allOrders"),
    "myTrades": ("GET", "/api/v3/myTrades"),
    "myFilters": ("GET", "/api/v3/myFilters"),
    "myPreventedMatches": ("GET", "/api/v3/myPreventedMatches"),
    "account.status": ("GET", "/api/v3/account"),
    "account.commission": ("GET", "/api/v3/account/commission"),
    "account.rateLimits.orders": ("GET", "/api/v3/rateLimit/order"),
}
