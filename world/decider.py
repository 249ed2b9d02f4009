"""S3 in the world of faults: the production strategy on a machine of its own, and whoever asks it to decide.

Invariants: what S3 keeps between two incarnations is its ledger and the bus; whoever asks stands outside and knows the
answers alone; an ask whose answer is lost is not repeated, because a decision is not an intent: the next one is new.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from random import Random
from typing import Any, Final

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.faults import NoFaults
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.adapters.scoring.constant import ConstantScorer
from chimera.ports.intents import OrderAnswer
from chimera.services.router.router import Router
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.hand import body_of, post_order
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.proc import Proc
from chimera.services.stage.stores import LEDGER_US, StoreWeather
from chimera.services.stage.tape import Tape
from chimera.services.strategy.demo import ensure_demo_bundle, register_instruments
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.settings import StrategySettings
from chimera.simulate.usdm.perpetual import DEMO
from chimera.trading.errors import ChimeraError, Refused
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.wire.decisions import DecideRequest, DecisionAnswer
from chimera.wire.keys import SIGNALS
from chimera.wire.registry import Listed
from world.link import Link
from world.machine import Machine, ProcClock
from world.reach import bus_of, ledger_of
from world.workload import Request

FIRST_ASK_S: Final = 6.0  # the feed's first ATR is there
GAP_S: Final = (1.5, 5.0)
ASK_MS: Final = 5_000
HOLD_S: Final = 10  # short, so that a run sees positions end
ENTRIES: Final = 3  # at once: direct callers hold positions, too
SIGNALS_MAX: Final = 100_000

Ask = Callable[[Strategy], Coroutine[Any, Any, DecisionAnswer]]


class Hand:
    """``chimera.ports.intents.IntentSink`` of one incarnation of S3, over the wire that loses and doubles."""

    def __init__(self, proc: Proc, link: Link[Request, Any], *, timeout_ms: int) -> None:
        self._proc = proc
        self._link = link
        self._timeout_ms = timeout_ms

    async def submit(self, intent: Intent) -> OrderAnswer:
        body = body_of(intent)

        async def post(router: Router) -> OrderAnswer:
            return await post_order(router, body, intent.created_ms)

        answer: OrderAnswer = await self._link.call(self._proc, post, timeout_ms=self._timeout_ms)
        return answer


class Decider:
    """S3's machine, its ledger, its door, and the answers that were heard."""

    def __init__(
        self,
        loop: DetLoop,
        tape: Tape,
        rates: dict[str, float],
        bus: MemoryBus,
        to_s4: Link[Request, Any],
        instrument: Instrument,
        *,
        seed: int,
        offset_ms: int,
        restart_ms: Callable[[], Millis],
    ) -> None:
        self.clock = VirtualClock(loop, offset_ms=offset_ms)
        self.weather = StoreWeather(loop, "s3_ledger", tape, rates, typical_us=LEDGER_US)
        self.ledger = MemoryLedger(faults=self.weather)
        self.machine = Machine(loop, "s3", self._live, restart_ms=restart_ms)
        self.door: Link[Ask, DecisionAnswer] = Link(loop, tape, rates)
        self.heard: list[DecisionAnswer] = []
        self.last_ask = ""  # what became of the newest one
        self.asks = 0
        self.gap_s = GAP_S  # between two questions, least and most
        self.asked: Callable[[int], None] | None = None  # called as each question arrives, with its number
        self._loop = loop
        self._tape = tape
        self._bus = bus
        self._to_s4 = to_s4
        self._seed = seed
        self._symbol = str(instrument.symbol)
        self._settings = StrategySettings(
            symbols=(self._symbol,), max_hold_s=HOLD_S, concurrent_entries_per_market=ENTRIES
        )

    def start(self, *, side: Side, until_s: float) -> None:
        """The configuration was made long ago; S3 boots, and somebody asks until ``until_s``."""
        self._loop.run_until_complete(self._configure())
        self._loop.call_later(0.3, self.machine.start, context=Context())
        self._loop.outside(self._keep_asking(side, until_s), name="asker")

    async def signals(self) -> list[dict[str, Any]]:
        """Every durable decision; for the judge, once S3 is off."""
        self.ledger.faults = NoFaults()
        return list(await self.ledger.find(SIGNALS, newest=SIGNALS_MAX))

    async def _configure(self) -> None:
        weather, self.ledger.faults = self.ledger.faults, NoFaults()
        await ensure_demo_bundle(self.ledger)
        await register_instruments(self.ledger, [Listed(instrument=each) for each in DEMO])
        self.ledger.faults = weather

    async def _live(self, proc: Proc) -> None:
        strategy = Strategy(
            ledger=ledger_of(proc, self.ledger),
            bus=bus_of(proc, self._bus),
            clock=ProcClock(proc, self.clock),
            score=ConstantScorer(),
            router=Hand(proc, self._to_s4, timeout_ms=self._settings.s4_timeout_ms),
            settings=self._settings,
            rng=Random(f"{self._seed}:s3:{proc.incarnation}"),
        )
        self.door.serve(proc, lambda ask: ask(strategy))
        await strategy.run()

    async def _keep_asking(self, side: Side, until_s: float) -> None:
        await asyncio.sleep(FIRST_ASK_S)
        while self._loop.time() < until_s:
            await self.ask(side if self._tape.u("ask_side") < 0.8 else side.opposite)
            await asyncio.sleep(self._tape.between("ask_gap", *self.gap_s))

    async def ask(self, wished: Side) -> None:
        """Once; what came of it is ``last_ask``."""
        try:
            self.heard.append(await self.door.call(None, self._question(wished), timeout_ms=ASK_MS))
            self.last_ask = "answered"
        except Refused as no:
            self.last_ask = f"refused {no.code}"
        except ChimeraError as trouble:  # the answer is lost or was never made: the next ask is another decision
            self.last_ask = type(trouble).__name__

    def _question(self, wished: Side) -> Ask:
        request = DecideRequest(symbol=self._symbol, sideHint=wished)

        async def ask(strategy: Strategy) -> DecisionAnswer:
            self.asks += 1
            if self.asked is not None:
                self.asked(self.asks)
            return await strategy.decide(request)

        return ask
