"""What the market can bear: the book near the touch, the last hour's means, and a plan's terms for poor markets.

Spreads are basis points of the mid, depths quote asset at one touch, quantities base asset. How a book is read and
what follows for a child order is ``route.probe``'s.
"""

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from chimera.trading.market import Level, Side, Touch
from chimera.trading.money import BPS, Millis, Price, Qty, Quote
from chimera.trading.value import Value

TOP_LEVELS: Final = 3  # of each side: so much of the book is kept with what was sent into it
_BPS_KEPT: Final = Decimal("1e-4")


def slip_bps(price: Price, mid: Price, side: Side) -> Decimal:
    """What a (mean) price cost against the mid when its order was sent, bps: > 0 adverse to the side, < 0 better.

    Kept to 1e-4 bps, half to even (S4-ROUTE-10).
    """
    return ((price - mid) / mid * BPS * side.sign).quantize(_BPS_KEPT, ROUND_HALF_EVEN)


class Book(Value):
    """Levels best first, neither side empty; ``whole`` is False where nothing is known beyond the touch."""

    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    at_ms: Millis
    whole: bool = True

    @classmethod
    def of(cls, touch: Touch) -> "Book":
        """As much as a touch tells."""
        return cls(
            bids=(Level(price=touch.bid, qty=touch.bid_qty),),
            asks=(Level(price=touch.ask, qty=touch.ask_qty),),
            at_ms=touch.at_ms,
            whole=False,
        )

    @property
    def mid(self) -> Price:
        return Price((self.bids[0].price + self.asks[0].price) / 2)

    @property
    def spread_bps(self) -> Decimal:
        return (self.asks[0].price - self.bids[0].price) / self.mid * BPS

    def best(self, levels: int = TOP_LEVELS) -> "Book":
        """No more than so many levels of each side."""
        return self.but(bids=self.bids[:levels], asks=self.asks[:levels])

    def taken_by(self, side: Side) -> tuple[Level, ...]:
        """What an order of this side takes: a BUY the asks."""
        return self.asks if side is Side.BUY else self.bids

    def joined_by(self, side: Side) -> tuple[Level, ...]:
        """Where an order of this side rests: a BUY among the bids."""
        return self.bids if side is Side.BUY else self.asks

    def levels(self, side: Side) -> Iterator[tuple[Price, Qty]]:
        """Price and quantity of what a taker of this side meets, in that order."""
        return ((level.price, level.qty) for level in self.taken_by(side))


class Hour(Value):
    """Means over the last hour of one symbol; absent until enough of it was seen."""

    spread_bps: Decimal
    depth: Quote  # of the thinner touch


class Liquidity(Value):
    """A plan's terms for poor markets: when a child waits, becomes smaller, or goes with a limit price.

    ``postpone_max_ms`` bounds the waiting of all slices together, ``shrinks`` the small children of one slice, so that
    a market that stays poor degrades an order and does not stop it. ``postpone_ms`` 0: it does not wait at all.
    """

    spread_max_bps: Decimal  # wider: wait
    depth_min: Quote  # less at the touch, and the child more than it holds: send what it holds
    slip_max_bps: Decimal  # a child that would cost more than this against the mid is cut, or bounded here
    postpone_ms: int = 5_000
    postpone_max_ms: int = 15_000
    shrinks: int = 6
    shrink_pause_ms: int = 500
