"""The whole house on one loop, in calm weather: market, venue, feed, S3 and S4, the production classes all of them.

What lies below their ports is made up: the twin at the end of a simulated wire, stores in memory that take a commit
about as long as the real ones, and time that jumps. S3 hands its intents to S4 as the body that would go over HTTP.
The feed reads the venue's public streams through the production adapter, frame by frame. The same market and seed give
the same run. Nothing survives it: positions live in the stage.
"""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from hashlib import sha256
from random import Random
from typing import Any, Final

from chimera.adapters.binance.account import open_futures
from chimera.adapters.binance.market_streams import MarketStreams
from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.adapters.scoring.constant import ConstantScorer
from chimera.services.feed.feed import Feed
from chimera.services.feed.settings import SERVED
from chimera.services.router.main import router_of
from chimera.services.router.policies import table_of
from chimera.services.router.router import Router
from chimera.services.router.seal import seal_of
from chimera.services.router.settings import RouterSettings
from chimera.services.simulator.market import OpenedMarket
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.hand import Hand
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.network import Venue
from chimera.services.stage.proc import Proc
from chimera.services.stage.stores import BUS_US, LEDGER_US, StoreWeather
from chimera.services.stage.tape import Tape
from chimera.services.strategy.demo import ensure_demo_bundle, register_instruments
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.settings import StrategySettings
from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.money import Millis
from chimera.wire.decisions import DecideRequest
from chimera.wire.registry import Listed

BOOT_S: Final = 0.02  # the venue opens before its customers


class Stage:
    """Everything of one run; ``run`` plays it. ``on_audit`` hears the venue's log line by line."""

    def __init__(
        self,
        loop: DetLoop,
        market: OpenedMarket,
        s3: StrategySettings,
        s4: RouterSettings,
        *,
        seed: int,
        on_audit: Callable[[AuditRecord], None] | None = None,
    ) -> None:
        epoch_ms = Millis(market.start_us // 1_000)
        self.clock = VirtualClock(loop, epoch_ms=epoch_ms)
        self.market_ended = asyncio.Event()
        self.ready = asyncio.Event()
        self._loop = loop
        self._market = market
        self.symbol = market.symbol
        self._s3, self._s4 = s3, s4
        tape = Tape(seed)
        self.twin = Twin(market.instruments, seed=seed, now_ms=epoch_ms, on_audit=on_audit)
        self.venue = Venue(loop, self.twin, self.clock, tape, {})
        self.ledger = MemoryLedger(faults=StoreWeather(loop, "ledger", tape, {}, typical_us=LEDGER_US))
        self.s3_ledger = MemoryLedger(faults=StoreWeather(loop, "s3_ledger", tape, {}, typical_us=LEDGER_US))
        self.bus = MemoryBus(self.clock, faults=StoreWeather(loop, "bus", tape, {}, typical_us=BUS_US))
        self.router = self._router(seed)
        self.strategy = Strategy(
            ledger=self.s3_ledger,
            bus=self.bus,
            clock=self.clock,
            score=ConstantScorer(s3.score_p, s3.score_size_mult),
            router=Hand(self.router, allow_unprotected=s4.allow_unprotected),
            settings=s3,
            rng=Random(f"{seed}:s3"),
        )

    def _router(self, seed: int) -> Router:
        account = open_futures(
            self.venue.transport(Proc(self._loop, "s4", 0)),
            READY_ACCOUNT.api_key,
            READY_ACCOUNT.secret,
            self.clock,
            jitter=Random(f"{seed}:jitter"),
        )
        table = table_of(self._s4)
        seal = seal_of(sha256(f"{seed}:seal".encode()).digest())
        return router_of(self._s4, account, table=table, ledger=self.ledger, bus=self.bus, clock=self.clock, seal=seal)

    async def run(self) -> None:
        """Until cancelled; raises what a service raised. The market's end ends nothing: ``market_ended`` tells."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._play(), name="market")
            group.create_task(self.venue.run_ticks(), name="ticks")
            await asyncio.sleep(BOOT_S)
            group.create_task(self._feed(), name="feed")
            group.create_task(self.router.run(), name="s4")
            await ensure_demo_bundle(self.s3_ledger)
            listed = [Listed(instrument=instrument) for instrument in self._market.instruments]
            await register_instruments(self.s3_ledger, listed)
            group.create_task(self.strategy.run(), name="s3")
            await self.router.recovered()
            while not await self.strategy.ready():  # noqa: ASYNC110 - as a scheduler would ask
                await asyncio.sleep(0.05)
            self.ready.set()

    async def decide(self, request: DecideRequest) -> dict[str, Any]:
        """``POST /decide``."""
        return (await self.strategy.decide(request)).model_dump(mode="json")

    async def _play(self) -> None:
        """Each event at its own time."""
        epoch_us = self.clock.now_ms() * 1_000 - self._loop.now_us
        for _, event in self._market.events:  # futures, all of them: see ``open_market``
            wait_us = event.at_us - epoch_us - self._loop.now_us
            if wait_us > 0:
                await asyncio.sleep(wait_us / 1_000_000)
            self.twin.market(event, self.clock.now_ms())
            self.venue.pump()
        self.market_ended.set()

    async def _feed(self) -> None:
        streams = MarketStreams(
            self.venue.transport(Proc(self._loop, "feed", 0)),
            self._s3.symbols,
            now_ns=lambda: self.clock.now_ms() * 1_000_000,
        )
        feed = Feed(self.bus, self.clock, SERVED)
        async with aclosing(streams.events()) as events:
            await feed.run(events)
