"""The spot public streams: which there are, and the frames' shapes.

Spot has one route for all. Its touch and its partial depth carry no time; a depth diff names the first and last update
id since the one before (``U``, ``u``), and nothing of that one.
"""

from decimal import Decimal
from typing import Any

from chimera.simulate.door.messages import SPOT
from chimera.simulate.spot.pair import Pair
from chimera.simulate.venue.print_rows import Day
from chimera.simulate.venue.streams import (
    CONTINUOUS,
    DepthStream,
    Event,
    Levels,
    PublicStreams,
    depth_stream,
    rows,
    summary_stream,
)
from chimera.trading.market import Side
from chimera.trading.money import ZERO


def known(stream: str) -> bool:
    """Whether the twin makes frames for ``stream``; a subscription to another is answered and stays silent."""
    _, _, kind = stream.partition("@")
    if stream == "!miniTicker@arr":  # spot's ``!ticker@arr`` was retired on 2026-03-26
        return True
    if kind.startswith(CONTINUOUS):
        return False
    return kind in ("bookTicker", "aggTrade", "trade") or depth_stream(kind) or summary_stream(kind)


def day_of(pair: Pair, now_ms: int) -> Event:
    """The 24 h ticker."""
    day = Day(pair, now_ms)
    bid, bid_qty, ask, ask_qty = pair.book.touch or (ZERO, ZERO, ZERO, ZERO)
    return day.whole() | {
        "prevClosePrice": pair.p(day.candle.open),
        "bidPrice": pair.p(bid),
        "bidQty": pair.q(bid_qty),
        "askPrice": pair.p(ask),
        "askQty": pair.q(ask_qty),
    }


class SpotPublisher(PublicStreams[Pair]):
    """Frames of the public streams."""

    depth_route = SPOT
    depth_ms = 1_000
    kline_ms = 2_000

    def day(self, listing: Pair, now_ms: int) -> Event:
        return day_of(listing, now_ms)

    def route(self, kind: str) -> str:
        return SPOT

    def book_ticker(self, listing: Pair, touch: tuple[Decimal, ...], now_ms: int) -> Event:
        bid, bid_qty, ask, ask_qty = touch
        return {
            "u": listing.book.update_id,
            "s": listing.symbol,
            "b": listing.p(bid),
            "B": listing.q(bid_qty),
            "a": listing.p(ask),
            "A": listing.q(ask_qty),
        }

    def depth(self, listing: Pair, stream: DepthStream, bids: Levels, asks: Levels, now_ms: int) -> Event:
        book = listing.book
        if stream.levels is not None:
            return {"lastUpdateId": book.update_id, "bids": rows(listing, bids), "asks": rows(listing, asks)}
        return {
            "e": "depthUpdate",
            "E": now_ms,
            "s": listing.symbol,
            "U": min(stream.sent_id + 1, book.update_id),
            "u": book.update_id,
            "b": rows(listing, bids),
            "a": rows(listing, asks),
        }

    def prints(self, listing: Pair, price: Decimal, qty: Decimal, taker: Side, now_ms: int) -> dict[str, Event]:
        number = self.agg_id
        head: dict[str, Any] = {"E": now_ms, "s": listing.symbol, "p": listing.p(price), "q": listing.q(qty)}
        tail = {"T": now_ms, "m": taker is Side.SELL, "M": True}
        return {
            "aggTrade": {"e": "aggTrade"} | head | {"a": number, "f": number, "l": number} | tail,
            "trade": {"e": "trade"} | head | {"t": number} | tail,
        }
