"""Profit and loss read off the cash ledger: by UTC day, by strategy, by position (an opening, from flat to flat).

Above zero is gained. ``realized`` is by lot, first in first out; ``venue_realized`` is what the venue says of the same
trades, against the mean entry: the two are equal again whenever the position is flat. What is open is not in it.
Lines add up: those of two spans are those of both together, so an answer may come in parts. Funding names no strategy;
it is shared by what each held at that moment, by the last trade before it.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final

from chimera.trading.booking import Share
from chimera.trading.cash import Account, Entry, Kind, Posting, shared
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import DAY_MS, ZERO, Millis
from chimera.trading.value import Value

NOBODY: Final = ""


class By(StrEnum):
    """What a line is about."""

    DAY = "day"
    STRATEGY = "strategy"
    POSITION = "position"


class Line(Value, tag=False):
    """One asset of one day, strategy or position; amounts in ``asset``, moments of its first and last entry."""

    key: str  # a day's first millisecond, a strategy's name, a position's
    asset: str
    market: Market
    symbol: str = ""  # of a position
    realized: Decimal = ZERO
    venue_realized: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    liquidation: Decimal = ZERO
    other: Decimal = ZERO
    trades: int = 0
    first_ms: Millis = Millis(0)
    last_ms: Millis = Millis(0)

    @property
    def net(self) -> Decimal:
        """All of it."""
        return self.realized + self.fees + self.funding + self.liquidation + self.other


Where = tuple[Market, Symbol]
_COLUMN: Final = {
    Account.REALIZED: "realized",
    Account.FEES: "fees",
    Account.FUNDING: "funding",
    Account.LIQUIDATION: "liquidation",
    Account.DUST: "other",
    Account.EXTERNAL: "other",
}
_LineKey = tuple[str, str, Market]


class Fold:
    """Entries in the order of their moments, in; lines, out."""

    def __init__(self, by: By) -> None:
        self.by = by
        self._last: dict[Where, Entry] = {}
        self._lines: dict[_LineKey, Line] = {}

    def lacks(self, entry: Entry) -> Where | None:
        """The symbol whose last trade before this entry must be known to share it out."""
        if self.by is By.DAY or entry.kind is not Kind.INCOME or entry.symbol is None:
            return None
        where = (entry.market, entry.symbol)
        return None if where in self._last else where

    def knows(self, where: Where, trade: Entry | None) -> None:
        """The answer to ``lacks``; none was made before."""
        if trade is not None:
            self._last[where] = trade

    def take(self, entry: Entry) -> None:
        """Into its lines."""
        if entry.kind is Kind.OPENING:
            return
        if entry.kind is Kind.FILL and entry.symbol is not None:
            self._last[entry.market, entry.symbol] = entry
        counted: set[_LineKey] = set()
        for posting in entry.postings:
            if posting.account in _COLUMN:
                for name, amount in self._shares(entry, posting):
                    self._add(entry, posting.asset, name, _COLUMN[posting.account], -amount, counted)
                    if posting.account is Account.REALIZED:
                        self._add(entry, posting.asset, name, "venue_realized", -amount, counted)
            elif posting.account is Account.AVERAGING:
                self._add(entry, posting.asset, self._of_all(entry), "venue_realized", -posting.amount, counted)

    def lines(self) -> tuple[Line, ...]:
        """In order of their keys."""
        return tuple(line for _, line in sorted(self._lines.items(), key=lambda each: each[0]))

    def _shares(self, entry: Entry, posting: Posting) -> Iterable[tuple[str, Decimal]]:
        """Under which keys, and how much of it."""
        if self.by is not By.STRATEGY:
            return ((self._of_all(entry), posting.amount),)
        if posting.strategy_id is not None:
            return ((posting.strategy_id, posting.amount),)
        held = self._held(entry)
        parts = shared(posting.amount, [abs(share.qty) for share in held])
        return zip((share.strategy_id for share in held), parts, strict=True) if parts else ((NOBODY, posting.amount),)

    def _of_all(self, entry: Entry) -> str:
        """The key of what is not shared out."""
        match self.by:
            case By.DAY:
                return str(entry.at_ms - entry.at_ms % DAY_MS)
            case By.POSITION:
                trade = self._trade(entry)
                return entry.position or (trade.position if trade is not None else NOBODY)
            case By.STRATEGY:
                held = self._held(entry)
                return held[0].strategy_id if held else NOBODY

    def _trade(self, entry: Entry) -> Entry | None:
        return None if entry.symbol is None else self._last.get((entry.market, entry.symbol))

    def _held(self, entry: Entry) -> tuple[Share, ...]:
        """Who held what at that moment; after a trade that closed all, whom it closed for."""
        trade = self._trade(entry)
        if trade is None or trade.held:
            return () if trade is None else trade.held
        of_lots = [posting for posting in trade.postings if posting.strategy_id is not None]
        return tuple(
            Share(strategy_id=posting.strategy_id, qty=posting.amount)
            for posting in of_lots
            if posting.account is Account.FEES and posting.strategy_id is not None
        )

    def _add(self, entry: Entry, asset: str, name: str, column: str, amount: Decimal, counted: set[_LineKey]) -> None:
        key = (name, asset, entry.market)
        line = self._lines.get(key) or Line(key=name, asset=asset, market=entry.market, first_ms=entry.at_ms)
        more: dict[str, object] = {column: getattr(line, column) + amount, "last_ms": entry.at_ms}
        if self.by is By.POSITION and not line.symbol:
            more["symbol"] = entry.symbol or ""
        if entry.kind is Kind.FILL and key not in counted:
            counted.add(key)
            more["trades"] = line.trades + 1
        self._lines[key] = line.but(**more)
