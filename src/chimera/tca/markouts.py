"""Markouts: where the mid stood some seconds after each fill, seen from the price of the fill.

    markout(h) = s (p - mid(t + h)) q          quote asset
               = s (p - mid(t + h)) / p        in bps, to 1e-4

s +1 for BUY, -1 for SELL; t the moment of the fill. Above 0 is a cost: what was bought is worth less h later. A
maker's markout above 0 is adverse selection: it was filled because the price was about to go through it. A taker pays
half a spread in it from the start. A group's is the mean by notional of the fills whose mid is known; the others are
counted.
"""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from typing import Final

from chimera.tca.quotes import Quotes
from chimera.tca.shortfall import EXACT, bps
from chimera.tca.worked import Traded, Worked
from chimera.trading.money import ZERO, Millis, Price
from chimera.trading.value import Value

HORIZONS_MS: Final = (1_000, 5_000, 60_000)


class Markout(Value, tag=False):
    """``cost`` quote asset over ``known`` fills; both it and ``bps`` None where no fill's mid is known."""

    horizon_ms: int
    known: int
    unknown: int
    cost: Decimal | None
    bps: Decimal | None


def asked_for(works: Iterable[Worked], quotes: Quotes) -> None:
    """Ask for every mid that markouts need."""
    for work in works:
        for fill in work.fills:
            for horizon in HORIZONS_MS:
                quotes.ask(work.market, work.symbol, Millis(fill.at_ms + horizon))


def markouts(works: Iterable[Worked], quotes: Quotes, *, maker: bool | None = None) -> tuple[Markout, ...]:
    """Of all their fills by horizon; ``maker`` tells which of them, None: both. One quote asset among the works."""
    fills = [(work, fill) for work in works for fill in work.fills if maker in (None, fill.maker)]
    return tuple(_at(horizon, fills, quotes) for horizon in HORIZONS_MS)


def _at(horizon: int, fills: list[tuple[Worked, Traded]], quotes: Quotes) -> Markout:
    known, cost, notional = 0, ZERO, ZERO
    with localcontext(EXACT):
        for work, fill in fills:
            mid = quotes.mid(work.market, work.symbol, Millis(fill.at_ms + horizon))
            if mid is not None:
                known += 1
                cost += adverse(work, fill, mid)
                notional += fill.price * fill.qty
    return Markout(
        horizon_ms=horizon,
        known=known,
        unknown=len(fills) - known,
        cost=cost if known else None,
        bps=bps(cost, notional) if known else None,
    )


def adverse(work: Worked, fill: Traded, mid: Price) -> Decimal:
    """Of one fill, quote asset."""
    return work.side.sign * fill.qty * (fill.price - mid)
