"""Public streams: which are wanted, and the frames the market makes for them.

A stream exists on one route only (Binance's 2026 notice); wanted elsewhere it is silent. Frames are made only for
streams somebody wants, so an unwatched market costs nothing. Update ids are the book's own: a diff carries the first
and last id since the one before (``U``, ``u``) and that one's last (``pu``).
"""

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import msgspec

from chimera.simulate.door.messages import MARKET, PUBLIC, Frame
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.trading.market import Side
from chimera.trading.money import ZERO

MARK_SLOW_MS = 3_000
_DEPTH = re.compile(r"depth(5|10|20)?(@(?:0|100|250|500)ms)?")
_encode = msgspec.json.Encoder().encode


def route_of(stream: str) -> str | None:
    """The only route that carries ``stream``; ``None`` for a name the twin does not know."""
    _, _, kind = stream.partition("@")
    if kind == "bookTicker" or _DEPTH.fullmatch(kind):
        return PUBLIC
    return MARKET if kind in ("aggTrade", "trade", "markPrice", "markPrice@1s") else None


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


class Publisher:
    """Frames of the public streams."""

    def __init__(self) -> None:
        self._wanted: dict[str, Wanted] = {}
        self.agg_id = 0  # the last public trade id given
        self._frames: list[Frame] = []

    def want(self, stream: str) -> None:
        """One more reader of ``stream``."""
        symbol, _, kind = stream.partition("@")
        wanted = self._wanted.setdefault(symbol, Wanted())
        wanted.counts[kind] += 1
        match = _DEPTH.fullmatch(kind)
        if match is not None and kind not in wanted.depth:
            every = int(match[2][1:-2]) if match[2] else 250
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

    def quoted(self, listing: Perpetual, now_ms: int) -> None:
        """The displayed book changed."""
        wanted = self._wanted.get(listing.symbol.lower())
        if wanted is None:
            return
        book = listing.book
        touch = book.touch
        if touch is not None and touch != wanted.touch and wanted.counts["bookTicker"]:
            wanted.touch = touch
            self._emit(PUBLIC, listing, "bookTicker", _book_ticker(listing, touch, now_ms))
        for stream in wanted.depth.values():
            stream.bids.update(dict.fromkeys(book.bids.changed))
            stream.asks.update(dict.fromkeys(book.asks.changed))
            self._flush(listing, stream, now_ms)

    def tick(self, listing: Perpetual, now_ms: int) -> None:
        """Time passed: depth frames that are due go out."""
        wanted = self._wanted.get(listing.symbol.lower())
        if wanted is not None:
            for stream in wanted.depth.values():
                self._flush(listing, stream, now_ms)

    def _flush(self, listing: Perpetual, stream: DepthStream, now_ms: int) -> None:
        if not (stream.bids or stream.asks) or now_ms - stream.sent_ms < stream.every_ms:
            return
        book, last = listing.book, stream.sent_id
        if stream.levels is None:
            bids = [(price, book.bids.shown.get(price, ZERO)) for price in sorted(stream.bids, reverse=True)]
            asks = [(price, book.asks.shown.get(price, ZERO)) for price in sorted(stream.asks)]
        else:
            bids, asks = book.bids.top(stream.levels), book.asks.top(stream.levels)
        event = {
            "e": "depthUpdate",
            "E": now_ms,
            "T": now_ms,
            "s": listing.symbol,
            "ps": listing.symbol,
            "U": min(last + 1, book.update_id),
            "u": book.update_id,
            "pu": last,
            "b": rows(listing, bids),
            "a": rows(listing, asks),
            "st": 1,
        }
        stream.bids.clear()
        stream.asks.clear()
        stream.sent_id, stream.sent_ms = book.update_id, now_ms
        self._frames.append(Frame(route=PUBLIC, channel=stream.name, event="depthUpdate", payload=_encode(event)))

    def trade(self, listing: Perpetual, price: Decimal, qty: Decimal, taker: Side, now_ms: int) -> None:
        """A public trade."""
        wanted = self._wanted.get(listing.symbol.lower())
        if wanted is None:
            return
        self.agg_id += 1
        head: dict[str, Any] = {"E": now_ms, "s": listing.symbol, "p": listing.p(price), "q": listing.q(qty)}
        head |= {"T": now_ms, "m": taker is Side.SELL}
        number = self.agg_id
        if wanted.counts["aggTrade"]:
            more = {"e": "aggTrade", "a": number, "f": number, "l": number, "nq": head["q"], "st": 1}
            self._emit(MARKET, listing, "aggTrade", more | head)
        if wanted.counts["trade"]:
            self._emit(MARKET, listing, "trade", {"e": "trade", "t": number, "X": "MARKET", "st": 1} | head)

    def marked(self, listing: Perpetual, now_ms: int) -> None:
        """The mark price was set."""
        wanted = self._wanted.get(listing.symbol.lower())
        if wanted is None or listing.mark is None:
            return
        slow = now_ms - wanted.slow_mark_ms >= MARK_SLOW_MS
        if slow:
            wanted.slow_mark_ms = now_ms
        event = _mark_price(listing, listing.mark, now_ms)
        for kind in ("markPrice", "markPrice@1s"):
            if wanted.counts[kind] and (slow or kind == "markPrice@1s"):
                self._emit(MARKET, listing, kind, event)

    def _emit(self, route: str, listing: Perpetual, kind: str, event: dict[str, Any]) -> None:
        channel = f"{listing.symbol.lower()}@{kind}"
        self._frames.append(Frame(route=route, channel=channel, event=event["e"], payload=_encode(event)))


def rows(listing: Perpetual, levels: list[tuple[Decimal, Decimal]]) -> list[list[str]]:
    """Levels as the wire writes them."""
    return [[listing.p(price), listing.q(qty)] for price, qty in levels]


def _book_ticker(listing: Perpetual, touch: tuple[Decimal, ...], now_ms: int) -> dict[str, Any]:
    bid, bid_qty, ask, ask_qty = touch
    return {
        "e": "bookTicker",
        "u": listing.book.update_id,
        "E": now_ms,
        "T": now_ms,
        "s": listing.symbol,
        "ps": listing.symbol,
        "b": listing.p(bid),
        "B": listing.q(bid_qty),
        "a": listing.p(ask),
        "A": listing.q(ask_qty),
        "st": 1,
    }


def _mark_price(listing: Perpetual, mark: Decimal, now_ms: int) -> dict[str, Any]:
    index = listing.index if listing.index is not None else mark
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": listing.symbol,
        "p": f"{mark:.8f}",
        "ap": f"{mark:.8f}",
        "i": f"{index:.8f}",
        "P": f"{index:.8f}",
        "r": f"{listing.funding_rate:.8f}",
        "T": listing.funding_at(now_ms),
        "st": 1,
    }
