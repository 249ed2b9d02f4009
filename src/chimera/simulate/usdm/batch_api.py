"""``/fapi/v1/batchOrders``: several orders in one request, each answered by itself under HTTP 200.

Processed one after the other in the order given; Binance promises no order. A refused member leaves the others alone.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec

from chimera.simulate.door.messages import NO_JSON
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import orders_api, payloads
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.tickets import CHANGE_OPTIONS, ORDER_OPTIONS
from chimera.simulate.venue.orders import Stp
from chimera.trading.money import text

PLACE_MOST: Final = 5
CANCEL_MOST: Final = 10
CANCEL_LISTS: Final = (  # in lower case as python-binance and ccxt send them to Binance
    "orderIdList orderidlist origClientOrderIdList origclientorderidlist"
)
_PLACE: Final = ("symbol", "side", "type")
_PLACE_OPTIONS: Final = frozenset(ORDER_OPTIONS.split())
_MODIFY: Final = ("symbol", "side", "quantity")
_MODIFY_OPTIONS: Final = frozenset(CHANGE_OPTIONS.split())

_decoder = msgspec.json.Decoder(float_hook=Decimal)
Member = Callable[[FuturesCall], dict[str, Any]]


def place(call: FuturesCall) -> list[dict[str, Any]]:
    """POST batchOrders."""

    def one(member: FuturesCall) -> dict[str, Any]:
        member.params.expect(_PLACE, _PLACE_OPTIONS, frozenset())
        return orders_api.place(member, Stp.NONE)

    return [_answer(member, one) for member in _members(call)]


def modify(call: FuturesCall) -> list[dict[str, Any]]:
    """PUT batchOrders: members are processed together, so a second change of one order finds the first pending."""
    changed: set[int] = set()

    def one(member: FuturesCall) -> dict[str, Any]:
        member.params.expect(_MODIFY, _MODIFY_OPTIONS, frozenset())
        wanted = orders_api.asked_change(member)
        if wanted.order.order_id in changed:
            raise Refusal(-5043)
        member.exchange.amend(wanted)
        changed.add(wanted.order.order_id)
        return payloads.modified(wanted.order, wanted.modify_id)

    return [_answer(member, one) for member in _members(call)]


def cancel(call: FuturesCall) -> list[dict[str, Any]]:
    """DELETE batchOrders: by order ids, or by client ids."""
    symbol = call.listing.symbol
    name = next((name for name in CANCEL_LISTS.split() if call.params.has(name)), "orderIdList")
    key = "orderId" if name.startswith("order") else "origClientOrderId"
    ids = _list(call, name)
    if len(ids) > CANCEL_MOST:
        raise Refusal(-4032)
    return [_answer(_member(call, {"symbol": symbol, key: each}), orders_api.cancel) for each in ids]


def _answer(member: FuturesCall, handle: Member) -> dict[str, Any]:
    try:
        return handle(member)
    except Refusal as refusal:
        return {"code": refusal.code, "msg": refusal.msg}


def _members(call: FuturesCall) -> list[FuturesCall]:
    orders = _list(call, "batchOrders")
    if len(orders) > PLACE_MOST:
        raise Refusal(-4082, len(orders))
    if not all(isinstance(each, dict) for each in orders):
        raise Refusal(-1130, "batchOrders")
    return [_member(call, each) for each in orders]


def _list(call: FuturesCall, name: str) -> list[Any]:
    """A JSON array with something in it."""
    try:
        found = _decoder.decode(call.params.need(name))
    except NO_JSON:
        raise Refusal(-1130, name) from None
    if not isinstance(found, list):
        raise Refusal(-1130, name)
    if not found:
        raise Refusal(-1102, name)
    return found


def _member(call: FuturesCall, values: dict[str, Any]) -> FuturesCall:
    """A call of its own for one member."""
    params = Params.given({name: _written(value) for name, value in values.items() if value is not None})
    return FuturesCall(params, call.now_ms, call.key, call.limits, call.exchange, call.wire)


def _written(value: Any) -> str:
    """As it would stand in a query."""
    match value:
        case bool():
            return str(value).lower()
        case Decimal():
            return text(value)
        case str() | int():
            return str(value)
        case _:
            raise Refusal(-1130, "batchOrders")
