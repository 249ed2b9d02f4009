"""``/fapi/v1/order`` and its family: place, cancel, query, trades."""

from typing import Any

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import payloads
from chimera.simulate.usdm.admission import Ticket
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.orders import FuturesOrder, OrderType
from chimera.simulate.venue.orders import Stp, Tif
from chimera.trading.market import Side
from chimera.trading.money import ZERO, text

CONDITIONAL = frozenset({"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"})
CANCELED_ALL = {"code": 200, "msg": "The operation of cancel all open order is done."}
_AUTO_ID_CHARS = 22  # as long as the ids Binance makes up


def place(call: FuturesCall) -> dict[str, Any]:
    """POST order."""
    if call.params.text("type") in CONDITIONAL:
        raise Refusal(-4120)
    call.params.refuse("stopPrice", "closePosition", "workingType", "priceProtect", "activationPrice", "callbackRate")
    answer = _answer_type(call)
    ticket = _ticket(call)
    order = call.exchange.place(ticket)
    return payloads.placed(order, before_matching=answer == "ACK")


def _answer_type(call: FuturesCall) -> str:
    answer = call.params.text("newOrderRespType", "ACK")
    if answer not in ("ACK", "RESULT"):
        raise Refusal(-1136)
    return answer


def _ticket(call: FuturesCall) -> Ticket:
    params, listing = call.params, call.listing
    if not listing.instrument.trading:
        raise Refusal(-1122)
    side = params.choice("side", Side, None, -1117)
    type_ = params.choice("type", OrderType, None, -1116)
    one_way(call)
    tif, price = Tif.GTC, ZERO
    if type_ is OrderType.LIMIT:
        tif = params.choice("timeInForce", Tif, None, -1115)
        price = params.amount("price")
    else:
        params.refuse("timeInForce", "price")
    if params.text("priceMatch", "NONE") != "NONE":
        raise Refusal(-1130, "priceMatch")
    return Ticket(
        account=call.account,
        listing=listing,
        side=side,
        type=type_,
        tif=tif,
        price=price,
        qty=params.amount("quantity"),
        reduce_only=params.flag("reduceOnly"),
        client_id=params.client_id("newClientOrderId") or call.floor.draw(_AUTO_ID_CHARS),
        stp=params.choice("selfTradePreventionMode", Stp, Stp.EXPIRE_MAKER, -1130),
    )


def one_way(call: FuturesCall) -> None:
    """This floor knows one-way mode only."""
    if call.params.text("positionSide", "BOTH") != "BOTH":
        raise Refusal(-4061)


def _found(call: FuturesCall, code: int) -> FuturesOrder:
    params = call.params
    order_id, client_id = params.maybe_integer("orderId"), params.client_id("origClientOrderId")
    if order_id is None and client_id is None:
        raise Refusal(-1102, "orderId")
    order = call.floor.orders.find(call.account, call.listing.symbol, order_id, client_id)
    if order is None:
        raise Refusal(code)
    return order


def cancel(call: FuturesCall) -> dict[str, Any]:
    """DELETE order."""
    order = _found(call, -2011)
    if not order.is_open:
        raise Refusal(-2011)
    call.exchange.cancel(order)
    return payloads.placed(order)


def cancel_all(call: FuturesCall) -> dict[str, Any]:
    """DELETE allOpenOrders: never touches algo orders."""
    for order in call.floor.orders.open_of(call.account, call.listing.symbol):
        if order.is_open:
            call.exchange.cancel(order)
    return CANCELED_ALL


def query(call: FuturesCall) -> dict[str, Any]:
    """GET order."""
    return payloads.queried(_found(call, -2013))


def query_open(call: FuturesCall) -> dict[str, Any]:
    """GET openOrder."""
    order = _found(call, -2013)
    if not order.is_open:
        raise Refusal(-2013)
    return payloads.queried(order)


def list_open(call: FuturesCall) -> list[dict[str, Any]]:
    """GET openOrders."""
    return [payloads.queried(order) for order in call.floor.orders.open_of(call.account, call.maybe_symbol)]


def list_all(call: FuturesCall) -> list[dict[str, Any]]:
    """GET allOrders."""
    symbol, first = call.maybe_symbol, call.params.integer_or("orderId", 0)
    rows = [
        payloads.queried(order) | {"pair": order.listing.symbol, "cumBase": text(order.cum_qty)}
        for order in call.floor.orders.by_id.values()
        if order.account is call.account and order.order_id >= first and symbol in (None, order.listing.symbol)
    ]
    return call.window(rows)


def list_trades(call: FuturesCall) -> list[dict[str, Any]]:
    """GET userTrades, oldest first."""
    params, symbol = call.params, call.listing.symbol
    order_id, from_id = params.maybe_integer("orderId"), params.maybe_integer("fromId")
    if from_id is not None and (params.has("startTime") or params.has("endTime")):
        raise Refusal(-1128)
    rows = [
        row
        for row in call.account.trades
        if row["symbol"] == symbol and order_id in (None, row["orderId"]) and row["id"] >= (from_id or 0)
    ]
    if from_id is not None:
        return rows[: min(params.integer_or("limit", 500), 1000)]
    return call.window(rows)
