"""The futures public streams: which route carries which, and the frames' shapes.

A stream exists on one route only (Binance's 2026 notice); wanted elsewhere it is silent. A depth diff carries the first
and last update id since the one before (``U``, ``u``) and that one's last (``pu``).
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from chimera.simulate.door.messages import MARKET, PUBLIC
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue.print_rows import Day
from chimera.simulate.venue.streams import (
    ALL_TICKERS,
    CONTINUOUS,
    PERPETUAL,
    DepthStream,
    Event,
    Levels,
    PublicStreams,
    depth_stream,
    rows,
    summary_stream,
)
from chimera.trading.market import Side

MARK_SLOW_MS = 3_000
ALL_MARKS = {"!markPrice@arr": MARK_SLOW_MS, "!markPrice@arr@1s": 1_000}
ALL_TOUCHES, TOUCHES_MS = "!bookTicker", 5_000
_PUBLIC = ("bookTicker", "trade")


def route_of(stream: str) -> str | None:
    """The only route that carries ``stream``; ``None`` for a name the twin does not know.

    ``trade`` is in no list of Binance's; ccxt has it on ``/public`` (its ``get_future_ws_category``).
    """
    if stream in ALL_TICKERS or stream in ALL_MARKS:
        return MARKET
    if stream == ALL_TOUCHES:
        return PUBLIC
    symbol, _, kind = stream.partition("@")
    if kind.startswith(CONTINUOUS) is not symbol.endswith(PERPETUAL):
        return None
    if kind in _PUBLIC or depth_stream(kind):
        return PUBLIC
    return MARKET if kind in ("aggTrade", "markPrice", "markPrice@1s") or summary_stream(kind) else None


class FuturesPublisher(PublicStreams[Perpetual]):
    """Frames of the public streams."""

    depth_route = PUBLIC
    depth_ms = kline_ms = 250

    def day(self, listing: Perpetual, now_ms: int) -> Event:
        return Day(listing, now_ms).whole()

    def route(self, kind: str) -> str:
        return PUBLIC if kind in _PUBLIC else MARKET

    def book_ticker(self, listing: Perpetual, touch: tuple[Decimal, ...], now_ms: int) -> Event:
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

    def depth(self, listing: Perpetual, stream: DepthStream, bids: Levels, asks: Levels, now_ms: int) -> Event:
        book, last = listing.book, stream.sent_id
        return {
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

    def prints(self, listing: Perpetual, price: Decimal, qty: Decimal, taker: Side, now_ms: int) -> dict[str, Event]:
        head: dict[str, Any] = {"E": now_ms, "s": listing.symbol, "p": listing.p(price), "q": listing.q(qty)}
        head |= {"T": now_ms, "m": taker is Side.SELL}
        number = self.agg_id
        return {
            "aggTrade": {"e": "aggTrade", "a": number, "f": number, "l": number, "nq": head["q"], "st": 1} | head,
            "trade": {"e": "trade", "t": number, "X": "MARKET", "st": 1} | head,
        }

    def tick_all(self, listings: Iterable[Perpetual], now_ms: int) -> None:
        found = list(listings)
        super().tick_all(found, now_ms)
        touches = self.wanted_by_all(ALL_TOUCHES)
        if touches is not None and now_ms - touches.sent_ms >= TOUCHES_MS:
            touches.sent_ms = now_ms
            for listing in found:
                if listing.book.touch is not None:
                    self.emit_one(ALL_TOUCHES, PUBLIC, self.book_ticker(listing, listing.book.touch, now_ms))
        for stream, every_ms in ALL_MARKS.items():
            all_of = self.wanted_by_all(stream)
            if all_of is None or now_ms - all_of.sent_ms < every_ms:
                continue
            marks = [_mark_price(each, each.mark, now_ms) for each in found if each.mark is not None]
            if marks:
                self.emit_all(stream, marks)
                all_of.sent_ms = now_ms

    def marked(self, listing: Perpetual, now_ms: int) -> None:
        """The mark price was set."""
        wanted = self.wanted(listing)
        if wanted is None or listing.mark is None:
            return
        slow = now_ms - wanted.slow_mark_ms >= MARK_SLOW_MS
        if slow:
            wanted.slow_mark_ms = now_ms
        event = _mark_price(listing, listing.mark, now_ms)
        for kind in ("markPrice", "markPrice@1s"):
            if wanted.counts[kind] and (slow or kind == "markPrice@1s"):
                self.emit(listing, kind, event)


def _mark_price(listing: Perpetual, mark: Decimal, now_ms: int) -> Event:
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
