"""``/fapi/v1/algoOrder`` and its family: conditional orders."""

from typing import Any

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import payloads
from chimera.simulate.usdm.algos import Algo, AlgoType, Working
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.conditional import AlgoTicket
from chimera.simulate.usdm.orders_api import CANCELED_ALL, one_way
from chimera.simulate.venue.orders import Stp
from chimera.trading.market import Side
from chimera.trading.money import ZERO

_AUTO_ID_CHARS = 22
_TIFS = frozenset({"GTC", "GTE_GTC"})


def place(call: FuturesCall) -> dict[str, Any]:
    """POST algoOrder."""
    params, listing = call.params, call.listing
    if params.text("algoType") != "CONDITIONAL":
        raise Refusal(-1130, "algoType")
    side = params.choice("side", Side, None, -1117)
    type_ = params.choice("type", AlgoType, None, -1116)
    one_way(call)
    if params.text("timeInForce", "GTC") not in _TIFS:
        raise Refusal(-1115)
    close = params.flag("closePosition")
    if close and params.has("quantity"):
        raise Refusal(-4137)
    if close and params.has("reduceOnly"):
        raise Refusal(-1106, "reduceOnly")
    params.refuse("price", "activatePrice", "callbackRate")
    ticket = AlgoTicket(
        account=call.account,
        listing=listing,
        side=side,
        type=type_,
        qty=ZERO if close else params.amount("quantity"),
        trigger_price=params.amount("triggerPrice"),
        working=params.choice("workingType", Working, Working.CONTRACT_PRICE, -4031),
        reduce_only=params.flag("reduceOnly"),
        close_position=close,
        price_protect=params.flag("priceProtect"),
        client_id=params.client_id("clientAlgoId") or call.floor.draw(_AUTO_ID_CHARS),
        stp=params.choice("selfTradePreventionMode", Stp, Stp.EXPIRE_MAKER, -1130),
    )
    return payloads.algo(call.exchange.place_algo(ticket))


def _found(call: FuturesCall, code: int) -> Algo:
    algo_id, client_id = call.params.maybe_integer("algoId"), call.params.client_id("clientAlgoId")
    if algo_id is None and client_id is None:
        raise Refusal(-1102, "algoId")
    algo = call.floor.algos.find(call.account, algo_id, client_id)
    if algo is None:
        raise Refusal(code)
    return algo


def cancel(call: FuturesCall) -> dict[str, Any]:
    """DELETE algoOrder; ``code`` in the answer is a string."""
    algo = _found(call, -2011)
    if not algo.waits:
        raise Refusal(-2011)
    call.exchange.cancel_algo(algo)
    return {"algoId": algo.algo_id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}


def cancel_all(call: FuturesCall) -> dict[str, Any]:
    """DELETE algoOpenOrders."""
    for algo in call.floor.algos.waiting_of(call.account, call.listing.symbol):
        call.exchange.cancel_algo(algo)
    return CANCELED_ALL


def query(call: FuturesCall) -> dict[str, Any]:
    """GET algoOrder."""
    return payloads.algo_queried(_found(call, -2013))


def list_open(call: FuturesCall) -> list[dict[str, Any]]:
    """GET openAlgoOrders: what has not triggered."""
    only = call.params.maybe_integer("algoId")
    waiting = call.floor.algos.waiting_of(call.account, call.maybe_symbol)
    return [payloads.algo_queried(algo) for algo in waiting if only in (None, algo.algo_id)]


def list_all(call: FuturesCall) -> list[dict[str, Any]]:
    """GET allAlgoOrders."""
    symbol, first = call.listing.symbol, call.params.integer_or("algoId", 0)
    rows = [
        payloads.algo_queried(algo) | {"time": algo.created_ms}
        for algo in call.floor.algos.by_id.values()
        if algo.account is call.account and algo.algo_id >= first and algo.listing.symbol == symbol
    ]
    found = call.window(rows)
    for row in found:
        del row["time"]
    return found
