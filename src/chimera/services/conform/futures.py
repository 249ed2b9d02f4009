"""USD-M: the conformance table and the open questions about futures (reference sections 4, 7, 8 and 13).

Every check leaves orders and position as it found them, or leaves them to ``tidy``; none needs another to have run.
"""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from chimera.services.conform.check import Check, refusal, shape
from chimera.services.conform.hands import POLL_S, Answer, Desk, Facts, listening, words
from chimera.services.conform.orders import asking, cancel, canceled, place, queried, resting

ORDER: Final = "/fapi/v1/order"
ALGO: Final = "/fapi/v1/algoOrder"
FILL_S: Final = 3.0
TRIGGER_S: Final = 120.0  # until the market has moved a tick either way
SILENCE_S: Final = 4.0  # a stream of one event each second would have said something

_PLACED: Final = (
    "clientOrderId cumQty executedQty orderId origQty price reduceOnly side positionSide status stopPrice closePosition"
    " symbol timeInForce type origType updateTime workingType priceProtect priceMatch selfTradePreventionMode"
    " goodTillDate"
)
_MAYBE: Final = "avgPrice cumQuote"  # withdrawn from the documents, perhaps not from the servers: question 1
_QUERIED: Final = f"{_PLACED} avgPrice cumQuote time"
_ALGO: Final = (
    "algoId clientAlgoId algoType orderType symbol side positionSide timeInForce quantity algoStatus triggerPrice price"
    " icebergQuantity selfTradePreventionMode workingType priceMatch closePosition priceProtect reduceOnly"
    " activatePrice callbackRate createTime updateTime triggerTime goodTillDate"
)


def algo(desk: Desk, **changes: Decimal | str | None) -> dict[str, str]:
    """A STOP_MARKET that sells far below the market, changed."""
    base: dict[str, Decimal | str | None] = {
        "algoType": "CONDITIONAL", "symbol": desk.symbol, "side": "SELL", "type": "STOP_MARKET", "quantity": desk.qty,
        "triggerPrice": desk.far_bid, "clientAlgoId": desk.fresh(),
    }  # fmt: skip
    return words(base | changes)


async def _stamped(desk: Desk, **how: Any) -> Answer:
    return await desk.caller.call("POST", ORDER, desk.terms(), **how)


async def take(desk: Desk, side: str, **changes: Decimal | str | None) -> Answer:
    return await desk.caller.call("POST", ORDER, desk.taking(side, newOrderRespType="RESULT", **changes))


async def tidy(desk: Desk) -> None:
    """No order, no conditional order, no position of the symbol."""
    for path in ("/fapi/v1/allOpenOrders", "/fapi/v1/algoOpenOrders"):
        await desk.caller.call("DELETE", path, {"symbol": desk.symbol})
    held = await position(desk)
    if held:
        side = "SELL" if held > 0 else "BUY"
        await take(desk, side, quantity=abs(held), reduceOnly="true")


async def position(desk: Desk) -> Decimal:
    """Signed, base asset."""
    rows = (await desk.caller.call("GET", "/fapi/v3/positionRisk", {"symbol": desk.symbol})).body
    return sum((Decimal(row["positionAmt"]) for row in rows), Decimal(0))


async def untouched(desk: Desk) -> bool:
    """Whether nothing of the symbol is open or held, so that tidying up can only remove what is ours."""
    for path in ("/fapi/v1/openOrders", "/fapi/v1/openAlgoOrders"):
        found = await desk.caller.call("GET", path, {"symbol": desk.symbol})
        if found.refused or found.body:
            return False
    return await position(desk) == 0


# ── checks that take more than a request ────────────────────────────────────────────────────────────────────────────
async def _duplicate(desk: Desk) -> Facts:
    first = await place(desk)
    again = await place(desk, newClientOrderId=first.body["clientOrderId"])
    await cancel(desk, first.body["orderId"])
    return {"status": again.status, "code": again.code}


async def _unchanged_modify(desk: Desk) -> Answer:
    placed = await place(desk)
    same = {"symbol": desk.symbol, "orderId": str(placed.body["orderId"]), "side": "BUY"}
    same |= {"quantity": placed.body["origQty"], "price": placed.body["price"]}
    answer = await desk.caller.call("PUT", ORDER, same)
    await cancel(desk, placed.body["orderId"])
    return answer


async def _algo_placed(desk: Desk) -> Answer:
    placed = await desk.caller.call("POST", ALGO, algo(desk))
    if not placed.refused:
        await desk.caller.call("DELETE", ALGO, {"algoId": str(placed.body["algoId"])})
    return placed


async def _algo_canceled(desk: Desk) -> Facts:
    placed = await desk.caller.call("POST", ALGO, algo(desk))
    gone = await desk.caller.call("DELETE", ALGO, {"algoId": str(placed.body["algoId"])})
    return {"status": gone.status, "code": gone.body.get("code"), "msg": gone.body.get("msg")}


async def _two_closing_stops(desk: Desk) -> Facts:
    await take(desk, "BUY")
    whole: dict[str, Decimal | str | None] = {"quantity": None, "closePosition": "true"}
    first = await desk.caller.call("POST", ALGO, algo(desk, **whole))
    second = await desk.caller.call("POST", ALGO, algo(desk, **whole))
    await tidy(desk)
    return {"first": first.status, "second": second.code}


async def _market_result(desk: Desk) -> Facts:
    bought = await take(desk, "BUY")
    sold = await take(desk, "SELL", reduceOnly="true")
    return {"bought": bought.body.get("status", bought.code), "sold": sold.body.get("status", sold.code)}


async def _life_on_the_stream(desk: Desk) -> Facts:
    """A resting order placed and cancelled: execution types and statuses as told."""
    key = (await desk.caller.keyed("POST", "/fapi/v1/listenKey")).body["listenKey"]
    async with listening(desk.caller.transport, f"/private/ws?listenKey={key}") as heard:
        await asyncio.sleep(POLL_S)
        placed = await resting(desk)

        def told() -> list[dict[str, Any]]:
            updates = [event["o"] for event in heard.of("ORDER_TRADE_UPDATE")]
            return [order for order in updates if order["c"] == placed.body["clientOrderId"]]

        await heard.until(lambda: len(told()) >= 2, FILL_S)
    return {"events": [f"{order['x']} {order['X']}" for order in told()]}


# ── the open questions ──────────────────────────────────────────────────────────────────────────────────────────────
async def _money_in_replies(desk: Desk) -> Facts:
    placed = await place(desk)
    gone = await cancel(desk, placed.body["orderId"])
    return {
        name: [field for field in _MAYBE.split() if field in answer.body]
        for name, answer in (("place", placed), ("cancel", gone))
    }


async def _countdown_and_stops(desk: Desk) -> Facts:
    order, stop = await place(desk), await desk.caller.call("POST", ALGO, algo(desk))
    armed = await desk.caller.call(
        "POST", "/fapi/v1/countdownCancelAll", {"symbol": desk.symbol, "countdownTime": "1000"}
    )
    if armed.refused:
        await tidy(desk)
        return armed.facts()
    order_ends = await _until_ended(
        desk, ORDER, {"symbol": desk.symbol, "orderId": str(order.body["orderId"])}, "status"
    )
    stop_now = await desk.caller.call("GET", ALGO, {"algoId": str(stop.body["algoId"])})
    await desk.caller.call("POST", "/fapi/v1/countdownCancelAll", {"symbol": desk.symbol, "countdownTime": "0"})
    await tidy(desk)
    return {"order": order_ends, "algo": stop_now.body.get("algoStatus", stop_now.code)}


async def _closed_ids(desk: Desk) -> Facts:
    """The code that refuses the id of an order that ended; ``None``: taken again."""
    told: Facts = {}
    taken = desk.fresh()
    await take(desk, "BUY", newClientOrderId=taken)
    told["filled"] = (await take(desk, "SELL", newClientOrderId=taken)).code
    gone = await resting(desk)
    told["cancelled"] = (await resting(desk, newClientOrderId=gone.body["clientOrderId"])).code
    ended = await place(desk, timeInForce="IOC")
    told["expired"] = (await resting(desk, newClientOrderId=ended.body["clientOrderId"])).code
    live, stop = await place(desk), await desk.caller.call("POST", ALGO, algo(desk))
    again = await desk.caller.call("POST", ALGO, algo(desk, clientAlgoId=live.body["clientOrderId"]))
    told["algo_with_an_orders_id"] = again.code
    told["order_with_an_algos_id"] = (await resting(desk, newClientOrderId=stop.body["clientAlgoId"])).code
    await tidy(desk)
    return told


async def _childs_id(desk: Desk) -> Facts:
    """A stop and a target a tick from the market: whichever triggers first is looked at."""
    await take(desk, "BUY")
    await desk.look()
    near = {"STOP_MARKET": desk.bid - desk.rules.tick, "TAKE_PROFIT_MARKET": desk.ask + desk.rules.tick}
    names: list[str] = []
    for kind, price in near.items():
        placed = await desk.caller.call("POST", ALGO, algo(desk, type=kind, triggerPrice=price, reduceOnly="true"))
        if not placed.refused:
            names.append(placed.body["clientAlgoId"])
    child = await _first_child(desk, names)
    await tidy(desk)
    return {"triggered": child is not None, "child_has_the_algos_id": child in names}


async def _first_child(desk: Desk, names: Iterable[str]) -> str | None:
    """The client id of the first child order that appears."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + TRIGGER_S
    while loop.time() < deadline:
        for name in names:
            found = await desk.caller.call("GET", ALGO, {"clientAlgoId": name})
            order_id = found.body.get("actualOrderId") if not found.refused else ""
            if order_id:
                child = await desk.caller.call("GET", ORDER, {"symbol": desk.symbol, "orderId": str(order_id)})
                return None if child.refused else str(child.body["clientOrderId"])
        await asyncio.sleep(POLL_S)
    return None


async def _closing_stop_when_flat(desk: Desk) -> Facts:
    await take(desk, "BUY")
    stop = await desk.caller.call("POST", ALGO, algo(desk, quantity=None, closePosition="true"))
    await take(desk, "SELL", reduceOnly="true")
    ends = await _until_ended(desk, ALGO, {"algoId": str(stop.body["algoId"])}, "algoStatus")
    await tidy(desk)
    return {"algo": ends}


async def _until_ended(desk: Desk, path: str, params: dict[str, str], field: str) -> Any:
    """The status once it is no longer NEW; NEW where that does not happen."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 5 * FILL_S
    while True:
        found = await desk.caller.call("GET", path, params)
        status = found.body.get(field, found.code)
        if status != "NEW" or loop.time() >= deadline:
            return status
        await asyncio.sleep(POLL_S)


async def _wrong_route(desk: Desk) -> Facts:
    """A mark price stream on the route of the book, without a route, and on its own."""
    stream = f"{desk.symbol.lower()}@markPrice@1s"
    told: Facts = {}
    for name, route in (("public", "/public/ws"), ("unrouted", "/ws"), ("market", "/market/ws")):
        async with listening(desk.caller.transport, f"{route}/{stream}") as heard:
            await heard.speaks(SILENCE_S)
            told[name] = "speaks" if heard.of("markPriceUpdate") else "silent"
    return told


def _batch_of_six(desk: Desk) -> Any:
    batch = msgspec.json.encode([desk.taking("BUY") for _ in range(6)]).decode()
    return desk.caller.call("POST", "/fapi/v1/batchOrders", {"batchOrders": batch})


CHECKS: Final = (
    # door
    refusal("no side", "8.1", lambda d: place(d, side=None), -1102),
    refusal("empty side", "8.1", lambda d: place(d, side=""), -1102),
    refusal("a parameter nobody knows", "8.1", lambda d: place(d, colour="red"), -1104),
    refusal("an unknown side", "8.1", lambda d: place(d, side="HOLD"), -1117),
    refusal("an unknown type", "8.1", lambda d: place(d, type="GUESS"), -1116),
    refusal("an unknown time in force", "8.1", lambda d: place(d, timeInForce="DAY"), -1115),
    refusal("an unknown symbol", "8.1", lambda d: place(d, symbol="NOSUCHUSDT"), -1121),
    refusal(
        "a spoilt signature", "2.1", lambda d: _stamped(d, spoilt=True), -1022,
        msg="Signature for this request is not valid.",
    ),
    refusal("a request too old", "2.2", lambda d: _stamped(d, late_ms=7_000), -1021),
    refusal("a request from the future", "2.2", lambda d: _stamped(d, late_ms=-3_000), -1021),
    refusal("a foreign key", "8.2", lambda d: _stamped(d, key="x" * 64), -2015, status=401),
    # filters
    refusal("off the tick", "4.8", lambda d: place(d, price=d.far_bid + d.rules.tick / 2), -4014),
    refusal("a quantity too fine", "4.8", lambda d: place(d, quantity=d.qty + d.rules.step / 2), -1111),
    refusal("a price far above the mark", "4.8", lambda d: place(d, price=d.on_tick(d.ask * 2)), -4016),
    # order life
    refusal(
        "post-only that would take", "4.1",
        lambda d: place(d, timeInForce="GTX", price=d.on_tick(d.ask + 99 * d.rules.tick)),
        -5022,
        msg="Due to the order could not be executed as maker, the Post Only order will be rejected. "
        "The order will not be recorded in the order history.",
    ),
    refusal("a fill-or-kill that cannot fill", "4.1", lambda d: place(d, timeInForce="FOK"), -5021),
    refusal(
        "a stop where orders go", "4.5", lambda d: place(d, type="STOP_MARKET", price=None, stopPrice=d.far_bid), -4120
    ),
    refusal("reduce-only while flat", "8.2", lambda d: take(d, "SELL", reduceOnly="true"), -2022),
    refusal("a long side in one-way mode", "8.3", lambda d: place(d, positionSide="LONG"), -4061),
    refusal("cancel what never was", "4.4", asking("DELETE", ORDER, orderId="1"), -2011, msg="Unknown order sent."),
    refusal("ask for what never was", "4.6", asking("GET", ORDER, orderId="1"), -2013, msg="Order does not exist."),
    refusal("modify into the same", "4.3", _unchanged_modify, -5027),
    refusal("a batch of six", "4.2", _batch_of_six, -4082),
    Check(name="an open order's id again", source="9", ask=_duplicate, expects={"status": 400, "code": -4116}),
    Check(
        name="a taker's result", source="4.1", ask=_market_result, expects={"bought": "FILLED", "sold": "FILLED"}
    ),
    shape("place, the answer", "4.1", resting, _PLACED, open_to=_MAYBE),
    shape("cancel, the answer", "4.4", canceled, _PLACED, open_to=_MAYBE),
    shape("query, the answer", "4.6", queried, _QUERIED),
    Check(
        name="the stream of an order", source="4.9", ask=_life_on_the_stream,
        expects={"events": ["NEW NEW", "CANCELED CANCELED"]},
    ),
    # conditional orders
    shape("place a conditional order, the answer", "4.5", _algo_placed, _ALGO),
    Check(
        name="cancel a conditional order", source="4.5", ask=_algo_canceled,
        expects={"status": 200, "code": "200", "msg": "success"},
    ),
    refusal(
        "a trigger already passed", "4.5",
        lambda d: d.caller.call("POST", ALGO, algo(d, triggerPrice=d.far_ask)), -2021,
    ),
    refusal(
        "close a position that is not there", "4.5",
        lambda d: d.caller.call("POST", ALGO, algo(d, quantity=None, closePosition="true")), -4509,
    ),
    Check(name="two closing stops", source="4.5", ask=_two_closing_stops, expects={"first": 200, "second": -4130}),
    # settings
    refusal("a leverage of nothing", "4.7", asking("POST", "/fapi/v1/leverage", leverage="0"), -4028),
    refusal(
        "the position mode it has", "4.7",
        lambda d: d.caller.call("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "false"}), -4059,
    ),
    # open questions
    Check(name="avgPrice and cumQuote in replies", source="13", question=1, ask=_money_in_replies),
    Check(name="the countdown and conditional orders", source="13", question=2, ask=_countdown_and_stops),
    Check(name="the id of an order that ended", source="13", question=3, ask=_closed_ids),
    Check(name="a triggered order's client id", source="13", question=4, ask=_childs_id),
    Check(name="a closing stop when flat", source="13", question=5, ask=_closing_stop_when_flat),
    Check(name="a stream on a wrong route", source="13", question=6, ask=_wrong_route),
)  # fmt: skip
