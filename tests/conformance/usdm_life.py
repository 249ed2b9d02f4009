"""USD-M, operation by operation: what the client is told must be what the venue knows."""

from typing import Any

from ears import until
from operations import REFUSED, USDM
from told import CANCELED, FILLED, OPEN, D, Held, Refused, Rules, Told, Touch, refusal
from venue import ASK, BID, MARK, SYMBOL, Venue

LOW, HIGH = "64000.0", "67000.0"  # rest on either side of the market


def terms(side: str = "BUY", type: str = "LIMIT", qty: str = "0.010", **more: Any) -> dict[str, Any]:
    """An order of this symbol; LIMIT needs a ``price``."""
    return {"symbol": SYMBOL, "side": side, "type": type, "qty": qty, **more}


async def resting(c: Any, client_id: str = "rest-1", **more: Any) -> Told:
    """A LIMIT order that rests below the market."""
    told: Told = await c.place(client_id, **terms(price=LOW, **more))
    return told


async def long(c: Any, qty: str = "0.010") -> Told:
    """Buy at market."""
    told: Told = await c.place("open-1", **terms(type="MARKET", qty=qty))
    return told


# ── market data ─────────────────────────────────────────────────────────────────────────────────────────────────────
@USDM("Exchange information, filters")
async def rules(_: Venue, c: Any) -> None:
    assert await c.rules(SYMBOL) == Rules(tick=D("0.1"), step=D("0.001"), min_qty=D("0.001"), min_notional=D(5))


@USDM("Server time")
async def clock(v: Venue, c: Any) -> None:
    assert abs(await c.clock() - v.now_ms()) < 2_000


@USDM("Order book")
async def depth(_: Venue, c: Any) -> None:
    assert await c.depth(SYMBOL) == Touch(bid=BID, ask=ASK)


@USDM("Book ticker")
async def ticker(_: Venue, c: Any) -> None:
    assert await c.ticker(SYMBOL) == Touch(bid=BID, ask=ASK)


@USDM("Mark price")
async def mark(_: Venue, c: Any) -> None:
    assert await c.mark(SYMBOL) == MARK


@USDM("Candles, 24 h ticker, public trades")
async def past(v: Venue, c: Any) -> None:
    happened = v.trade_both_ways()
    assert await c.past(SYMBOL) == happened


# ── orders ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@USDM("Place LIMIT, which rests")
async def limit(v: Venue, c: Any) -> None:
    told = await resting(c)
    assert told.status == OPEN
    assert v.agrees(told).resting


@USDM("Place MARKET, which fills")
async def market(v: Venue, c: Any) -> None:
    told = await long(c)
    assert (told.status, told.filled) == (FILLED, D("0.010"))
    assert v.agrees(told).avg_px == ASK
    assert v.position() == D("0.010")


@USDM("Place LIMIT GTX (post-only)")
async def post_only(v: Venue, c: Any) -> None:
    told = await resting(c, tif="GTX")
    assert v.agrees(told).tif == "GTX"


@USDM("Place LIMIT IOC, whose rest expires")
async def ioc(v: Venue, c: Any) -> None:
    v.quote(qty=D("0.004"))
    told = await c.place("ioc-1", **terms(price=str(ASK), tif="IOC"))
    assert (told.status, told.filled) == ("EXPIRED", D("0.004"))
    v.agrees(told)


@USDM("Reduce-only exit")
async def reduce_only(v: Venue, c: Any) -> None:
    await long(c)
    told = await c.place("exit-1", **terms(side="SELL", type="MARKET", reduce_only=True))
    assert v.agrees(told).reduce_only
    assert v.position() == 0


@USDM("Test an order without placing it")
async def test(v: Venue, c: Any) -> None:
    await c.test("only-a-test", **terms(price=LOW))
    assert not v.open_orders()


@USDM("Query an order by id")
async def find(v: Venue, c: Any) -> None:
    placed = await resting(c)
    told = await c.find(SYMBOL, placed.order_id)
    assert told.status == OPEN
    v.agrees(told)


@USDM("Query an order by client id, after it filled")
async def find_named(v: Venue, c: Any) -> None:
    placed = await long(c)
    told = await c.find_named(SYMBOL, placed.client_id)
    assert (told.status, told.filled) == (FILLED, D("0.010"))
    v.agrees(told)


@USDM("Open orders")
async def open_orders(v: Venue, c: Any) -> None:
    placed = [await resting(c, "a"), await resting(c, "b"), await long(c)]
    told = await c.open_orders(SYMBOL)
    assert {each.order_id for each in told} == {each.order_id for each in placed[:2]}
    for each in told:
        v.agrees(each)


@USDM("All orders")
async def all_orders(v: Venue, c: Any) -> None:
    placed = [await resting(c, "a"), await long(c)]
    told = await c.all_orders(SYMBOL)
    assert {each.order_id for each in told} == {each.order_id for each in placed}
    for each in told:
        v.agrees(each)


@USDM("Modify an order")
async def modify(v: Venue, c: Any) -> None:
    placed = await resting(c)
    told = await c.modify(SYMBOL, placed.order_id, "BUY", "0.020", "64100.0")
    assert (told.order_id, told.price, told.qty) == (placed.order_id, D("64100.0"), D("0.020"))
    v.agrees(told)


@USDM("Place a batch, one of it refused")
async def place_many(v: Venue, c: Any) -> None:
    taking = terms(price=str(ASK), tif="GTX")
    told = await c.place_many([{"client_id": "b-1", **terms(price=LOW)}, {"client_id": "b-2", **taking}])
    (good,) = (each for each in told if isinstance(each, Told))
    v.agrees(good)
    assert [each.code for each in told if isinstance(each, Refused)] == [-5022]
    assert [order.client_id for order in v.open_orders()] == ["b-1"]


@USDM("Modify a batch")
async def modify_many(v: Venue, c: Any) -> None:
    placed = [await resting(c, "a"), await resting(c, "b")]
    change = {"side": "BUY", "qty": "0.011", "price": "64200.0"}
    told = await c.modify_many(SYMBOL, [{"order_id": each.order_id, **change} for each in placed])
    assert [each.order_id for each in told] == [each.order_id for each in placed]
    for each in told:
        assert v.agrees(each).price == D("64200.0")


@USDM("Cancel an order by id")
async def cancel(v: Venue, c: Any) -> None:
    placed = await resting(c)
    told = await c.cancel(SYMBOL, placed.order_id)
    assert told.status in (CANCELED, None)
    assert v.agrees(told).status == CANCELED


@USDM("Cancel an order by client id")
async def cancel_named(v: Venue, c: Any) -> None:
    placed = await resting(c)
    told = await c.cancel_named(SYMBOL, placed.client_id)
    assert v.agrees(told).status == CANCELED


@USDM("Cancel a batch")
async def cancel_many(v: Venue, c: Any) -> None:
    placed = [await resting(c, name) for name in ("a", "b", "c")]
    told = await c.cancel_many(SYMBOL, [each.order_id for each in placed[:2]])
    assert [each.order_id for each in told] == [each.order_id for each in placed[:2]]
    assert [order.client_id for order in v.open_orders()] == ["c"]


@USDM("Cancel all open orders")
async def cancel_all(v: Venue, c: Any) -> None:
    for name in ("a", "b"):
        await resting(c, name)
    await c.cancel_all(SYMBOL)
    assert not v.open_orders()


@USDM("Countdown to cancel all")
async def countdown(v: Venue, c: Any) -> None:
    await resting(c)
    await c.countdown(SYMBOL, 50)
    await until(lambda: not v.open_orders(), "the countdown cancels")


@USDM("Trades of the account")
async def trades(v: Venue, c: Any) -> None:
    placed = await long(c)
    (told,) = await c.trades(SYMBOL)
    (known,) = v.fills()
    assert (told.order_id, told.trade_id) == (placed.order_id, str(known.trade_id))
    assert (told.price, told.qty) == (known.price, known.qty)
    assert (told.fee, told.fee_asset, told.maker) == (known.fee, "USDT", False)


# ── account ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@USDM("Position")
async def position(v: Venue, c: Any) -> None:
    await c.place("short-1", **terms(side="SELL", type="MARKET"))
    assert await c.position(SYMBOL) == Held(qty=D("-0.010"), entry=BID)
    assert v.position() == D("-0.010")


@USDM("Balance")
async def balance(v: Venue, c: Any) -> None:
    await long(c)
    assert await c.balance("USDT") == v.account.wallet != D(10_000)


@USDM("Account")
async def wallet(v: Venue, c: Any) -> None:
    await long(c)
    assert await c.wallet() == v.account.wallet != D(10_000)


@USDM("Commission rates")
async def commission(v: Venue, c: Any) -> None:
    assert await c.taker_rate(SYMBOL) == v.account.taker_rate


@USDM("Change leverage")
async def set_leverage(v: Venue, c: Any) -> None:
    assert await c.set_leverage(SYMBOL, 7) == 7
    assert v.account.position(SYMBOL).leverage == 7


@USDM("Leverage and margin type of a symbol")
async def leverage(_: Venue, c: Any) -> None:
    await c.set_leverage(SYMBOL, 9)
    assert await c.leverage(SYMBOL) == 9


@USDM("Leverage brackets")
async def brackets(_: Venue, c: Any) -> None:
    assert await c.max_leverage(SYMBOL) >= 20


@USDM("Change margin type")
async def isolate(v: Venue, c: Any) -> None:
    await c.isolate(SYMBOL)
    assert v.account.position(SYMBOL).isolated


@USDM("Read position mode")
async def hedging(_: Venue, c: Any) -> None:
    assert await c.hedging() is False


@USDM("Change position mode, trade one side")
async def set_hedging(_: Venue, c: Any) -> None:
    await c.set_hedging(True)
    assert await c.hedging() is True
    told = await c.place("hedge-1", **terms(type="MARKET", position_side="LONG"))
    assert told.status == FILLED


@USDM("Multi-assets mode")
async def multi_assets(_: Venue, c: Any) -> None:
    assert await c.multi_assets() is False


@USDM("Income history")
async def income(v: Venue, c: Any) -> None:
    await long(c)
    (fill,) = v.fills()
    assert ("COMMISSION", -fill.fee) in await c.income(SYMBOL)


@USDM("Order rate limits")
async def order_limits(_: Venue, c: Any) -> None:
    assert await c.order_limits() == [300, 1200]


# ── conditional orders ──────────────────────────────────────────────────────────────────────────────────────────────
STOP = {"side": "SELL", "type": "STOP_MARKET", "trigger": "64000.0"}
TARGET = {"side": "SELL", "type": "TAKE_PROFIT_MARKET", "trigger": "67000.0"}


@USDM("Place STOP_MARKET (Algo service)")
async def stop(v: Venue, c: Any) -> None:
    await long(c)
    told = await c.place_stop("stop-1", **STOP)
    known = v.algo("stop-1")
    assert (told.algo_id, told.trigger) == (str(known.algo_id), D("64000.0"))
    assert known.close_position


@USDM("Place TAKE_PROFIT_MARKET (Algo service)")
async def target(v: Venue, c: Any) -> None:
    await long(c)
    told = await c.place_stop("target-1", **TARGET, qty="0.010")
    assert told.algo_id == str(v.algo("target-1").algo_id)


@USDM("Query a conditional order")
async def find_stop(_: Venue, c: Any) -> None:
    await long(c)
    placed = await c.place_stop("stop-1", **STOP)
    told = await c.find_stop(placed)
    assert (told.algo_id, told.client_id, told.trigger) == (placed.algo_id, "stop-1", D("64000.0"))


@USDM("Open conditional orders")
async def open_stops(_: Venue, c: Any) -> None:
    await long(c)
    placed = [await c.place_stop("stop-1", **STOP), await c.place_stop("target-1", **TARGET)]
    assert {each.algo_id for each in await c.open_stops(SYMBOL)} == {each.algo_id for each in placed}


@USDM("All conditional orders")
async def all_stops(_: Venue, c: Any) -> None:
    await long(c)
    placed = await c.place_stop("stop-1", **STOP)
    assert [each.algo_id for each in await c.all_stops(SYMBOL)] == [placed.algo_id]


@USDM("Cancel a conditional order")
async def cancel_stop(v: Venue, c: Any) -> None:
    await long(c)
    placed = await c.place_stop("stop-1", **STOP)
    await c.cancel_stop(placed)
    assert not v.open_algos()


@USDM("Cancel all conditional orders")
async def cancel_all_stops(v: Venue, c: Any) -> None:
    await long(c)
    await c.place_stop("stop-1", **STOP)
    await c.cancel_all_stops(SYMBOL)
    assert not v.open_algos()


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@USDM("Stream: book ticker")
async def touches(v: Venue, c: Any) -> None:
    async with c.touches(SYMBOL) as ears:
        await v.listened("public", "bookTicker")
        v.quote(bid=D("65700.0"), ask=D("65700.1"))
        assert await ears.hear(lambda told: told.bid == D("65700.0")) == Touch(bid=D("65700.0"), ask=D("65700.1"))


@USDM("Stream: order book")
async def depths(v: Venue, c: Any) -> None:
    async with c.depths(SYMBOL) as ears:
        await v.listened("public", "depth")
        v.quote(bid=D("65700.0"), ask=D("65700.1"))
        assert await ears.hear(lambda told: told.bid == D("65700.0")) == Touch(bid=D("65700.0"), ask=D("65700.1"))


@USDM("Stream: candles")
async def candles(v: Venue, c: Any) -> None:
    async with c.candles(SYMBOL) as ears:
        await v.listened("market", "kline_1m")
        v.trade(BID, D("0.5"))
        assert await ears.hear(lambda told: told[4] > 0) == (BID, BID, BID, BID, D("0.5"))


@USDM("Stream: trades")
async def prints(v: Venue, c: Any) -> None:
    async with c.prints(SYMBOL) as ears:
        await v.listened(c.prints_on, "rade")
        v.trade(D("65799.90"), D("0.123"))
        assert await ears.hear(lambda _: True) == (D("65799.90"), D("0.123"))


@USDM("Stream: mark price")
async def marks(v: Venue, c: Any) -> None:
    async with c.marks(SYMBOL) as ears:
        await v.listened("market", "markPrice")
        v.mark(D("65555.5"))
        assert await ears.hear(lambda told: told == D("65555.5"))


@USDM("Listen key: make, keep, drop")
async def listen_key(v: Venue, c: Any) -> None:
    await c.listen_key_life()
    assert v.account.listen_key is None


@USDM("User stream: order placed, filled")
async def order_news(v: Venue, c: Any) -> None:
    async with c.order_news() as ears:
        await v.listened("private")
        placed = await resting(c)
        v.agrees(await ears.hear(lambda told: told.order_id == placed.order_id and told.status == OPEN))
        v.trade(D("63990.0"), D(5))
        told = await ears.hear(lambda told: told.order_id == placed.order_id and told.status == FILLED)
        assert told.filled == D("0.010")
        v.agrees(told)


@USDM("User stream: position")
async def position_news(v: Venue, c: Any) -> None:
    async with c.position_news() as ears:
        await v.listened("private")
        await long(c)
        assert (await ears.hear(lambda told: told.get(SYMBOL)))[SYMBOL] == v.position() == D("0.010")


@USDM("User stream: a conditional order fires")
async def stop_news(v: Venue, c: Any) -> None:
    await long(c)
    async with c.stop_news() as ears:
        await v.listened("private")
        await c.place_stop("stop-1", **STOP)
        await ears.hear(lambda told: told[0] == "stop-1")
        v.quote(bid=D("63900.0"), ask=D("63900.1"))
        v.mark(D("63900.0"))
        await until(lambda: v.position() == 0, "the stop closes the position")
        await ears.hear(lambda told: told[0] == "stop-1" and told[1] in c.stop_done)


@USDM("A whole life: maker entry, stop and target, target fires, flat, money agrees")
async def life(v: Venue, c: Any) -> None:
    entry = await c.place("entry-1", **terms(price=str(BID), tif="GTX"))
    v.trade(D("65799.0"), D(60))
    assert (await c.find(SYMBOL, entry.order_id)).status == FILLED
    await c.place_stop("stop-1", **STOP)
    await c.place_stop("target-1", **TARGET)
    v.quote(bid=D("67100.0"), ask=D("67100.1"))
    v.mark(D("67100.0"))
    assert v.position() == 0
    assert await c.open_stops(SYMBOL) == []
    bought, sold = await c.trades(SYMBOL)
    assert (bought.maker, sold.maker) == (True, False)
    assert (bought.price, sold.price) == (BID, D("67100.0"))
    gained = sold.qty * sold.price - bought.qty * bought.price - bought.fee - sold.fee
    assert await c.wallet() == 10_000 + gained == v.account.wallet


# ── the WebSocket API ───────────────────────────────────────────────────────────────────────────────────────────────
@USDM("WebSocket API: place")
async def ws_place(v: Venue, c: Any) -> None:
    told = await c.ws_place("ws-1", **terms(price=LOW))
    assert told.status == OPEN
    v.agrees(told)


@USDM("WebSocket API: query")
async def ws_find(v: Venue, c: Any) -> None:
    placed = await resting(c)
    v.agrees(await c.ws_find(SYMBOL, placed.order_id))


@USDM("WebSocket API: modify")
async def ws_modify(v: Venue, c: Any) -> None:
    placed = await resting(c)
    told = await c.ws_modify(SYMBOL, placed.order_id, "BUY", "0.020", "64100.0")
    assert v.agrees(told).price == D("64100.0")


@USDM("WebSocket API: cancel")
async def ws_cancel(v: Venue, c: Any) -> None:
    placed = await resting(c)
    assert v.agrees(await c.ws_cancel(SYMBOL, placed.order_id)).status == CANCELED


@USDM("WebSocket API: position")
async def ws_position(v: Venue, c: Any) -> None:
    await long(c)
    assert (await c.ws_position(SYMBOL)).qty == v.position()


@USDM("WebSocket API: balance")
async def ws_balance(v: Venue, c: Any) -> None:
    await long(c)
    assert await c.ws_balance("USDT") == v.account.wallet


@USDM("WebSocket API: place and cancel a stop")
async def ws_stop(v: Venue, c: Any) -> None:
    await long(c)
    told = await c.ws_place_stop("stop-1", **STOP)
    assert [algo.client_id for algo in v.open_algos()] == ["stop-1"]
    await c.ws_cancel_stop(told)
    assert not v.open_algos()


# ── refusals ────────────────────────────────────────────────────────────────────────────────────────────────────────
@USDM("Post-only that would take: -5022", verdict=REFUSED)
async def would_take(v: Venue, c: Any) -> None:
    assert await refusal(c.place("take-1", **terms(price=str(ASK), tif="GTX"))) == -5022
    assert not v.open_orders()


@USDM("Margin too low: -2019", verdict=REFUSED)
async def too_large(v: Venue, c: Any) -> None:
    assert await refusal(c.place("large-1", **terms(price=LOW, qty="90.000"))) == -2019
    assert not v.open_orders()


@USDM("Reduce-only with nothing to reduce: -2022", verdict=REFUSED)
async def nothing_to_reduce(_: Venue, c: Any) -> None:
    assert await refusal(c.place("exit-1", **terms(side="SELL", type="MARKET", reduce_only=True))) == -2022


@USDM("Client id twice while open: -4116", verdict=REFUSED)
async def twice(v: Venue, c: Any) -> None:
    await resting(c)
    assert await refusal(resting(c)) == -4116
    assert len(v.open_orders()) == 1


@USDM("Cancel what is gone: -2011", verdict=REFUSED)
async def gone(_: Venue, c: Any) -> None:
    placed = await long(c)
    assert await refusal(c.cancel(SYMBOL, placed.order_id)) == -2011


@USDM("Query what never was: -2013", verdict=REFUSED)
async def never(_: Venue, c: Any) -> None:
    assert await refusal(c.find(SYMBOL, "17")) == -2013


@USDM("Stop that would trigger at once: -2021", verdict=REFUSED)
async def at_once(v: Venue, c: Any) -> None:
    await long(c)
    assert await refusal(c.place_stop("stop-1", **(STOP | {"trigger": "66000.0"}))) == -2021
    assert not v.open_algos()


@USDM("Wrong secret: -1022", verdict=REFUSED, key="wrong")
async def wrong_secret(v: Venue, c: Any) -> None:
    assert await refusal(resting(c)) == -1022
    assert not v.open_orders()


@USDM("Unknown key: -2015", verdict=REFUSED, key="unknown")
async def unknown_key(v: Venue, c: Any) -> None:
    assert await refusal(resting(c)) == -2015
    assert not v.open_orders()


# ── keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@USDM("Sign with Ed25519", key="ed25519")
async def ed25519(v: Venue, c: Any) -> None:
    v.agrees(await resting(c))
