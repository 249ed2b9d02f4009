"""Builders of Binance's market frames and capture lines."""

import json
from collections.abc import Sequence
from typing import Any

Pair = tuple[str, str]
AT_NS = 1_723_161_255_000_000_000


def ticker(u: int, bid: str, ask: str, bid_qty: str = "1", ask_qty: str = "2", symbol: str = "BTCUSDT") -> bytes:
    return stream("bookTicker", {"u": u, "s": symbol, "b": bid, "B": bid_qty, "a": ask, "A": ask_qty})


def diff(
    first: int,
    last: int,
    bids: Sequence[Pair] = (),
    asks: Sequence[Pair] = (),
    pu: int | None = None,
    symbol: str = "BTCUSDT",
) -> bytes:
    data: dict[str, Any] = {"e": "depthUpdate", "s": symbol, "U": first, "u": last, "b": bids, "a": asks}
    return stream("depth@100ms", data if pu is None else data | {"pu": pu})


def trade(price: str, qty: str, *, buyer_is_maker: bool, kind: str = "trade", T: int = 0, **more: str) -> bytes:
    """``T``: it has an id, ever the same, and this time."""
    told = {"e": kind, "s": "BTCUSDT", "p": price, "q": qty, "m": buyer_is_maker}
    return stream(kind, told | ({"t": 7, "T": T} if T else {}) | more)


def mark(price: str, symbol: str = "BTCUSDT") -> bytes:
    data = {"e": "markPriceUpdate", "s": symbol, "p": price, "i": price, "r": "0.00010000", "T": 1_723_190_400_000}
    return stream("markPrice@1s", data)


def snapshot(last: int, bids: Sequence[Pair], asks: Sequence[Pair]) -> bytes:
    return json.dumps({"lastUpdateId": last, "bids": bids, "asks": asks}).encode()


def stream(kind: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"stream": f"{data['s'].lower()}@{kind}", "data": data}).encode()


def lines(*frames: bytes, at_ns: int = AT_NS, step_ns: int = 1_000_000) -> list[bytes]:
    """Capture lines, a millisecond apart."""
    return [b"%d %b\n" % (at_ns + place * step_ns, frame) for place, frame in enumerate(frames)]
