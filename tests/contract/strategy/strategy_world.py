"""S3 on the in-memory stores, with a clock that tests move and a router that tests script."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.faults import NoFaults
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.adapters.scoring.constant import ConstantScorer
from chimera.decide.promises import SHOWN_MS
from chimera.ports.intents import OrderAnswer
from chimera.ports.score import Scorer
from chimera.ports.streams import Bus
from chimera.services.strategy.demo import ensure_demo_bundle
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.revisions import ACTIVE
from chimera.services.strategy.settings import StrategySettings, read_settings
from chimera.trading.budget import MarketBudget, RiskBudget
from chimera.trading.decision import Feature
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.venue import FeeRates
from chimera.wire import codec
from chimera.wire.board import FeatureBoard, TickBoard
from chimera.wire.budget import budget_document
from chimera.wire.decisions import DecideRequest
from chimera.wire.keys import (
    CONFIG_ACTIVE,
    CONFIG_BUNDLES,
    STRATEGY_RULES,
    features_key,
    risk_budget_key,
    spot_tick_key,
    tick_key,
)

D = Decimal
START = 1_763_000_000_000
FEATURES = {
    "atr": "60", "funding_next_abs": "0.0001", "funding_rate": "0.0001",
    "rv_pctile_30d": "0.20", "rho_usdttwd_14": "-0.40",
}  # fmt: skip


class HandClock:
    """Moves when told."""

    def __init__(self) -> None:
        self.ms = START

    def now_ms(self) -> Millis:
        return Millis(self.ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.ms)


class Slow(NoFaults):
    """Every access gives way some times, so that everything meets everything."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    async def before(self, operation: str, key: str) -> None:
        for _ in range(self._rng.randrange(1, 8)):
            await asyncio.sleep(0)


class ScriptedRouter:
    """Answers each submission with the next of ``script`` (an exception is raised), then always accepts."""

    def __init__(self, *script: Exception) -> None:
        self.script = list(script)
        self.got: list[Intent] = []
        self.gate: asyncio.Event | None = None

    async def submit(self, intent: Intent) -> OrderAnswer:
        if self.gate is not None:
            await self.gate.wait()
        self.got.append(intent)
        if self.script:
            raise self.script.pop(0)
        return OrderAnswer(result="OK", status="ACCEPTED", order_id="o", client_order_id=intent.client_order_id)


class Stage:
    """Stores that outlive the process, and the process."""

    def __init__(self, **environ: str) -> None:
        self.clock = HandClock()
        self.ledger = MemoryLedger()
        self.bus = MemoryBus(self.clock)
        self.router = ScriptedRouter()
        self.scorer: Scorer = ConstantScorer()
        self.routers: Any = None  # who tells of S4's levels
        self.settings: StrategySettings = read_settings(environ)
        self.hears = False  # what S4 tells of the stream
        self.used: Bus | None = None  # the bus as S3 sees it, where that is not all of it

    async def show(self, **changes: Any) -> None:
        """Write the board as feed and router do, as of now."""
        now = self.clock.now_ms()
        tick = TickBoard(
            symbol="BTCUSDT", at_ms=now, bid=Price(D(65800)), bid_qty=Qty(D(1)), ask=Price(D(65801)),
            ask_qty=Qty(D(1)), mid=Price(D("65800.5")), spread_bps=D("0.15"),
        ).but(**changes)  # fmt: skip
        await self.bus.put(tick_key("BTCUSDT"), codec.encode(tick))
        features = {name: Feature(value=D(value), at_ms=now) for name, value in FEATURES.items()}
        board = FeatureBoard(symbol="BTCUSDT", at_ms=now, features=features)
        await self.bus.put(features_key("BTCUSDT"), codec.encode(board))
        await self.budget()

    async def features(self, **told: tuple[str, int]) -> None:
        """Factors alone: each one's number as text, and its age in milliseconds."""
        now = self.clock.now_ms()
        features = {name: Feature(value=D(value), at_ms=Millis(now - age)) for name, (value, age) in told.items()}
        board = FeatureBoard(symbol="BTCUSDT", at_ms=now, features=features)
        await self.bus.put(features_key("BTCUSDT"), codec.encode(board))

    async def show_symbol(self, symbol: str, bid: str, ask: str, atr: str, qty: str) -> None:
        """Another one, on futures, as of now: its touch and its factors."""
        now = self.clock.now_ms()
        tick = TickBoard(
            symbol=symbol, at_ms=now, bid=Price(D(bid)), bid_qty=Qty(D(qty)), ask=Price(D(ask)), ask_qty=Qty(D(qty)),
            mid=Price((D(bid) + D(ask)) / 2), spread_bps=D("0.15"),
        )  # fmt: skip
        await self.bus.put(tick_key(symbol), codec.encode(tick))
        features = {name: Feature(value=D(value), at_ms=now) for name, value in (FEATURES | {"atr": atr}).items()}
        board = FeatureBoard(symbol=symbol, at_ms=now, features=features)
        await self.bus.put(features_key(symbol), codec.encode(board))

    async def show_spot(self, bid: str, ask: str) -> None:
        """Spot's own touch, as of now."""
        tick = TickBoard(
            symbol="BTCUSDT", at_ms=self.clock.now_ms(), bid=Price(D(bid)), bid_qty=Qty(D(1)), ask=Price(D(ask)),
            ask_qty=Qty(D(1)), mid=Price((D(bid) + D(ask)) / 2), spread_bps=D("0.15"),
        )  # fmt: skip
        await self.bus.put(spot_tick_key("BTCUSDT"), codec.encode(tick))

    async def budget(self, loss: str = "50", **changes: Any) -> None:
        share = MarketBudget(
            fees=FeeRates(maker=D("0.0002"), taker=D("0.0005")),
            remaining_margin_usdt=Quote(D(1000)),
            remaining_notional_usdt=Quote(D(20_000)),
        ).but(**changes)
        budget = RiskBudget(
            account_id=DEFAULT_ACCOUNT,
            at_ms=self.clock.now_ms(),
            remaining_loss_usdt=Quote(D(loss)),
            markets=dict.fromkeys(Market, share),
        )
        await self.bus.put(risk_budget_key(DEFAULT_ACCOUNT), budget_document(budget))

    async def plenty(self) -> None:
        """A budget that no test uses up."""
        much = Quote(D(10) ** 9)
        await self.budget(loss=str(much), remaining_margin_usdt=much, remaining_notional_usdt=much)

    @asynccontextmanager
    async def process(self, seed: int = 1) -> AsyncIterator[Strategy]:
        """One life of S3; leaving kills it."""
        await ensure_demo_bundle(self.ledger)
        strategy = Strategy(
            ledger=self.ledger, bus=self.used or self.bus, clock=self.clock, score=self.scorer, router=self.router,
            settings=self.settings, rng=random.Random(seed), routers=self.routers, hears=self.hears, voice=self.bus,
        )  # fmt: skip
        running = asyncio.create_task(strategy.run())
        try:
            while not await strategy.ready():
                assert not running.done() or running.result()
                await asyncio.sleep(0)
            yield strategy
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def settle(self, strategy: Strategy) -> None:
        """All that was decided is delivered, and S4's figures hold what came of it: nothing."""
        dispatcher = strategy._dispatcher

        async def delivered() -> bool:
            return dispatcher.pending == 0

        await until(delivered, turns=100_000)
        await dispatcher.promises.look()
        self.clock.ms += SHOWN_MS
        await self.show()
        await dispatcher.promises.look()

    async def rows(self) -> list[dict[str, object]]:
        return list(await self.ledger.find("signals"))

    async def streamed(self, stream: str) -> list[dict[str, str]]:
        return [entry.fields for entry in await self.bus.tail(stream, after="0", count=1000, block_ms=0)]


@dataclass
class Served:
    """The stage with a process behind ``url``."""

    stage: Stage
    url: str
    strategy: Strategy


def a_rule(rule_id: str, action: Any, **more: Any) -> dict[str, Any]:
    return {
        "rule_id": rule_id, "priority": 1, "applies": {"symbols": ["*"]}, "status": "ENABLED",
        "when": {"f": "atr", "op": ">", "v": 0}, "action": action,
    } | more  # fmt: skip


async def activate(stage: Stage, rev: int, *rules: dict[str, Any]) -> None:
    """As an operator does, with a bundle of its own for each revision; it counts when S3 looks."""
    bundle_id = f"b{rev}"
    for rule in rules:
        await stage.ledger.put(STRATEGY_RULES, f"{bundle_id}:{rule['rule_id']}", rule)
    names = [rule["rule_id"] for rule in rules]
    await stage.ledger.put(CONFIG_BUNDLES, bundle_id, {"bundle_id": bundle_id, "rules": names})
    await stage.ledger.put(CONFIG_ACTIVE, ACTIVE, {"rev": rev, "bundle_id": bundle_id})


async def until(condition: Any, turns: int = 2000) -> None:
    """Give way to the loop until it holds."""
    for _ in range(turns):
        if await condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not come about")


def ask(**wishes: Any) -> DecideRequest:
    return DecideRequest.model_validate({"symbol": "BTCUSDT", "sideHint": "BUY"} | wishes)
