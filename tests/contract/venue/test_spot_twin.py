"""The spot account's ports against the exchange twin, in memory, over real HTTP and by the order socket: one suite."""

import asyncio
import random
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.binance.spot import records
from chimera.adapters.binance.spot.account import open_spot
from chimera.ports.venue import Loss, OrderReport, Pairs, Records, Rulebook, StreamDown, StreamUp, Venue
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.trouble.faults import NoFaults, RequestFault, Trouble
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import DAY_MS, Millis, Qty
from chimera.trading.order import OrderType, Status, TimeInForce
from chimera.trading.rates import Metered
from chimera.trading.refusal import Refusal
from support.spot_bench import (
    BTC,
    KEY,
    SECRET,
    START,
    WAYS,
    HandClock,
    SpotBench,
    a_pair,
    a_ref,
    an_order,
    orders,
    resting,
    standing,
    stop_at,
)

D = Decimal


@pytest.fixture(params=WAYS)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[SpotBench]:
    async with standing(request.param) as bench:
        yield bench


@pytest.fixture
async def wired() -> AsyncIterator[SpotBench]:
    """Over real HTTP alone, where the way makes no difference."""
    async with standing("wire") as bench:
        yield bench


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
    await spot.venue.cancel_pair(BTC, ClientOrderId("a-l1"), timeout_ms=2000)
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


# ── pairs ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.req("S4-SPOT-1")
async def test_a_pair_stands_as_two_orders_of_one_list(bench: SpotBench) -> None:
    target, stop = await bench.pair()
    snapshot = await bench.spot.records.survey(BTC, Millis(START))

    assert (target.ref, target.status, target.type, target.price) == ("a-p1", Status.NEW, OrderType.LIMIT, 61000)
    assert (stop.ref, stop.status, stop.trigger_price) == ("a-s1", Status.NEW, 59000)
    assert target.list_id == stop.list_id is not None
    assert {order.ref: order for order in snapshot.orders} == {"a-p1": target, "a-s1": stop}
    assert [await bench.find(ref) for ref in ("a-p1", "a-s1")] == [target, stop]
    assert bench.spot.raw.uses()[1].used == 2
    assert snapshot.position.qty == D("0.1")  # locked in orders, and held all the same


async def test_a_target_that_fills_ends_the_stop(bench: SpotBench) -> None:
    await bench.pair()
    bench.quote("61000.00", "61000.01")
    bench.trade("61001", "1", Side.BUY)
    await bench.told("a-p1", Status.FILLED)
    gone = await bench.told("a-s1", Status.EXPIRED)

    assert (gone.reason, gone.cum_qty) == ("OCO_TRIGGER", 0)
    assert (await bench.spot.records.survey(BTC, Millis(START))).orders == ()


async def test_a_stop_that_triggers_ends_the_target(bench: SpotBench) -> None:
    await bench.pair()
    bench.quote("58990.00", "58990.01")
    bench.trade("58990", "0.001", Side.SELL)
    sold = await bench.told("a-s1", Status.FILLED)
    gone = await bench.told("a-p1", Status.EXPIRED)

    assert (sold.cum_qty, gone.reason) == (D("0.01"), "OCO_TRIGGER")
    found = await bench.find("a-p1")
    assert found is not None
    assert (found.status, found.reason) == (Status.EXPIRED, "OCO_TRIGGER")


async def test_a_target_that_part_fills_leaves_its_rest_without_a_stop(bench: SpotBench) -> None:
    """The trap: the stop is gone with the first fill. The rest is cancelled by its own name, the list answers."""
    await bench.pair(qty="0.01")
    bench.quote("60999.99", "61000.00")
    bench.trade("61000", "5.004", Side.BUY)  # what stands there before it, and a part of it
    part = await bench.told("a-p1", Status.PARTIALLY_FILLED)
    gone = await bench.told("a-s1", Status.EXPIRED)
    rest = await bench.spot.venue.cancel(a_ref("a-p1"), timeout_ms=2000)

    assert part.cum_qty == D("0.004")
    assert gone.reason == "OCO_TRIGGER"
    assert (rest.ref, rest.status, rest.cum_qty) == ("a-p1", Status.CANCELED, part.cum_qty)
    target, stop = (
        order.but(ref=ClientOrderId(f"b-{number}"), qty=Qty(D("0.006")), group=ClientOrderId("b-l1"))
        for number, order in enumerate(a_pair("61000", "59000"))
    )
    with pytest.raises(VenueRejected) as refused:  # the last price is the target's own: it must stand above it
        await bench.spot.venue.place_pair(target, stop, timeout_ms=2000)
    assert refused.value.refusal is Refusal.BAD_PRICES
    bench.quote("60500.00", "60500.01")
    bench.trade("60500", "0.001", Side.SELL)
    again = await bench.spot.venue.place_pair(target, stop, timeout_ms=2000)
    assert {order.status for order in again} == {Status.NEW}


@pytest.mark.parametrize("leg", ["a-p1", "a-s1"])
async def test_cancelling_a_leg_ends_both(bench: SpotBench, leg: str) -> None:
    await bench.pair()
    word = await bench.spot.venue.cancel(a_ref(leg), timeout_ms=2000)
    for ref in ("a-p1", "a-s1"):
        await bench.told(ref, Status.CANCELED)

    assert (word.ref, word.status) == (leg, Status.CANCELED)
    assert (await bench.spot.records.survey(BTC, Millis(START))).orders == ()


async def test_a_list_is_cancelled_once_by_its_own_name(bench: SpotBench) -> None:
    await bench.pair()
    gone = await bench.spot.venue.cancel_pair(BTC, ClientOrderId("a-l1"), timeout_ms=2000)

    assert {order.ref: order.status for order in gone} == {"a-p1": Status.CANCELED, "a-s1": Status.CANCELED}
    with pytest.raises(VenueRejected) as refused:
        await bench.spot.venue.cancel_pair(BTC, ClientOrderId("a-l1"), timeout_ms=2000)
    assert refused.value.refusal is Refusal.NOT_OPEN


@pytest.mark.parametrize(
    ("target", "stop", "qty", "why"),
    [
        ("59500", "59000", "0.01", Refusal.WOULD_TAKE),
        ("61000", "60500", "0.01", Refusal.BAD_PRICES),
        ("61000", "59000", "0.2", Refusal.LACKS_BALANCE),
    ],
)
async def test_a_pair_is_refused_as_one(bench: SpotBench, target: str, stop: str, qty: str, why: Refusal) -> None:
    with pytest.raises(VenueRejected) as refused:
        await bench.pair(target, stop, qty)

    assert refused.value.refusal in (why, Refusal.BAD_PRICES)
    assert [await bench.find(ref) for ref in ("a-p1", "a-s1")] == [None, None]


async def test_what_is_no_pair_is_never_sent(wired: SpotBench) -> None:
    target, stop = a_pair("61000", "59000")
    wrong = [
        (stop, target),
        (target.but(qty=Qty(D("0.02"))), stop),
        (target.but(side=Side.BUY), stop),
        (target.but(group=None), stop.but(group=None)),
        (target.but(group=target.ref), stop.but(group=target.ref)),
        (target.but(time_in_force=TimeInForce.GTC), stop),
        (target, stop.but(price=None)),
    ]
    for first, second in wrong:
        with pytest.raises(ValueError, match="a-"):
            await wired.spot.venue.place_pair(first, second, timeout_ms=2000)
    with pytest.raises(ValueError, match="other leg"):
        await wired.spot.venue.place(target, timeout_ms=2000)
    with pytest.raises(NotSent):
        await wired.spot.venue.place_pair(target, stop.but(not_after_ms=Millis(START - 1)), timeout_ms=2000)

    assert not [each for each in wired.twin.audit if each.kind is Kind.REQUEST and each.method == "POST"]


# ── trouble ─────────────────────────────────────────────────────────────────────────────────────────────────────────
class Once(NoFaults):
    """One trouble for the next request that places or cancels, once."""

    def __init__(self, fault: RequestFault) -> None:
        self.fault: RequestFault | None = fault

    def on_request(self, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        if request.method == "GET":
            return None
        fault, self.fault = self.fault, None
        return fault


UNKNOWN = [
    Trouble.DROP,
    Trouble.UNKNOWN_503,
    Trouble.OVERLOADED_503,
    Trouble.TIMEOUT_1007,
    Trouble.UNEXPECTED_1006,
]


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.parametrize("trouble", UNKNOWN)
@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.fault("B5")
async def test_unknown_is_settled_by_asking(bench: SpotBench, trouble: Trouble, executed: bool) -> None:
    bench.twin.faults = Once(RequestFault(trouble=trouble, executed=executed))

    with pytest.raises(OutcomeUnknown):
        await bench.spot.venue.place(an_order("a-m1", **resting("50000")), timeout_ms=200)

    assert (await bench.find("a-m1") is not None) is executed


@pytest.mark.parametrize("trouble", [Trouble.DROP, Trouble.TIMEOUT_1007])
@pytest.mark.parametrize("executed", [True, False])
async def test_an_unanswered_pair_stands_whole_or_not_at_all(
    bench: SpotBench, trouble: Trouble, executed: bool
) -> None:
    bench.twin.faults = Once(RequestFault(trouble=trouble, executed=executed))

    with pytest.raises(OutcomeUnknown):
        await bench.spot.venue.place_pair(*a_pair("61000", "59000"), timeout_ms=200)

    legs = [await bench.find(ref) for ref in ("a-p1", "a-s1")]
    assert [leg is not None for leg in legs] == [executed, executed]


@pytest.mark.parametrize("executed", [True, False])
async def test_an_unanswered_cancel_is_settled_by_asking(bench: SpotBench, executed: bool) -> None:
    await bench.pair()
    bench.twin.faults = Once(RequestFault(trouble=Trouble.TIMEOUT_1007, executed=executed))

    with pytest.raises(OutcomeUnknown):
        await bench.spot.venue.cancel(a_ref("a-s1"), timeout_ms=200)

    found = await bench.find("a-s1")
    assert found is not None
    assert found.status is (Status.CANCELED if executed else Status.NEW)


@pytest.mark.parametrize("trouble", [Trouble.UNAVAILABLE_503, Trouble.INTERNAL_503])
async def test_on_spot_no_5xx_is_certain(bench: SpotBench, trouble: Trouble) -> None:
    bench.twin.faults = Once(RequestFault(trouble=trouble))

    with pytest.raises(OutcomeUnknown):
        await bench.place("a-m1", **resting("50000"))


@pytest.mark.req("S4-CLOCK-1")
async def test_a_clock_that_is_off_is_measured_and_made_good(wired: SpotBench) -> None:
    class Ahead(HandClock):
        def now_ms(self) -> Millis:
            return Millis(wired.clock.at_ms + 90_000)

    spot = open_spot(wired.transport, KEY, SECRET, Ahead(), jitter=random.Random(0))

    with pytest.raises(NotSent):
        await spot.venue.place(an_order("a-m1", **resting("50000")), timeout_ms=2000)
    assert (await spot.venue.place(an_order("a-m1", **resting("50000")), timeout_ms=2000)).status is Status.NEW
    assert spot.raw.venue_clock.offset_ms == -90_000
    assert spot.venue.dead_after_ms(Millis(START + 90_000)) > START + spot.raw.recv_window_ms


@pytest.mark.parametrize(("key", "secret", "codes"), [("unknown", SECRET, (-2014, -2015)), (KEY, "another", (-1022,))])
async def test_a_wrong_key_is_refused(bench: SpotBench, key: str, secret: str, codes: tuple[int, ...]) -> None:
    with pytest.raises(VenueRejected) as refused:
        await bench.opened(key, secret).venue.place(an_order("a-t1"), timeout_ms=2000)

    assert refused.value.code in codes


# ── the user stream ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.req("S4-NET-1")
async def test_a_stream_that_is_ended_comes_back_and_says_so(bench: SpotBench) -> None:
    await bench.place("a-m1", **resting("50000"))
    await bench.told("a-m1", Status.NEW)
    bench.spot.venue.reconnect("deaf")
    await bench.until(lambda heard: [each for each in heard if isinstance(each, StreamUp)] == [StreamUp()] * 2)
    await bench.spot.venue.cancel(a_ref("a-m1"), timeout_ms=2000)
    await bench.told("a-m1", Status.CANCELED)

    assert [each.cause for each in bench.heard if isinstance(each, StreamDown)] == [Loss.ASKED]


@pytest.mark.req("S4-NET-1")
async def test_a_wrong_key_hears_nothing_and_says_why(wired: SpotBench) -> None:
    reports = wired.opened(KEY, "another").venue.reports()
    async with asyncio.timeout(5):
        first = await anext(reports)
    await reports.aclose()

    assert isinstance(first, StreamDown)
    assert first.cause is Loss.KEY_REFUSED
    assert "-1022" in first.reason


# ── surveys ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_the_whole_account_is_told_over_all_symbols(bench: SpotBench) -> None:
    await bench.pair()
    await bench.place("web_1", **resting("50000"))

    found = await bench.spot.records.whole()

    assert {order.ref: order.status for order in found.orders} == dict.fromkeys(("a-p1", "a-s1", "web_1"), Status.NEW)
    assert [(held.symbol, held.qty) for held in found.positions] == [(BTC, D("0.1"))]
    assert found.asked_ms == bench.clock.at_ms


async def test_what_was_placed_lately_is_told_whatever_became_of_it(bench: SpotBench) -> None:
    await bench.place("a-t1")
    await bench.place("b-m1", **resting("50000"))
    await bench.spot.venue.cancel(a_ref("b-m1"), timeout_ms=2000)

    placed = {order.ref: order.status for order in await bench.spot.records.placed_lately(BTC)}

    assert placed == {"a-t1": Status.FILLED, "b-m1": Status.CANCELED}


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
