"""The venue's ports against the exchange twin, in memory and over real HTTP and WebSocket: one suite, both ways."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from chimera.adapters.binance import placed, records
from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.adapters.binance.governor import THROTTLED_MS
from chimera.adapters.binance.hosts import Hosts
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.transport import Transport
from chimera.ports.venue import OrderReport, Records, Report, Rulebook, StreamUp, Venue
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.trouble.faults import NoFaults, RequestFault, Trouble
from chimera.simulate.twin import Twin
from chimera.simulate.venue.audit import AuditRecord, Kind
from chimera.trading.errors import NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.ids import ClientOrderId
from chimera.trading.intent import WorkingType
from chimera.trading.market import Marked, Side, TopOfBook
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, Status, TimeInForce
from chimera.trading.venue import OrderRef, VenueOrder
from support.to_twin import ToTwin
from support.twin_inside import BTC, KEY, SECRET, START, D, HandClock, Listener


class TwinTransport(ToTwin):
    """The twin without a wire."""

    def __init__(self, twin: Twin, clock: HandClock) -> None:
        super().__init__(twin, clock)
        self._readers: dict[str, asyncio.Queue[bytes]] = {}

    @asynccontextmanager
    async def connect(self, target: str) -> AsyncIterator["TwinTransport"]:
        path, _, query = target.partition("?")
        assert path == "/private/ws"
        self._key = parse_qs(query)["listenKey"][0]
        self._readers[self._key] = asyncio.Queue()
        try:
            yield self
        finally:
            del self._readers[self._key]

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            yield await self._readers[self._key].get()

    async def send(self, frame: bytes) -> None:
        raise AssertionError("a user stream says nothing")

    async def close(self) -> None:
        assert not self._readers

    def pump(self) -> None:
        for frame in self._twin.drain():
            if frame.channel in self._readers:
                self._readers[frame.channel].put_nowait(frame.payload)


class Bench(Listener):
    """One twin, one account opened on it, and what its stream said."""

    def __init__(
        self,
        twin: Twin,
        transport: Transport,
        pump: Callable[[], None],
        clock: HandClock,
        orders_by: Transport | None = None,
    ) -> None:
        super().__init__()
        self.twin = twin
        self.clock = clock
        self._transport = transport
        self._pump = pump
        self.futures = open_futures(transport, KEY, SECRET, clock, jitter=random.Random(0), orders_by=orders_by)

    @property
    def by_socket(self) -> bool:
        """Whether orders go by the WebSocket API now."""
        socket = self.futures.raw.socket
        return socket is not None and socket.takes("POST", "/fapi/v1/order")

    def opened(self, key: str = KEY, secret: str = SECRET) -> BinanceFutures:
        """Another adapter on the same wire, with nothing remembered."""
        return open_futures(self._transport, key, secret, self.clock, jitter=random.Random(0))

    def quote(self, bid: str, ask: str) -> None:
        self.clock.at_ms += 1
        at_us, size = self.clock.at_ms * 1000, Qty(D(5))
        mid = Price((D(bid) + D(ask)) / 2)
        top = TopOfBook(symbol=BTC, at_us=at_us, bid=Price(D(bid)), bid_qty=size, ask=Price(D(ask)), ask_qty=size)
        mark = Marked(symbol=BTC, at_us=at_us, mark=mid, index=mid, funding_rate=D(0), next_funding_ms=Millis(0))
        for event in (top, mark):
            self.twin.market(event, self.clock.now_ms())
        self._pump()

    async def listen(self) -> None:
        async with aclosing(self.futures.venue.reports()) as reports:
            async for report in reports:
                self.heard.append(report)

    async def place(self, ref: str, side: Side = Side.BUY, qty: str = "0.010", **terms: Any) -> VenueOrder:
        return await self.futures.venue.place(an_order(ref, side, qty, **terms), timeout_ms=2000)

    async def find(self, ref: str, *, conditional: bool = False) -> VenueOrder | None:
        return await self.futures.venue.find(a_ref(ref, conditional=conditional))


def an_order(ref: str, side: Side = Side.BUY, qty: str = "0.010", **terms: Any) -> NewOrder:
    plain = NewOrder(ref=ClientOrderId(ref), symbol=BTC, side=side, type=OrderType.MARKET, qty=Qty(D(qty)))
    return plain.but(**terms)


def a_ref(ref: str, *, conditional: bool = False) -> OrderRef:
    return OrderRef(symbol=BTC, ref=ClientOrderId(ref), conditional=conditional)


def resting(price: str, tif: TimeInForce = TimeInForce.GTC) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "price": Price(D(price)), "time_in_force": tif}


def stop_at(price: str) -> dict[str, Any]:
    return {
        "type": OrderType.STOP_MARKET,
        "trigger_price": Price(D(price)),
        "working_type": WorkingType.MARK_PRICE,
        "reduce_only": True,
    }


@pytest.fixture(params=["memory", "wire", pytest.param("socket", marks=pytest.mark.req("S4-NET-1"))])
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    clock = HandClock()
    twin = Twin(now_ms=clock.at_ms)
    if request.param == "memory":
        inside = TwinTransport(twin, clock)
        bench = Bench(twin, inside, inside.pump, clock)
        server = None
    else:
        server = SimulatorServer(SimulatorSettings(port=0, speed=math.inf), (), twin=twin, clock=clock.now_ms)
        await server.start()
        port = server.address[1]
        hosts = Hosts(name="sim", rest=f"http://127.0.0.1:{port}", streams=f"ws://127.0.0.1:{port}")
        orders_by = AiohttpTransport(hosts.of_orders) if request.param == "socket" else None
        bench = Bench(twin, AiohttpTransport(hosts), server.hub.pump, clock, orders_by)
    bench.quote("65799.9", "65800.0")
    listening = asyncio.create_task(bench.listen())
    await bench.until(lambda heard: heard == [StreamUp()] and bench.by_socket is (request.param == "socket"))
    yield bench
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await bench.futures.close()
    if server is not None:
        await server.stop()


def orders(heard: list[Report]) -> list[VenueOrder]:
    return [report.order for report in heard if isinstance(report, OrderReport)]


def fills(heard: list[Report]) -> Decimal:
    """Base asset, + bought, - sold."""
    taken = (each.fill for each in heard if isinstance(each, OrderReport) and each.fill)
    return sum((fill.qty * fill.side.sign for fill in taken), D(0))


async def test_it_is_a_venue(bench: Bench) -> None:
    futures = bench.futures
    faces: tuple[Venue, Records, Rulebook] = (futures.venue, futures.records, futures.rulebook)
    assert all(faces)


async def test_what_the_venue_says_of_itself(bench: Bench) -> None:
    rules, books = bench.futures.rulebook, bench.futures.records

    btc = next(each for each in await rules.instruments() if each.symbol == BTC)

    assert (btc.tick, btc.step, btc.base, btc.quote, btc.trading) == (D("0.1"), D("0.001"), "BTC", "USDT", True)
    assert await rules.server_offset_ms() == 0
    touch = await rules.touch(BTC)
    assert (touch.bid, touch.ask) == (D("65799.9"), D("65800.0"))
    assert await rules.mark(BTC) == D("65799.95")
    rates = await books.fee_rates(BTC)
    assert D(0) < rates.maker < rates.taker < D("0.01")
    assert rates.discount_asset is None
    next(iter(bench.twin.usdm.floor.accounts.values())).fee_burn = True
    assert (await books.fee_rates(BTC)).discount_asset is None  # of the account, so not asked again at once
    assert (await bench.opened().records.fee_rates(BTC)).discount_asset == "BNB"
    modes = await books.modes()
    assert (modes.hedge, modes.multi_asset, modes.can_trade) == (False, False, True)
    funds = await books.funds()
    assert funds.available == funds.wallet > 0
    assert await books.positions() == ()
    assert bench.futures.raw.uses()[0].used > 0


@pytest.mark.req("S4-RULE-2", "I32")
async def test_margin_and_leverage_are_set_where_not_yet_so(bench: Bench) -> None:
    rules = bench.futures.rulebook

    for _ in range(2):
        await rules.prepare(BTC, 20)
    await bench.place("a-t1")
    await bench.place("a-m1", **resting("60000"))
    await rules.prepare(BTC, 20)  # with a position and an order open, where Binance would refuse a change

    settings = [record.reason for record in bench.twin.audit if record.kind == "setting"]
    assert len(settings) == len(set(settings)) <= 2
    assert {"marginType=ISOLATED"} <= set(settings)


@pytest.mark.req("S4-RULE-2")
@pytest.mark.fault("F13")
async def test_what_stands_keeps_its_leverage_where_we_are_told_to_leave_it(bench: Bench) -> None:
    rules = bench.futures.rulebook
    await rules.prepare(BTC, 5)
    await bench.place("a-t1")

    assert await rules.prepare(BTC, 20, change=False) == 5
    assert await rules.prepare(BTC, 20) == 20, "the venue raises it under an open position"


@pytest.mark.fault("F13")
async def test_leverage_out_of_bounds_is_refused(bench: Bench) -> None:
    with pytest.raises(VenueRejected) as refused:
        await bench.futures.rulebook.prepare(BTC, 500)

    assert refused.value.code == -4028


async def test_a_resting_order_is_found_and_cancelled_once(bench: Bench) -> None:
    placed = await bench.place("a-m1", **resting("60000", TimeInForce.GTX))
    found = await bench.find("a-m1")
    snapshot = await bench.futures.records.survey(BTC, Millis(START))
    canceled = await bench.futures.venue.cancel(a_ref("a-m1"), timeout_ms=2000)

    assert placed.status is Status.NEW
    assert found == placed
    assert snapshot.orders == (placed,)
    assert canceled is not None
    assert canceled.status is Status.CANCELED
    with pytest.raises(VenueRejected) as refused:
        await bench.futures.venue.cancel(a_ref("a-m1"), timeout_ms=2000)
    assert refused.value.code == -2011
    await bench.until(lambda heard: [order.status for order in orders(heard)] == [Status.NEW, Status.CANCELED])


async def test_what_was_never_placed_is_not_found(bench: Bench) -> None:
    assert await bench.find("nobody") is None
    assert await bench.find("nobody", conditional=True) is None
    await bench.place("a-m1", **resting("60000"))
    assert await bench.find("a-m1", conditional=True) is None  # a regular order is no conditional one


async def test_a_market_order_fills_and_is_told_everywhere(bench: Bench) -> None:
    placed = await bench.place("a-t1")
    await bench.until(lambda heard: fills(heard) == D("0.010"))
    snapshot = await bench.futures.records.survey(BTC, Millis(START))

    assert (placed.status, placed.cum_qty) == (Status.FILLED, D("0.010"))
    (streamed,) = [each.fill for each in bench.heard if isinstance(each, OrderReport) and each.fill]
    assert snapshot.trades == (streamed,)
    assert streamed.fee > 0
    assert (streamed.ref, streamed.fee_asset, streamed.maker) == ("a-t1", "USDT", False)
    assert snapshot.position.qty == D("0.010")
    assert snapshot.position.entry_px == D("65800")
    assert [each.symbol for each in await bench.futures.records.positions()] == [BTC]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (resting("65900", TimeInForce.GTX), -5022),
        (resting("60000.05"), -4014),
        (stop_at("65900") | {"side": Side.SELL}, -2021),
        ({"reduce_only": True}, -2022),
        ({"qty": Qty(D("0.0105"))}, -4023),
    ],
)
async def test_a_refusal_keeps_its_code(bench: Bench, terms: dict[str, Any], code: int) -> None:
    with pytest.raises(VenueRejected) as refused:
        await bench.place("a-m1", **terms)

    assert refused.value.code in (code, -1111)  # off the step is also too precise


@pytest.mark.fault("B15")
async def test_a_used_id_is_proof_of_life(bench: Bench) -> None:
    await bench.place("a-m1", **resting("60000"))
    with pytest.raises(VenueRejected) as refused:
        await bench.place("a-m1", **resting("60000"))

    assert refused.value.code == -4116


@pytest.mark.fault("B22")
async def test_a_stop_waits_triggers_and_fills_under_one_name(bench: Bench) -> None:
    await bench.place("a-t1")
    placed = await bench.place("a-s1", Side.SELL, **stop_at("65000"))
    waiting = await bench.find("a-s1", conditional=True)
    before = await bench.futures.records.survey(BTC, Millis(START))
    bench.quote("64989.9", "64990.0")
    await bench.until(lambda heard: any(each.ref == "a-s1" and each.status is Status.FILLED for each in orders(heard)))
    done = await bench.find("a-s1", conditional=True)
    after = await bench.futures.records.survey(BTC, Millis(START))

    assert (placed.status, placed.conditional, placed.trigger_price) == (Status.NEW, True, D("65000"))
    assert waiting == placed
    assert before.orders == (placed,)
    assert done is not None
    assert (done.status, done.cum_qty, done.conditional) == (Status.FILLED, D("0.010"), True)
    assert after.orders == ()
    assert after.position.qty == 0
    assert [fill.ref for fill in after.trades] == ["a-t1", "a-s1"]
    assert fills(bench.heard) == 0
    told = [order for order in orders(bench.heard) if order.ref == "a-s1"]
    assert {order.conditional for order in told} == {True}
    assert {Status.NEW, Status.TRIGGERING, Status.FILLED} == {order.status for order in told}
    assert all(order.cum_qty == D("0.010") for order in told if order.status is Status.FILLED)


async def test_a_stop_is_cancelled_without_a_word(bench: Bench) -> None:
    await bench.place("a-t1")
    await bench.place("a-s1", Side.SELL, **stop_at("65000"))

    assert await bench.futures.venue.cancel(a_ref("a-s1", conditional=True), timeout_ms=2000) is None

    found = await bench.find("a-s1", conditional=True)
    assert found is not None
    assert found.status is Status.CANCELED
    with pytest.raises(VenueRejected) as refused:
        await bench.futures.venue.cancel(a_ref("a-s1", conditional=True), timeout_ms=2000)
    assert refused.value.code == -2011


async def test_trades_are_named_by_whoever_remembers_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restarted adapter, small pages: every trade once, under its client id, a stop's under the stop's."""
    monkeypatch.setattr(records, "PAGE", 2)
    for number in range(5):
        await bench.place(f"a-t{number}")
        bench.clock.at_ms += 1
    await bench.place("a-s1", Side.SELL, "0.050", **stop_at("65000"))
    bench.quote("64989.9", "64990.0")

    snapshot = await bench.opened().records.survey(BTC, Millis(START))
    later = await bench.opened().records.survey(BTC, Millis(bench.clock.at_ms))

    assert [fill.ref for fill in snapshot.trades] == ["a-t0", "a-t1", "a-t2", "a-t3", "a-t4", "a-s1"]
    assert len({fill.trade_id for fill in snapshot.trades}) == 6
    assert [fill.ref for fill in later.trades] == ["a-s1"]


async def test_after_a_restart_no_question_is_spent_on_a_trade_that_is_booked(bench: Bench) -> None:
    """Found by real kills: each start asked for the order of every trade of the last minute, up to the venue's ban."""
    for number in range(6):
        await bench.place(f"a-t{number}")
    told = (await bench.futures.records.survey(BTC, Millis(START))).trades
    asked = len(_questions(bench))

    again = await bench.opened().records.survey(BTC, Millis(START), booked={fill.trade_id for fill in told[:5]})

    assert again.trades == told[5:]
    assert len(_questions(bench)) - asked == 1


def _questions(bench: Bench) -> list[AuditRecord]:
    asked = (record for record in bench.twin.audit if record.kind is Kind.REQUEST)
    return [record for record in asked if (record.method, record.path) == ("GET", "/fapi/v1/order")]


async def test_a_survey_of_long_ago_goes_window_by_window(bench: Bench) -> None:
    await bench.place("a-t1")
    bench.clock.at_ms += 20 * 86_400_000
    await bench.place("a-t2")

    snapshot = await bench.futures.records.survey(BTC, Millis(0))

    assert [fill.ref for fill in snapshot.trades] == ["a-t1", "a-t2"]
    assert snapshot.trades_since_ms == bench.clock.at_ms - records.KEPT_MS
    asked = [each for each in bench.twin.audit if each.kind == "request" and each.path == "/fapi/v1/userTrades"]
    assert len(asked) == 13


@pytest.mark.req("S4-REC-2")
async def test_the_whole_account_is_told_over_all_symbols_and_both_services(bench: Bench) -> None:
    await bench.place("a-t1")
    await bench.place("a-s1", Side.SELL, **stop_at("65000"))
    await bench.place("b-m1", **resting("60000"))
    await bench.place("web_1", **resting("59000"))

    found = await bench.futures.records.whole()

    assert {order.ref: (order.conditional, order.status) for order in found.orders} == {
        "a-s1": (True, Status.NEW),
        "b-m1": (False, Status.NEW),
        "web_1": (False, Status.NEW),
    }
    assert [(held.symbol, held.qty) for held in found.positions] == [(BTC, D("0.010"))]
    assert found.asked_ms == bench.clock.at_ms


@pytest.mark.req("LED-4")
async def test_what_was_placed_since_is_told_window_by_window(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days of three orders, by pages of two; an order of the same moment as the first is not left out."""
    monkeypatch.setattr(placed, "PAGE", 2)
    since_ms = Millis(bench.clock.at_ms)
    await bench.place("a-t1")
    bench.clock.at_ms += 1
    await bench.place("b-m1", **resting("60000"))
    await bench.futures.venue.cancel(a_ref("b-m1"), timeout_ms=2000)
    bench.clock.at_ms += 1
    await bench.place("c-t1")
    bench.clock.at_ms += 2 * 86_400_000

    found = await bench.futures.records.placed_since(BTC, since_ms)

    assert [order.ref for order in found] == ["a-t1", "b-m1", "c-t1"]
    assert await bench.futures.records.placed_since(BTC, Millis(bench.clock.at_ms - 1)) == []


async def test_what_was_placed_lately_is_told_whatever_became_of_it(bench: Bench) -> None:
    await bench.place("a-t1")
    await bench.place("b-m1", **resting("60000"))
    await bench.futures.venue.cancel(a_ref("b-m1"), timeout_ms=2000)

    told = {order.ref: order.status for order in await bench.futures.records.placed_lately(BTC)}

    assert told == {"a-t1": Status.FILLED, "b-m1": Status.CANCELED}
    bench.clock.at_ms += 8 * 86_400_000
    assert await bench.futures.records.placed_lately(BTC) == []


@pytest.mark.parametrize(("key", "secret", "codes"), [("unknown", SECRET, (-2014, -2015)), (KEY, "another", (-1022,))])
@pytest.mark.fault("B38")
async def test_a_wrong_key_is_refused(bench: Bench, key: str, secret: str, codes: tuple[int, ...]) -> None:
    with pytest.raises(VenueRejected) as refused:
        await bench.opened(key, secret).venue.place(an_order("a-t1"), timeout_ms=2000)

    assert refused.value.code in codes


class Once(NoFaults):
    """One trouble for the next request, once."""

    def __init__(self, fault: RequestFault) -> None:
        self.fault: RequestFault | None = fault

    def on_request(self, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        fault, self.fault = self.fault, None
        return fault


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(Trouble.DROP, marks=pytest.mark.slow),  # by the socket it is known by the time-out alone
        Trouble.UNKNOWN_503,
        Trouble.OVERLOADED_503,
        Trouble.TIMEOUT_1007,
    ],
)
@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.fault("B5")
async def test_unknown_is_settled_by_asking(bench: Bench, trouble: Trouble, executed: bool) -> None:
    bench.twin.faults = Once(RequestFault(trouble=trouble, executed=executed))

    with pytest.raises(OutcomeUnknown):
        await bench.place("a-m1", **resting("60000"))

    assert (await bench.find("a-m1") is not None) is executed
    placements = [each for each in bench.twin.audit if each.kind == "request" and each.method == "POST"]
    sent = [each for each in placements if each.path == "/fapi/v1/order"]
    assert len(sent) == (1 if executed else 0)  # the twin notes what it executes


@pytest.mark.req("S4-RETRY-1")
@pytest.mark.parametrize("trouble", [Trouble.UNAVAILABLE_503, Trouble.THROTTLED_503])
@pytest.mark.fault("B6")
async def test_certain_failures_may_be_sent_again(bench: Bench, trouble: Trouble) -> None:
    bench.twin.faults = Once(RequestFault(trouble=trouble))

    with pytest.raises(NotSent):
        await bench.place("a-m1", **resting("60000"))

    bench.clock.at_ms += THROTTLED_MS
    assert (await bench.place("a-m1", **resting("60000"))).status is Status.NEW


@pytest.mark.req("S4-CLOCK-1")
@pytest.mark.fault("A16", "B10")
async def test_a_clock_that_is_off_is_measured_and_made_good(bench: Bench) -> None:
    class Ahead(HandClock):
        def now_ms(self) -> Millis:
            return Millis(bench.clock.at_ms + 90_000)

    futures = open_futures(bench._transport, KEY, SECRET, Ahead(), jitter=random.Random(0))

    with pytest.raises(NotSent):
        await futures.venue.place(an_order("a-m1", **resting("60000")), timeout_ms=2000)
    placed = await futures.venue.place(an_order("a-m1", **resting("60000")), timeout_ms=2000)

    assert placed.status is Status.NEW
    assert futures.raw.venue_clock.offset_ms == -90_000
    assert await futures.rulebook.server_offset_ms() == -90_000


@pytest.mark.req("S4-LIM-1")
@pytest.mark.parametrize("page", [3, 1000])
async def test_income_explains_the_wallet_to_the_last_digit(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Every row once, however the pages fall; each trade's rows carry its id."""
    monkeypatch.setattr(records, "PAGE", page)
    books = bench.futures.records
    before, since = await books.funds(), Millis(bench.clock.now_ms() + 1)
    bench.quote("50000.0", "50000.1")
    for number, side in enumerate((Side.BUY, Side.SELL, Side.BUY, Side.SELL)):
        bench.quote(f"{50000 + 10 * number}.0", f"{50000 + 10 * number}.1")
        await bench.place(f"i-t{number}", side)

    rows = await books.income(since)
    after = await books.funds()

    assert len({row.id for row in rows}) == len(rows) == 6  # four commissions, two results
    assert sum(row.amount for row in rows) == after.wallet - before.wallet != 0
    assert {row.kind for row in rows} == {"COMMISSION", "REALIZED_PNL"}
    assert all((row.symbol, row.asset) == (BTC, "USDT") and row.trade_id for row in rows)
    assert [row.kind for row in await books.income(since, kind="REALIZED_PNL")] == ["REALIZED_PNL"] * 2
