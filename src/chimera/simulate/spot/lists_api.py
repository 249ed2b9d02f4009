"""Order lists: the five placements, the old OCO, cancel and queries."""

from typing import Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot import payloads
from chimera.simulate.spot.admission import SpotTicket
from chimera.simulate.spot.call import SpotCall
from chimera.simulate.spot.list_admission import ListTicket
from chimera.simulate.spot.lists import ListKind, OrderList
from chimera.simulate.spot.orders import OrderType
from chimera.simulate.spot.orders_api import ResponseType, canceled, response_type, told
from chimera.simulate.spot.payloads import Payload
from chimera.simulate.spot.tickets import Names, leg, read
from chimera.trading.market import Side

ABOVE: Final = leg("above")
BELOW: Final = leg("below")
WORKING: Final = leg("working", side="workingSide", quantity="workingQuantity")
PENDING: Final = leg("pending", side="pendingSide", quantity="pendingQuantity")
PENDING_ABOVE: Final = leg("pendingAbove", side="pendingSide", quantity="pendingQuantity")
PENDING_BELOW: Final = leg("pendingBelow", side="pendingSide", quantity="pendingQuantity")
_OLD_SHARED: Final = Names(*[""] * len(Names._fields))._replace(side="side", quantity="quantity")
OLD_LIMIT: Final = _OLD_SHARED._replace(
    price="price",
    iceberg_qty="limitIcebergQty",
    client_id="limitClientOrderId",
    strategy_id="limitStrategyId",
    strategy_type="limitStrategyType",
)
OLD_STOP: Final = _OLD_SHARED._replace(
    price="stopLimitPrice",
    stop_price="stopPrice",
    trailing_delta="trailingDelta",
    iceberg_qty="stopIcebergQty",
    tif="stopLimitTimeInForce",
    client_id="stopClientOrderId",
    strategy_id="stopStrategyId",
    strategy_type="stopStrategyType",
)


def place_oco(call: SpotCall) -> Payload:
    """POST orderList/oco."""
    return _place(call, ListKind.OCO, (read(call, ABOVE), read(call, BELOW)))


def place_oto(call: SpotCall) -> Payload:
    """POST orderList/oto."""
    return _place(call, ListKind.OTO, (_working(call), read(call, PENDING)))


def place_otoco(call: SpotCall) -> Payload:
    """POST orderList/otoco."""
    return _place(call, ListKind.OTOCO, (_working(call), *_pending_pair(call, sized=True)))


def place_opo(call: SpotCall) -> Payload:
    """POST orderList/opo: what the working order buys, the pending one sells."""
    _unsized(call)
    return _place(call, ListKind.OPO, (_working(call), read(call, PENDING, sized=False)))


def place_opoco(call: SpotCall) -> Payload:
    """POST orderList/opoco."""
    _unsized(call)
    return _place(call, ListKind.OPOCO, (_working(call), *_pending_pair(call, sized=False)))


def _unsized(call: SpotCall) -> None:
    if call.params.has("pendingQuantity"):
        raise Refusal(-1225, "pendingQuantity")


def _working(call: SpotCall) -> SpotTicket:
    if call.params.text("workingType") not in (OrderType.LIMIT, OrderType.LIMIT_MAKER):
        raise Refusal(-1116)
    return read(call, WORKING)


def _pending_pair(call: SpotCall, *, sized: bool) -> tuple[SpotTicket, SpotTicket]:
    """Two legs; where ``pendingBelowType`` may be left out, no page says, so both are wanted."""
    return read(call, PENDING_ABOVE, sized=sized), read(call, PENDING_BELOW, sized=sized)


def place_old_oco(call: SpotCall) -> Payload:
    """POST order/oco, deprecated: a LIMIT_MAKER and a stop of one side, the stop's type by what it brings."""
    params = call.params
    limited = params.has("stopLimitPrice")
    if limited and not params.has("stopLimitTimeInForce"):
        raise Refusal(-1128, text=f"{Refusal(-1128).msg} Recommendation: 'stopLimitTimeInForce' should also be sent.")
    stop_type = OrderType.STOP_LOSS_LIMIT if limited else OrderType.STOP_LOSS
    limit, stop = read(call, OLD_LIMIT, type_=OrderType.LIMIT_MAKER), read(call, OLD_STOP, type_=stop_type)
    return _place(call, ListKind.OCO, (limit, stop) if limit.side is Side.SELL else (stop, limit))


def _place(call: SpotCall, kind: ListKind, tickets: tuple[SpotTicket, ...]) -> Payload:
    wanted = response_type(call, ResponseType.RESULT)
    ticket = ListTicket(
        account=call.account, pair=call.pair, kind=kind, client_id=call.new_id("listClientOrderId"), orders=tickets
    )
    done = call.exchange.place_list(ticket)
    reports = [told(order, wanted, call.now_ms) for order in done.orders]
    return payloads.started(done.order_list, call.now_ms) | {"orderReports": reports}


def cancel(call: SpotCall) -> Payload:
    """DELETE orderList."""
    params, pair = call.params, call.pair
    params.need_one("orderListId", "listClientOrderId")
    found = _find(call, "listClientOrderId")
    if found is None or found.listing is not pair:
        raise Refusal(-2011)
    call.exchange.cancel_list(found, call.new_id("newClientOrderId"))
    return canceled(found, call.now_ms)


def query(call: SpotCall) -> Payload:
    """GET orderList: here ``origClientOrderId`` is the list's own id."""
    call.params.need_one("orderListId", "origClientOrderId")
    found = _find(call, "origClientOrderId")
    if found is None:
        raise Refusal(-2013)
    return payloads.order_list(found)


def _find(call: SpotCall, client_id: str) -> OrderList | None:
    number, name = call.params.maybe_integer("orderListId"), call.client_id(client_id)
    found = call.floor.lists.find(call.account, number, name)
    return None if found is not None and name is not None and found.client_id != name else found


def list_open(call: SpotCall) -> list[Payload]:
    """GET openOrderList."""
    return [payloads.order_list(each) for each in call.floor.lists.open_of(call.account)]


def list_all(call: SpotCall) -> list[Payload]:
    """GET allOrderList: from an id on, or of a period."""
    params = call.params
    first = params.maybe_integer("fromId")
    if first is not None and (params.has("startTime") or params.has("endTime")):
        raise Refusal(-1128)
    start, end = call.between()
    found = [
        payloads.order_list(each)
        for each in call.floor.lists.of(call.account)
        if each.list_id >= (first or 0) and start <= each.created_ms <= end
    ]
    onwards = first is not None or params.has("startTime")
    return found[: call.limit()] if onwards else found[-call.limit() :]


def options(*legs: Names) -> str:
    """The optional parameters of a placement with these legs, for a routing table."""
    named = {name for names in legs for name in names.terms}
    return " ".join(["listClientOrderId newOrderRespType selfTradePreventionMode", *sorted(named)])
