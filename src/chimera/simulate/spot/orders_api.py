"""``/api/v3/order`` and its family: place, test, cancel, replace, amend, query, trades."""

import dataclasses
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from chimera.simulate.door.call import Answer
from chimera.simulate.door.limits import Overrun
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot import payloads
from chimera.simulate.spot.call import SpotCall
from chimera.simulate.spot.exchange import Replaced, ReplaceMode, Restriction
from chimera.simulate.spot.floor import BNB
from chimera.simulate.spot.lists import OrderList
from chimera.simulate.spot.orders import OrderType, SpotOrder
from chimera.simulate.spot.payloads import Payload, eight
from chimera.simulate.spot.tickets import single

ONE_ORDER: Final = (1, 1)


class ResponseType(StrEnum):
    """``newOrderRespType``."""

    ACK = "ACK"
    RESULT = "RESULT"
    FULL = "FULL"


class OverrunMode(StrEnum):
    """``orderRateLimitExceededMode``: what a replacement does where the order count leaves no room."""

    DO_NOTHING = "DO_NOTHING"
    CANCEL_ONLY = "CANCEL_ONLY"


def response_type(call: SpotCall, default: ResponseType) -> ResponseType:
    """What the caller wants to hear."""
    return call.params.choice("newOrderRespType", ResponseType, default, -1136)


def told(order: SpotOrder, wanted: ResponseType, now_ms: int) -> Payload:
    """A placed order as the caller wants it."""
    match wanted:
        case ResponseType.ACK:
            return payloads.ack(order, now_ms)
        case ResponseType.RESULT:
            return payloads.result(order, now_ms)
        case ResponseType.FULL:
            return payloads.full(order, now_ms)


def _wanted(call: SpotCall) -> ResponseType:
    plain = call.params.text("type") in (OrderType.LIMIT, OrderType.MARKET)
    return response_type(call, ResponseType.FULL if plain else ResponseType.ACK)


def place(call: SpotCall) -> Payload:
    """POST order."""
    wanted = _wanted(call)
    return told(call.exchange.place(single(call)), wanted, call.now_ms)


def test(call: SpotCall) -> Payload:
    """POST order/test: every check, no order. With ``computeCommissionRates``: what it would pay."""
    _wanted(call)
    rates = call.params.flag("computeCommissionRates")
    call.exchange.check(single(call))
    if not rates:
        return {}
    account = call.account
    standard = {"maker": eight(account.maker_rate), "taker": eight(account.taker_rate)}
    none = {"maker": payloads.NOTHING, "taker": payloads.NOTHING}
    return {
        "standardCommissionForOrder": standard,
        "specialCommissionForOrder": none,
        "taxCommissionForOrder": none,
        "discount": discount(call),
    }


def discount(call: SpotCall) -> Payload:
    """The part of ``discount`` is the reduction; binance.md: whether it is that or what is left is unverified."""
    return {
        "enabledForAccount": call.account.bnb_discount,
        "enabledForSymbol": True,
        "discountAsset": BNB,
        "discount": eight(1 - call.floor.bnb_share),
    }


# ── cancel, replace, amend ──────────────────────────────────────────────────────────────────────────────────────────
def _named(call: SpotCall, order_id: str, client_id: str) -> SpotOrder | None:
    """By id if given, else by client id; both: that of the id, if it carries the client id."""
    params = call.params
    params.need_one(client_id, order_id)
    number, name = params.maybe_integer(order_id), call.client_id(client_id)
    found = call.floor.orders.find(call.account, call.pair.symbol, number, name)
    return None if found is not None and name is not None and found.client_id != name else found


def _restriction(call: SpotCall) -> Restriction | None:
    if not call.params.has("cancelRestrictions"):
        return None
    return call.params.choice("cancelRestrictions", Restriction, None, -1145)


def cancel(call: SpotCall) -> Payload:
    """DELETE order; a leg takes its whole list with it."""
    restriction, cancel_id = _restriction(call), call.new_id("newClientOrderId")
    order = _named(call, "orderId", "origClientOrderId")
    if order is None:
        raise Refusal(-2011)
    return canceled(call.exchange.cancel(order, cancel_id, restriction), call.now_ms)


def canceled(gone: SpotOrder | OrderList, now_ms: int) -> Payload:
    """A canceled order, or a canceled list with the orders that ended with it."""
    if isinstance(gone, SpotOrder):
        return payloads.canceled(gone, gone.cancel_id, now_ms)
    reports = [payloads.canceled(leg, leg.cancel_id, now_ms) for leg in gone.orders if leg.cancel_id]
    return payloads.order_list(gone) | {"orderReports": reports}


def cancel_all(call: SpotCall) -> list[Payload]:
    """DELETE openOrders."""
    gone = call.exchange.cancel_all(call.account, call.pair, call.new_id(""))
    return [canceled(each, call.now_ms) for each in gone]


def replace(call: SpotCall) -> Answer:
    """POST order/cancelReplace. It counts its order itself: a new order that was not tried is counted, too."""
    params, now = call.params, call.now_ms
    mode = params.choice("cancelReplaceMode", ReplaceMode, None, -1130)
    crowded = params.choice("orderRateLimitExceededMode", OverrunMode, OverrunMode.DO_NOTHING, -1130)
    wanted, restriction = _wanted(call), _restriction(call)
    params.need_one("cancelOrigClientOrderId", "cancelOrderId")
    ticket, cancel_id = single(call), call.new_id("cancelNewClientOrderId")

    def find() -> SpotOrder:
        order = _named(call, "cancelOrderId", "cancelOrigClientOrderId")
        if order is None:
            raise Refusal(-2011)
        return order

    try:
        call.limits.room_for(call.owner, ONE_ORDER, now)
    except Overrun as overrun:
        if crowded is OverrunMode.DO_NOTHING:
            raise
        return _only_canceled(call, find, cancel_id, restriction, mode, overrun)
    call.limits.count_orders(call.owner, ONE_ORDER, now)
    try:
        done = call.exchange.replace(find, ticket, mode, cancel_id=cancel_id, restriction=restriction)
    except Refusal:
        call.limits.count_orders(call.owner, (-1, -1), now)
        raise
    return dataclasses.replace(_replaced(done, wanted, now), placed=call.owner)


def _replaced(done: Replaced, wanted: ResponseType, now_ms: int) -> Answer:
    placed = None if done.placed is None else told(done.placed, wanted, now_ms)
    gone = None if done.canceled is None else canceled(done.canceled, now_ms)
    body: Payload = {
        "cancelResult": done.cancel_result,
        "newOrderResult": done.new_result,
        "cancelResponse": gone if done.cancel_refusal is None else _refused(done.cancel_refusal),
        "newOrderResponse": placed if done.new_refusal is None else _refused(done.new_refusal),
    }
    if gone is not None and placed is not None:
        return Answer(200, body)
    return _partly(body, 409) if gone is not None or placed is not None else _failed(body, 400)


def _only_canceled(
    call: SpotCall,
    find: Callable[[], SpotOrder],
    cancel_id: str,
    restriction: Restriction | None,
    mode: ReplaceMode,
    overrun: Overrun,
) -> Answer:
    """``CANCEL_ONLY`` beyond the order count: the cancel is tried, the new order is not."""
    body: Payload = {"cancelResult": "SUCCESS", "newOrderResult": "FAILURE"}
    stops = mode is ReplaceMode.STOP_ON_FAILURE
    try:
        gone = call.exchange.cancel(find(), cancel_id, restriction)
    except Refusal as refusal:
        body |= {"cancelResult": "FAILURE", "cancelResponse": _refused(refusal)}
        body |= {"newOrderResult": "NOT_ATTEMPTED" if stops else "FAILURE"}
        return _failed(body | {"newOrderResponse": None if stops else _refused(overrun)}, 429 if stops else 400)
    body |= {"cancelResponse": canceled(gone, call.now_ms), "newOrderResponse": _refused(overrun)}
    return _partly(body, 429 if stops else 409)


def _refused(refusal: Refusal) -> Payload:
    return {"code": refusal.code, "msg": refusal.msg}


def _partly(data: Payload, status: int) -> Answer:
    return Answer(status, {"code": -2021, "msg": "Order cancel-replace partially failed.", "data": data})


def _failed(data: Payload, status: int) -> Answer:
    return Answer(status, {"code": -2022, "msg": "Order cancel-replace failed.", "data": data})


def amend(call: SpotCall) -> Payload:
    """PUT order/amend/keepPriority."""
    order = _named(call, "orderId", "origClientOrderId")
    if order is None:
        raise Refusal(-2038, text="Unknown order sent.")
    made = call.exchange.amend(order, call.params.amount("newQty"), call.client_id("newClientOrderId") or "")
    body: Payload = {
        "transactTime": call.now_ms,
        "executionId": made.execution_id,
        "amendedOrder": payloads.amended(order, made.old_client_id),
    }
    return body if order.order_list is None else body | {"listStatus": payloads.list_state(order.order_list)}


def amendments(call: SpotCall) -> list[Payload]:
    """GET order/amendments."""
    order = call.floor.orders.find(call.account, call.pair.symbol, call.params.integer("orderId"), None)
    if order is None:
        raise Refusal(-2013)
    first = call.params.integer_or("fromExecutionId", 0)
    rows = [payloads.amendment(order, made) for made in order.amendments if made.execution_id >= first]
    return rows[: call.limit()]


# ── queries ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def query(call: SpotCall) -> Payload:
    """GET order."""
    order = _named(call, "orderId", "origClientOrderId")
    if order is None:
        both = call.params.has("orderId") and call.params.has("origClientOrderId")
        raise Refusal(-2039 if both else -2013)
    return payloads.queried(order)


def list_open(call: SpotCall) -> list[Payload]:
    """GET openOrders."""
    symbol = call.pair.symbol if call.params.has("symbol") else None
    return [payloads.queried(order) for order in call.floor.orders.open_of(call.account, symbol)]


def list_all(call: SpotCall) -> list[Payload]:
    """GET allOrders: from an id on, or of a period."""
    pair, account, first = call.pair, call.account, call.params.maybe_integer("orderId")
    start, end = call.between()
    rows = [
        payloads.queried(order)
        for order in call.floor.orders.by_id.values()
        if order.account is account and order.listing is pair and order.order_id >= (first or 0)
    ]
    rows = [row for row in rows if start <= row["time"] <= end]
    onwards = first is not None or call.params.has("startTime")
    return rows[: call.limit()] if onwards else rows[-call.limit() :]


_TRADE_SETS: Final = frozenset(
    frozenset(names.split())
    for names in ("", "orderId", "startTime", "endTime", "fromId", "startTime endTime", "orderId fromId")
)


def list_trades(call: SpotCall) -> list[Payload]:
    """GET myTrades, oldest first; only some sets of parameters are allowed (-1128)."""
    params, symbol = call.params, call.pair.symbol
    given = frozenset(name for name in ("orderId", "fromId", "startTime", "endTime") if params.has(name))
    if given not in _TRADE_SETS:
        raise Refusal(-1128)
    order_id, first = params.maybe_integer("orderId"), params.integer_or("fromId", 0)
    start, end = call.between()
    rows = [
        row
        for row in call.account.trades.since(start)
        if row["symbol"] == symbol
        and order_id in (None, row["orderId"])
        and row["id"] >= first
        and start <= row["time"] <= end
    ]
    return rows[: call.limit()] if given & {"fromId", "startTime", "orderId"} else rows[-call.limit() :]


def prevented_matches(call: SpotCall) -> list[Payload]:
    """GET myPreventedMatches: of a match or an order."""
    params, pair, account = call.params, call.pair, call.account
    params.need_one("preventedMatchId", "orderId")
    match_id, order_id = params.maybe_integer("preventedMatchId"), params.maybe_integer("orderId")
    if match_id is not None and order_id is not None:
        raise Refusal(-1128)
    first = params.integer_or("fromPreventedMatchId", 0)
    rows = {
        match.match_id: payloads.prevented(order, match)
        for order in call.floor.orders.by_id.values()
        if order.account is account and order.listing is pair and order_id in (None, order.order_id)
        for match in order.preventions
        if match_id in (None, match.match_id) and match.match_id >= first
    }
    return [rows[number] for number in sorted(rows)][: call.limit()]
