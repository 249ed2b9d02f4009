"""What a router keeps looking at beside its positions: the venue's clock, prices, funds and fees; S3's budget too.

None of it holds anything up: what was not heard stays as it was, and how old it is can be seen.
"""

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import structlog

from chimera.ports.streams import Bus
from chimera.ports.venue import Records, Rulebook
from chimera.services.router.budget import publish_budget
from chimera.services.router.market import REFRESH_MS
from chimera.trading.errors import ChimeraError
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis
from chimera.trading.venue import FeeRates, Funds

if TYPE_CHECKING:
    from chimera.services.router.router import Router

log = structlog.get_logger()

CLOCK_EVERY_S: Final = 10.0
FUNDS_EVERY_S: Final = 5.0
BUDGET_EVERY_S: Final = 0.5
FEES_EVERY_MS: Final = 600_000


class Watch:
    """The background of one router."""

    def __init__(self, router: "Router", *, records: Records, rulebook: Rulebook, bus: Bus) -> None:
        self.fees: dict[Symbol, FeeRates] = {}
        self.funds: Funds | None = None
        self.venue_heard_ms: Millis | None = None  # monotonic: its clock was read
        self.bus_up = False
        self._router = router
        self._records = records
        self._rulebook = rulebook
        self._bus = bus

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
        self._router.sender.server_offset_ms = await self._rulebook.server_offset_ms()
        self.venue_heard_ms = self._router.clock.monotonic_ms()

    async def prices(self) -> None:
        """For ever: the touch and mark of each symbol, and what open positions are worth to the day's loss."""
        while True:
            for key in tuple(self._router.owners):
                await self._router.market.refresh(key.symbol)
            self._mark_to_market()
            await asyncio.sleep(REFRESH_MS / 1000)

    def _mark_to_market(self) -> None:
        for key, owner in self._router.owners.items():
            holding, mark = owner.holding, self._router.market.last_mark(key.symbol)
            entry = holding.position.entry_px
            floating = (mark - entry) * holding.position.qty if mark is not None and entry is not None else Decimal(0)
            self._router.limits.day_pnl[key.symbol] = type(holding.day_net)(holding.day_net + floating)

    async def account(self) -> None:
        """For ever: balances and fee rates from the venue, the budget to S3."""
        fees_due_ms = 0
        while True:
            try:
                self.funds = await self._records.funds()
                if self._router.clock.monotonic_ms() >= fees_due_ms:
                    for key in tuple(self._router.owners):
                        self.fees[key.symbol] = await self._records.fee_rates(key.symbol)
                    fees_due_ms = self._router.clock.monotonic_ms() + FEES_EVERY_MS
            except ChimeraError as error:
                log.info("account_unread", error=str(error))
            for _ in range(int(FUNDS_EVERY_S / BUDGET_EVERY_S)):
                self.bus_up = await publish_budget(self._router, self._bus, self._router.clock)
                await asyncio.sleep(BUDGET_EVERY_S)
