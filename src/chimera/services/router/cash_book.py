"""The cash ledger of one account on one market: keeps its entries, its running sums, and whether the venue agrees.

Entries are inserted once under their ids and never changed; trades come by the relay, movements by ``book``. The sums
follow the entries in the order of insertion, from a checkpoint on, and are counted anew from the first entry at a start
and daily: they cannot know of anything that the store does not. Nothing here holds up an order; while the store is away
all of it waits, and what was missed is asked for again, from a moment that is kept.
"""

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec
import structlog

from chimera.ports.ledger import Row, Rows
from chimera.reconcile import balances
from chimera.reconcile.balances import Balance, Place, Unmatched
from chimera.reconcile.cash import of_income, unknown
from chimera.reconcile.money import Drift, Reading
from chimera.services.router.ground import Ground
from chimera.trading.cash import Entry
from chimera.trading.errors import ChimeraError
from chimera.trading.events import Alert, FillRecorded, Severity
from chimera.trading.ids import Symbol
from chimera.trading.money import DAY_MS, ZERO, Millis
from chimera.trading.value import Value
from chimera.trading.venue import Income
from chimera.wire import keys
from chimera.wire.cash import entry_document, read_entry
from chimera.wire.codec import plain
from chimera.wire.paging import FOREVER

log = structlog.get_logger()

PAGE: Final = 100  # entries read at once: some 3 ms of this thread
AT_ONCE: Final = 50  # entries written at once, into one commit
BEFORE_MS: Final = 10_000  # of the first start: what a new holding may still count
YOUNG_MS: Final = 300_000  # of new books, in which trades of before them are put aside without a word
RECOUNT_S: Final = DAY_MS / 1000
PAUSE_S: Final = 0.02  # between two pages of a recount


class Kept(Value, tag=False):
    """The checkpoint: sums up to an entry's number, and how far the venue's list and its wallet have been read."""

    begin_ms: Millis
    since_ms: Millis
    through: int = 0
    rows: tuple[Balance, ...] = ()
    opened: bool = False
    agreed: Reading | None = None


class CashBook:
    """``load`` comes first."""

    def __init__(self, ground: Ground, rows: Rows, asset: str) -> None:
        self.totals: Mapping[Place, Decimal] = {}
        self._ground = ground
        self._rows = rows
        self._asset = asset
        self._kept = Kept(begin_ms=Millis(0), since_ms=Millis(0))
        self._through = 0
        self._turn = asyncio.Lock()  # sums and how far they go change together
        self._booked: dict[str, Millis] = {}  # ids of late that need no second insert
        self._unmatched: tuple[Unmatched, ...] = ()
        self._told: dict[Symbol, Decimal] = {}  # by the sentences about single trades
        self._strange: set[str] = set()

    @property
    def since_ms(self) -> Millis:
        """From when on movements must be asked for, so that none is missing."""
        return self._kept.since_ms

    @property
    def agreed(self) -> Reading | None:
        """The last reading of the wallet that all movements explained."""
        return self._kept.agreed

    async def load(self) -> None:
        """What was kept; new books begin a little before now."""
        begin = Millis(self._ground.venue_now_ms - BEFORE_MS)
        found = await self._rows.get(keys.CASH_BALANCES, self._name)
        if found is None:
            self._kept = Kept(begin_ms=begin, since_ms=begin)
            await self._keep()
        else:
            self._kept = msgspec.convert(found, Kept)
        self._through, self.totals = self._kept.through, balances.totals_of(self._kept.rows)
        await self._follow()

    async def book(self, rows: Sequence[Income]) -> None:
        """Every movement once. Raises ``StoreUnavailable`` with some of them done."""
        fresh = [entry for entry in map(self._entry, rows) if entry.id not in self._booked]
        for start in range(0, len(fresh), AT_ONCE):
            await asyncio.gather(*map(self._insert, fresh[start : start + AT_ONCE]))
        self._booked |= {entry.id: entry.at_ms for entry in fresh}
        self._note_strangers(rows)

    async def now(self) -> Mapping[Place, Decimal]:
        """The sums, with all that was inserted by now."""
        async with self._turn:
            await self._follow()
            return self.totals

    async def _follow(self) -> None:
        """Take in what was inserted since; one at a time."""
        while page := await self._rows.page(keys.CASH, after=self._through, limit=PAGE):
            self.totals = balances.added(self.totals, self._mine(page))
            self._through = page[-1].number

    async def settle(
        self,
        since_ms: Millis,
        settled_ms: Millis,
        agreed: Reading | None,
        told: Sequence[Drift],
        *,
        quiet: bool,
    ) -> None:
        """Compare, put right what stayed, and keep how far all was read.

        ``agreed``: a reading that has just been judged; ``told``: what was said of single trades; ``quiet``: of the
        wallet, too.
        """
        for drift in told:
            if drift.symbol is not None:
                self._told[drift.symbol] = self._told.get(drift.symbol, ZERO) + drift.amount
        async with self._turn:
            await self._follow()
            opened = self._kept.opened
            if agreed is not None:
                await self._compare_wallet(agreed, quiet=quiet)
                opened = True
            if opened and not self._untold(settled_ms):
                await self._compare_trades(settled_ms)
        self._kept = self._kept.but(
            since_ms=since_ms,
            opened=opened,
            agreed=agreed or self._kept.agreed,
            through=self._through,
            rows=balances.rows_of(self.totals),
        )
        await self._keep()
        self._booked = {name: at_ms for name, at_ms in self._booked.items() if at_ms >= since_ms}

    async def recount_daily(self) -> None:
        """For ever."""
        while True:
            try:
                await self.recount()
            except ChimeraError as error:
                log.info("cash_recount_waits", error=str(error))
            await asyncio.sleep(RECOUNT_S)

    async def recount(self) -> None:
        """From the first entry; sums that differ are told with both numbers, and replaced."""
        counted: Mapping[Place, Decimal] = {}
        at = 0
        while at < self._through:
            page = [
                row for row in await self._rows.page(keys.CASH, after=at, limit=PAGE) if row.number <= self._through
            ]
            if not page:
                break
            counted, at = balances.added(counted, self._mine(page)), page[-1].number
            await asyncio.sleep(PAUSE_S)
        for sentence in balances.differing(self.totals, counted):
            self._alarm(Severity.ERROR, "CASH_RECOUNT", sentence)
        self.totals = counted

    # ── how ──

    @property
    def _name(self) -> str:
        return f"{self._ground.account_id}:{self._ground.market}"

    async def _compare_wallet(self, seen: Reading, *, quiet: bool) -> None:
        kept = await self._books_at(seen.at_ms)
        entry, told = balances.wallet_difference(kept, seen, self._asset, opened=self._kept.opened)
        if entry is not None:
            await self._insert(entry)
        if told and not quiet:
            self._alarm(Severity.ERROR, "MONEY_DRIFT", told)
        await self._follow()

    async def _compare_trades(self, settled_ms: Millis) -> None:
        kept = await self._books_at(settled_ms)
        self._unmatched = balances.unmatched(kept, self._unmatched, self._asset)
        ours = {key.symbol for key in self._ground.owners}
        for stood in self._unmatched:
            if stood.looks < balances.LOOKS:
                continue
            known = self._told.pop(stood.symbol, ZERO)
            entry, told = balances.match_difference(kept, stood, self._asset, settled_ms, ours=ours, told=known)
            await self._insert(entry)
            if told and settled_ms > self._kept.begin_ms + YOUNG_MS:
                self._alarm(Severity.ERROR, "MONEY_DRIFT", told)
        self._unmatched = tuple(stood for stood in self._unmatched if stood.looks < balances.LOOKS)
        await self._follow()

    async def _books_at(self, at_ms: Millis) -> balances.Books:
        """The sums as of that moment: less what is younger."""
        young, since, after = list[Entry](), Millis(at_ms + 1), 0
        while page := await self._rows.span(keys.CASH, since_ms=since, until_ms=FOREVER, after=after, limit=PAGE):
            young += self._mine([row for row in page if row.number <= self._through])
            since, after = read_entry(page[-1].document).at_ms, page[-1].number
        ground = self._ground
        return balances.books(self.totals, ground.account_id, ground.market, without=young)

    def _untold(self, settled_ms: Millis) -> bool:
        """Whether a trade of that time waits in an outbox: the bus or the store is away, and nothing is wrong."""
        return any(
            isinstance(event.body, FillRecorded) and event.body.fill.at_ms <= settled_ms
            for owner in self._ground.owners.values()
            for event in owner.holding.outbox
        )

    async def _keep(self) -> None:
        await self._rows.put(keys.CASH_BALANCES, self._name, plain(self._kept))

    def _entry(self, row: Income) -> Entry:
        return of_income(self._ground.account_id, self._ground.market, row)

    async def _insert(self, entry: Entry) -> None:
        await self._rows.insert(keys.CASH, entry.id, entry_document(entry))

    def _mine(self, rows: Sequence[Row]) -> list[Entry]:
        """Of this account and market."""
        mine = str(self._ground.account_id), str(self._ground.market)
        return [
            read_entry(row.document) for row in rows if (row.document["account_id"], row.document["market"]) == mine
        ]

    def _note_strangers(self, rows: Sequence[Income]) -> None:
        """Each unknown type once."""
        for row in rows:
            if unknown(row) and row.kind not in self._strange:
                self._strange.add(row.kind)
                told = (
                    f"{row.amount} {row.asset}: the venue calls it {row.kind}, which is not known; booked as external"
                )
                self._alarm(Severity.WARN, "CASH_UNKNOWN", told)

    def _alarm(self, severity: Severity, code: str, told: str) -> None:
        log.error("cash", code=code, text=told)
        self._ground.tell(Alert(severity=severity, code=code, text=told))
