"""What Binance documents as mandatory, endpoint by endpoint, and what the twin says where one is missing or unknown.

The table is of the documents (derivatives trade and account API, spot ``rest-api.md``), not of the twin's own routing
tables: those are what is judged.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chimera.simulate.door.auth import Security, signature
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.spot.endpoints import ENDPOINTS as SPOT
from chimera.simulate.twin import Twin
from chimera.simulate.usdm.endpoints import ENDPOINTS as USDM
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import ASKED
from chimera.simulate.wallet.endpoints import ENDPOINTS as WALLET
from chimera.trading.money import Millis

NOW_MS = Millis(1_763_635_200_000)
STRANGER = "colour"
TABLES: Mapping[tuple[str, str], Any] = {**USDM, **SPOT, **WALLET}

_MANDATORY = """
GET    /fapi/v1/depth                    symbol
POST   /fapi/v1/order                    symbol side type
POST   /fapi/v1/order/test               symbol side type
PUT    /fapi/v1/order                    symbol side quantity
DELETE /fapi/v1/order                    symbol
GET    /fapi/v1/order                    symbol
GET    /fapi/v1/openOrder                symbol
GET    /fapi/v1/orderAmendment           symbol
POST   /fapi/v1/batchOrders              batchOrders
PUT    /fapi/v1/batchOrders              batchOrders
DELETE /fapi/v1/batchOrders              symbol
POST   /fapi/v1/countdownCancelAll       symbol countdownTime
DELETE /fapi/v1/allOpenOrders            symbol
GET    /fapi/v1/userTrades               symbol
POST   /fapi/v1/algoOrder                algoType symbol side type
GET    /fapi/v1/allAlgoOrders            symbol
DELETE /fapi/v1/algoOpenOrders           symbol
POST   /fapi/v1/leverage                 symbol leverage
POST   /fapi/v1/marginType               symbol marginType
POST   /fapi/v1/positionSide/dual        dualSidePosition
POST   /fapi/v1/multiAssetsMargin        multiAssetsMargin
POST   /fapi/v1/positionMargin           symbol amount type
GET    /fapi/v1/positionMargin/history   symbol
GET    /fapi/v1/commissionRate           symbol
POST   /fapi/v1/feeBurn                  feeBurn
GET    /fapi/v1/klines                   symbol interval
GET    /fapi/v1/continuousKlines         pair contractType interval
GET    /fapi/v1/trades                   symbol
GET    /fapi/v1/historicalTrades         symbol
GET    /fapi/v1/aggTrades                symbol
GET    /fapi/v1/openInterest             symbol
GET    /api/v3/klines                    symbol interval
GET    /api/v3/uiKlines                  symbol interval
GET    /api/v3/trades                    symbol
GET    /api/v3/historicalTrades          symbol
GET    /api/v3/aggTrades                 symbol
GET    /api/v3/depth                     symbol
GET    /api/v3/avgPrice                  symbol
POST   /api/v3/order                     symbol side type
POST   /api/v3/order/test                symbol side type
DELETE /api/v3/order                     symbol
GET    /api/v3/order                     symbol
DELETE /api/v3/openOrders                symbol
POST   /api/v3/order/cancelReplace       symbol side type cancelReplaceMode
PUT    /api/v3/order/amend/keepPriority  symbol newQty
GET    /api/v3/order/amendments          symbol orderId
GET    /api/v3/allOrders                 symbol
GET    /api/v3/myTrades                  symbol
GET    /api/v3/myPreventedMatches        symbol
POST   /api/v3/orderList/oco             symbol side quantity aboveType belowType
POST   /api/v3/orderList/oto             symbol workingType workingSide workingPrice workingQuantity pendingType pendingSide pendingQuantity
POST   /api/v3/orderList/otoco           symbol workingType workingSide workingPrice workingQuantity pendingSide pendingQuantity pendingAboveType
POST   /api/v3/orderList/opo             symbol workingType workingSide workingPrice workingQuantity pendingType pendingSide
POST   /api/v3/orderList/opoco           symbol workingType workingSide workingPrice workingQuantity pendingSide pendingAboveType
POST   /api/v3/order/oco                 symbol side quantity price stopPrice
DELETE /api/v3/orderList                 symbol
GET    /api/v3/account/commission        symbol
GET    /api/v3/myFilters                 symbol
POST   /sapi/v1/asset/transfer           type asset amount
GET    /sapi/v1/asset/transfer           type
"""  # noqa: E501  # a table
MANDATORY: dict[tuple[str, str], tuple[str, ...]] = {
    (method, path): tuple(names) for method, path, *names in map(str.split, _MANDATORY.strip().splitlines())
}

_FUT = {"symbol": "BTCUSDT", "side": "SELL", "newClientOrderId": "a"}
_ALGO = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "side": "SELL"}
_QTY, _PRICE = {"quantity": "0.01"}, {"price": "60000"}
_TRIGGER = {"triggerPrice": "60000"}
_STOP, _GTC = {"stopPrice": "60000"}, {"timeInForce": "GTC"}
_WORKING = {
    "symbol": "BTCUSDT", "workingType": "LIMIT", "workingSide": "BUY", "workingPrice": "60000",
    "workingQuantity": "0.01", "workingTimeInForce": "GTC",
}  # fmt: skip
_PENDING = {"pendingSide": "SELL", "pendingQuantity": "0.01"}
# Method, path, a request that lacks nothing, and the names that its type makes mandatory.
BY_TYPE: tuple[tuple[str, str, dict[str, str], str], ...] = (
    ("POST", "/fapi/v1/order", {**_FUT, "type": "LIMIT", **_GTC, **_QTY, **_PRICE}, "timeInForce quantity price"),
    ("POST", "/fapi/v1/order", {**_FUT, "type": "MARKET", **_QTY}, "quantity"),
    (
        "POST", "/fapi/v1/order",
        {**_FUT, "type": "LIMIT", "timeInForce": "GTD", **_QTY, **_PRICE, "goodTillDate": str(NOW_MS + 700_000)},
        "goodTillDate",
    ),
    ("POST", "/fapi/v1/algoOrder", {**_ALGO, "type": "STOP_MARKET", **_QTY, **_TRIGGER}, "quantity triggerPrice"),
    (
        "POST", "/fapi/v1/algoOrder", {**_ALGO, "type": "STOP", **_QTY, **_PRICE, **_TRIGGER},
        "quantity price triggerPrice",
    ),
    (
        "POST", "/fapi/v1/algoOrder", {**_ALGO, "type": "TRAILING_STOP_MARKET", **_QTY, "callbackRate": "1"},
        "quantity callbackRate",
    ),
    ("DELETE", "/fapi/v1/order", {"symbol": "BTCUSDT", "orderId": "1"}, "orderId"),
    ("GET", "/fapi/v1/order", {"symbol": "BTCUSDT", "orderId": "1"}, "orderId"),
    ("DELETE", "/fapi/v1/algoOrder", {"algoId": "1"}, "algoId"),
    ("GET", "/fapi/v1/algoOrder", {"algoId": "1"}, "algoId"),
    ("POST", "/api/v3/order", {**_FUT, "type": "LIMIT", **_GTC, **_QTY, **_PRICE}, "timeInForce quantity price"),
    ("POST", "/api/v3/order", {**_FUT, "type": "MARKET", **_QTY}, "quantity"),
    ("POST", "/api/v3/order", {**_FUT, "type": "LIMIT_MAKER", **_QTY, **_PRICE}, "quantity price"),
    ("POST", "/api/v3/order", {**_FUT, "type": "STOP_LOSS", **_QTY, **_STOP}, "quantity stopPrice"),
    (
        "POST", "/api/v3/order", {**_FUT, "type": "STOP_LOSS_LIMIT", **_GTC, **_QTY, **_PRICE, **_STOP},
        "timeInForce quantity price stopPrice",
    ),
    ("POST", "/api/v3/order", {**_FUT, "type": "TAKE_PROFIT", **_QTY, **_STOP}, "quantity stopPrice"),
    (
        "POST", "/api/v3/order", {**_FUT, "type": "TAKE_PROFIT_LIMIT", **_GTC, **_QTY, **_PRICE, **_STOP},
        "timeInForce quantity price stopPrice",
    ),
    ("DELETE", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": "1"}, "orderId"),
    ("GET", "/api/v3/order", {"symbol": "BTCUSDT", "orderId": "1"}, "orderId"),
    ("PUT", "/api/v3/order/amend/keepPriority", {"symbol": "BTCUSDT", "orderId": "1", "newQty": "0.01"}, "orderId"),
    (
        "POST", "/api/v3/order/cancelReplace",
        {
            **_FUT, "type": "LIMIT", **_GTC, **_QTY, **_PRICE, "cancelReplaceMode": "STOP_ON_FAILURE",
            "cancelOrderId": "1",
        },
        "timeInForce quantity price cancelOrderId",
    ),
    (
        "POST", "/api/v3/orderList/oco",
        {
            "symbol": "BTCUSDT", "side": "SELL", **_QTY, "aboveType": "LIMIT_MAKER", "abovePrice": "70000",
            "belowType": "STOP_LOSS_LIMIT", "belowStopPrice": "60000", "belowPrice": "59000", "belowTimeInForce": "GTC",
        },
        "abovePrice belowStopPrice belowPrice belowTimeInForce",
    ),
    (
        "POST", "/api/v3/orderList/oto",
        {**_WORKING, **_PENDING, "pendingType": "LIMIT", "pendingPrice": "70000", "pendingTimeInForce": "GTC"},
        "workingTimeInForce pendingPrice pendingTimeInForce",
    ),
    (
        "POST", "/api/v3/orderList/otoco",
        {
            **_WORKING, **_PENDING, "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "70000",
            "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "60000",
        },
        "workingTimeInForce pendingAbovePrice pendingBelowStopPrice",
    ),
    ("GET", "/api/v3/orderList", {"orderListId": "1"}, "orderListId"),
    ("DELETE", "/api/v3/orderList", {"symbol": "BTCUSDT", "orderListId": "1"}, "orderListId"),
)  # fmt: skip


@dataclass(frozen=True)
class Trial:
    """A request and the code it must be refused with; ``name``: the parameter that is missing or too many."""

    method: str
    path: str
    terms: dict[str, str]
    name: str
    code: int

    @property
    def label(self) -> str:
        kind = self.terms.get("type") or self.terms.get("pendingType") or ""
        return f"{self.method} {self.path} {kind} {'-' if self.code == -1102 else '+'}{self.name}".replace("  ", " ")


def trials() -> Iterator[Trial]:
    """Every endpoint of the twin, each mandatory parameter left out in turn, and an unknown one added if it minds."""
    for (method, path), found in TABLES.items():
        names = MANDATORY.get((method, path), ())
        whole = dict.fromkeys(names, "1")
        for name in names:
            yield Trial(method, path, without(whole, name), name, -1102)
        if found.strict:
            sent = len(whole) + 1 + 2 * (found.security is Security.SIGNED)
            known = len({*found.mandatory, *found.optional})
            yield Trial(method, path, whole | {STRANGER: "red"}, STRANGER, -1101 if sent > known else -1104)
    for method, path, whole, names_of_type in BY_TYPE:
        for name in names_of_type.split():
            yield Trial(method, path, without(whole, name), name, -1102)


def without(terms: dict[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in terms.items() if key != name}


def tried(twin: Twin, trial: Trial) -> dict[str, Any]:
    """The twin's answer, and the audit's word on whether anything happened."""
    security = TABLES[trial.method, trial.path].security
    query = urlencode(trial.terms)
    if security is Security.SIGNED:
        query = f"{query}&timestamp={NOW_MS}".lstrip("&")
        query += "&signature=" + signature(READY_ACCOUNT.secret.encode(), query)
    headers = {} if security is Security.NONE else {"X-MBX-APIKEY": READY_ACCOUNT.api_key}
    request = WireRequest(method=trial.method, path=trial.path, query=query, headers=headers)
    known = len(twin.audit)
    answer = twin.handle(request, NOW_MS)
    done = [record.kind.value for record in twin.audit[known:] if record.kind not in ASKED]
    return {"status": answer.status, **answer.json(), "done": done}


def a_twin() -> Twin:
    return Twin(now_ms=NOW_MS, limits=False)
