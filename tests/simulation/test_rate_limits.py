"""The venue's limits under ten times their load: the production adapter, and the twin that counts, refuses and bans."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

import pytest

from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.adapters.binance.placing import lane_of
from chimera.adapters.binance.records import SURVEY_WEIGHT
from chimera.services.stage.clock import EPOCH_MS, VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.network import Venue
from chimera.services.stage.proc import Proc
from chimera.services.stage.tape import Tape
from chimera.simulate.door.limits import USDM_BUDGET
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import NotSent
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.intent import WorkingType
from chimera.trading.market import Marked, Side, TopOfBook
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, TimeInForce
from chimera.trading.rates import Lane
from chimera.trading.venue import OrderRef
from world.composed import INSTRUMENT

BTC = INSTRUMENT.symbol
D = Decimal
WHOLE = D(1)
LONG_S = 90  # one and a half of the venue's minutes
WEIGHT, (ORDERS_10S, ORDERS_1M) = USDM_BUDGET.weight.limit, (each.limit for each in USDM_BUDGET.orders)
TIMES = 10
TOO_MUCH = (-1003, -1015)


class Bench:
    """One account on a venue that enforces its limits, without weather."""

    def __init__(self, *symbols: str, share: Decimal = WHOLE) -> None:
        self.loop = DetLoop(1)
        self.clock = VirtualClock(self.loop)
        listed = [INSTRUMENT.but(symbol=Symbol(symbol)) for symbol in symbols or (BTC,)]
        self.twin = Twin(listed, now_ms=EPOCH_MS)
        for instrument in listed:
            self.quote(instrument)
        self.venue = Venue(self.loop, self.twin, self.clock, Tape(1), {})
        self.proc = Proc(self.loop, "s4", 0)
        self.futures: BinanceFutures = self.opened(share)
        self.held: Counter[Lane] = Counter()
        self.sent: Counter[Lane] = Counter()
        self._numbers = count()

    def opened(self, share: Decimal = WHOLE, name: str = "s4") -> BinanceFutures:
        key, secret = READY_ACCOUNT.api_key, READY_ACCOUNT.secret
        wires = self.venue.transport(Proc(self.loop, name, 0))
        return open_futures(wires, key, secret, self.clock, jitter=Random(1), rate_share=share)

    def quote(self, instrument: Instrument) -> None:
        at_us, bid, size = EPOCH_MS * 1000, Price(D("65800.0")), Qty(D(5))
        ask = Price(bid + instrument.tick)
        self.twin.market(
            TopOfBook(symbol=instrument.symbol, at_us=at_us, bid=bid, bid_qty=size, ask=ask, ask_qty=size),
            Millis(EPOCH_MS),
        )
        self.twin.market(
            Marked(
                symbol=instrument.symbol, at_us=at_us, mark=bid, index=bid, funding_rate=D(0),
                next_funding_ms=Millis(EPOCH_MS + 28_800_000),
            ),
            Millis(EPOCH_MS),
        )  # fmt: skip

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(self.proc.spawn("load", lambda: work))
        assert self.loop.unheard() == []

    async def place(self, **terms: Any) -> OrderRef | None:
        """None: held back. What the venue refuses for haste is an error."""
        ref = ClientOrderId(f"load-{next(self._numbers)}")
        order = NewOrder(ref=ref, symbol=BTC, qty=Qty(D("0.010")), **terms)
        if not await self.tried(lane_of(order), self.futures.venue.place(order, timeout_ms=3_000)):
            return None
        return OrderRef(symbol=BTC, ref=ref, conditional=order.type.conditional)

    async def tried(self, lane: Lane, call: Coroutine[Any, Any, object]) -> bool:
        try:
            await call
        except NotSent as error:
            if not error.held or error.retry_after_ms is None:
                raise
            self.held[lane] += 1
            return False
        self.sent[lane] += 1
        return True

    @property
    def refused(self) -> list[str]:
        """What the venue refused for haste."""
        return [record.reason for record in self.twin.audit if record.kind is Kind.REFUSE and record.code in TOO_MUCH]

    @property
    def bans(self) -> int:
        return sum(limits.bans for limits in self.twin.doors.limits.values())


def entry() -> dict[str, Any]:
    return {"side": Side.BUY, "type": OrderType.LIMIT, "price": Price(D("60000.0")), "time_in_force": TimeInForce.GTC}


def guard(kind: OrderType) -> dict[str, Any]:
    trigger = "65000.0" if kind is OrderType.STOP_MARKET else "67000.0"
    return {
        "side": Side.SELL, "type": kind, "trigger_price": Price(D(trigger)), "reduce_only": True,
        "working_type": WorkingType.MARK_PRICE,
    }  # fmt: skip


async def every(ms: float, deed: Callable[[], Coroutine[Any, Any, object]], until_s: float) -> None:
    """Start one each ``ms``, whatever becomes of it."""
    async with asyncio.TaskGroup() as group:
        for _ in range(int(until_s * 1000 / ms)):
            group.create_task(deed())
            await asyncio.sleep(ms / 1000)


@pytest.mark.req("S4-RETRY-1", "I23", "I30")
@pytest.mark.parametrize(("share", "questions"), [(D(1), TIMES), (D(1), 0.3), (D("0.3"), 0.1)])
@pytest.mark.fault("B7")
@pytest.mark.incident(24)
def test_ten_times_the_load_and_no_protective_order_waits(share: Decimal, questions: float) -> None:
    """Ten times the orders that the venue allows, and ten times the questions: stops and targets leave at once.

    Where questions alone use the weight up there are no entries after the first: nobody could ask what became of them.
    """
    bench = Bench(share=share)
    bare: list[str] = []

    async def round_trip() -> None:
        placed = await bench.place(**entry())
        if placed is None:
            return
        guards = [await bench.place(**guard(kind)) for kind in (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)]
        bare.extend(placed.ref for each in guards if each is None)
        await asyncio.sleep(1)
        for order in (placed, *guards):  # the venue holds 200 of a kind
            for _ in range(100):
                if order is None or await bench.tried(Lane.CANCEL, bench.futures.venue.cancel(order, timeout_ms=3_000)):
                    break
                await asyncio.sleep(1)

    async def look() -> None:
        await bench.tried(Lane.SIGHT, bench.futures.records.positions())

    async def load() -> None:
        await bench.futures.rulebook.instruments()
        await asyncio.gather(
            every(60_000 / ORDERS_1M / TIMES, round_trip, LONG_S),
            every(60_000 / (WEIGHT / 5) / questions, look, LONG_S),
        )

    bench.run(load())

    assert bare == []
    assert (bench.refused, bench.bans) == ([], 0)
    assert (bench.held[Lane.PROTECT], bench.held[Lane.TARGET]) == (0, 0)
    assert bench.sent[Lane.PROTECT] == bench.sent[Lane.TARGET] == bench.sent[Lane.OPEN]
    assert bench.held[Lane.OPEN] > 8 * bench.sent[Lane.OPEN]
    allowed = ORDERS_1M * share * 2  # in two of the venue's minutes
    assert bench.sent[Lane.OPEN] * 3 < allowed
    if questions == TIMES:
        assert bench.sent[Lane.SIGHT] * 5 > WEIGHT  # three quarters in each of two minutes
        assert bench.sent[Lane.OPEN] > 0
    else:
        assert bench.sent[Lane.OPEN] * 3 > allowed / 2  # what is allowed is used
        assert bench.held[Lane.SIGHT] == 0


@pytest.mark.req("I23")
def test_a_burst_of_entries_leaves_room_for_what_guards_them() -> None:
    """Three hundred entries in one breath, and all their stops and targets in the next."""
    bench = Bench()
    held: list[str] = []

    async def guarded() -> None:
        if await bench.place(**entry()) is None:
            return
        await asyncio.sleep(0.5)
        placed = await bench.place(**guard(OrderType.STOP_MARKET)), await bench.place(**guard(OrderType.STOP_MARKET))
        held.extend("held" for each in placed if each is None)

    async def load() -> None:
        await asyncio.gather(*(guarded() for _ in range(ORDERS_10S)))

    bench.run(load())

    assert (held, bench.refused) == ([], [])
    assert bench.sent == {Lane.OPEN: 75, Lane.PROTECT: 150}


def test_without_the_governor_the_same_load_ends_in_a_ban(monkeypatch: pytest.MonkeyPatch) -> None:
    """The net this is the proof of."""
    bench = Bench()
    monkeypatch.setattr(bench.futures.raw.governor, "ask", lambda *_: None)
    ends: Counter[str] = Counter()

    async def look() -> None:
        try:
            await bench.futures.records.positions()
        except NotSent as error:
            ends[error.reason[:3]] += 1

    bench.run(every(60_000 / (WEIGHT / 5) / TIMES, look, 20))

    assert ends["429"] > 0
    assert ends["418"] > 0
    assert bench.bans > 0


@pytest.mark.req("I23")
def test_another_process_on_the_same_address_is_seen() -> None:
    """Two of ours, each at ten times the load and as if it were alone: the venue's counts tell them of each other."""
    bench = Bench()
    second = bench.opened(name="s4b")

    async def look(account: BinanceFutures) -> None:
        await bench.tried(Lane.SIGHT, account.records.positions())

    async def load() -> None:
        pace_ms = 60_000 / (WEIGHT / 5) / TIMES
        await asyncio.gather(
            every(pace_ms, lambda: look(bench.futures), LONG_S), every(pace_ms, lambda: look(second), LONG_S)
        )

    bench.run(load())

    assert (bench.refused, bench.bans) == ([], 0)
    assert bench.sent[Lane.SIGHT] * 5 > WEIGHT


@pytest.mark.req("S4-REC-1")
def test_a_hundred_symbols_are_surveyed_at_boot_without_waiting() -> None:
    """The account's modes and rules, then every symbol at once: the questions of a recovery fit the venue's minute."""
    names = [f"C{number:03}USDT" for number in range(100)]
    bench = Bench(*names)
    done_s: list[float] = []

    async def survey(symbol: str) -> None:
        await bench.futures.records.survey(Symbol(symbol), Millis(EPOCH_MS))
        done_s.append(bench.loop.time())

    async def boot() -> None:
        await bench.futures.rulebook.instruments()
        await bench.futures.records.modes()
        await asyncio.gather(*(survey(name) for name in names))

    bench.run(boot())

    assert len(done_s) == len(names)
    assert max(done_s) < 5
    assert bench.refused == []
    assert bench.futures.raw.uses()[0].used < 6 + 100 * SURVEY_WEIGHT * 0.6, "looks that come together are one"


@pytest.mark.req("I23", "S4-REC-1")
@pytest.mark.fault("B7")
def test_what_the_books_ask_for_leaves_protection_its_eyes() -> None:
    """A router killed a dozen times in a minute: each start reads the account, its money, what was placed."""
    bench = Bench()
    records = bench.futures.records

    async def story() -> None:
        books = (records.whole, lambda: records.income(Millis(EPOCH_MS)), lambda: records.placed_lately(BTC))
        for ask in books:
            while await bench.tried(Lane.QUERY, ask()):
                pass
        for _ in range(10):
            await records.survey(BTC, Millis(EPOCH_MS))

    bench.run(story())

    assert bench.held[Lane.QUERY] == len(("whole", "income", "placed"))
    assert bench.refused == []


def test_a_survey_leaves_whole_or_not_at_all() -> None:
    """With room for one question and not for four, the venue is not asked the first of them."""
    bench = Bench()
    raw = bench.futures.raw

    async def story() -> None:
        await raw.sync_clock()
        while await bench.tried(Lane.SIGHT, bench.futures.records.positions()):
            pass
        before = bench.venue.requests
        with pytest.raises(NotSent) as held:
            await bench.futures.records.survey(BTC, Millis(EPOCH_MS))
        assert held.value.held
        assert bench.venue.requests == before
        await raw.sync_clock()  # there was room for one

    bench.run(story())


def test_all_prices_at_once_cost_what_five_cost() -> None:
    names = [f"C{number:03}USDT" for number in range(20)]
    bench = Bench(*names)

    async def story() -> None:
        prices = await bench.futures.rulebook.prices()
        assert prices.keys() == {Symbol(name) for name in names}
        touch, mark = prices[Symbol(names[3])]
        assert touch is not None
        assert (touch.bid, mark) == (D("65800.0"), D("65800.0"))
        assert touch.but(at_ms=Millis(0)) == (await bench.futures.rulebook.touch(Symbol(names[3]))).but(at_ms=Millis(0))

    bench.run(story())
    assert bench.futures.raw.uses()[0].used == 15 + 2
