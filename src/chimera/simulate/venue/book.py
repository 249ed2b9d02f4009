"""One symbol's visible market: what others offer, less what our takers have taken of it.

Invariants: never crossed, no level of zero or negative size, ``update_id`` grows by one per change. Both a source that
shows only the touch and one that shows depth work; from a touch alone, the unseen levels behind it are assumed to hold
the touch's size on each of the next ``UNSEEN_LEVELS`` ticks.

Self-impact, a plain rule: what our takers took of a level is gone until the market restates that level with another
size, or ``REFILL_MS`` after our last take on that side, looked at or not. A print past the touch is news the quotes do
not have yet: until the next of them a taker gets no better price than it. The displayed book is the market's own and
does not show our orders. ``tests/support/naive_book.py`` says the same more slowly.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from decimal import Decimal

from chimera.trading.market import DepthChanged, Level, Side, TopOfBook
from chimera.trading.money import ZERO

UNSEEN_LEVELS = 50
REFILL_MS = 1_000
UNKNOWN_QUEUE = Decimal("Infinity")


class Ladder:
    """One side's levels. ``changed``: the prices the last event touched."""

    __slots__ = ("beyond", "changed", "is_bid", "prices", "refill_at_ms", "shown", "taken")

    def __init__(self, side: Side) -> None:
        self.is_bid = side is Side.BUY
        self.prices: list[Decimal] = []  # ascending
        self.shown: dict[Decimal, Decimal] = {}
        self.taken: dict[Decimal, Decimal] = {}
        self.refill_at_ms = 0
        self.changed: list[Decimal] = []
        self.beyond: Decimal | None = None  # the last print, if it is past the touch and nothing was stated since

    @property
    def best(self) -> Decimal | None:
        """The displayed best price."""
        return (self.prices[-1] if self.is_bid else self.prices[0]) if self.prices else None

    def put(self, price: Decimal, qty: Decimal) -> None:
        """State a level's absolute size; zero removes it. The same size again changes nothing."""
        old = self.shown.get(price)
        if old == qty or (old is None and qty <= ZERO):
            return
        if old is None:
            insort(self.prices, price)
        if qty > ZERO:
            self.shown[price] = qty
        else:
            del self.shown[price]
            del self.prices[bisect_left(self.prices, price)]
        self.taken.pop(price, None)
        self.changed.append(price)

    def cut_to(self, price: Decimal) -> None:
        """Drop every level better than ``price``."""
        while self.prices:
            best = self.prices[-1] if self.is_bid else self.prices[0]
            if best <= price if self.is_bid else best >= price:
                return
            self.put(best, ZERO)

    def clear(self, but: Decimal | None = None) -> None:
        """Drop every level, except one."""
        for price in [price for price in self.prices if price != but]:
            self.put(price, ZERO)

    def taken_now(self, now_ms: int) -> dict[Decimal, Decimal]:
        """What our takers took of each price and the market has not given back."""
        if self.taken and now_ms >= self.refill_at_ms:
            self.taken.clear()
        return self.taken

    def levels(self) -> Iterator[Decimal]:
        """Displayed prices, best first."""
        return reversed(self.prices) if self.is_bid else iter(self.prices)

    def top(self, count: int) -> list[tuple[Decimal, Decimal]]:
        """The best ``count`` levels as displayed."""
        prices = self.prices[: -count - 1 : -1] if self.is_bid else self.prices[:count]
        return [(price, self.shown[price]) for price in prices]


class Book:
    """Bids and asks of one symbol."""

    __slots__ = ("asks", "bids", "deep", "tick", "update_id", "whole")

    def __init__(self, tick: Decimal) -> None:
        self.bids = Ladder(Side.BUY)
        self.asks = Ladder(Side.SELL)
        self.tick = tick
        self.deep = False  # depth was seen: takers walk shown levels only
        self.whole = False  # a snapshot was seen: a level not shown holds nothing
        self.update_id = 0

    def side(self, side: Side) -> Ladder:
        """Where orders of ``side`` rest."""
        return self.bids if side is Side.BUY else self.asks

    def apply_top(self, event: TopOfBook) -> None:
        """The touch as the market states it. A touch that is crossed in itself is ignored."""
        self._begin()
        if event.bid >= event.ask:
            return
        for ladder, price, qty in ((self.bids, event.bid, event.bid_qty), (self.asks, event.ask, event.ask_qty)):
            if self.deep:
                ladder.cut_to(price)
            elif len(ladder.prices) > 1 or ladder.best != price:
                ladder.clear(but=price)
            ladder.put(price, qty)
        self.update_id += 1

    def apply_depth(self, event: DepthChanged) -> None:
        """Changed levels, or with ``snapshot`` the whole book. Stale levels that the new ones cross are dropped."""
        self._begin()
        self.deep = True
        if event.snapshot:
            self.whole = True
            self.bids.clear()
            self.asks.clear()
        self._put(event.bids, self.bids, self.asks)
        self._put(event.asks, self.asks, self.bids)
        self.update_id += 1

    def _begin(self) -> None:
        for ladder in (self.bids, self.asks):
            ladder.changed.clear()
            ladder.beyond = None

    def _put(self, levels: tuple[Level, ...], own: Ladder, other: Ladder) -> None:
        for level in levels:
            own.put(level.price, level.qty)
        best = own.best
        if best is None:
            return
        while (facing := other.best) is not None and (best >= facing if own.is_bid else best <= facing):
            other.put(facing, ZERO)

    def printed(self, taker: Side, price: Decimal) -> None:
        """A public trade: past the touch it says that what is displayed before it is no longer to be had so well."""
        ladder = self.side(taker.opposite)
        best = ladder.best
        ladder.beyond = price if best is not None and (price - best) * taker.sign > 0 else None

    def offers(self, taker: Side, now_ms: int) -> Iterator[tuple[Decimal, Decimal]]:
        """What a taker of ``taker`` side finds, best first: price and the size still there."""
        beyond = self.side(taker.opposite).beyond
        for price, left in self._standing(taker, now_ms):
            yield price if beyond is None or (price - beyond) * taker.sign >= 0 else beyond, left

    def _standing(self, taker: Side, now_ms: int) -> Iterator[tuple[Decimal, Decimal]]:
        """The levels as displayed, less what was taken of them."""
        ladder = self.side(taker.opposite)
        taken = ladder.taken_now(now_ms)
        for price in ladder.levels():
            left = ladder.shown[price] - taken.get(price, ZERO)
            if left > ZERO:
                yield price, left
        if not self.deep and ladder.prices:
            yield from self._unseen(ladder, taker)

    def _unseen(self, ladder: Ladder, taker: Side) -> Iterator[tuple[Decimal, Decimal]]:
        best = ladder.prices[0]
        size = ladder.shown[best]
        for number in range(1, UNSEEN_LEVELS + 1):
            price = best + self.tick * number * taker.sign
            left = size - ladder.taken.get(price, ZERO)
            if left > ZERO and price > ZERO:
                yield price, left

    def best_offer(self, taker: Side, now_ms: int) -> Decimal | None:
        """The best price a taker could have now."""
        ladder = self.side(taker.opposite)
        best = ladder.best
        if best is None:
            return None
        taken = ladder.taken_now(now_ms)
        if ladder.beyond is None and (not taken or taken.get(best, ZERO) < ladder.shown[best]):
            return best
        return next((price for price, _ in self.offers(taker, now_ms)), None)

    def take(self, taker: Side, price: Decimal, qty: Decimal, now_ms: int) -> None:
        """Our taker took ``qty`` at ``price``."""
        ladder = self.side(taker.opposite)
        taken = ladder.taken_now(now_ms)
        if price == ladder.beyond:
            self._take_before(taker, price, qty, now_ms)
        else:
            taken[price] = taken.get(price, ZERO) + qty
        ladder.refill_at_ms = now_ms + REFILL_MS

    def _take_before(self, taker: Side, price: Decimal, qty: Decimal, now_ms: int) -> None:
        """From the levels that are all to be had at ``price`` now, best first."""
        taken = self.side(taker.opposite).taken
        for level, there in tuple(self._standing(taker, now_ms)):
            part = min(qty, there)
            if not part or (level - price) * taker.sign > 0:
                return
            taken[level] = taken.get(level, ZERO) + part
            qty -= part

    def queue_at(self, side: Side, price: Decimal) -> Decimal:
        """What stands before an order that joins ``side`` at ``price`` now; infinite where it cannot be seen.

        Even a whole book ends at its deepest level: a snapshot has so many and no more.
        """
        ladder = self.side(side)
        shown = ladder.shown.get(price)
        if shown is not None:
            return shown
        best = ladder.best
        if best is None or (price >= best if side is Side.BUY else price <= best):
            return ZERO
        within = price > ladder.prices[0] if side is Side.BUY else price < ladder.prices[-1]
        return ZERO if self.whole and within else UNKNOWN_QUEUE

    @property
    def touch(self) -> tuple[Decimal, Decimal, Decimal, Decimal] | None:
        """Displayed bid, its size, ask, its size; ``None`` while a side is empty."""
        bid, ask = self.bids.best, self.asks.best
        if bid is None or ask is None:
            return None
        return bid, self.bids.shown[bid], ask, self.asks.shown[ask]

    @property
    def mid(self) -> Decimal | None:
        """The displayed mid."""
        touch = self.touch
        return None if touch is None else (touch[0] + touch[2]) / 2
