"""Public streams, whatever the market: which are wanted, their rhythm, and what has changed since the last frame.

Frames are made only for streams somebody wants, so an unwatched market costs nothing. Update ids are the book's own: a
diff carries the first and last id since the one before. What a frame looks like, and on which route it goes, is each
market's own.
"""

import re
from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from chimera.simulate.door.messages import Frame
from chimera.simulate.venue.listing import Listing
from chimera.trading.market import Side
from chimera.trading.money import ZERO

L = TypeVar("L", bound=Listing[Any])
Levels = list[tuple[Decimal, Decimal]]
Event = dict[str, Any]

_DEPTH = re.compile(r"depth(5|10|20)?(@(?:0|100|250|500|1000)ms)?")
_encode = msgspec.json.Encoder().encode


def depth_stream(kind: str) -> bool:
    """Whether a stream's kind is one of the depth streams."""
    return _DEPTH.fullmatch(kind) is not None


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
class Wanted:
    """What is watched of one symbol."""

    counts: Counter[str] = field(default_factory=Counter)
    depth: dict[str, DepthStream] = field(default_factory=dict)
    touch: tuple[Decimal, ...] | None = None
    slow_mark_ms: int = 0


class PublicStreams(ABC, Generic[L]):
    """Frames of one market's public streams. ``depth_ms``: the rhythm of a depth stream that names none."""

    depth_route: str
    depth_ms: int

    def __init__(self) -> None:
        self._wanted: dict[str, Wanted] = {}
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
    def route(self, kind: str) -> str:
        """The route that carries a stream of this kind."""

    def want(self, stream: str) -> None:
        """One more reader of ``stream``."""
        symbol, _, kind = stream.partition("@")
        wanted = self._wanted.setdefault(symbol, Wanted())
        wanted.counts[kind] += 1
        match = _DEPTH.fullmatch(kind)
        if match is not None and kind not in wanted.depth:
            every = int(match[2][1:-2]) if match[2] else self.depth_ms
            wanted.depth[kind] = DepthStream(stream, every, int(match[1]) if match[1] else None)

    def unwant(self, stream: str) -> None:
        """One reader less."""
        symbol, _, kind = stream.partition("@")
        wanted = self._wanted.get(symbol)
        if wanted is None or not wanted.counts[kind]:
            return
        wanted.counts[kind] -= 1
        if not wanted.counts[kind]:
            del wanted.counts[kind]
            wanted.depth.pop(kind, None)
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
            stream.bids.update(dict.fromkeys(book.bids.changed))
            stream.asks.update(dict.fromkeys(book.asks.changed))
            self._flush(listing, stream, now_ms)

    def tick(self, listing: L, now_ms: int) -> None:
        """Time passed: depth frames that are due go out."""
        wanted = self.wanted(listing)
        if wanted is not None:
            for stream in wanted.depth.values():
                self._flush(listing, stream, now_ms)

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
        wanted = self.wanted(listing)
        if wanted is None:
            return
        self.agg_id += 1
        for kind, event in self.prints(listing, price, qty, taker, now_ms).items():
            if wanted.counts[kind]:
                self.emit(listing, kind, event)

    def emit(self, listing: L, kind: str, event: Event) -> None:
        """Queue one frame of the listing's stream of this kind."""
        channel = f"{listing.symbol.lower()}@{kind}"
        name = event.get("e", kind)
        self._frames.append(Frame(route=self.route(kind), channel=channel, event=name, payload=_encode(event)))
