"""The router: one owner per position key, one sender per account, one user stream; submit, cancel, close, show.

Boot order (there is no other recovery): load every holding under a new fence, feed it ``Restarted``, listen to the
user stream, survey the venue; until each has been surveyed once nothing that adds exposure is accepted. While the
ledger does not answer somebody stands in (``standing_in``).
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

from chimera.admit.limits import LimitBook
from chimera.ports.clock import Clock
from chimera.ports.ledger import Ledger
from chimera.ports.rates import Rates
from chimera.ports.streams import Bus
from chimera.ports.venue import Pairs, Records, Rulebook, Venue
from chimera.ports.wallets import Wallets
from chimera.services.router import canceling, steering
from chimera.services.router.accepting import Accepting
from chimera.services.router.api import Outcome
from chimera.services.router.barriers import Barriers
from chimera.services.router.board import position_row
from chimera.services.router.bookkeeping import Bookkeeping
from chimera.services.router.breaking import Breaking
from chimera.services.router.budget import Budgeting
from chimera.services.router.capability import Capability
from chimera.services.router.cash_desk import CashDesk
from chimera.services.router.closing import Closing
from chimera.services.router.common import Common
from chimera.services.router.config import RouterConfig
from chimera.services.router.exposing import Exposing
from chimera.services.router.fitting import Fitting
from chimera.services.router.governing import Governing
from chimera.services.router.ground import Ground, VenueTime
from chimera.services.router.guarding import Guarding
from chimera.services.router.health import health_of
from chimera.services.router.intake import Intake
from chimera.services.router.market import MarketView
from chimera.services.router.owner import Owner
from chimera.services.router.patience import going_on, until_kept
from chimera.services.router.preparing import Preparing
from chimera.services.router.previewing import LastHop
from chimera.services.router.receipts import Seal
from chimera.services.router.reconciling import Reconciling
from chimera.services.router.relay import Relay
from chimera.services.router.routing import Routing
from chimera.services.router.sender import Gates, Sender
from chimera.services.router.standing_in import StandingIn
from chimera.services.router.tallying import Tallying
from chimera.services.router.traced import Admissions, Heard, TracedCarrier
from chimera.services.router.transferring import Transferring
from chimera.services.router.watchdogs import Watchdogs
from chimera.services.router.watching import Watch
from chimera.trading.errors import Refused
from chimera.trading.execution import CloseName
from chimera.trading.facts import Restarted
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey, Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.intent import Intent
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.trading.routes import RouteTable
from chimera.trading.scene import Scene
from chimera.trading.standstill import Kill, Scope
from chimera.wire.results import answer_of
from chimera.wire.sharing import shared

NEW_HOLDING_GRACE_MS: Final = 2_000  # how far the venue's clock may be behind ours when a holding is created
KILL_PATIENCE_S: Final = 2.0  # for the venue to show that all is gone; a client waits 5 s, stores that are away cost 2


class Router:
    """One account on one market."""

    def __init__(
        self,
        config: RouterConfig,
        *,
        venue: Venue,
        records: Records,
        rulebook: Rulebook,
        ledger: Ledger,
        bus: Bus,
        limits: LimitBook,
        clock: Clock,
        seal: Seal,
        rates: Rates | None = None,
        wallets: Wallets | None = None,
        read_table: Callable[[], RouteTable] | None = None,
        pairs: Pairs | None = None,
        common: Common | None = None,
    ) -> None:
        """``common``: what it shares with the account's other market, run by whoever made it; None: it is alone."""
        self.config, self.clock = config, clock
        self._ledger, self._limits = ledger, limits
        whose = config.account_id, config.owner_name, {config.market: records}
        shared = common or Common(*whose, ledger=ledger, bus=bus, clock=clock, seal=seal)
        self._own_common = shared if common is None else None
        self.alarms, self.controls = shared.alarms, shared.controls
        self._tell = tell = shared.alarms.of(config.market)
        self.barriers, self.breaker = Barriers(clock, tell), Breaking(config.breaker, clock, tell)
        self.owners, self._loaded = shared.owners[config.market], shared.loaded[config.market]
        self._tracing = shared.tracing
        self.ground = ground = self._ground()
        self.governing = Governing(rates, self.barriers, clock, ground.holdings)
        self.market = market = MarketView(bus, rulebook, clock, config.market)
        market.listeners.append(Guarding(self.owners, ground.key).looked)
        self.routing = Routing(config.table, config.route_policy, market, bus, clock, tell, self.barriers, read_table)
        self.tallies = Tallying(config.maker_fill_ratio_min, clock, tell)
        self.books = Bookkeeping(ground, records, ledger)
        self.cash = CashDesk(ledger, (self.books.book,))
        self.intake = Intake(
            self.owners, ledger, clock, longest_wait_ms=config.submit_wait_ms, claiming=shared.claiming
        )
        self.reconciling = Reconciling(
            ground, config.sweep, records=records, ledger=ledger, controls=self.controls, take_over=self.take_over
        )
        sweeping = self.reconciling.sweeping
        probed_after = self.recovered if config.probe else None
        self.capability = capability = Capability(
            ground, venue, records, rulebook, market, sweeping, config.environment, probed_after, self.take_over
        )
        stops, refused = lambda: self.controls.standstill, self.tallies.refused
        self._relay = relay = Relay(ledger, bus)
        self.transferring = money = self._transferring(wallets, relay)
        self.exposing = Exposing(ground, market, sweeping.external_qty, shared.exposing, shared.complete)
        self._preparing = terms = Preparing(rulebook, self.clock)
        gates = Gates(self.breaker, self.barriers, stops, self.exposing.of, refused, capability, money, terms)
        self.sender = Sender(venue, records, limits, gates, clock, ground.venue_clock.now_ms, pairs)
        self._carrier = self.sender if self._tracing is None else TracedCarrier(self.sender, self._tracing)
        self._look(venue, records, rulebook, bus, shared)
        self.accepting = self._accepting()
        self._looking, self._taking = set[str](), asyncio.Lock()
        self._group: asyncio.TaskGroup | None = None

    # ── life ──

    async def run(self) -> None:
        """Until cancelled; raises when another router has taken over."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            if self._own_common is not None:
                group.create_task(self._own_common.run(), name="common")
            group.create_task(going_on("rates", self.governing.run), name="rates")
            await self.capability.learn(self.watch.read_clock)
            self.reconciling.memory.hold()
            self._begin({"user stream": self.watchdogs.listen})
            await self.watchdogs.up_soon()
            await self.standing_in.until(self._load)
            self.watchdogs.counted_again()
            self._loaded.set()
            parts = self.watch, self.budget, self.routing, self.books, self.watchdogs, self.reconciling, self.capability
            for part in parts:
                self._begin(part.looks)
            self._begin(self.transferring.looks | self.fitting.looks)

    def _begin_sights(self) -> None:
        """The looks that need no memory of ours."""
        for part in (self.watch, self.budget, self.watchdogs, self.routing):
            self._begin(part.looks)

    def _begin(self, looks: Mapping[str, Callable[[], Coroutine[Any, Any, None]]]) -> None:
        """Each of these that has not begun yet."""
        assert self._group is not None
        for name, look in looks.items():
            if name not in self._looking:
                self._group.create_task(going_on(name, look), name=name)
        self._looking |= looks.keys()

    async def recovered(self) -> None:
        """Wait until every holding has the venue's word."""
        for known in (self._loaded, self.reconciling.memory.checked, self.books.read):
            await known.wait()
        for owner in tuple(self.owners.values()):
            await owner.recovered.wait()

    async def _load(self) -> None:
        await self.controls.loaded.wait()  # a kill on disk comes before any intent on disk
        await self.reconciling.restoring.read()
        wanted = [self.ground.key(symbol) for symbol in self.config.symbols]
        whose = (self.config.account_id, self.config.market)
        stored = [key for key in await until_kept(self._ledger.keys) if (key.account, key.market) == whose]
        self.reconciling.memory.empty = not stored
        async with asyncio.TaskGroup() as loading:  # at once: the disk and the venue are asked for many in one go
            for key in dict.fromkeys([*stored, *wanted]):
                if key.symbol in self.ground.instruments:
                    loading.create_task(until_kept(partial(self._take_over, key)), name=f"load {key}")
                    continue
                loading.create_task(until_kept(partial(self.reconciling.memory.rest, key)))

    async def _take_over(self, key: PositionKey) -> None:
        fence = await self._ledger.fence(key, self.config.owner_name)
        found, kept_in = await self.reconciling.memory.load(key)
        grace_ms = self.config.policy.trades_overlap_ms - NEW_HOLDING_GRACE_MS
        since = Millis(self.reconciling.restoring.unknown_since(self.standing_in.since_ms) + grace_ms)
        holding = shared(found.holding) if found else Holding(key=key, trades_confirmed_ms=since)
        owner = Owner(
            holding,
            rev=found.rev if found else 0,
            fence=fence,
            ledger=kept_in,
            sender=self._carrier,
            relay=self._relay,
            clock=self.clock,
            scene=self.scene,
        )
        close = self.standing_in.relieve(key)
        self.owners[key] = owner
        owner.listeners += [each.heard for each in self._hearing]
        if self._tracing is not None:
            owner.listeners.append(Heard(key, lambda: owner.holding, self._tracing))
        self.intake.heard(holding.outbox)
        self.watch.expect_fees(key.symbol)
        assert self._group is not None
        self._group.create_task(owner.run(), name=f"owner {key}")
        self.reconciling.restoring.tell(owner)
        owner.hear(Restarted())
        if close is not None:
            owner.hear(close)

    async def take_over(self, symbol: Symbol) -> None:
        """Own a symbol in which the account has something; entries are taken only where ``symbols`` names it."""
        async with self._taking:  # by whoever comes first: the fence of a second owner would end this process
            owned = self.ground.key(symbol) in self.owners and not self.standing_in.at(self.ground.key(symbol))
            if not owned and symbol in self.ground.instruments:
                await self._take_over(self.ground.key(symbol))

    # ── what deciding code is handed ──

    def scene(self, holding: Holding) -> Scene:
        """The present moment for one holding."""
        symbol = holding.key.symbol
        now_ms = self.clock.now_ms()
        return Scene(
            now_ms=now_ms,
            venue_now_ms=self.ground.venue_now_ms,
            instrument=self.ground.instruments[symbol],
            fees=self.watch.fees[symbol],
            touch=self.market.touch(symbol),
            mark=self.market.mark(symbol),
            book=self.market.book(symbol),
            policy=self.watchdogs.policy,
            standstill=self.controls.standstill,
            forms=self.capability.forms_of(symbol),
            available=None if self.watch.funds is None else self.watch.funds.available,
            external=self.reconciling.sweeping.externals.of(symbol),
        )

    @property
    def markets(self) -> tuple[Market, ...]:
        return (self.ground.market,)

    def instrument(self, market: Market, symbol: str) -> Instrument | None:
        """The venue's rules, or None for what we do not trade."""
        return self.ground.instruments.get(Symbol(symbol)) if market is self.ground.market else None

    # ── intents ──

    async def submit(self, intent: Intent, body_hash: str, *, wait_ms: int | None) -> Outcome:
        """Accept once and answer; asked again, answer the same. Raises ``Refused`` or ``StoreUnavailable``."""
        with self.tallies.answering():
            return await self.accepting.take(intent, body_hash, wait_ms)

    async def preview(self, intent: Intent) -> dict[str, object]:
        """What would come of it; claims, sends and keeps nothing. Raises ``Refused``."""
        return await self.accepting.preview(intent, LastHop(self._limits, self.exposing.of))

    async def steer(self, name: str, ask: steering.Ask) -> dict[str, object]:
        """Pause, resume or finish an intent. Raises ``Refused`` NOT_FOUND or NOT_WORKING."""
        return await steering.steer(self.intake, name, ask, loaded=self._loaded.is_set())

    async def replace(self, name: str, document: Mapping[str, object]) -> Outcome:
        """Change an order that lives. Raises ``Refused``."""
        return await self.accepting.change(name, document)

    async def cancel(self, name: str, *, by: str, reason: str, escalate: bool, cascade: bool) -> dict[str, object]:
        """Stop working an intent. Raises ``Refused`` NOT_FOUND or ALREADY_FILLED."""
        ready = self._loaded.is_set()
        return await canceling.cancel(
            self.intake, name, by=by, reason=reason, escalate=escalate, cascade=cascade, loaded=ready
        )

    async def close(
        self, market: Market, symbol: str, qty: Decimal | None, reason: str, name: CloseName | None = None
    ) -> dict[str, object]:
        """Close a position, or part of it: reduce-only, target first, stop last; once by each name."""
        return await self.closing.close(market, symbol, qty, reason, name)

    async def kill(self, kill: Kill, *, wait_ms: int | None) -> dict[str, object]:
        """In force before this waits for anything; the signed receipt by the venue's word."""
        standing = self.controls.kill(kill)
        patience_s = KILL_PATIENCE_S if wait_ms is None else wait_ms / 1000
        return await self.controls.receipt(standing, patience_s=patience_s)

    async def arm(self, scope: Scope, name: str, *, by: str, reason: str, confirm: str | None) -> dict[str, object]:
        """The first step answers ``confirm``, the second repeats it."""
        return await self.controls.arm(scope, name, by=by, reason=reason, confirm=confirm)

    def killed(self) -> dict[str, object]:
        return self.controls.shown()

    async def order(self, name: str) -> dict[str, object] | None:
        """By order, client or intent id; the ledger remembers what memory has let go."""
        row = await self.intake.shown(name)
        return None if row is None else answer_of(row)

    async def positions(self) -> list[dict[str, object]]:
        """Every holding, flat ones too, as the console shows them."""
        if not self._loaded.is_set():
            raise Refused("NOT_READY", "positions are still being loaded; try again")
        return [position_row(owner, self.scene(owner.holding)) for owner in self.owners.values()]

    def external(self) -> list[dict[str, object]]:
        return self.reconciling.external()

    def doubts(self) -> list[dict[str, object]]:
        return self.reconciling.inbox.rows()

    # ── health ──

    def health(self) -> dict[str, object]:
        """State of each dependency; ``status`` is the worst of them."""
        return health_of(self)

    def tallied(self) -> dict[Market, Tallying]:
        return {self.ground.market: self.tallies}

    def ready(self) -> bool:
        return self._asked() and all(owner.recovered.is_set() for owner in self.owners.values())

    # ── inside ──

    def _ground(self) -> Ground:
        return Ground(
            account_id=self.config.account_id,
            market=self.config.market,
            symbols=self.config.symbols,
            policy=self.config.policy,
            owners=self.owners,
            instruments={},
            clock=self.clock,
            venue_clock=VenueTime(self.clock),
            barriers=self.barriers,
            tell=self._tell,
            scene=self.scene,
            loaded=self._loaded.is_set,
            admissions=Admissions(self._tracing),
        )

    def _look(self, venue: Venue, records: Records, rulebook: Rulebook, bus: Bus, shared: Common) -> None:
        """What goes on beside the orders."""
        ground, market, limits, sweeping = self.ground, self.market, self._limits, self.reconciling.sweeping
        self.watchdogs = dogs = Watchdogs(
            ground, venue, market, sweeping, self.capability, self.tallies, self.alarms, self.intake, self._preparing
        )
        self.watch = Watch(ground, records, rulebook, market, limits, self.books, self.capability, dogs, self._ledger)
        begin, own = self._begin_sights, self.take_over
        self.standing_in = StandingIn(
            ground, records, self._ledger, self._carrier, self._relay, self.watch, dogs, begin=begin, take_over=own
        )
        self.closing = Closing(ground, self.standing_in, self._ledger)
        self.fitting = Fitting(self.config.fit, ground.market, self.watch.fees, self.clock, self.alarms.tell)
        self.budget = Budgeting(ground, bus, limits, self.watch, dogs, self.standing_in, shared.budgets, self.exposing)
        self._hearing = self.intake, self.watch, dogs, self.tallies, self.books, self.budget

    def _transferring(self, wallets: Wallets | None, relay: Relay) -> Transferring:
        return Transferring(
            self.config.account_id,
            self.config.transfers,
            wallets=wallets,
            rows=self._ledger,
            relay=relay,
            clock=self.clock,
            venue_now_ms=self.ground.venue_clock.now_ms,
            tell=self.alarms.tell,
        )

    def _accepting(self) -> Accepting:
        return Accepting(
            self.ground,
            self.intake,
            self._preparing,
            self.market,
            self.breaker,
            self.capability,
            self.reconciling.memory,
            self.watchdogs,
            self.standing_in,
            routing=self.routing,
            stop_optional=self.config.allow_unprotected,
            asked=self._asked,
        )

    def _asked(self) -> bool:
        """Whether what must be asked about the account before anything may enter has been answered."""
        return self.reconciling.memory.checked.is_set() and self.books.read.is_set()
