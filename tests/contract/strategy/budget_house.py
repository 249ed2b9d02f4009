"""Several S3 on one account, an S4 that accepts, fills and publishes as the real one does, and who counts what is at
risk; all of it in virtual time, in an order drawn from a seed.

Every process has a clock of its own, apart from the others' by up to a second and a half. Answers are lost, stores are
slow, processes are killed. S4's figures are as late as the real one's: a share for each market twice a second, balances
read every five. ``Desk.overspent`` has what was wrong at the moment an intent was taken.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from strategy_world import FEATURES, START, D, a_rule

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.adapters.scoring.constant import ConstantScorer
from chimera.ports.intents import OrderAnswer
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.stores import StoreWeather
from chimera.services.stage.tape import Tape
from chimera.services.strategy.demo import register_instruments
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.revisions import ACTIVE
from chimera.services.strategy.settings import StrategySettings
from chimera.trading.budget import MarketBudget, RiskBudget
from chimera.trading.decision import Feature
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused, StoreUnavailable
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Millis, Price, Qty, Quote
from chimera.trading.venue import FeeRates
from chimera.wire import codec
from chimera.wire.board import FeatureBoard, TickBoard
from chimera.wire.budget import budget_document
from chimera.wire.decisions import DecideRequest
from chimera.wire.keys import CONFIG_ACTIVE, CONFIG_BUNDLES, STRATEGY_RULES, features_key, risk_budget_key, tick_key
from chimera.wire.registry import Listed, read_listed

SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
BID, ASK, ATR, FEE = D(65_800), D(65_801), D(60), D("0.0005")
PLENTY: Final = D(1_000_000)
WEATHER: Final = {"bus_slow": 0.02, "bus_fail_before": 0.01, "bus_fail_after": 0.01}


@dataclass(frozen=True)
class Room:
    """What the account may use: quote asset, and entries of one market."""

    margin: Decimal = PLENTY
    notional: Decimal = PLENTY
    loss: Decimal = PLENTY
    entries: int = 1_000


@dataclass
class Deal:
    """An intent that S4 has taken."""

    intent: Intent
    open: bool = False  # a position; else in flight
    over: bool = False

    @property
    def notional(self) -> Decimal:
        return self.intent.qty * (ASK if self.intent.side is Side.BUY else BID)

    @property
    def margin(self) -> Decimal:
        return self.notional / (self.intent.leverage or 1)

    @property
    def loss(self) -> Decimal:
        assert self.intent.stop is not None
        assert self.intent.stop.price is not None
        entry, stop = self.notional / self.intent.qty, self.intent.stop.price
        return self.intent.qty * (abs(entry - stop) + FEE * (entry + stop))


@dataclass
class Desk:
    """S4 as S3 meets it."""

    loop: DetLoop
    bus: MemoryBus
    clock: VirtualClock
    room: Room
    rng: random.Random
    deals: dict[str, Deal] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    overspent: list[str] = field(default_factory=list)
    lost: Decimal = ZERO
    read_margin: dict[Market, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    shares: dict[Market, MarketBudget] = field(default_factory=dict)
    most: int = 0  # entries at once, ever

    async def submit(self, intent: Intent) -> OrderAnswer:
        """``ports.intents.IntentSink``: the same again is the same."""
        await self._travel()
        if self.rng.random() < 0.03:
            raise NotSent("the network took it")
        if intent.intent_id in self.refused:
            raise Refused("BREAKER_OPEN", "as before")
        if intent.intent_id not in self.deals:
            if self.clock.now_ms() > (intent.valid_until_ms or 0):
                raise Refused("EXPIRED", "too late")
            if self.rng.random() < 0.1:
                self.refused.add(intent.intent_id)
                raise Refused("BREAKER_OPEN", "not now")
            deal = self.deals[intent.intent_id] = Deal(intent)
            self._count(deal)
            self.loop.create_task(self._trade(deal))
        await self._travel()
        if self.rng.random() < 0.1:
            raise OutcomeUnknown("the answer was lost")
        return OrderAnswer(result="OK", status="ACCEPTED", order_id="o", client_order_id=intent.client_order_id)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._balances())
            for market in Market:
                group.create_task(self._publish(market))

    def live(self, market: Market | None = None) -> list[Deal]:
        return [
            deal for deal in self.deals.values() if not deal.over and (market is None or deal.intent.market is market)
        ]

    async def _travel(self) -> None:
        await asyncio.sleep(self.rng.uniform(0.0005, 0.2))

    async def _trade(self, deal: Deal) -> None:
        """In flight for some time, then a position or nothing; at the end it has lost all it could."""
        await asyncio.sleep(self.rng.choice([0.001, 0.05, 0.4, 2, 6]))
        if self.rng.random() < 0.8:
            deal.open = True
            await asyncio.sleep(self.rng.uniform(0.05, 25))
            self.lost += deal.loss
        deal.over = True

    async def _balances(self) -> None:
        while True:
            self.read_margin = defaultdict(Decimal)
            for deal in self.live():
                self.read_margin[deal.intent.market] += deal.margin if deal.open else ZERO
            await asyncio.sleep(5)

    async def _publish(self, market: Market) -> None:
        while True:
            live = self.live(market)
            exposure: defaultdict[str, Decimal] = defaultdict(Decimal)
            for deal in live:
                exposure[deal.intent.symbol] += deal.notional if deal.open else ZERO
            self.shares[market] = MarketBudget(
                fees=FeeRates(maker=D("0.0002"), taker=FEE),
                remaining_margin_usdt=Quote(max(self.room.margin - self.read_margin[market], ZERO)),
                remaining_notional_usdt=Quote(max(self.room.notional - max(exposure.values(), default=ZERO), ZERO)),
                open_symbols=tuple(dict.fromkeys(deal.intent.symbol for deal in live if deal.open)),
                inflight={deal.intent.intent_id: deal.intent.symbol for deal in live if not deal.open},
            )
            budget = RiskBudget(
                account_id=DEFAULT_ACCOUNT,
                at_ms=self.clock.now_ms(),
                remaining_loss_usdt=Quote(max(self.room.loss - self.lost, ZERO)),
                markets=dict(self.shares),
            )
            with suppress(StoreUnavailable):  # the next one comes in half a second
                await self.bus.put(risk_budget_key(DEFAULT_ACCOUNT), budget_document(budget))
            await asyncio.sleep(0.5)

    def _count(self, taken: Deal) -> None:
        """What is at risk with this one, against what may be."""
        market = taken.intent.market
        live = self.live(market)
        flying = [deal for deal in live if not deal.open]
        held: defaultdict[str, Decimal] = defaultdict(Decimal)
        for deal in live:
            held[deal.intent.symbol] += deal.notional if deal.open else ZERO
        working = {deal.intent.symbol for deal in flying}
        entries = len(flying) + sum(1 for symbol, much in held.items() if much and symbol not in working)
        self.most = max(self.most, entries)
        for what, used, most in (
            ("margin", sum(deal.margin for deal in live), self.room.margin),
            ("notional", sum(deal.notional for deal in flying) + max(held.values()), self.room.notional),
            ("loss", self.lost + sum(deal.loss for deal in self.live()), self.room.loss),
            ("entries", Decimal(entries), self.room.entries),
        ):
            if used > most:
                self.overspent.append(f"{what} {used} > {most} with {taken.intent.intent_id} at {self.loop.now_us} us")


class House:
    """The whole of it, from one seed."""

    def __init__(self, seed: int, room: Room, *, strategies: int = 2) -> None:
        self.loop = DetLoop(seed)
        self.rng = random.Random(seed)
        tape = Tape(seed)
        weather = StoreWeather(self.loop, "bus", tape, WEATHER, typical_us=800)
        self.bus = MemoryBus(VirtualClock(self.loop, epoch_ms=Millis(START)), faults=weather)
        self.desk = Desk(self.loop, self.bus, self._a_clock(), room, random.Random(f"{seed}:s4"))
        self.ledgers = [
            MemoryLedger(faults=StoreWeather(self.loop, f"ledger{n}", tape, {}, typical_us=2_000))
            for n in range(strategies)
        ]
        self.opened = 0
        self.lives = 0

    def play(self, seconds: float) -> None:
        self.loop.run_until_complete(self._play(seconds))

    async def _play(self, seconds: float) -> None:
        async with asyncio.TaskGroup() as group:
            around = [group.create_task(self._show()), group.create_task(self.desk.run())]
            await asyncio.sleep(2)
            desks = [group.create_task(self._strategy(n)) for n in range(len(self.ledgers))]
            await asyncio.sleep(seconds)
            for task in (*desks, *around):
                task.cancel()

    def _a_clock(self) -> VirtualClock:
        return VirtualClock(self.loop, epoch_ms=Millis(START), offset_ms=self.rng.randint(-1_500, 1_500))

    async def _show(self) -> None:
        """The market as of now, by the venue's clock."""
        while True:
            now = Millis(START + self.loop.now_us // 1_000)
            for symbol in SYMBOLS:
                tick = TickBoard(
                    symbol=symbol, at_ms=now, bid=Price(BID), bid_qty=Qty(D(9)), ask=Price(ASK), ask_qty=Qty(D(9)),
                    mid=Price((BID + ASK) / 2), spread_bps=D("0.15"),
                )  # fmt: skip
                features = {name: Feature(value=D(value), at_ms=now) for name, value in FEATURES.items()}
                try:
                    await self.bus.put(tick_key(symbol), codec.encode(tick))
                    board = FeatureBoard(symbol=symbol, at_ms=now, features=features)
                    await self.bus.put(features_key(symbol), codec.encode(board))
                except StoreUnavailable:
                    continue
            await asyncio.sleep(0.1)

    async def _strategy(self, number: int) -> None:
        """Lives, each with a clock and a seed of its own, over one ledger; in between nothing is known but that."""
        ledger = self.ledgers[number]
        await self._configure(ledger)
        while True:
            self.lives += 1
            strategy = Strategy(
                ledger=ledger, bus=self.bus, clock=self._a_clock(), score=ConstantScorer(), router=self.desk,
                settings=StrategySettings(
                    symbols=SYMBOLS, strategy_id=f"s{number}", max_hold_s=60, touch_max_age_ms=4_000,
                    concurrent_entries_per_market=self.desk.room.entries,
                ),
                rng=random.Random(f"{self.rng.random()}"),
            )  # fmt: skip
            running = asyncio.create_task(strategy.run())
            asking = [asyncio.create_task(self._ask(strategy)) for _ in range(3)]
            try:
                await asyncio.sleep(self.rng.uniform(1, 40))
            finally:
                for task in (running, *asking):
                    task.cancel()
                await asyncio.gather(running, *asking, return_exceptions=True)
            await asyncio.sleep(self.rng.uniform(0.05, 3))

    async def _ask(self, strategy: Strategy) -> None:
        while True:
            await asyncio.sleep(self.rng.choice([0, 0.2, 0.5, 1.5]))
            market = self.rng.choice(list(Market))
            side = Side.BUY if market is Market.SPOT else self.rng.choice(list(Side))
            request = DecideRequest(symbol=self.rng.choice(SYMBOLS), sideHint=side, market=market)
            try:
                self.opened += (await strategy.decide(request)).decision == "open"
            except (Refused, StoreUnavailable):
                continue

    async def _configure(self, ledger: MemoryLedger) -> None:
        await ledger.put(STRATEGY_RULES, "b:R", a_rule("R", {"type": "size_mult", "value": 1}))
        await ledger.put(CONFIG_BUNDLES, "b", {"bundle_id": "b", "rules": ["R"]})
        await ledger.put(CONFIG_ACTIVE, ACTIVE, {"rev": 1, "bundle_id": "b"})
        for name in FEATURES:
            await ledger.put("factor_registry", name, {"f": name})
        await register_instruments(ledger, [Listed(instrument=each) for each in _instruments()])


def _instruments() -> Sequence[Instrument]:
    return [
        read_listed({"symbol": symbol, "market": market.value, "tickSize": "0.1", "stepSize": "0.00001"}).instrument
        for symbol in SYMBOLS
        for market in Market
    ]
