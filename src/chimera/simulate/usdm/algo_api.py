"""``/fapi/v1/algoOrder`` and its family: conditional orders."""

from typing import Any

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import payloads
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.call import FuturesCall
from chimera.simulate.usdm.history_api import algo_lasts
from chimera.simulate.usdm.orders_api import CANCELED_ALL
from chimera.simulate.usdm.tickets import algo_ticket


def place(call: FuturesCall) -> dict[str, Any]:
    """POST algoOrder."""
    return payloads.algo(call.exchange.place_algo(algo_ticket(call.params, call.floor, call.account)))


def _found(call: FuturesCall, code: int) -> Algo:
    call.params.need_one("algoId", "clientAlgoId")
    algo_id, client_id = call.params.maybe_integer("algoId"), call.params.client_id("clientAlgoId")
    algo = call.floor.algos.find(call.account, algo_id, client_id)
    if algo is None:
        raise Refusal(code)
    return algo


def cancel(call: FuturesCall) -> dict[str, Any]:
    """DELETE algoOrder; ``code`` in the answer is a string."""
    algo = _found(call, -2011)
    if not algo.waits:
        raise Refusal(call.exchange.desk.cancel_code(algo))
    call.exchange.cancel_algo(algo)
    return {"algoId": algo.algo_id, "clientAlgoId": algo.client_id, "code": "200", "msg": "success"}


def cancel_all(call: FuturesCall) -> dict[str, Any]:
    """DELETE algoOpenOrders: what waits; one that is triggering goes on."""
    for algo in call.floor.algos.waiting_of(call.account, call.listing.symbol):
        call.exchange.cancel_algo(algo)
    return CANCELED_ALL


def query(call: FuturesCall) -> dict[str, Any]:
    """GET algoOrder."""
    algo = _found(call, -2013)
    if not algo_lasts(algo, call.now_ms):
        raise Refusal(-2013)
    return payloads.algo_queried(algo)


def list_open(call: FuturesCall) -> list[dict[str, Any]]:
    """GET openAlgoOrders: what has no child yet, one stuck in TRIGGERING too."""
    if call.params.text("algoType", "CONDITIONAL") != "CONDITIONAL":
        raise Refusal(-1130, "algoType")
    only = call.params.maybe_integer("algoId")
    found = call.floor.algos.open_of(call.account, call.maybe_symbol)
    return [payloads.algo_queried(algo) for algo in found if only in (None, algo.algo_id)]
