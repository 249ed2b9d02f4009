"""The world put together: twin, stores, network, feed, S3 and S4 in one loop, from one seed.

S4 here is the production router over the production Binance adapter, S3 the production strategy (``decider``), the feed
the production feed; only what lies below their ports is ours.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextvars import Context
from decimal import Decimal
from functools import partial
from hashlib import sha256
from random import Random
from typing import Any, Final

from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.adapters.binance.spot.account import BinanceSpot
from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.admit.limits import LimitBook, Limits
from chimera.admit.transfer_policy import TransferPolicy
from chimera.ports.clock import Clock
from chimera.services.clock import SteadyClock
from chimera.services.feed.feed import Feed
from chimera.services.feed.settings import FIXTURE_FACTORS, FeedSettings
from chimera.services.router.config import RouterConfig
from chimera.services.router.owner import Owner
from chimera.services.router.router import Router
from chimera.services.router.seal import seal_of
from chimera.services.stage.clock import EPOCH_MS, VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.network import Venue
from chimera.services.stage.proc import Proc
from chimera.services.stage.stores import BUS_US, LEDGER_US, StoreWeather
from chimera.services.stage.tape import Tape
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.twin import Twin
from chimera.simulate.usdm.perpetual import DEMO
from chimera.simulate.venue.account_spec import READY_ACCOUNT, AccountSpec
from chimera.simulate.venue.audit import AuditRecord
from chimera.simulate.venue.listing import Listing
from chimera.tape.synthetic import Synthetic
from chimera.trading.holding import Holding
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market, MarketEvent
from chimera.trading.money import Millis, Quote
from chimera.trading.routes import RouteTable, Row, Twap
from chimera.trading.scene import Policy
from chimera.wire import codec
from world import crossing
from world.blows import Blows
from world.closed import Begun
from world.decider import Decider
from world.link import Link
from world.machine import Machine, ProcClock
from world.market import MARKET
from world.operator import Operator
from world.others import Others
from world.plan import Plan
from world.reach import bus_of, ledger_of
from world.trouble import Spell, Troubles
from world.workload import Callers, Request

INSTRUMENT: Final = DEMO[0]
OFF: Final = TransferPolicy()
Opens = Callable[..., BinanceFutures | BinanceSpot]
TABLE: Final = RouteTable(
    rev=1, rows=(Row(notional_usdt_max=Quote(Decimal(10**9)), maker_wait_ms=1_500, twap=Twap(slices=1, gap_ms=0)),)
)
LIMITS: Final = Limits(
    max_order_notional=Quote(Decimal(100_000)),
    max_position_notional=Quote(Decimal(5_000)),  # low: a few intents at once reach it (I22)
    max_gross_notional=Quote(Decimal(7_500)),  # of two markets together
    max_daily_loss=Quote(Decimal(5_000)),
    price_collar_bps=Decimal(200),
    max_orders_per_10s=100,
)
# Bars of a second, so that ATR is known before the first decision is asked for; fewer writes than live, for time.
FEED: Final = FeedSettings(constants=FIXTURE_FACTORS, atr_bar_ms=1_000, write_every_ms=500)


class World:
    """Everything of one run. Nothing moves before ``start``."""

    instrument = INSTRUMENT

    def __init__(
        self,
        seed: int,
        loop: DetLoop,
        tape: Tape,
        plan: Plan,
        market: Iterable[MarketEvent] | None = None,
        *,
        on_audit: Callable[[AuditRecord], None] | None = None,
        audit_keep: int | None = None,
    ) -> None:
        self.loop = loop
        self.tape = tape
        self.plan = plan
        self.probe = True  # S4 asks which forms of stop the venue takes
        self.clock = VirtualClock(loop)
        self.twin = Twin(
            DEMO, seed=seed, now_ms=EPOCH_MS, accounts=self._accounts(), on_audit=on_audit, audit_keep=audit_keep
        )
        spells = [blow for blow in plan.blows if isinstance(blow, Spell)]
        self.twin.faults = self.troubles = Troubles(tape, plan.rates, spells, self.twin)
        self.venue = Venue(loop, self.twin, self.clock, tape, plan.rates, self.instrument.market)
        self.venue.in_vain_us = partial(crossing.in_vain_us, self.venue)
        self.weather = {
            "ledger": StoreWeather(loop, "ledger", tape, plan.rates, typical_us=LEDGER_US),
            "bus": StoreWeather(loop, "bus", tape, plan.rates, typical_us=BUS_US),
        }
        self.ledger = MemoryLedger(faults=self.weather["ledger"], monotonic_ms=self.clock.monotonic_ms)
        self.bus = MemoryBus(self.clock, faults=self.weather["bus"])
        self.link: Link[Request, Any] = Link(loop, tape, plan.rates)
        self.s4_clock = VirtualClock(loop, offset_ms=plan.offset_ms)
        self.s4 = Machine(loop, "s4", self._s4, restart_ms=lambda: self._restart_ms("restart_ms"))
        self.callers = Callers(loop, self.link, self.instrument, self.mid, self.clock)
        self.operator = Operator(loop, tape, self.link, self.instrument, self.clock, deaths=lambda: self.s4.deaths)
        self.s3 = Decider(
            loop, tape, plan.rates, self.bus, self.link, INSTRUMENT,
            seed=seed, offset_ms=plan.s3_offset_ms, restart_ms=lambda: self._restart_ms("s3_restart_ms"),
        )  # fmt: skip
        self.weather["s3_ledger"] = self.s3.weather
        self.others = self._others()
        self.blows = Blows(
            loop, tape, plan.blows, {"s4": self.s4, "s3": self.s3.machine}, self.venue, self.weather, self.s4_clock,
            self.bus, self.ledger, self.others, lambda: self.acting,
        )  # fmt: skip
        self.router: Router | None = None  # of the newest incarnation
        self.forgotten: set[str] = set()  # ids that an incarnation of S4 gave out and the next does not know
        self.copied: set[str] | None = None  # orders in the copy of the ledger that was put back
        self._known: set[str] = set()  # to the incarnation that died last
        self.died_in_recovery = 0  # S4, before it had heard the venue
        self.rough_steps = 0  # of S4, up to the healing: in place of each of them a blow may strike, of no later one
        self.s4.on_birth.append(self._born)
        self.closes: list[Begun] = []
        self.taken: Counter[str] = Counter()  # demands (``demands``) that S4 took up, or the venue, by kind
        self.own_faults: list[str] = []  # exceptions that S3 or S4 caught and logged as their own mistakes
        self._seed = seed
        self._seal = seal_of(sha256(f"{seed}:seal".encode()).digest())
        self._market = Synthetic(seed, profile=MARKET) if market is None else market
        self._to_feed: asyncio.Queue[MarketEvent] = asyncio.Queue()

    def start(self, *, market_s: float) -> None:
        """The market opens, S4 boots, the blows are set; the market falls silent after ``market_s``."""
        loop = self.loop
        self.venue.sent = self._sent
        self.s3.asked = self.blows.asked
        loop.outside(self.venue.run_market(self._events(market_s, self._market, self._to_feed)), name="market")
        loop.outside(self.venue.run_ticks(), name="ticks")
        loop.outside(self._feed(self.instrument.market, self._to_feed), name="feed")
        self.blows.aim()
        loop.call_later(0.5, self.s4.start, context=Context())

    def _sent(self, request: WireRequest) -> None:
        self.blows.order_sent(request)
        self.operator.watch(request)

    def _born(self) -> None:
        assert self.s4.proc is not None
        self.router = None
        on_disk = self._on_disk()
        self.forgotten |= self._known - on_disk
        if self.copied is None and self.blows.put_back_us is not None:
            self.copied = on_disk
        self.s4.proc.on_death.append(self._died)

    def _died(self) -> None:
        owners = list(self._owners())
        self._known = {str(ref) for owner in owners for ref in owner.holding.orders}
        self.died_in_recovery += not (owners and all(owner.recovered.is_set() for owner in owners))

    def _owners(self) -> Iterable[Owner]:
        return () if self.router is None else self.router.owners.values()

    def _on_disk(self) -> set[str]:
        """Orders that the ledger would tell of now."""
        bodies = [seat.body for seat in self.ledger._seats.values() if seat.body is not None]
        return {str(ref) for body in bodies for ref in codec.unseal(body, Holding).orders}

    def heal(self) -> None:
        """From now on nothing fails: what was broken must mend itself."""
        self.rough_steps = self.s4.steps
        self.tape.calm = True
        self.venue.away = False
        self.troubles.heal()
        self.venue.cut_all(deaf_only=True)
        self.blows.heal()
        for machine in self.machines:
            machine.go_on()
            machine.kill_at()
        for weather in self.weather.values():
            weather.stalled_until_us = 0

    def power_off(self) -> None:
        """The end of the run: nobody starts again."""
        for machine in self.machines:
            machine.power_off()

    @property
    def routers(self) -> tuple[Machine, ...]:
        """Of S4."""
        return (self.s4,)

    @property
    def acting(self) -> Machine:
        """Whose S4 sends orders just now, or will."""
        return self.s4

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Of S4 and S3."""
        return *self.routers, self.s3.machine

    def down_spans(self, until_us: int) -> list[tuple[int, int]]:
        """When no S4 ran, or it was stopped."""
        return [*self.s4.down_spans(until_us), *self.blows.pauses]

    def mid(self) -> Decimal:
        """What the market shows now, quote per base."""
        mid = self._listing().book.mid
        assert mid is not None
        return mid

    def _restart_ms(self, label: str) -> Millis:
        return Millis(self.tape.whole(label, *self.plan.restart_ms))

    # ── what another market has otherwise ──

    def _accounts(self) -> tuple[AccountSpec, ...]:
        return (READY_ACCOUNT,)

    def _others(self) -> Others:
        return Others(self.twin, self.clock, INSTRUMENT)

    def _listing(self) -> Listing[Any]:
        return self.twin.usdm.floor.listings[INSTRUMENT.symbol]

    def _open(self, *how: Any, **terms: Any) -> BinanceFutures | BinanceSpot:
        return open_futures(*how, **terms)

    # ── S4 ──

    async def _s4(self, proc: Proc) -> None:
        clock = SteadyClock(ProcClock(proc, self.s4_clock))
        self.router = router = self._router(proc, clock, self._account(proc, clock, self._open), self.instrument)
        self.link.serve(proc, lambda request: request(router))
        await router.run()

    def _account(self, proc: Proc, clock: Clock, opens: Opens) -> BinanceFutures | BinanceSpot:
        return opens(
            self.venue.transport(proc),
            READY_ACCOUNT.api_key,
            READY_ACCOUNT.secret,
            clock,
            jitter=Random(f"{self._seed}:jitter:{proc.incarnation}"),
            orders_by=self.venue.transport(proc) if self.plan.by_socket else None,
        )

    def _router(
        self, proc: Proc, clock: Clock, account: BinanceFutures | BinanceSpot, instrument: Instrument, **more: Any
    ) -> Router:
        """``more``: what an account of two markets has beside it, and stores that are reached in another way."""
        common, transfers = more.get("common"), more.pop("transfers", OFF)
        return Router(
            RouterConfig(
                symbols=(instrument.symbol,),
                table=TABLE,
                market=instrument.market,
                owner_name=f"s4-{proc.incarnation}",
                probe=self.probe,
                policy=Policy(nets_opposite=self.plan.nets),
                transfers=transfers,
            ),
            venue=account.venue,
            records=account.records,
            rulebook=account.rulebook,
            ledger=more.pop("ledger", None) or ledger_of(proc, self.ledger),
            bus=more.pop("bus", None) or bus_of(proc, self.bus),
            limits=LimitBook(LIMITS, None if common is None else common.day_pnl),
            clock=clock,
            seal=self._seal,
            rates=account.raw,
            pairs=account.venue if isinstance(account, BinanceSpot) else None,
            **more,
        )

    # ── the market and its feed ──

    async def _events(
        self, market_s: float, market: Iterable[MarketEvent], to_feed: "asyncio.Queue[MarketEvent]"
    ) -> AsyncIterator[MarketEvent]:
        """A market at its own pace."""
        until_us = EPOCH_MS * 1000 + round(market_s * 1_000_000)
        for event in market:
            if event.at_us > until_us:
                return
            wait_us = event.at_us - EPOCH_MS * 1000 - self.loop.now_us
            if wait_us > 0:
                await asyncio.sleep(wait_us / 1_000_000)
            yield event
            to_feed.put_nowait(event)

    async def _feed(self, market: Market, events: "asyncio.Queue[MarketEvent]") -> None:
        """The production feed. It is handed the market's events themselves: the way of the public streams through the
        production adapter is the stage's, and would cost as much again as everything else here."""
        feed = Feed(self.bus, self.clock, FEED, market=market)
        await feed.run(_heard(events))


async def _heard(events: "asyncio.Queue[MarketEvent]") -> AsyncIterator[MarketEvent]:
    while True:
        yield await events.get()
