"""Public streams, whatever the market: which are wanted, their rhythm, and what has changed since the last frame.

Frames are made only for streams somebody wants, so an unwatched market costs nothing. Update ids are the book's own: a
diff carries the first and last id since the one before. A candle's last frame (``x``) goes out once it is over. What a
frame looks like, and on which route it goes, is each market's own.
"""

import re
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from chimera.simulate.door.messages import Frame
from chimera.simulate.venue.candles import INTERVALS, Interval, Print
from chimera.simulate.venue.listing import Listing
from chimera.simulate.venue.print_rows import continuous_event, kline_event, ticker_event
from chimera.trading.market import Side
from chimera.trading.money import ZERO

L = TypeVar("L", bound=Listing[Any])
Levels = list[tuple[Decimal, Decimal]]
Event = dict[str, Any]

_DEPTH = re.compile(r"depth(5|10|20)?(@(?:0|100|250|500|1000)ms)?")
CONTINUOUS, PERPETUAL = "continuousKline", "_perpetual"  # candles of a contract that goes on: <pair>_perpetual@…
ALL_TICKERS = {"!miniTicker@arr": "miniTicker", "!ticker@arr": "ticker"}
_encode = msgspec.json.Encoder().encode


def depth_stream(kind: str) -> bool:
    """Whether a stream's kind is one of the depth streams."""
    return _DEPTH.fullmatch(kind) is not None


def summary_stream(kind: str) -> bool:
    """Whether a stream's kind is one of candles or 24 h tickers."""
    name, _, interval = kind.partition("_")
    return kind in ("ticker", "miniTicker") or (name in ("kline", CONTINUOUS) and interval in INTERVALS)


def _parts(stream: str) -> tuple[str, str]:
    """The symbol and the kind of a stream; a continuous contract is the symbol's perpetual."""
    symbol, _, kind = stream.partition("@")
    return symbol.removesuffix(PERPETUAL), kind


def rows(listing: Listing[Any], levels: Levels) -> list[list[str]]:
    """Levels as the wire writes them."""
    return [[listing.p(price), listing.q(qty)] for price, qty in levels]


@dataclass(slots=True)
class DepthStream:
    """One depth stream's rhythm and what changed since its last frame."""

    name: str
    every_ms: int
    levels: int | None  # ``None``: diffs
    bids: dict[Decimal, None] = field(default_factory=dict)
    asks: dict[Decimal, None] = field(default_factory=dict)
    sent_id: int = 0
    sent_ms: int = 0


@dataclass(slots=True)
class Summary:
    """One stream of candles or tickers: its rhythm, and up to which trade it was told."""

    kind: str
    every_ms: int
    interval: Interval | None  # ``None``: a ticker
    opening_ms: int = 0
    told_id: int = -1
    sent_ms: int = 0


@dataclass(slots=True)
class Everybody:
    """A stream of all symbols: readers, and up to which trade it was told."""

    readers: int = 0
    told_id: int = 0
    sent_ms: int = 0


@dataclass(slots=True)
class Wanted:
    """What is watched of one symbol."""

    counts: Counter[str] = field(default_factory=Counter)
    depth: dict[str, DepthStream] = field(default_factory=dict)
    summaries: dict[str, Summary] = field(default_factory=dict)
    touch: tuple[Decimal, ...] | None = None
    slow_mark_ms: int = 0


class PublicStreams(ABC, Generic[L]):
    """Frames of one market's public streams. ``depth_ms``: the rhythm of a depth stream that names none; ``kline_ms``
    and ``ticker_ms`` that of the others.
    """

    depth_route: str
    depth_ms: int
    kline_ms: int
    ticker_ms: int = 1_000

    def __init__(self) -> None:
        self._wanted: dict[str, Wanted] = {}
        self._everybody: defaultdict[str, Everybody] = defaultdict(Everybody)
        self.agg_id = 0  # the last public trade id given
        self._frames: list[Frame] = []

    @abstractmethod
    def book_ticker(self, listing: L, touch: tuple[Decimal, ...], now_ms: int) -> Event:
        """The touch."""

    @abstractmethod
    def depth(self, listing: L, stream: DepthStream, bids: Levels, asks: Levels, now_ms: int) -> Event:
        """Changed levels or the top ones, as ``stream`` says; ``sent_id`` is still that of the frame before."""

    @abstractmethod
    def prints(self, listing: L, price: Decimal, qty: Decimal, taker: Side, now_ms: int) -> dict[str, Event]:
        """A public trade by stream kind; its id is ``agg_id``."""

    @abstractmethod
    def day(self, listing: L, now_ms: int) -> Event:
        """The 24 h ticker as REST answers it."""

    @abstractmethod
    def route(self, kind: str) -> str:
        """The route that carries a stream of this kind."""

    def want(self, stream: str) -> None:
        """One more reader of ``stream``."""
        if stream.startswith("!"):
            self._everybody[stream].readers += 1
            return
        symbol, kind = _parts(stream)
        wanted = self._wanted.setdefault(symbol, Wanted())
        wanted.counts[kind] += 1
        match = _DEPTH.fullmatch(kind)
        if match is not None and kind not in wanted.depth:
            every = int(match[2][1:-2]) if match[2] else self.depth_ms
            wanted.depth[kind] = DepthStream(stream, every, int(match[1]) if match[1] else None)
        if summary_stream(kind) and kind not in wanted.summaries:
            interval = INTERVALS.get(kind.partition("_")[2])
            wanted.summaries[kind] = Summary(kind, self.ticker_ms if interval is None else self.kline_ms, interval)

    def unwant(self, stream: str) -> None:
        """One reader less."""
        if stream in self._everybody:
            self._everybody[stream].readers -= 1
            return
        symbol, kind = _parts(stream)
        wanted = self._wanted.get(symbol)
        if wanted is None or not wanted.counts[kind]:
            return
        wanted.counts[kind] -= 1
        if not wanted.counts[kind]:
            del wanted.counts[kind]
            wanted.depth.pop(kind, None)
            wanted.summaries.pop(kind, None)
            if not wanted.counts:
                del self._wanted[symbol]

    def drain(self) -> list[Frame]:
        """Frames since the last drain."""
        frames, self._frames = self._frames, []
        return frames

    def wanted(self, listing: L) -> Wanted | None:
        """What is watched of it; ``None``: nothing."""
        return self._wanted.get(listing.symbol.lower())

    def quoted(self, listing: L, now_ms: int) -> None:
        """The displayed book changed."""
        wanted = self.wanted(listing)
        if wanted is None:
            return
        book = listing.book
        touch = book.touch
        if touch is not None and touch != wanted.touch and wanted.counts["bookTicker"]:
            wanted.touch = touch
            self.emit(listing, "bookTicker", self.book_ticker(listing, touch, now_ms))
        for stream in wanted.depth.values():
            stream.sent_id = stream.sent_id or book.update_id - 1  # a diff says nothing of what was before its reader
            stream.bids.update(dict.fromkeys(book.bids.changed))
            stream.asks.update(dict.fromkeys(book.asks.changed))
            self._flush(listing, stream, now_ms)

    def tick(self, listing: L, now_ms: int) -> None:
        """Time passed: depth frames, candles and tickers that are due go out."""
        wanted = self.wanted(listing)
        if wanted is not None:
            for stream in wanted.depth.values():
                self._flush(listing, stream, now_ms)
            for summary in wanted.summaries.values():
                self._sum_up(listing, summary, now_ms)

    def tick_all(self, listings: Iterable[L], now_ms: int) -> None:
        """Time passed on the whole market: the tickers of all that traded since."""
        for stream, all_of in self._everybody.items():
            kind = ALL_TICKERS.get(stream)
            if kind is None or not all_of.readers or now_ms - all_of.sent_ms < self.ticker_ms:
                continue
            moved = [each for each in listings if each.prints.last_id > all_of.told_id]
            if moved:
                self.emit_all(stream, [ticker_event(kind, self.day(each, now_ms), now_ms) for each in moved])
            all_of.told_id, all_of.sent_ms = self.agg_id, now_ms

    def wanted_by_all(self, stream: str) -> Everybody | None:
        """A stream of all symbols that has a reader."""
        return self._everybody[stream] if stream in self._everybody and self._everybody[stream].readers else None

    def emit_all(self, stream: str, events: list[Event]) -> None:
        """Queue one frame of a stream of all symbols: an array."""
        name, payload = events[0]["e"], _encode(events)
        self._frames.append(Frame(route=self.route("arr"), channel=stream, event=name, payload=payload))

    def emit_one(self, stream: str, route: str, event: Event) -> None:
        """Queue one symbol's frame of a stream of all."""
        self._frames.append(Frame(route=route, channel=stream, event=event["e"], payload=_encode(event)))

    def _sum_up(self, listing: L, summary: Summary, now_ms: int) -> None:
        interval, last_id = summary.interval, listing.prints.last_id
        if interval is not None and summary.opening_ms != (opening_ms := interval.opening(now_ms)):
            if summary.opening_ms:
                self._candle(listing, summary, interval, now_ms, closed=True)
            summary.opening_ms = opening_ms
        if last_id == summary.told_id or now_ms - summary.sent_ms < summary.every_ms:
            return
        summary.told_id, summary.sent_ms = last_id, now_ms
        if interval is not None:
            self._candle(listing, summary, interval, now_ms, closed=False)
        else:
            event = ticker_event(summary.kind, self.day(listing, now_ms), now_ms)
            self.emit(listing, summary.kind, event)

    def _candle(self, listing: L, summary: Summary, interval: Interval, now_ms: int, *, closed: bool) -> None:
        candle = listing.prints.candle(interval, summary.opening_ms)
        if candle is not None:
            event = kline_event(listing, candle, interval, now_ms, closed=closed)
            self.emit(listing, summary.kind, continuous_event(event) if CONTINUOUS in summary.kind else event)

    def _flush(self, listing: L, stream: DepthStream, now_ms: int) -> None:
        if not (stream.bids or stream.asks) or now_ms - stream.sent_ms < stream.every_ms:
            return
        book = listing.book
        if stream.levels is None:
            bids = [(price, book.bids.shown.get(price, ZERO)) for price in sorted(stream.bids, reverse=True)]
            asks = [(price, book.asks.shown.get(price, ZERO)) for price in sorted(stream.asks)]
        else:
            bids, asks = book.bids.top(stream.levels), book.asks.top(stream.levels)
        event = self.depth(listing, stream, bids, asks, now_ms)
        stream.bids.clear()
        stream.asks.clear()
        stream.sent_id, stream.sent_ms = book.update_id, now_ms
        frame = Frame(route=self.depth_route, channel=stream.name, event="depthUpdate", payload=_encode(event))
        self._frames.append(frame)

    def trade(self, listing: L, price: Decimal, qty: Decimal, taker: Side, now_ms: int) -> None:
        """A public trade."""
        self.agg_id += 1
        listing.prints.add(Print(self.agg_id, price, qty, taker, now_ms))
        wanted = self.wanted(listing)
        if wanted is None:
            return
        for kind, event in self.prints(listing, price, qty, taker, now_ms).items():
            if wanted.counts[kind]:
                self.emit(listing, kind, event)

    def emit(self, listing: L, kind: str, event: Event) -> None:
        """Queue one frame of the listing's stream of this kind."""
        channel = f"{listing.symbol.lower()}{PERPETUAL if CONTINUOUS in kind else ''}@{kind}"
        name = event.get("e", kind)
        self._frames.append(Frame(route=self.route(kind), channel=channel, event=name, payload=_encode(event)))
