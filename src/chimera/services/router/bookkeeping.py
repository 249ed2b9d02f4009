"""The account's money, looked at about once a minute: what today has brought beside trades, and whether all adds up.

Until today's funding and its like have been read no entry is taken: after a restart the loss of the day is whole before
anything can add to it. Movements are booked in the cash ledger; what does not add up is told (``MONEY_DRIFT``) and
changes nothing.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Final

import structlog

from chimera.ports.ledger import Rows
from chimera.ports.venue import Records
from chimera.reconcile.money import (
    MARGIN_MS,
    SETTLED_MS,
    UNTRADED,
    Cash,
    Reading,
    TradeKey,
    look,
    midnight_ms,
    since_ms,
    untold,
    untraded_today,
)
from chimera.services.router.cash_book import CashBook
from chimera.services.router.ground import Ground
from chimera.services.router.patience import Looks
from chimera.trading.errors import ChimeraError, OutcomeUnknown, VenueRejected
from chimera.trading.events import Alert, Event, FillRecorded, Severity
from chimera.trading.fill import Fill
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import ZERO, Millis
from chimera.trading.venue import Income

log = structlog.get_logger()

LOOK_S: Final = 60.0  # weight 35 of the venue's 2,400 a minute
RETRY_S: Final = 2.0
QUOTE: Final = "USDT"


class Bookkeeping:
    """The looks at one account's money on one market; ``book`` keeps what they find."""

    def __init__(self, ground: Ground, records: Records, rows: Rows) -> None:
        self.read = asyncio.Event()  # today's funding is known
        self.book = CashBook(ground, rows, QUOTE)
        self._ground = ground
        self._records = records
        self._untraded: dict[str, Income] = {}
        self._sums: dict[Symbol | None, Decimal] = {}
        self._summed_day = -1
        self._cash = Cash()
        self._loaded = False  # the cash ledger
        self._fills: dict[TradeKey, Fill] = {}
        self._settled_ms = Millis(0)  # trades up to here were compared

    @property
    def looks(self) -> Looks:
        """What goes on for ever, by name."""
        return {"money": self.run, "cash recount": self.book.recount_daily}

    async def run(self) -> None:
        """For ever."""
        while True:
            try:
                await self._look()
            except ChimeraError as error:
                log.info("money_unread", error=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                await asyncio.sleep(LOOK_S)

    def untraded(self, symbol: Symbol | None) -> Decimal:
        """Received (above zero) or paid beside trades since UTC midnight, quote asset; None: what names no symbol."""
        day = int(midnight_ms(self._ground.venue_now_ms))
        if day != self._summed_day:
            self._sum()
        return self._sums.get(symbol, ZERO)

    def heard(self, events: tuple[Event, ...]) -> None:
        """Trades that were counted."""
        for event in events:
            if isinstance(event.body, FillRecorded):
                fill = event.body.fill
                self._fills[fill.symbol, fill.trade_id] = fill

    async def _look(self) -> None:
        if not self.read.is_set():
            await self._begin()
        if not self._loaded:
            await self.book.load()
            self._cash, self._loaded = Cash(agreed=self.book.agreed), True
            return
        if self._ground.market is Market.SPOT:  # the venue lists no movements, and the wallet is its owner's, too
            self._fills, now_ms = {}, self._ground.venue_now_ms
            await self.book.settle(now_ms, now_ms, None, (), quiet=True)
            return
        asked_ms = self._ground.venue_now_ms
        wallet = (await self._records.funds()).wallet
        if self._ground.venue_now_ms - asked_ms > MARGIN_MS:
            raise OutcomeUnknown("the wallet came too late to say when it was so")
        since = min(since_ms(self._cash, self._settled_ms), self.book.since_ms)
        rows = await self._records.income(since)
        self._take_untraded(rows)
        await self.book.book(rows)
        before = self._cash.agreed
        self._cash, drift = look(self._cash, Reading(wallet=wallet, at_ms=asked_ms), rows, QUOTE)
        settled_ms = Millis(max(asked_ms - SETTLED_MS, self._settled_ms))
        ours = [key.symbol for key in self._ground.owners]
        drifts = untold(rows, self._fills, ours, after_ms=self._settled_ms, to_ms=settled_ms)
        self._settled_ms = settled_ms
        self._fills = {key: fill for key, fill in self._fills.items() if fill.at_ms > settled_ms}
        for each in (*drifts, *(() if drift is None else (drift,))):
            log.error("money_drift", amount=str(each.amount), text=each.text)
            self._ground.tell(Alert(severity=Severity.ERROR, code="MONEY_DRIFT", text=each.text))
        await self.book.settle(
            since_ms(self._cash, settled_ms),
            settled_ms,
            None if self._cash.agreed == before else self._cash.agreed,
            drifts,
            quiet=drift is not None,
        )

    async def _begin(self) -> None:
        """Today's funding; from now on every trade must be one that we count."""
        now_ms = self._ground.venue_now_ms
        for kind in UNTRADED:
            with suppress(VenueRejected):  # a kind that this venue does not know has no rows
                self._take_untraded(await self._records.income(midnight_ms(now_ms), kind=kind))
        self._settled_ms = now_ms
        self.read.set()

    def _take_untraded(self, rows: Sequence[Income]) -> None:
        for row in rows:
            if row.kind in UNTRADED:
                self._untraded[row.id] = row
        self._sum()

    def _sum(self) -> None:
        """Yesterday's rows leave."""
        now_ms = self._ground.venue_now_ms
        midnight = midnight_ms(now_ms)
        self._untraded = {name: row for name, row in self._untraded.items() if row.at_ms >= midnight}
        self._sums, self._summed_day = untraded_today(self._untraded.values(), now_ms), int(midnight)
