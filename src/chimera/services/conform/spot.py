"""Spot: the conformance table and the open questions about spot (reference sections 3, 7, 8 and 13).

Every check leaves orders and balances as it found them, or leaves them to ``tidy``; none needs another to have run.
What is bought is sold again: fees and the spread are what a rehearsal costs.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Final

from chimera.services.conform.check import Check, refusal, shape
from chimera.services.conform.hands import POLL_S, Answer, Desk, Facts, Listening, listening, words
from chimera.services.conform.orders import asking, cancel, canceled, place, queried, resting

ORDER: Final = "/api/v3/order"
REPLACE: Final = "/api/v3/order/cancelReplace"
OCO: Final = "/api/v3/orderList/oco"
HEARD_S: Final = 3.0
TRIGGER_S: Final = 120.0  # until the market has moved a tick either way
NOBODY: Final = "1"  # an order id that never was

_ACK: Final = "symbol orderId orderListId clientOrderId transactTime"
_STATE: Final = (
    "price origQty executedQty origQuoteOrderQty cummulativeQuoteQty status timeInForce type side"
    " selfTradePreventionMode"
)
_QUERIED: Final = f"{_ACK} {_STATE} stopPrice icebergQty time updateTime isWorking workingTime".replace(
    "transactTime ", ""
)
_LIST: Final = (
    "orderListId contingencyType listStatusType listOrderStatus listClientOrderId transactionTime symbol orders"
    " orderReports"
)


async def take(desk: Desk, side: str, **changes: Decimal | str | None) -> Answer:
    return await desk.caller.call("POST", ORDER, desk.taking(side, **changes))


def two_legs(desk: Desk, **changes: Decimal | str | None) -> dict[str, str]:
    """A list that buys: a maker far below, a stop far above; changed."""
    above = desk.far_ask
    base: dict[str, Decimal | str | None] = {
        "symbol": desk.symbol, "side": "BUY", "quantity": desk.qty, "aboveType": "STOP_LOSS_LIMIT",
        "aboveStopPrice": above, "abovePrice": desk.on_tick(above * Decimal("1.001")), "aboveTimeInForce": "GTC",
        "belowType": "LIMIT_MAKER", "belowPrice": desk.far_bid, "listClientOrderId": desk.fresh(),
    }  # fmt: skip
    return words(base | changes)


async def tidy(desk: Desk) -> None:
    """No order of the symbol, and no more of its base asset than at the start."""
    await desk.caller.call("DELETE", "/api/v3/openOrders", {"symbol": desk.symbol})
    more = await balance(desk, desk.rules.base) - desk.held
    qty = (more / desk.rules.step).to_integral_value(ROUND_FLOOR) * desk.rules.step
    if qty * desk.bid >= desk.rules.min_notional and qty >= desk.rules.min_qty:
        await take(desk, "SELL", quantity=qty)


async def balance(desk: Desk, asset: str, kind: str = "free") -> Decimal:
    rows = (await desk.caller.call("GET", "/api/v3/account")).body["balances"]
    return next((Decimal(row[kind]) for row in rows if row["asset"] == asset), Decimal(0))


async def untouched(desk: Desk) -> bool:
    """Whether no order of the symbol is open; remembers what is held of its base asset, which stays."""
    found = await desk.caller.call("GET", "/api/v3/openOrders", {"symbol": desk.symbol})
    desk.held = await balance(desk, desk.rules.base)
    return not found.refused and not found.body


@asynccontextmanager
async def reports(desk: Desk) -> AsyncIterator[Listening]:
    """The account's events, as they come on the WebSocket API."""
    subscribe = {"id": "u", "method": "userDataStream.subscribe.signature", "params": desk.caller.ws_params()}
    async with listening(desk.caller.transport, "/ws-api/v3", subscribe) as heard:
        await heard.until(lambda: bool(heard.frames), HEARD_S)
        yield heard


# ── checks that take more than a request ────────────────────────────────────────────────────────────────────────────
async def _duplicate(desk: Desk) -> Facts:
    first = await place(desk)
    again = await place(desk, newClientOrderId=first.body["clientOrderId"])
    await cancel(desk, first.body["orderId"])
    return again.facts()


async def _taken(desk: Desk) -> Answer:
    bought = await take(desk, "BUY", quantity=desk.qty * 2)
    await tidy(desk)
    return bought


async def _market_and_fok(desk: Desk) -> Facts:
    bought = await _taken(desk)
    killed = await place(desk, timeInForce="FOK")
    return {"market": bought.body.get("status", bought.code), "fok": killed.body.get("status", killed.code)}


async def _list_placed(desk: Desk) -> Answer:
    placed = await desk.caller.call("POST", OCO, two_legs(desk))
    if not placed.refused:
        list_id = str(placed.body["orderListId"])
        await desk.caller.call("DELETE", "/api/v3/orderList", {"symbol": desk.symbol, "orderListId": list_id})
    return placed


async def _list_canceled_by_a_leg(desk: Desk) -> Facts:
    placed = await desk.caller.call("POST", OCO, two_legs(desk))
    gone = await cancel(desk, placed.body["orders"][0]["orderId"])
    left = await desk.caller.call("GET", "/api/v3/openOrders", {"symbol": desk.symbol})
    return {"type": gone.body.get("contingencyType", gone.code), "left": len(left.body)}


async def _replaced_half(desk: Desk) -> Facts:
    """The cancel fails, the new order is placed all the same."""
    terms = desk.terms(cancelReplaceMode="ALLOW_FAILURE", cancelOrderId=NOBODY)
    half = await desk.caller.call("POST", REPLACE, terms)
    await tidy(desk)
    told = half.body.get("data", {}) if isinstance(half.body, dict) else {}
    names = ("cancelResult", "newOrderResult")
    return {"status": half.status, "code": half.code, **{name: told.get(name) for name in names}}


def _replaced_not(desk: Desk) -> Any:
    terms = desk.terms(cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=NOBODY)
    return desk.caller.call("POST", REPLACE, terms)


async def _gone(desk: Desk) -> Facts:
    return {"status": (await desk.caller.keyed("POST", "/api/v3/userDataStream")).status}


async def _life_on_the_stream(desk: Desk) -> Facts:
    """A resting order placed and cancelled: execution types and statuses as told."""
    async with reports(desk) as heard:
        placed = await resting(desk)

        def told() -> list[dict[str, Any]]:
            return [event for event in heard.of("executionReport") if event["i"] == placed.body["orderId"]]

        await heard.until(lambda: len(told()) >= 2, HEARD_S)
    return {"events": [f"{event['x']} {event['X']}" for event in told()]}


# ── the open questions ──────────────────────────────────────────────────────────────────────────────────────────────
async def _ended_ids(desk: Desk) -> Facts:
    """The code that refuses an id again (``None``: taken), and which of two orders a query by it returns."""
    first = await resting(desk)
    name = first.body["clientOrderId"]
    again = await resting(desk, newClientOrderId=name)
    asked = await desk.caller.call("GET", ORDER, {"symbol": desk.symbol, "origClientOrderId": name})
    ended = await place(desk, timeInForce="IOC")
    expired = await resting(desk, newClientOrderId=ended.body["clientOrderId"])
    which = {first.body["orderId"]: "oldest", again.body.get("orderId"): "newest"}
    return {
        "cancelled": again.code,
        "expired": expired.code,
        "query_returns": which.get(asked.body.get("orderId"), "another"),
    }


async def _locked_by_a_list(desk: Desk) -> Facts:
    """Which leg's worth a buying list locks, told by ``outboundAccountPosition``."""
    before = await balance(desk, desk.rules.quote, "locked")
    terms = two_legs(desk)
    async with reports(desk) as heard:
        await desk.caller.call("POST", OCO, terms)

        def seen() -> list[Decimal]:
            rows = [row for event in heard.of("outboundAccountPosition") for row in event["B"]]
            return [Decimal(row["l"]) - before for row in rows if row["a"] == desk.rules.quote]

        await heard.until(lambda: bool(seen()), HEARD_S)
    await tidy(desk)
    qty, low, high = (Decimal(terms[name]) for name in ("quantity", "belowPrice", "abovePrice"))
    worth = {qty * low: "the lower leg", qty * high: "the upper leg", qty * (low + high): "both"}
    return {"locks": worth.get(seen()[0], "something else") if seen() else "not told"}


async def _triggered(desk: Desk) -> Facts:
    """A stop and a target a tick from the market: the reports of whichever triggers first."""
    await take(desk, "BUY", quantity=desk.qty * 3)
    await desk.look()
    near = {"STOP_LOSS": desk.bid - desk.rules.tick, "TAKE_PROFIT": desk.ask + desk.rules.tick}
    async with reports(desk) as heard:
        for kind, price in near.items():
            await place(desk, side="SELL", type=kind, stopPrice=price, price=None, timeInForce=None)

        def of_triggered() -> list[dict[str, Any]]:
            told = [event for event in heard.of("executionReport") if event["o"] in near]
            done = next((event["i"] for event in told if event["X"] == "FILLED"), None)
            return [event for event in told if event["i"] == done]

        await heard.until(lambda: bool(of_triggered()), TRIGGER_S)
        await asyncio.sleep(POLL_S)
    await tidy(desk)
    return {"reports": [f"{event['x']} {event['X']} w={event['w']}" for event in of_triggered()]}


async def _discount(desk: Desk) -> Facts:
    told = await desk.caller.call("GET", "/api/v3/account/commission", {"symbol": desk.symbol})
    found = told.body.get("discount", {})
    return {"discount": found.get("discount"), "fields": sorted(found)}


def _stamped(**how: Any) -> Any:
    async def send(desk: Desk) -> Answer:
        return await desk.caller.call("POST", ORDER, desk.terms(), **how)

    return send


def _filter(name: str) -> str:
    return f"Filter failure: {name}"


CHECKS: Final = (
    # door
    refusal("no side", "8.1", lambda d: place(d, side=None), -1102),
    refusal("a parameter nobody knows", "8.1", lambda d: place(d, colour="red"), -1104),
    refusal("an unknown side", "8.1", lambda d: place(d, side="HOLD"), -1117),
    refusal("an unknown type", "8.1", lambda d: place(d, type="GUESS"), -1116),
    refusal("an unknown time in force", "8.1", lambda d: place(d, timeInForce="DAY"), -1115),
    refusal("an unknown symbol", "8.1", lambda d: place(d, symbol="NOSUCHUSDT"), -1121),
    refusal(
        "a spoilt signature", "2.1", _stamped(spoilt=True), -1022, msg="Signature for this request is not valid."
    ),
    refusal("a request too old", "2.2", _stamped(late_ms=7_000), -1021),
    refusal("a request from the future", "2.2", _stamped(late_ms=-3_000), -1021),
    refusal("a foreign key", "8.2", _stamped(key="x" * 64), -2015, status=401),
    Check(name="a listen key", source="1.3", ask=_gone, expects={"status": 410}),
    # filters
    refusal(
        "off the tick", "3.5", lambda d: place(d, price=d.far_bid + d.rules.tick / 2), -1013,
        msg=_filter("PRICE_FILTER"),
    ),
    refusal(
        "off the step", "3.5", lambda d: place(d, quantity=d.qty + d.rules.step / 2), -1013, msg=_filter("LOT_SIZE")
    ),
    refusal("under the notional", "3.5", lambda d: place(d, quantity=d.rules.min_qty), -1013, msg=_filter("NOTIONAL")),
    refusal(
        "a price far above the average", "3.5", lambda d: place(d, price=d.on_tick(d.ask * 6), quantity=d.small), -1013,
        msg=_filter("PERCENT_PRICE_BY_SIDE"),
    ),
    refusal("a quantity too fine", "3.5", lambda d: place(d, quantity=d.qty + Decimal("1e-9")), -1111),
    # order life
    refusal(
        "post-only that would take", "3.1",
        lambda d: place(d, type="LIMIT_MAKER", timeInForce=None, price=d.on_tick(d.ask + 99 * d.rules.tick)), -2010,
        msg="Order would immediately match and take.",
    ),
    refusal(
        "a stop already passed", "3.1",
        lambda d: place(d, type="STOP_LOSS", stopPrice=d.far_bid, price=None, timeInForce=None), -2010,
        msg="Order would trigger immediately.",
    ),
    refusal("cancel what never was", "3.2", asking("DELETE", ORDER, orderId=NOBODY), -2011, msg="Unknown order sent."),
    refusal("ask for what never was", "3.4", asking("GET", ORDER, orderId=NOBODY), -2013, msg="Order does not exist."),
    Check(
        name="an open order's id again", source="9", ask=_duplicate,
        expects={"status": 400, "code": -2010, "msg": "Duplicate order sent."},
    ),
    Check(
        name="a taker, and a kill", source="10.1", ask=_market_and_fok, expects={"market": "FILLED", "fok": "EXPIRED"}
    ),
    shape("place, the ACK", "3.1", lambda d: resting(d, newOrderRespType="ACK"), _ACK),
    shape("place, the RESULT", "3.1", lambda d: resting(d, newOrderRespType="RESULT"), f"{_ACK} {_STATE} workingTime"),
    shape("place, the FULL", "3.1", _taken, f"{_ACK} {_STATE} workingTime fills"),
    shape("cancel, the answer", "3.2", canceled, f"{_ACK} {_STATE} origClientOrderId"),
    shape("query, the answer", "3.4", queried, _QUERIED),
    refusal("replace nothing, and stop", "3.2", _replaced_not, -2022),
    Check(
        name="replace nothing, and go on", source="3.2", ask=_replaced_half,
        expects={"status": 409, "code": -2021, "cancelResult": "FAILURE", "newOrderResult": "SUCCESS"},
    ),
    Check(
        name="the stream of an order", source="3.7", ask=_life_on_the_stream,
        expects={"events": ["NEW NEW", "CANCELED CANCELED"]},
    ),
    # lists
    shape("place a list, the answer", "3.3", _list_placed, _LIST),
    Check(
        name="cancel a leg", source="3.3", ask=_list_canceled_by_a_leg, expects={"type": "OCO", "left": 0}
    ),
    refusal(
        "a list the wrong way round", "3.3",
        lambda d: d.caller.call("POST", OCO, two_legs(d, belowPrice=d.far_ask)), -2010,
        msg="The relationship of the prices for the orders is not correct.",
    ),
    # open questions
    Check(name="the id of an order that ended", source="13", question=7, ask=_ended_ids),
    Check(name="what a list locks", source="13", question=8, ask=_locked_by_a_list),
    Check(name="the reports of a triggered stop", source="13", question=10, ask=_triggered),
    Check(name="the discount", source="13", question=11, ask=_discount),
)  # fmt: skip
