"""Spot, operation by operation: what the client is told must be what the venue knows."""

from typing import Any

from operations import REFUSED, SPOT
from told import CANCELED, EXPIRED, FILLED, OPEN, PENDING, D, Rules, Told, Touch, refusal
from venue import ASK, BID, SYMBOL, Venue

LOW, HIGH = "60000.00", "70000.00"


def terms(side: str = "BUY", type: str = "LIMIT", **more: Any) -> dict[str, Any]:
    """An order of this pair, by default of 0.001 BTC; LIMIT needs a ``price``."""
    size = {} if "quote_qty" in more else {"qty": "0.00100"}
    return {"symbol": SYMBOL, "side": side, "type": type, **size, **more}


async def resting(c: Any, client_id: str = "rest-1", **more: Any) -> Told:
    """A LIMIT order that rests below the market."""
    told: Told = await c.place(client_id, **terms(price=LOW, **more))
    return told


async def bought(c: Any) -> Told:
    """Buy at market."""
    told: Told = await c.place("buy-1", **terms(type="MARKET"))
    return told


# ── market data ─────────────────────────────────────────────────────────────────────────────────────────────────────
@SPOT("Exchange information, filters")
async def rules(v: Venue, c: Any) -> None:
    known = v.floor.listing(SYMBOL).instrument
    assert await c.rules(SYMBOL) == Rules(
        tick=known.tick, step=known.step, min_qty=known.min_qty, min_notional=known.min_notional
    )


@SPOT("Server time")
async def clock(v: Venue, c: Any) -> None:
    assert abs(await c.clock() - v.now_ms()) < 2_000


@SPOT("Order book")
async def depth(_: Venue, c: Any) -> None:
    assert await c.depth(SYMBOL) == Touch(bid=BID, ask=ASK)


@SPOT("Book ticker")
async def ticker(_: Venue, c: Any) -> None:
    assert await c.ticker(SYMBOL) == Touch(bid=BID, ask=ASK)


@SPOT("Candles, 24 h ticker, public trades")
async def past(v: Venue, c: Any) -> None:
    happened = v.trade_both_ways()
    assert await c.past(SYMBOL) == happened


# ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@SPOT("Place LIMIT, which rests and locks")
async def limit(v: Venue, c: Any) -> None:
    told = await resting(c)
    assert told.status == OPEN
    assert v.agrees(told).resting
    assert v.free("USDT") == D(10_000) - 60


@SPOT("Place MARKET, which fills")
async def market(v: Venue, c: Any) -> None:
    told = await bought(c)
    assert (told.status, told.filled) == (FILLED, D("0.001"))
    assert v.agrees(told).avg_px == ASK
    assert v.free("BTC") == D("0.1") + D("0.001") * (1 - v.account.taker_rate)


@SPOT("Place MARKET by quote amount")
async def by_quote(v: Venue, c: Any) -> None:
    told = await c.place("quote-1", **terms(type="MARKET", quote_qty="65.80"))
    assert (told.status, told.filled) == (FILLED, D("0.001"))
    assert v.free("USDT") == D(10_000) - D("65.80")


@SPOT("Place LIMIT_MAKER (post-only)")
async def post_only(v: Venue, c: Any) -> None:
    told = await c.place("maker-1", **terms(type="LIMIT_MAKER", price=LOW))
    assert v.order(told.client_id).type == "LIMIT_MAKER"


@SPOT("Place LIMIT IOC, whose rest expires")
async def ioc(v: Venue, c: Any) -> None:
    v.quote(qty=D("0.0004"))
    told = await c.place("ioc-1", **terms(price=str(ASK), tif="IOC"))
    assert (told.status, told.filled) == (EXPIRED, D("0.0004"))
    v.agrees(told)


@SPOT("Place STOP_LOSS_LIMIT, which triggers")
async def stop_limit(v: Venue, c: Any) -> None:
    told = await c.place("stop-1", **terms(side="SELL", type="STOP_LOSS_LIMIT", price="64900.00", stop="65000.00"))
    order = v.order(told.client_id)
    assert (order.status, order.resting) == (OPEN, False)
    v.quote(bid=D("64950.00"), ask=D("64950.01"))
    v.trade(D("64990.00"), D("0.5"))
    assert (order.status, v.free("BTC")) == (FILLED, D("0.099"))


@SPOT("Test an order without placing it")
async def test(v: Venue, c: Any) -> None:
    await c.test("only-a-test", **terms(price=LOW))
    assert not v.open_orders()


@SPOT("Query an order by id")
async def find(v: Venue, c: Any) -> None:
    placed = await resting(c)
    v.agrees(await c.find(SYMBOL, placed.order_id))


@SPOT("Query an order by client id, after it filled")
async def find_named(v: Venue, c: Any) -> None:
    placed = await bought(c)
    told = await c.find_named(SYMBOL, placed.client_id)
    assert (told.status, told.filled) == (FILLED, D("0.001"))
    v.agrees(told)


@SPOT("Open orders")
async def open_orders(v: Venue, c: Any) -> None:
    placed = [await resting(c, "a"), await resting(c, "b"), await bought(c)]
    told = await c.open_orders(SYMBOL)
    assert {each.order_id for each in told} == {each.order_id for each in placed[:2]}
    for each in told:
        v.agrees(each)


@SPOT("All orders")
async def all_orders(v: Venue, c: Any) -> None:
    placed = [await resting(c, "a"), await bought(c)]
    told = await c.all_orders(SYMBOL)
    assert {each.order_id for each in told} == {each.order_id for each in placed}
    for each in told:
        v.agrees(each)


@SPOT("Cancel an order by id")
async def cancel(v: Venue, c: Any) -> None:
    placed = await resting(c)
    told = await c.cancel(SYMBOL, placed.order_id)
    assert (told.order_id, told.status) == (placed.order_id, CANCELED)
    assert v.order(placed.client_id).status == CANCELED
    assert v.free("USDT") == 10_000


@SPOT("Cancel an order by client id")
async def cancel_named(v: Venue, c: Any) -> None:
    placed = await resting(c)
    assert (await c.cancel_named(SYMBOL, placed.client_id)).order_id == placed.order_id
    assert v.order(placed.client_id).status == CANCELED


@SPOT("Cancel all open orders")
async def cancel_all(v: Venue, c: Any) -> None:
    for name in ("a", "b"):
        await resting(c, name)
    await c.cancel_all(SYMBOL)
    assert not v.open_orders()


@SPOT("Cancel and replace")
async def replace(v: Venue, c: Any) -> None:
    placed = await resting(c)
    told = await c.replace(placed.order_id, "rest-2", **terms(price="61000.00"))
    assert v.order("rest-1").status == CANCELED
    assert v.agrees(told).price == D(61_000)


@SPOT("Amend, keeping priority")
async def amend(v: Venue, c: Any) -> None:
    placed = await resting(c)
    await c.amend(SYMBOL, placed.order_id, "0.00050")
    (order,) = v.open_orders()
    assert (str(order.order_id), order.qty) == (placed.order_id, D("0.0005"))


@SPOT("Trades of the account")
async def trades(v: Venue, c: Any) -> None:
    placed = await bought(c)
    (told,) = await c.trades(SYMBOL)
    (known,) = v.fills()
    assert (told.order_id, told.trade_id) == (placed.order_id, str(known.trade_id))
    assert (told.price, told.qty) == (known.price, known.qty)
    assert (told.fee, told.fee_asset, told.maker) == (known.fee, "BTC", False)


# ── account ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@SPOT("Account balances, free and locked")
async def balances(v: Venue, c: Any) -> None:
    await resting(c)
    told = await c.balances()
    assert told["USDT"] == (v.free("USDT"), D(60))
    assert told["BTC"] == (D("0.1"), D(0))


@SPOT("Commission rates")
async def commission(v: Venue, c: Any) -> None:
    assert await c.taker_rate(SYMBOL) == v.account.taker_rate


@SPOT("Unfilled order counts")
async def order_counts(_: Venue, c: Any) -> None:
    await resting(c)
    assert 1 in await c.order_counts()


# ── order lists ─────────────────────────────────────────────────────────────────────────────────────────────────────
OCO = {
    "symbol": SYMBOL,
    "side": "SELL",
    "quantity": "0.00100",
    "listClientOrderId": "list-1",
    "aboveType": "LIMIT_MAKER",
    "abovePrice": HIGH,
    "aboveClientOrderId": "above-1",
    "belowType": "STOP_LOSS_LIMIT",
    "belowPrice": "59900.00",
    "belowStopPrice": LOW,
    "belowTimeInForce": "GTC",
    "belowClientOrderId": "below-1",
}
WORKING = {
    "symbol": SYMBOL,
    "listClientOrderId": "list-1",
    "workingType": "LIMIT",
    "workingSide": "BUY",
    "workingPrice": LOW,
    "workingQuantity": "0.00100",
    "workingTimeInForce": "GTC",
    "workingClientOrderId": "working-1",
}
PENDING_ONE = {
    "pendingType": "LIMIT",
    "pendingSide": "SELL",
    "pendingPrice": HIGH,
    "pendingTimeInForce": "GTC",
    "pendingClientOrderId": "pending-1",
}
PENDING_PAIR = {
    "pendingSide": "SELL",
    "pendingAboveType": "LIMIT_MAKER",
    "pendingAbovePrice": HIGH,
    "pendingAboveClientOrderId": "above-1",
    "pendingBelowType": "STOP_LOSS",
    "pendingBelowStopPrice": "55000.00",
    "pendingBelowClientOrderId": "below-1",
}


async def listed(v: Venue, c: Any, kind: str, words: dict[str, str], *legs: str) -> Any:
    """Place a list; its legs and its id are as the venue has them."""
    told = await c.place_list(kind, words)
    known = v.floor.lists.by_id[int(told.list_id)]
    assert told.status == "EXECUTING"
    assert told.orders == {leg: str(v.order(leg).order_id) for leg in legs}
    assert {order.client_id for order in known.orders} == set(legs)
    return told


@SPOT("Place OCO; one leg fills, the other goes")
async def oco(v: Venue, c: Any) -> None:
    await listed(v, c, "oco", OCO, "above-1", "below-1")
    v.quote(bid=D("70000.50"), ask=D("70000.60"))
    v.trade(D("70000.50"), D(5))
    assert (v.order("above-1").status, v.order("below-1").status) == (FILLED, EXPIRED)


@SPOT("Place OTO; the pending order waits for the fill")
async def oto(v: Venue, c: Any) -> None:
    await listed(v, c, "oto", WORKING | PENDING_ONE | {"pendingQuantity": "0.00050"}, "working-1", "pending-1")
    assert v.order("pending-1").status == PENDING
    v.quote(bid=D("59990.00"), ask=D("59990.10"))
    v.trade(D("59990.00"), D(5))
    assert (v.order("working-1").status, v.order("pending-1").status) == (FILLED, OPEN)


@SPOT("Place OTOCO; the pair waits for the fill")
async def otoco(v: Venue, c: Any) -> None:
    words = WORKING | PENDING_PAIR | {"pendingQuantity": "0.00050"}
    await listed(v, c, "otoco", words, "working-1", "above-1", "below-1")
    v.quote(bid=D("59990.00"), ask=D("59990.10"))
    v.trade(D("59990.00"), D(5))
    assert (v.order("above-1").status, v.order("below-1").status) == (OPEN, OPEN)


@SPOT("Place OPO")
async def opo(v: Venue, c: Any) -> None:
    await listed(v, c, "opo", WORKING | PENDING_ONE, "working-1", "pending-1")


@SPOT("Place OPOCO")
async def opoco(v: Venue, c: Any) -> None:
    await listed(v, c, "opoco", WORKING | PENDING_PAIR, "working-1", "above-1", "below-1")


@SPOT("Place OCO by the old call")
async def old_oco(v: Venue, c: Any) -> None:
    words = {"symbol": SYMBOL, "side": "SELL", "quantity": "0.00100", "price": HIGH, "listClientOrderId": "list-1"}
    words |= {"stopPrice": LOW, "stopLimitPrice": "59900.00", "stopLimitTimeInForce": "GTC"}
    words |= {"limitClientOrderId": "above-1", "stopClientOrderId": "below-1"}
    await listed(v, c, "old", words, "above-1", "below-1")


@SPOT("Query an order list")
async def find_list(_: Venue, c: Any) -> None:
    placed = await c.place_list("oco", OCO)
    assert await c.find_list(placed.list_id) == placed


@SPOT("Open order lists")
async def open_lists(_: Venue, c: Any) -> None:
    placed = await c.place_list("oco", OCO)
    assert [each.list_id for each in await c.open_lists()] == [placed.list_id]


@SPOT("Cancel an order list")
async def cancel_list(v: Venue, c: Any) -> None:
    placed = await c.place_list("oco", OCO)
    told = await c.cancel_list(SYMBOL, placed.list_id)
    assert (told.list_id, told.status) == (placed.list_id, "ALL_DONE")
    assert not v.open_orders()


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@SPOT("Stream: book ticker")
async def touches(v: Venue, c: Any) -> None:
    async with c.touches(SYMBOL) as ears:
        await v.listened("spot", "bookTicker")
        v.quote(bid=D("65700.00"), ask=D("65700.01"))
        assert await ears.hear(lambda told: told.bid == D("65700.00")) == Touch(bid=D("65700.00"), ask=D("65700.01"))


@SPOT("Stream: order book")
async def depths(v: Venue, c: Any) -> None:
    async with c.depths(SYMBOL) as ears:
        await v.listened("spot", "depth")
        v.quote(bid=D("65700.00"), ask=D("65700.01"))
        assert await ears.hear(lambda told: told.bid == D("65700.00")) == Touch(bid=D("65700.00"), ask=D("65700.01"))


@SPOT("Stream: candles")
async def candles(v: Venue, c: Any) -> None:
    async with c.candles(SYMBOL) as ears:
        await v.listened("spot", "kline_1m")
        v.trade(BID, D("0.5"))
        assert await ears.hear(lambda told: told[4] > 0) == (BID, BID, BID, BID, D("0.5"))


@SPOT("Stream: trades")
async def prints(v: Venue, c: Any) -> None:
    async with c.prints(SYMBOL) as ears:
        await v.listened("spot", "rade")
        v.trade(BID, D("0.123"))
        assert await ears.hear(lambda _: True) == (BID, D("0.123"))


@SPOT("User data by WebSocket API: order placed, filled")
async def order_news(v: Venue, c: Any) -> None:
    async with c.order_news() as ears:
        await v.listened_by_api()
        placed = await resting(c)
        v.agrees(await ears.hear(lambda told: told.order_id == placed.order_id and told.status == OPEN))
        v.quote(bid=D("59990.00"), ask=D("59990.10"))
        v.trade(D("59990.00"), D(5))
        v.agrees(await ears.hear(lambda told: told.order_id == placed.order_id and told.status == FILLED))


@SPOT("User data by WebSocket API: balances")
async def balance_news(v: Venue, c: Any) -> None:
    async with c.balance_news() as ears:
        await v.listened_by_api()
        await resting(c)
        assert (await ears.hear(lambda told: told.get("USDT", (0, 0))[1] == 60))["USDT"] == (v.free("USDT"), D(60))


@SPOT("User data by WebSocket API: order lists")
async def list_news(v: Venue, c: Any) -> None:
    async with c.list_news() as ears:
        await v.listened_by_api()
        placed = await c.place_list("oco", OCO)
        assert await ears.hear(lambda told: told[0] == placed.list_id) == (placed.list_id, "EXECUTING")


@SPOT("A whole life: OTOCO entry fills, its pair waits, the target fills, balances agree")
async def life(v: Venue, c: Any) -> None:
    await c.place_list("otoco", WORKING | PENDING_PAIR | {"pendingQuantity": "0.00099"})
    v.quote(bid=D("59990.00"), ask=D("59990.10"))
    v.trade(D("59990.00"), D(60))
    v.quote(bid=D("70010.00"), ask=D("70010.10"))
    v.trade(D("70010.00"), D(60))
    assert await c.open_orders(SYMBOL) == []
    assert (v.order("above-1").status, v.order("below-1").status) == (FILLED, EXPIRED)
    bought, sold = await c.trades(SYMBOL)
    assert (bought.fee_asset, sold.fee_asset) == ("BTC", "USDT")
    told = await c.balances()
    assert told["BTC"] == (D("0.1") + bought.qty - bought.fee - sold.qty, D(0)) == (v.free("BTC"), D(0))
    assert told["USDT"] == (10_000 - bought.qty * bought.price + sold.qty * sold.price - sold.fee, D(0))


# ── the WebSocket API ───────────────────────────────────────────────────────────────────────────────────────────────
@SPOT("WebSocket API: place")
async def ws_place(v: Venue, c: Any) -> None:
    told = await c.ws_place("ws-1", **terms(price=LOW))
    assert told.status == OPEN
    v.agrees(told)


@SPOT("WebSocket API: query")
async def ws_find(v: Venue, c: Any) -> None:
    placed = await resting(c)
    v.agrees(await c.ws_find(SYMBOL, placed.order_id))


@SPOT("WebSocket API: open orders")
async def ws_open_orders(_: Venue, c: Any) -> None:
    placed = await resting(c)
    assert [each.order_id for each in await c.ws_open_orders(SYMBOL)] == [placed.order_id]


@SPOT("WebSocket API: cancel")
async def ws_cancel(v: Venue, c: Any) -> None:
    placed = await resting(c)
    assert (await c.ws_cancel(SYMBOL, placed.order_id)).order_id == placed.order_id
    assert v.order(placed.client_id).status == CANCELED


@SPOT("WebSocket API: cancel and replace")
async def ws_replace(v: Venue, c: Any) -> None:
    placed = await resting(c)
    told = await c.ws_replace(placed.order_id, "rest-2", **terms(price="61000.00"))
    assert v.order("rest-1").status == CANCELED
    assert v.agrees(told).price == D(61_000)


@SPOT("WebSocket API: place OCO")
async def ws_oco(v: Venue, c: Any) -> None:
    told = await c.ws_oco(OCO)
    assert told.orders == {leg: str(v.order(leg).order_id) for leg in ("above-1", "below-1")}


@SPOT("WebSocket API: account")
async def ws_balances(v: Venue, c: Any) -> None:
    assert (await c.ws_balances())["USDT"] == (v.free("USDT"), D(0))


# ── transfers ───────────────────────────────────────────────────────────────────────────────────────────────────────
@SPOT("Transfer spot to futures")
async def transfer(v: Venue, c: Any) -> None:
    wallet = v.server.twin.usdm.floor.accounts[v.owner].wallet
    assert await c.transfer("USDT", "25.5")
    assert v.free("USDT") == D(10_000) - D("25.5")
    assert v.server.twin.usdm.floor.accounts[v.owner].wallet == wallet + D("25.5")


@SPOT("Transfer history")
async def transfers(_: Venue, c: Any) -> None:
    number = await c.transfer("USDT", "25.5")
    assert await c.transfers() == [(number, "USDT", D("25.5"))]


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@SPOT("Sign with Ed25519", key="ed25519")
async def ed25519(v: Venue, c: Any) -> None:
    v.agrees(await resting(c))


@SPOT("WebSocket API: log on with Ed25519, then place unsigned", key="ed25519")
async def logon(v: Venue, c: Any) -> None:
    v.agrees(await c.place_logged_on("ws-1", **terms(price=LOW)))


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────
@SPOT("Wrong secret: -1022", verdict=REFUSED, key="wrong")
async def wrong_secret(v: Venue, c: Any) -> None:
    assert await refusal(resting(c)) == -1022
    assert not v.open_orders()


@SPOT("Unknown key: -2015", verdict=REFUSED, key="unknown")
async def unknown_key(v: Venue, c: Any) -> None:
    assert await refusal(resting(c)) == -2015
    assert not v.open_orders()


@SPOT("LIMIT_MAKER that would take: -2010", verdict=REFUSED)
async def would_take(v: Venue, c: Any) -> None:
    assert await refusal(c.place("take-1", **terms(type="LIMIT_MAKER", price=str(ASK)))) == -2010
    assert not v.open_orders()


@SPOT("Balance too low: -2010", verdict=REFUSED)
async def too_large(v: Venue, c: Any) -> None:
    assert await refusal(c.place("large-1", **(terms(price=LOW) | {"qty": "1.00000"}))) == -2010
    assert not v.open_orders()


@SPOT("A filter says no: -1013", verdict=REFUSED)
async def too_small(v: Venue, c: Any) -> None:
    assert await refusal(c.place("small-1", **terms(price="1000.00"))) == -1013
    assert not v.open_orders()


@SPOT("Client id twice while open: -2010", verdict=REFUSED)
async def twice(v: Venue, c: Any) -> None:
    await resting(c)
    assert await refusal(resting(c)) == -2010
    assert len(v.open_orders()) == 1


@SPOT("Cancel what is gone: -2011", verdict=REFUSED)
async def gone(_: Venue, c: Any) -> None:
    placed = await bought(c)
    assert await refusal(c.cancel(SYMBOL, placed.order_id)) == -2011


@SPOT("Query what never was: -2013", verdict=REFUSED)
async def never(_: Venue, c: Any) -> None:
    assert await refusal(c.find(SYMBOL, "17")) == -2013
