"""Price levels of one symbol, kept from market events.

Invariants: prices are unique and sorted, every quantity is > 0, and after a ``TopOfBook`` the best level of each side
is the touch it names. Fed in order by any market source of Chimera, the two sides never cross: a source yields a
``DepthChanged`` only with levels behind the touch it last named.
It does not know orders, queue position, or where events come from.
"""

from bisect import bisect_left

from chimera.trading.market import DepthChanged, Level, TopOfBook
from chimera.trading.money import Price, Qty


class Ladder:
    """One side of a book, ``best_is_high`` for bids. Parallel lists: hashing a Decimal costs more than bisecting."""

    __slots__ = ("_best_is_high", "_prices", "_sizes")

    def __init__(self, *, best_is_high: bool) -> None:
        self._best_is_high = best_is_high
        self._prices: list[Price] = []  # ascending
        self._sizes: list[Qty] = []

    def __len__(self) -> int:
        return len(self._prices)

    def set(self, price: Price, qty: Qty) -> None:
        """Make ``qty`` (base asset) the whole quantity at ``price``; 0 removes the level, absent or not."""
        at = bisect_left(self._prices, price)
        known = at < len(self._prices) and self._prices[at] == price
        if qty == 0:
            if known:
                del self._prices[at], self._sizes[at]
        elif known:
            self._sizes[at] = qty
        else:
            self._prices.insert(at, price)
            self._sizes.insert(at, qty)

    def lead(self, price: Price, qty: Qty) -> None:
        """Make this the best level: every better one is gone."""
        at = bisect_left(self._prices, price)
        if self._best_is_high:
            del self._prices[at:], self._sizes[at:]
            self._prices.append(price)
            self._sizes.append(qty)
        else:
            known = at < len(self._prices) and self._prices[at] == price
            behind = at + 1 if known else at
            self._prices[:behind] = [price]
            self._sizes[:behind] = [qty]

    def clear(self) -> None:
        self._prices.clear()
        self._sizes.clear()

    def at(self, price: Price) -> Qty | None:
        """The quantity known at this price; None where none is."""
        place = bisect_left(self._prices, price)
        return self._sizes[place] if place < len(self._prices) and self._prices[place] == price else None

    def best(self) -> Level | None:
        levels = self.top(1)
        return levels[0] if levels else None

    def top(self, count: int) -> tuple[Level, ...]:
        """The ``count`` best levels, best first."""
        span = slice(-1, -count - 1, -1) if self._best_is_high else slice(0, count)
        pairs = zip(self._prices[span], self._sizes[span], strict=True)
        return tuple(Level(price=price, qty=qty) for price, qty in pairs)


class Depth:
    """Both sides of one symbol's book."""

    __slots__ = ("asks", "bids")

    def __init__(self) -> None:
        self.bids = Ladder(best_is_high=True)
        self.asks = Ladder(best_is_high=False)

    def apply(self, event: TopOfBook | DepthChanged) -> None:
        """Take one event of this symbol; order matters."""
        match event:
            case TopOfBook():
                self.bids.lead(event.bid, event.bid_qty)
                self.asks.lead(event.ask, event.ask_qty)
            case DepthChanged():
                if event.snapshot:
                    self.bids.clear()
                    self.asks.clear()
                for level in event.bids:
                    self.bids.set(level.price, level.qty)
                for level in event.asks:
                    self.asks.set(level.price, level.qty)

    @property
    def crossed(self) -> bool:
        """Whether the best bid is at or above the best ask."""
        bid, ask = self.bids.best(), self.asks.best()
        return bid is not None and ask is not None and bid.price >= ask.price
