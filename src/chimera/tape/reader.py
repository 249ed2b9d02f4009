"""Binance's public frames read as market events: one reader for captures and for live streams, spot and USD-M.

Invariants are those of ``chimera.tape``. What cannot be used is counted, never passed on: an amount that is
not a finite positive number, a crossed touch, a trade the book never saw (insurance fund, ADL). A frame that is not
Binance's at all raises FrameRefused. It knows neither files, sockets nor clocks: the caller says when a frame arrived.
"""

from collections import Counter, deque
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from chimera.tape import frames
from chimera.tape.local_book import Events, LocalBook, SequenceBroken
from chimera.trading.market import Level, Marked, Market, MarketEvent, Side, Traded
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.value import Value

REMEMBERED_GAPS: Final = 1_000
REMEMBERED_TRADES: Final = 4_096  # of a symbol: overlapping recordings tell the last seconds twice
_KINDS: Final = {  # of events, as streams name them
    "bookTicker": "bookTicker", "depthUpdate": "depth", "trade": "trade", "aggTrade": "aggTrade",
    "markPriceUpdate": "markPrice",
}  # fmt: skip
SNAPSHOT_STREAM: Final = "depthSnapshot"  # ours: a REST answer in a recording of several symbols


class FrameRefused(ValueError):
    """Not a message of a Binance market stream, or one with an impossible amount."""


class Gap(Value):
    """Diffs of ``symbol`` did not follow one another; its depth was dropped to the touch and is being rebuilt."""

    symbol: str
    at_us: int
    expected: int
    got: int


class MarketReader:
    """Turns frames into events, symbol by symbol.

    ``gaps`` keeps the last thousand, ``gap_count`` all. ``passed_over`` counts, by reason, frames that are well formed
    and yield nothing on purpose (``nothing new``, ``other stream``, ``not market``, ``late snapshot``, …).
    ``stepped_back`` counts frames received before the one above them by their own word, ``step_us`` is the longest such
    step. ``market`` is whose depth it is by the form of its diffs, ``None`` while there was none.
    """

    def __init__(self) -> None:
        self.gaps: deque[Gap] = deque(maxlen=REMEMBERED_GAPS)
        self.gap_count = 0
        self.passed_over: Counter[str] = Counter()
        self._books: dict[str, LocalBook] = {}
        self._trade_kind: dict[str, str] = {}
        self._trades: dict[str, dict[tuple[int, int], None]] = {}
        self._early_snapshot: frames.Snapshot | None = None
        self._last_us = 0
        self.stepped_back = 0
        self.step_us = 0
        self.market: Market | None = None

    def take(self, at_us: int, frame: bytes | str) -> Sequence[MarketEvent]:
        """The events of one frame received at ``at_us`` (UTC). A clock that steps back is held. Raises FrameRefused."""
        if at_us < self._last_us:
            self.stepped_back += 1
            self.step_us = max(self.step_us, self._last_us - at_us)
        at_us = self._last_us = max(at_us, self._last_us)
        try:
            outer = frames.combined.decode(frame)
            return self._read(at_us, outer, frame)
        except msgspec.DecodeError as refused:
            raise FrameRefused(str(refused)) from refused

    def whole(self, symbol: str) -> bool:
        """Whether a snapshot was joined and nothing of the depth missed since."""
        book = self._books.get(symbol)
        return book is not None and book.whole

    def reconnected(self, at_us: int, symbols: Sequence[str]) -> Sequence[MarketEvent]:
        """A new connection carries these symbols' depth: what was known behind the touch is void."""
        at_us = self._last_us = max(at_us, self._last_us)
        return [
            event
            for symbol in symbols
            if symbol in self._books
            for event in self._books[symbol].restart(at_us, new_connection=True)
        ]

    def _read(self, at_us: int, outer: frames.Combined, frame: bytes | str) -> Sequence[MarketEvent]:
        symbol, _, stream = outer.stream.partition("@")
        kind, _, _ = stream.partition("@")
        return self._of_kind(at_us, kind, symbol, outer.data) if outer.stream else self._bare(at_us, frame)

    def _of_kind(self, at_us: int, kind: str, symbol: str, data: msgspec.Raw | bytes | str) -> Sequence[MarketEvent]:
        match kind:
            case "bookTicker":
                return self._ticker(at_us, frames.book_ticker.decode(data))
            case "depth":
                return self._diff(at_us, frames.diff.decode(data))
            case "trade" | "aggTrade":
                return self._trade(at_us, kind, frames.trade.decode(data))
            case "markPrice":
                return self._mark(at_us, frames.mark_price.decode(data))
            case "depthSnapshot":
                return self._snapshot(at_us, symbol.upper(), frames.snapshot.decode(data))
            case _:
                return self._pass("other stream")

    def _bare(self, at_us: int, frame: bytes | str) -> Sequence[MarketEvent]:
        """A frame without a stream's wrapper: an event as a raw stream has it, a REST depth answer, or a reply to a
        control message.
        """
        event = frames.bare.decode(frame)
        if event.e or event.B:
            return self._of_kind(at_us, _KINDS.get(event.e or "bookTicker", ""), "", frame)
        head = frame[:4_096].encode() if isinstance(frame, str) else frame[:4_096]
        if b'"lastUpdateId"' in head:
            return self._bare_snapshot(at_us, frames.snapshot.decode(frame))
        if b'"result"' in head:
            return self._pass("control")
        raise FrameRefused("neither a message of a market stream nor a depth snapshot")

    def _ticker(self, at_us: int, ticker: frames.BookTicker) -> Sequence[MarketEvent]:
        for amount in (ticker.b, ticker.B, ticker.a, ticker.A):
            _refuse_unless(amount.is_finite() and amount >= 0, "amount", amount)
        if not (0 < ticker.b < ticker.a and ticker.B > 0 and ticker.A > 0):
            return self._pass("one-sided or crossed")
        return self._book(ticker.s).take_ticker(at_us, ticker) or self._pass("nothing new")

    def _diff(self, at_us: int, diff: frames.Diff) -> Sequence[MarketEvent]:
        _check_levels(diff.b)
        _check_levels(diff.a)
        if self.market is None:
            self.market = Market.SPOT if diff.pu is None else Market.FUT
        book = self._book(diff.s)
        early, self._early_snapshot = self._early_snapshot, None
        before = [] if early is None else list(self._snapshot(at_us, diff.s, early))
        try:
            return before + book.take_diff(at_us, diff)
        except SequenceBroken as broken:
            return before + self._gap(at_us, book, broken) + book.take_diff(at_us, diff)

    def _snapshot(self, at_us: int, symbol: str, snapshot: frames.Snapshot) -> Sequence[MarketEvent]:
        _check_levels(snapshot.bids)
        _check_levels(snapshot.asks)
        book = self._book(symbol)
        try:
            events = book.take_snapshot(at_us, snapshot)
        except SequenceBroken as broken:
            return self._gap(at_us, book, broken)
        return self._pass("late snapshot") if events is None else events

    def _bare_snapshot(self, at_us: int, snapshot: frames.Snapshot) -> Sequence[MarketEvent]:
        match list(self._books):
            case [symbol]:
                return self._snapshot(at_us, symbol, snapshot)
            case []:
                self._early_snapshot = snapshot  # of whichever symbol's depth comes first
                return []
            case several:
                raise FrameRefused(f"a depth snapshot without a symbol among {len(several)} symbols")

    def _trade(self, at_us: int, kind: str, trade: frames.Trade) -> Sequence[MarketEvent]:
        if self._trade_kind.setdefault(trade.s, kind) != kind:
            return self._pass("second trade stream")  # trade and aggTrade tell the same trades twice
        if trade.X != "MARKET":
            return self._pass("not market")
        _refuse_unless(trade.p.is_finite() and trade.p > 0, "price", trade.p)
        _refuse_unless(trade.q.is_finite() and trade.q > 0, "quantity", trade.q)
        if self._heard(trade.s, trade.a if kind == "aggTrade" else trade.t, trade.T):
            return self._pass("told twice")
        if self._book(trade.s).touch is None:
            return self._pass("before the touch")
        taker = Side.SELL if trade.m else Side.BUY
        return [Traded(symbol=trade.s, at_us=at_us, price=Price(trade.p), qty=Qty(trade.q), taker=taker)]

    def _heard(self, symbol: str, number: int | None, at_ms: int) -> bool:
        """Whether this trade was told before. A venue that counts anew has other times."""
        if number is None:
            return False
        heard, trade = self._trades.setdefault(symbol, {}), (number, at_ms)
        if trade in heard:
            return True
        heard[trade] = None
        if len(heard) > REMEMBERED_TRADES:
            del heard[next(iter(heard))]
        return False

    def _mark(self, at_us: int, mark: frames.MarkPrice) -> Sequence[MarketEvent]:
        _refuse_unless(mark.p.is_finite() and mark.p > 0, "mark price", mark.p)
        _refuse_unless(mark.i.is_finite() and mark.i >= 0, "index price", mark.i)
        _refuse_unless(mark.r.is_finite(), "funding rate", mark.r)
        if self._book(mark.s).touch is None:
            return self._pass("before the touch")
        return [
            Marked(
                symbol=mark.s,
                at_us=at_us,
                mark=Price(mark.p),
                index=Price(mark.i),
                funding_rate=mark.r,
                next_funding_ms=Millis(mark.T),
            )
        ]

    def _book(self, symbol: str) -> LocalBook:
        book = self._books.get(symbol)
        if book is None:
            book = self._books[symbol] = LocalBook(symbol)
        return book

    def _gap(self, at_us: int, book: LocalBook, broken: SequenceBroken) -> Events:
        self.gap_count += 1
        self.gaps.append(Gap(symbol=book.symbol, at_us=at_us, expected=broken.expected, got=broken.got))
        return book.restart(at_us)

    def _pass(self, reason: str) -> Sequence[MarketEvent]:
        self.passed_over[reason] += 1
        return []


def _check_levels(levels: Sequence[Level]) -> None:
    for level in levels:
        _refuse_unless(level.price.is_finite() and level.price > 0, "price", level.price)
        _refuse_unless(level.qty.is_finite() and level.qty >= 0, "quantity", level.qty)


def _refuse_unless(good: bool, name: str, amount: Decimal) -> None:
    if not good:
        raise FrameRefused(f"{name} {amount} is not possible")
