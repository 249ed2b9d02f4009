"""The world put together: twin, stores, network, feed and S4 in one loop, from one seed.

S4 here is the production router over the production Binance adapter; only what lies below their ports is ours.
"""

import asyncio
from collections.abc import AsyncIterator
from contextvars import Context
from decimal import Decimal
from random import Random
from typing import Any, Final

from chimera.adapters.binance.account import open_futures
from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.admit.limits import LimitBook, Limits
from chimera.services.clock import SteadyClock
from chimera.services.router.router import Router, RouterConfig
from chimera.services.world.clock import EPOCH_MS, ProcClock, VirtualClock
from chimera.services.world.link import Link
from chimera.services.world.loop import DetLoop
from chimera.services.world.network import Venue, is_order
from chimera.services.world.plan import Away, Blow, ClockStep, KillAfterOrder, KillAt, KillAtBirth, Plan
from chimera.services.world.proc import Machine, Proc
from chimera.services.world.spans import Span
from chimera.services.world.stores import BUS_US, LEDGER_US, StoreWeather, bus_of, ledger_of
from chimera.services.world.tape import Tape
from chimera.services.world.workload import Callers, Request
from chimera.simulate.accounts import READY_ACCOUNT
from chimera.simulate.listing import DEMO
from chimera.simulate.markets.profile import SPARSE
from chimera.simulate.markets.synthetic import Synthetic
from chimera.simulate.messages import WireRequest
from chimera.simulate.twin import Twin
from chimera.trading.errors import StoreUnavailable
from chimera.trading.market import MarketEvent
from chimera.trading.money import Millis, Quote
from chimera.trading.routes import RouteTable, Row, Twap
from chimera.wire.codec import encode, plain
from chimera.wire.keys import tick_key

INSTRUMENT: Final = DEMO[0]
# Livelier than measured, so that stops and targets are reached within a short run.
MARKET: Final = SPARSE.but(volatility_bps=Decimal(4), jumps_per_hour=Decimal(120), jump_bps=Decimal(25), band_bps=None)
TABLE: Final = RouteTable(
    rev=1, rows=(Row(notional_usdt_max=Quote(Decimal(10**9)), maker_wait_ms=1_500, twap=Twap(slices=1, gap_ms=0)),)
)
LIMITS: Final = Limits(
    max_order_notional=Quote(Decimal(100_000)),
    max_position_notional=Quote(Decimal(200_000)),
    max_daily_loss=Quote(Decimal(5_000)),
    price_collar_bps=Decimal(200),
    max_orders_per_10s=100,
)
FEED_S: Final = 0.2


class World:
    """Everything of one run. Nothing moves before ``start``."""

    def __init__(self, seed: int, loop: DetLoop, tape: Tape, plan: Plan) -> None:
        self.loop = loop
        self.tape = tape
        self.plan = plan
        self.clock = VirtualClock(loop)
        self.twin = Twin(DEMO, seed=seed, now_ms=EPOCH_MS)
        self.venue = Venue(loop, self.twin, self.clock, tape, plan.rates)
        self.weather = {
            "ledger": StoreWeather(loop, "ledger", tape, plan.rates, typical_us=LEDGER_US),
            "bus": StoreWeather(loop, "bus", tape, plan.rates, typical_us=BUS_US),
        }
        self.ledger = MemoryLedger(faults=self.weather["ledger"])
        self.bus = MemoryBus(self.clock, faults=self.weather["bus"])
        self.link: Link[Request, Any] = Link(loop, tape, plan.rates)
        self.s4_clock = VirtualClock(loop, offset_ms=plan.offset_ms)
        self.s4 = Machine(loop, "s4", self._s4, restart_ms=lambda: Millis(tape.whole("restart_ms", 100, 4_000)))
        self.callers = Callers(loop, self.link, INSTRUMENT, self.mid, self.clock)
        self.outages: list[Span] = []
        self.own_faults: list[str] = []  # exceptions that S4 caught and logged as its own mistakes
        self._seed = seed
        self._orders = 0
        self._market_on = True

    def start(self, *, market_s: float) -> None:
        """The market opens, S4 boots, the blows are set; the market falls silent after ``market_s``."""
        loop = self.loop
        self.venue.sent = self._order_sent
        loop.outside(self.venue.run_market(self._events(market_s)), name="market")
        loop.outside(self.venue.run_ticks(), name="ticks")
        loop.outside(self._feed(), name="feed")
        for blow in self.plan.blows:
            self._aim(blow)
        loop.call_later(0.5, self.s4.start, context=Context())

    def heal(self) -> None:
        """From now on nothing fails: what was broken must mend itself."""
        self.tape.calm = True
        self.venue.away = False
        self.venue.cut_all(deaf_only=True)
        self.s4.kill_at()
        for weather in self.weather.values():
            weather.stalled_until_us = 0

    def mid(self) -> Decimal:
        """What the market shows now, quote per base."""
        mid = self.twin.exchange.floor.listings[INSTRUMENT.symbol].book.mid
        assert mid is not None
        return mid

    # ── S4 ──

    async def _s4(self, proc: Proc) -> None:
        clock = SteadyClock(ProcClock(proc, self.s4_clock))
        account = open_futures(
            self.venue.transport(proc),
            READY_ACCOUNT.api_key,
            READY_ACCOUNT.secret,
            clock,
            jitter=Random(f"{self._seed}:jitter:{proc.incarnation}"),
        )
        router = Router(
            RouterConfig(symbols=(INSTRUMENT.symbol,), table=TABLE, owner_name=f"s4-{proc.incarnation}"),
            venue=account.venue,
            records=account.records,
            rulebook=account.rulebook,
            ledger=ledger_of(proc, self.ledger),
            bus=bus_of(proc, self.bus),
            limits=LimitBook(LIMITS),
            clock=clock,
        )
        self.link.serve(proc, lambda request: request(router))
        await router.run()

    # ── the market and its feed ──

    async def _events(self, market_s: float) -> AsyncIterator[MarketEvent]:
        """The synthetic market at its own pace."""
        until_us = EPOCH_MS * 1000 + round(market_s * 1_000_000)
        for event in Synthetic(self._seed, profile=MARKET):
            if event.at_us > until_us:
                return
            wait_us = event.at_us - EPOCH_MS * 1000 - self.loop.now_us
            if wait_us > 0:
                await asyncio.sleep(wait_us / 1_000_000)
            yield event

    async def _feed(self) -> None:
        """``mkt:tick:{symbol}``, as the feed service writes it."""
        listing = self.twin.exchange.floor.listings[INSTRUMENT.symbol]
        while True:
            await asyncio.sleep(FEED_S)
            touch = listing.book.touch
            if touch is None:
                continue
            names = ("bid", "bid_qty", "ask", "ask_qty")
            tick = dict(zip(names, touch, strict=True)) | {"at_ms": self.clock.now_ms(), "mark": listing.mark}
            try:
                await self.bus.put(tick_key(INSTRUMENT.symbol), encode(plain(tick)))
            except StoreUnavailable:
                continue  # the next one will tell

    # ── blows ──

    def _aim(self, blow: Blow) -> None:
        def later(at_s: float, callback: Any, *args: Any) -> None:
            self.loop.call_later(at_s, callback, *args, context=Context())

        match blow:
            case KillAt(at_s=at_s):
                later(at_s, self.s4.kill)
            case Away(at_s=at_s):
                later(at_s, self._go_away, blow)
            case ClockStep(at_s=at_s, by_ms=by_ms):
                later(at_s, self.s4_clock.step, by_ms)
            case KillAtBirth(death_no=death_no, steps=steps):
                self.s4.on_birth.append(lambda: self._strike_newborn(death_no, steps))
            case KillAfterOrder():
                pass  # counted in _order_sent

    def _strike_newborn(self, death_no: int, steps: int) -> None:
        if self.s4.deaths == death_no and not self.tape.calm:
            self.s4.kill_at(self.s4.steps + steps)

    def _order_sent(self, request: WireRequest) -> None:
        if not is_order(request):
            return
        self._orders += 1
        for blow in self.plan.blows:
            if isinstance(blow, KillAfterOrder) and blow.order_no == self._orders and not self.tape.calm:
                self.s4.kill_at(self.s4.steps + blow.steps)

    def _go_away(self, away: Away) -> None:
        if self.tape.calm:
            return
        if away.what != "venue":
            self.weather[away.what].stall(away.for_s)
            return
        now_us = self.loop.now_us
        self.outages.append((now_us, now_us + round(away.for_s * 1_000_000)))
        self.venue.away = True
        self.venue.cut_all()
        self.loop.call_later(away.for_s, self._come_back, context=Context())

    def _come_back(self) -> None:
        self.venue.away = False
