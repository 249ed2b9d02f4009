"""``/fapi/v1/order`` and its family: place, test, change, cancel, one order's state."""

from typing import Any, Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import payloads
from chimera.simulate.usdm.amend import Change
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.history_api import changes_of, lasts
from chimera.simulate.usdm.orders import FuturesOrder
from chimera.simulate.usdm.tickets import answer_type, change, place_ticket
from chimera.simulate.venue.orders import Stp

CANCELED_ALL: Final = {"code": 200, "msg": "The operation of cancel all open order is done."}


def place(call: FuturesCall, default_stp: Stp = Stp.EXPIRE_MAKER) -> dict[str, Any]:
    """POST order."""
    ticket = place_ticket(call.params, call.floor, call.account, default_stp)
    order = call.exchange.place(ticket)
    return payloads.placed(order, before_matching=answer_type(call.params) == "ACK")


def test(call: FuturesCall) -> dict[str, Any]:
    """POST order/test: judged like an order, and nothing comes of it."""
    call.exchange.test(place_ticket(call.params, call.floor, call.account, Stp.NONE))
    return {}


def found(call: FuturesCall, code: int) -> FuturesOrder:
    """The order that the parameters name; ``code`` is the refusal if there is none."""
    params = call.params
    params.need_one("orderId", "origClientOrderId")
    order_id, client_id = params.maybe_integer("orderId"), params.client_id("origClientOrderId")
    order = call.floor.orders.find(call.account, call.listing.symbol, order_id, client_id)
    if order is None:
        raise Refusal(code)
    return order


def asked_change(call: FuturesCall) -> Change:
    """The open order that the parameters name, and what is to become of it."""
    order = found(call, -2013)
    if not order.is_open:
        raise Refusal(-2013)
    return change(call.params, order)


def modify(call: FuturesCall) -> dict[str, Any]:
    """PUT order: at once, so no second change of one order is ever pending here but in a batch."""
    wanted = asked_change(call)
    call.exchange.amend(wanted)
    return payloads.modified(wanted.order, wanted.modify_id)


def cancel(call: FuturesCall) -> dict[str, Any]:
    """DELETE order."""
    order = found(call, -2011)
    if not order.is_open:
        raise Refusal(-2011)
    call.exchange.cancel(order)
    return payloads.placed(order)


def cancel_all(call: FuturesCall) -> dict[str, Any]:
    """DELETE allOpenOrders: never touches algo orders."""
    call.exchange.cancel_open(call.account, call.listing.symbol)
    return CANCELED_ALL


def countdown(call: FuturesCall) -> dict[str, Any]:
    """POST countdownCancelAll: replaces the symbol's timer; 0 stops it."""
    symbol, span_ms = call.listing.symbol, call.params.integer("countdownTime")
    call.exchange.countdowns.set(call.account.name, symbol, span_ms, call.floor.now_ms)
    return {"symbol": symbol, "countdownTime": str(span_ms)}


def query(call: FuturesCall) -> dict[str, Any]:
    """GET order."""
    order = found(call, -2013)
    if not lasts(order, call.now_ms):
        raise Refusal(-2013)
    return payloads.queried(order)


def amendments(call: FuturesCall) -> list[dict[str, Any]]:
    """GET orderAmendment."""
    return changes_of(call, found(call, -2013))


def query_open(call: FuturesCall) -> dict[str, Any]:
    """GET openOrder."""
    order = found(call, -2013)
    if not order.is_open:
        raise Refusal(-2013)
    return payloads.queried(order)


def list_open(call: FuturesCall) -> list[dict[str, Any]]:
    """GET openOrders."""
    return [payloads.queried(order) for order in call.floor.orders.open_of(call.account, call.maybe_symbol)]
