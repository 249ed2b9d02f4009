"""How the moment of sending an order shows: the best of the book as it stood, and what its trades cost against it.

What nobody saw is None, never 0.
"""

from typing import Any

from chimera.trading.liquidity import Book, slip_bps
from chimera.trading.market import Level, Side
from chimera.trading.money import ZERO, Price, text


def top3(book: Book | None) -> dict[str, Any] | None:
    """Levels best first, amounts as plain digits; ``at_ms`` is when the book was so."""
    if book is None:
        return None
    return {"at_ms": book.at_ms, "bids": _levels(book.bids), "asks": _levels(book.asks)}


def slippage(price: Price | None, mid: Price | None, side: Side) -> dict[str, str | None]:
    """``slip_bps`` with its sign, > 0 adverse; ``slippage_bps`` (S4-API-5) shows an improvement of the price as 0."""
    if price is None or mid is None:
        return {"slip_bps": None, "slippage_bps": None}
    signed = slip_bps(price, mid, side)
    return {"slip_bps": text(signed), "slippage_bps": text(max(signed, ZERO))}


def _levels(levels: tuple[Level, ...]) -> list[dict[str, str]]:
    return [{"price": text(level.price), "qty": text(level.qty)} for level in levels]
