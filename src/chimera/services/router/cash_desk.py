"""The cash ledger's window: entries, balances, profit and loss, in answers of bounded size with a cursor to go on from.

It reads what the books keep and changes nothing. It reads in small pages and lets others pass in between, because
whoever asks for a year must not hold up a stop.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from chimera.ports.ledger import Rows
from chimera.reconcile.balances import rows_of
from chimera.reconcile.pnl import By, Fold, Line, Where
from chimera.services.router.cash_book import CashBook
from chimera.trading.cash import Entry, Kind
from chimera.trading.money import Millis
from chimera.wire import keys
from chimera.wire.cash import CashAsk, moment, read_entry
from chimera.wire.codec import plain
from chimera.wire.paging import cursor_text

PAGE: Final = 100
MOST_READ: Final = 10_000  # entries behind one answer


class CashApi(Protocol):
    """What the HTTP face asks."""

    async def entries(self, ask: CashAsk) -> tuple[Sequence[Entry], str | None]:
        """By time, and the cursor of what follows."""
        ...

    async def pnl(self, by: str, ask: CashAsk) -> tuple[Sequence[Mapping[str, object]], str | None]:
        """Lines of what was read; those of a further page add to them."""
        ...

    async def balances(self) -> Sequence[Mapping[str, object]]: ...


class CashDesk:
    """``CashApi`` over a store and the books of each market."""

    def __init__(self, rows: Rows, books: Sequence[CashBook]) -> None:
        self._rows = rows
        self._books = books

    async def entries(self, ask: CashAsk) -> tuple[Sequence[Entry], str | None]:
        found: list[Entry] = []
        read = 0
        while page := await self._page(ask):
            for number, entry in page:
                ask = ask.but(since_ms=entry.at_ms, after=number)
                read += 1
                if ask.wants(entry):
                    found.append(entry)
                if len(found) == ask.limit or read == MOST_READ:
                    return found, cursor_text(entry.at_ms, number)
        return found, None

    async def pnl(self, by: str, ask: CashAsk) -> tuple[Sequence[Mapping[str, object]], str | None]:
        fold, read, cursor = Fold(By(by)), 0, None
        while page := await self._page(ask):
            for number, entry in page:
                if (where := fold.lacks(entry)) is not None:
                    fold.knows(where, await self._last_trade(where, entry.at_ms))
                fold.take(entry)
                ask, read = ask.but(since_ms=entry.at_ms, after=number), read + 1
            if read >= MOST_READ:
                cursor = cursor_text(ask.since_ms, ask.after)
                break
        return [line_row(fold.by, line) for line in fold.lines()], cursor

    async def balances(self) -> Sequence[Mapping[str, object]]:
        """Every sum, over all symbols; an income account stands below zero."""
        told = []
        for book in self._books:
            sums: dict[tuple[str, ...], Any] = {}
            for row in rows_of(await book.now()):
                key = (row.account_id, str(row.market), str(row.account), row.asset)
                sums[key] = sums.get(key, 0) + row.amount
            names = ("account_id", "market", "account", "asset")
            told += [dict(zip(names, key, strict=True)) | {"amount": plain(amount)} for key, amount in sums.items()]
        return told

    async def _page(self, ask: CashAsk) -> list[tuple[int, Entry]]:
        found = await self._rows.span(
            keys.CASH, since_ms=ask.since_ms, until_ms=ask.until_ms, after=ask.after, limit=PAGE
        )
        return [(row.number, read_entry(row.document)) for row in found]

    async def _last_trade(self, where: Where, before_ms: Millis) -> Entry | None:
        market, symbol = where
        found = await self._rows.span(
            keys.CASH,
            since_ms=Millis(0),
            until_ms=before_ms,
            where={"market": str(market), "symbol": symbol, "kind": str(Kind.FILL)},
            limit=1,
            backwards=True,
        )
        return read_entry(found[0].document) if found else None


def line_row(by: By, line: Line) -> dict[str, object]:
    """As it is answered: a day by its date."""
    row: dict[str, object] = {by.value: moment(int(line.key))[:10] if by is By.DAY else line.key}
    if by is By.POSITION:
        row["symbol"] = line.symbol
    amounts = {
        name: plain(getattr(line, name))
        for name in ("realized", "fees", "funding", "liquidation", "other", "net", "venue_realized")
    }
    rest = {"trades": line.trades, "first_ms": line.first_ms, "last_ms": line.last_ms}
    return row | {"market": str(line.market), "asset": line.asset} | amounts | rest
