"""What a router keeps looking at beside its positions: the venue's clock, prices, funds and fees.

None of it holds anything up: what was not heard stays as it was, and how old it is can be seen.
"""

import asyncio
from decimal import Decimal
from typing import Final

import structlog

from chimera.admit.limits import LimitBook
from chimera.execute.overtaken import any_overtaken
from chimera.ports.ledger import Rows
from chimera.ports.venue import Records, Rulebook
from chimera.protect.crossing import crossed
from chimera.services.router.bookkeeping import Bookkeeping
from chimera.services.router.capability import Capability
from chimera.services.router.fee_book import FeeBook
from chimera.services.router.ground import Ground
from chimera.services.router.market import REFRESH_MS, MarketView
from chimera.services.router.patience import Looks
from chimera.services.router.watchdogs import Watchdogs
from chimera.trading.errors import ChimeraError
from chimera.trading.events import Event, PositionChanged
from chimera.trading.facts import Ticked
from chimera.trading.ids import Symbol
from chimera.trading.money import DAY_MS, Quote
from chimera.trading.venue import Funds

log = structlog.get_logger()

CLOCK_EVERY_S: Final = 10.0
FUNDS_EVERY_S: Final = 5.0
FEES_EVERY_MS: Final = 600_000
FEES_AT_ONCE: Final = 2  # each FUNDS_EVERY_S: weight 480 a minute, a hundred symbols in four minutes
UNNAMED: Final = Symbol("")  # funding that names no symbol


class Watch:
    """The background of one router."""

    def __init__(
        self,
        ground: Ground,
        records: Records,
        rulebook: Rulebook,
        market: MarketView,
        limits: LimitBook,
        books: Bookkeeping,
        capability: Capability,
        watchdogs: Watchdogs,
        rows: Rows,
    ) -> None:
        self.fee_book = FeeBook(ground, records, rows)
        self.fees = self.fee_book.rates
        self.funds: Funds | None = None
        self._fees_due_ms: dict[Symbol, int] = {}  # monotonic
        self._ground = ground
        self._records = records
        self._rulebook = rulebook
        self._market = market
        self._limits = limits
        self._books = books
        self._capability = capability
        self._watchdogs = watchdogs

    @property
    def looks(self) -> Looks:
        """What goes on for ever, by name; none of it needs memory of ours."""
        return {"clock": self.clock, "market": self.prices, "funds": self.account}

    def expect_fees(self, symbol: Symbol) -> None:
        """The usual rates, until the account's own are read."""
        self.fee_book.expect(symbol)

    async def clock(self) -> None:
        """For ever."""
        while True:
            try:
                await self.read_clock()
            except ChimeraError as error:
                log.info("clock_unread", error=str(error))
            await asyncio.sleep(CLOCK_EVERY_S)

    async def read_clock(self) -> None:
        """How far the venue's clock is from ours."""
        self._ground.venue_clock.offset_ms = offset_ms = await self._rulebook.server_offset_ms()
        self._watchdogs.clock_read(offset_ms)

    async def prices(self) -> None:
        """For ever: the touch and mark of each symbol, and what open positions are worth to the day's loss."""
        while True:
            symbols = [key.symbol for key in self._ground.owners]
            await self._market.refresh_all(symbols)
            for symbol in symbols:
                self._watchdogs.price_looked(symbol)
            self.mark_to_market()
            self._look_at_stops()
            await asyncio.sleep(REFRESH_MS / 1000)

    def _look_at_stops(self) -> None:
        """A stop's price was passed, be it one of an entry yet to fill: its owner looks, though nothing was heard."""
        for owner in tuple(self._ground.owners.values()):
            scene = self._ground.scene(owner.holding)
            if crossed(owner.holding, scene) or any_overtaken(owner.holding, scene):
                owner.hear(Ticked())

    def mark_to_market(self) -> None:
        """What the day has brought: realised less fees, funding, and what is open at its price of now (S4-LIM-1)."""
        untraded, day_pnl = self._books.untraded, self._limits.day_pnl
        today = self._ground.clock.now_ms() // DAY_MS
        for key, owner in self._ground.owners.items():
            holding, mark = owner.holding, self._market.worth(key.symbol)
            entry = holding.position.entry_px
            floating = (mark - entry) * holding.position.qty if mark is not None and entry is not None else Decimal(0)
            closed = holding.day_net if holding.day >= today else Decimal(0)  # of today it has not heard yet
            day_pnl[key.market, key.symbol] = Quote(closed + floating + untraded(key.symbol))
        day_pnl[self._ground.market, UNNAMED] = Quote(untraded(None))

    def heard(self, events: tuple[Event, ...]) -> None:
        """A position changed: the loss of the day waits for no price."""
        if any(isinstance(event.body, PositionChanged) for event in events):
            self.mark_to_market()

    async def account(self) -> None:
        """For ever: balances and fee rates from the venue."""
        while True:
            try:
                self.funds = await self._records.funds()
                self._capability.key(None)
                await self.fee_book.recall()
                await self._read_fees()
            except ChimeraError as error:
                self._capability.key(error)
                log.info("account_unread", error=str(error))
            await asyncio.sleep(FUNDS_EVERY_S)

    async def _read_fees(self) -> None:
        """Those unread for longest: each weighs as much as twenty questions, so many at once would starve others."""
        now_ms = self._ground.clock.monotonic_ms()
        due = [(self._fees_due_ms.get(key.symbol, 0), key.symbol) for key in self._ground.owners]
        for due_ms, symbol in sorted(due)[:FEES_AT_ONCE]:
            if now_ms >= due_ms:
                await self.fee_book.read(symbol)
                self._fees_due_ms[symbol] = now_ms + FEES_EVERY_MS
