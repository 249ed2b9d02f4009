"""The spot account's ports against the exchange twin, in memory, over real HTTP and by the order socket: one suite."""

import random
from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.binance import placed
from chimera.adapters.binance.spot import records
from chimera.adapters.binance.spot.account import open_spot
from chimera.ports.venue import OrderReport, Pairs, Records, Rulebook, Venue
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import OutcomeUnknown, VenueRejected
from chimera.trading.ids import Symbol
from chimera.trading.market import Side
from chimera.trading.money import DAY_MS, Millis, Qty
from chimera.trading.order import OrderType, Status, TimeInForce
from chimera.trading.rates import Metered
from chimera.trading.refusal import Refusal
from support.spot_bench import SpotBench, a_ref, an_order, orders, resting, stop_at
from support.twin_inside import BTC, KEY, SECRET, START

D = Decimal


async def test_it_is_a_venue_that_takes_pairs(bench: SpotBench) -> None:
    spot = bench.spot
    faces: tuple[Venue, Pairs, Records, Rulebook] = (spot.venue, spot.venue, spot.records, spot.rulebook)
    assert all(faces)


# ── what the venue says of itself and of us ─────────────────────────────────────────────────────────────────────────
async def test_what_the_venue_says_of_itself(bench: SpotBench) -> None:
    rules, books = bench.spot.rulebook, bench.spot.records

    btc = next(each for each in await rules.instruments() if each.symbol == BTC)

    assert (btc.market, btc.base, btc.quote, btc.trading, btc.takes_pairs) == ("SPOT", "BTC", "USDT", True, True)
    assert (btc.tick, btc.step, btc.min_notional, btc.max_conditional) == (D("0.01"), D("0.00001"), 5, 5)
    assert (btc.max_qty, btc.market_max_qty, btc.price_up, btc.price_down) == (9000, 100, 5, D("0.2"))
    assert await rules.server_offset_ms() == 0
    touch = await rules.touch(BTC)
    assert (touch.bid, touch.ask, touch.at_ms) == (D("60000.00"), D("60000.01"), bench.clock.at_ms)
    assert await rules.mark(BTC) == D("60000.005")
    assert (await rules.prices())[BTC] == (touch, D("60000.005"))
    assert await rules.margin_steps() == {}
    await rules.prepare(BTC, 20)
    modes = await books.modes()
    assert (modes.hedge, modes.multi_asset, modes.can_trade) == (False, False, True)
    assert await books.income(Millis(0)) == ()
    used = {(each.limit.counts, each.limit.span_ms): each.limit.most for each in bench.spot.raw.uses()}
    assert used == {
        (Metered.WEIGHT, 60_000): 6_000,
        (Metered.ORDERS, 10_000): 100,
        (Metered.ORDERS, DAY_MS): 200_000,
    }
    assert bench.spot.raw.uses()[0].used > 0


async def test_what_the_venue_says_of_us(bench: SpotBench) -> None:
    books = bench.spot.records
    await bench.place("a-m1", qty="0.1", **resting("50000"))

    funds = await books.funds()
    rates = await books.fee_rates(BTC)
    (held,) = await books.positions()

    assert (funds.wallet, funds.available) == (D(10_000), D(5_000))
    assert (rates.maker, rates.taker) == (D("0.001"), D("0.001"))
    assert (held.symbol, held.qty, held.entry_px) == (BTC, D("0.1"), None)


async def test_what_is_paid_in_another_asset_is_told(wired: SpotBench) -> None:
    account = wired.twin.spot.floor.accounts["main"]
    account.bnb_discount = True
    assert (await wired.spot.records.fee_rates(BTC)).discount_asset == "BNB"

    account.bnb_discount = False
    assert (await wired.spot.records.fee_rates(BTC)).discount_asset is None


async def test_a_pair_against_another_asset_is_none_of_ours(wired: SpotBench) -> None:
    books = open_spot(wired.transport, KEY, SECRET, wired.clock, jitter=random.Random(0), quote="FDUSD").records

    with pytest.raises(VenueRejected) as refused:
        await books.survey(BTC, Millis(START))
    assert refused.value.code == -1121
    with pytest.raises(VenueRejected) as refused:
        await books.survey(Symbol("NOSUCH"), Millis(START))
    assert refused.value.code == -1121


@pytest.mark.req("S4-RETRY-1")
async def test_no_more_weight_is_used_than_was_booked(bench: SpotBench) -> None:
    """By the venue's own count, over every kind of call, those that fail among them."""
    spot = bench.spot
    await spot.rulebook.instruments()
    await spot.rulebook.server_offset_ms()
    await spot.rulebook.touch(BTC)
    await spot.rulebook.prices()
    await spot.records.survey(BTC, Millis(START))
    await spot.records.whole()
    await spot.records.positions()
    await spot.records.placed_lately(BTC)
    await spot.records.fee_rates(BTC)
    await bench.pair()
    await spot.venue.cancel(a_ref("a-p1"), timeout_ms=2000)
    for attempt in (bench.place("a-t1", qty="1"), spot.venue.cancel(a_ref("nobody"), timeout_ms=2000)):
        with pytest.raises(VenueRejected):
            await attempt
    await spot.venue.rehearse(an_order("a-t1"), timeout_ms=2000)
    await bench.find("nobody")

    reply = await bench.transport.request("GET", "/api/v3/ping", headers={}, timeout_ms=2000)
    used = int(reply.headers["x-mbx-used-weight-1m"]) - 1
    booked = sum(spot.raw.uses()[0].ours.values())
    assert used <= booked <= used + 4  # what succeeds is free, and booked all the same


# ── single orders ───────────────────────────────────────────────────────────────────────────────────────────────────
async def test_a_market_order_fills_and_is_told_everywhere(bench: SpotBench) -> None:
    placed = await bench.place("a-t1")
    await bench.told("a-t1", Status.FILLED)
    snapshot = await bench.spot.records.survey(BTC, Millis(START))

    assert (placed.status, placed.cum_qty, placed.type) == (Status.FILLED, D("0.01"), OrderType.MARKET)
    (streamed,) = [each.fill for each in bench.heard if isinstance(each, OrderReport) and each.fill]
    assert snapshot.trades == (streamed,)
    assert (streamed.ref, streamed.market, streamed.maker) == ("a-t1", "SPOT", False)
    assert (streamed.fee, streamed.fee_asset) == (D("0.00001"), "BTC")  # taken from what was bought
    assert snapshot.position.qty == D("0.1") + D("0.01") - D("0.00001")
    assert await bench.find("a-t1") == placed.but(updated_ms=bench.clock.at_ms)


@pytest.mark.parametrize("tif", [TimeInForce.GTC, TimeInForce.GTX])
async def test_a_resting_order_is_found_and_cancelled_once(bench: SpotBench, tif: TimeInForce) -> None:
    """On a cancel the venue's ``clientOrderId`` is the cancel's own; ours stays the order's name everywhere."""
    placed = await bench.place("a-m1", **resting("50000", tif))
    found = await bench.find("a-m1")
    snapshot = await bench.spot.records.survey(BTC, Millis(START))
    canceled = await bench.spot.venue.cancel(a_ref("a-m1"), timeout_ms=2000)

    assert (placed.status, placed.type, placed.list_id) == (Status.NEW, OrderType.LIMIT, None)
    assert found == placed
    assert snapshot.orders == (placed,)
    assert (canceled.ref, canceled.status) == ("a-m1", Status.CANCELED)
    with pytest.raises(VenueRejected) as refused:
        await bench.spot.venue.cancel(a_ref("a-m1"), timeout_ms=2000)
    assert (refused.value.code, refused.value.refusal) == (-2011, Refusal.NOT_OPEN)
    await bench.told("a-m1", Status.CANCELED)
    assert [(each.ref, each.status) for each in orders(bench.heard)] == [
        ("a-m1", Status.NEW),
        ("a-m1", Status.CANCELED),
    ]


async def test_the_rest_of_an_ioc_order_expires(bench: SpotBench) -> None:
    placed = await bench.place("a-t1", **resting("59999", TimeInForce.IOC))
    told = await bench.told("a-t1", Status.EXPIRED)

    assert (placed.status, placed.cum_qty) == (Status.EXPIRED, 0)
    assert told.reason == "UNFILLED_IOC_QUANTITY_EXPIRED"


async def test_what_was_never_placed_is_not_found(bench: SpotBench) -> None:
    assert await bench.find("nobody") is None


async def test_a_rehearsal_places_nothing(bench: SpotBench) -> None:
    for order in (an_order("a-t1"), an_order("a-s1", Side.SELL, **stop_at("59000"))):
        await bench.spot.venue.rehearse(order, timeout_ms=2000)
    with pytest.raises(VenueRejected):
        await bench.spot.venue.rehearse(an_order("a-s1", Side.SELL, **stop_at("59000.005")), timeout_ms=2000)

    assert await bench.find("a-t1") is None
    assert (await bench.spot.records.survey(BTC, Millis(START))).orders == ()


SELL = {"side": Side.SELL}


@pytest.mark.parametrize(
    ("terms", "code", "why"),
    [
        (resting("60100", TimeInForce.GTX), -2010, Refusal.WOULD_TAKE),
        (stop_at("60100") | SELL, -2010, Refusal.WOULD_TRIGGER),
        ({"qty": Qty(D(1))}, -2010, Refusal.LACKS_BALANCE),
        (resting("60000.005"), -1013, Refusal.PRICE_RULE),
        ({"qty": Qty(D("0.012345"))}, -1013, Refusal.QTY_RULE),
        ({"qty": Qty(D("0.00002"))}, -1013, Refusal.NOTIONAL),
        (resting("500000"), -1013, Refusal.PRICE_BAND),
        ({"qty": Qty(D("0.0123456789"))}, -1111, Refusal.TOO_PRECISE),
        ({"symbol": Symbol("NOSUCH")}, -1121, None),
    ],
)
async def test_a_refusal_says_why(bench: SpotBench, terms: dict[str, Any], code: int, why: Refusal | None) -> None:
    with pytest.raises(VenueRejected) as refused:
        await bench.place("a-m1", **terms)

    assert (refused.value.code, refused.value.refusal) == (code, why)


async def test_too_many_stops_are_told_by_name(wired: SpotBench) -> None:
    for number in range(5):
        await wired.place(f"a-s{number}", Side.SELL, **stop_at("59000"))
    with pytest.raises(VenueRejected) as refused:
        await wired.place("a-s9", Side.SELL, **stop_at("59000"))

    assert (refused.value.code, refused.value.refusal) == (-1013, Refusal.TOO_MANY)


@pytest.mark.fault("B15")
async def test_a_used_id_is_proof_of_life(bench: SpotBench) -> None:
    """Not a refusal: an order with this id lives, and asking finds it."""
    await bench.place("a-m1", **resting("50000"))
    with pytest.raises(OutcomeUnknown):
        await bench.place("a-m1", **resting("50000"))

    assert await bench.find("a-m1") is not None


async def test_a_stop_alone_waits_triggers_and_fills(bench: SpotBench) -> None:
    placed = await bench.place("a-s1", Side.SELL, **stop_at("59000", "58900"))
    waiting = await bench.find("a-s1")
    bench.quote("58990.00", "58990.01")
    bench.trade("58990", "0.001", Side.SELL)
    filled = await bench.told("a-s1", Status.FILLED)

    assert (placed.status, placed.trigger_price, placed.price) == (Status.NEW, D("59000"), D("58900"))
    assert waiting == placed
    assert (filled.cum_qty, filled.type) == (D("0.01"), OrderType.STOP_LOSS_LIMIT)


async def test_a_stop_that_triggered_and_finds_no_buyer_guards_no_more(bench: SpotBench) -> None:
    """The price fell through its limit: it rests above the market, and NEW would be a lie."""
    await bench.place("a-s1", Side.SELL, **stop_at("59000", "58900"))
    bench.quote("58000.00", "58000.01")
    bench.trade("58000", "0.001", Side.SELL)
    found = await bench.find("a-s1")
    (listed,) = (await bench.spot.records.survey(BTC, Millis(START))).orders

    assert found is not None
    assert (found.status, listed.status) == (Status.TRIGGERING, Status.TRIGGERING)
    assert not found.status.final


# ── surveys ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_whole_account_is_told_over_all_symbols(bench: SpotBench) -> None:
    await bench.pair()
    await bench.place("web_1", **resting("50000"))

    found = await bench.spot.records.whole()

    assert {order.ref: order.status for order in found.orders} == dict.fromkeys(("a-p1", "a-s1", "web_1"), Status.NEW)
    assert [(held.symbol, held.qty) for held in found.positions] == [(BTC, D("0.1"))]
    assert found.asked_ms == bench.clock.at_ms


@pytest.mark.req("LED-4")
async def test_what_was_placed_since_is_told_window_by_window(
    bench: SpotBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two days of three orders, by pages of two; an order of the same moment as the first is not left out."""
    monkeypatch.setattr(placed, "PAGE", 2)
    since_ms = Millis(bench.clock.at_ms)
    await bench.place("a-t1")
    bench.clock.at_ms += 1
    await bench.place("b-m1", **resting("50000"))
    await bench.spot.venue.cancel(a_ref("b-m1"), timeout_ms=2000)
    bench.clock.at_ms += 1
    await bench.place("c-t1")
    bench.clock.at_ms += 2 * 86_400_000

    found = await bench.spot.records.placed_since(BTC, since_ms)

    assert [order.ref for order in found] == ["a-t1", "b-m1", "c-t1"]
    assert await bench.spot.records.placed_since(BTC, Millis(bench.clock.at_ms - 1)) == []


async def test_what_was_placed_lately_is_told_whatever_became_of_it(bench: SpotBench) -> None:
    await bench.place("a-t1")
    await bench.place("b-m1", **resting("50000"))
    await bench.spot.venue.cancel(a_ref("b-m1"), timeout_ms=2000)

    told = {order.ref: order.status for order in await bench.spot.records.placed_lately(BTC)}

    assert told == {"a-t1": Status.FILLED, "b-m1": Status.CANCELED}


async def test_after_a_restart_no_question_is_spent_on_a_trade_that_is_booked(wired: SpotBench) -> None:
    for number in range(4):
        await wired.place(f"a-t{number}", qty="0.001")
    told = (await wired.spot.records.survey(BTC, Millis(START))).trades
    asked = len(_asked(wired, "order"))

    again = await wired.opened().records.survey(BTC, Millis(START), booked={fill.trade_id for fill in told[:3]})

    assert [fill.ref for fill in told] == ["a-t0", "a-t1", "a-t2", "a-t3"]
    assert again.trades == told[3:]
    assert len(_asked(wired, "order")) - asked == 1


@pytest.mark.parametrize("page", [2, 3, 1000])
async def test_every_trade_of_the_span_is_told_once_however_the_pages_fall(
    wired: SpotBench, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(records, "PAGE", page)
    days = (0, 0, 2, 2, 2, 2, 2, 3, 5)
    for number, day in enumerate(days):
        wired.clock.at_ms = max(wired.clock.at_ms, START + day * DAY_MS)
        wired.quote("60000.00", "60000.01")
        await wired.place(f"a-t{number}", qty="0.001")

    for since in (0, 1, 2, 3, 4):
        found = await wired.opened().records.survey(BTC, Millis(START + since * DAY_MS))
        assert [fill.ref for fill in found.trades] == [f"a-t{n}" for n, day in enumerate(days) if day >= since]


async def test_one_question_is_enough_where_a_page_is_not_full(wired: SpotBench) -> None:
    await wired.place("a-t1", qty="0.001")
    wired.clock.at_ms += 60 * DAY_MS

    found = await wired.spot.records.survey(BTC, Millis(0))

    assert [fill.ref for fill in found.trades] == ["a-t1"]
    assert found.trades_since_ms == wired.clock.at_ms - records.KEPT_MS
    assert len(_asked(wired, "myTrades")) == 1


def _asked(bench: SpotBench, path: str) -> list[object]:
    asked = (record for record in bench.twin.audit if record.kind is Kind.REQUEST)
    return [record for record in asked if (record.method, record.path) == ("GET", f"/api/v3/{path}")]
