"""The simulated exchange's book and queue said slowly: dictionaries and lists, sorted anew at every question.

The oracle of ``Book`` and ``Queue`` in ``chimera.simulate.venue``. ``fingerprint`` reads a book of either kind only
through what matching sees of it, and hashes that.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from hashlib import blake2b
from typing import Any

from chimera.simulate.venue.book import REFILL_MS, UNKNOWN_QUEUE, UNSEEN_LEVELS
from chimera.trading.market import DepthChanged, Level, Side, TopOfBook

ZERO = Decimal(0)


class NaiveBook:
    """Levels by side and price, and every take of ours with its time."""

    def __init__(self, tick: Decimal) -> None:
        self.tick = tick
        self.sizes: dict[Side, dict[Decimal, Decimal]] = {Side.BUY: {}, Side.SELL: {}}
        self.takes: list[tuple[Side, Decimal, Decimal, int]] = []  # of the side that was taken from
        self.last_ms = dict.fromkeys(Side, 0)  # our last take of each side, whatever became of it
        self.restated: set[tuple[Side, Decimal]] = set()
        self.beyond: dict[Side, Decimal] = {}  # prints by the side they took from, since the last quote
        self.deep = self.whole = False
        self.update_id = 0

    def apply(self, event: TopOfBook | DepthChanged) -> None:
        self.restated = set()
        self.beyond = {}
        match event:
            case TopOfBook():
                if event.bid < event.ask:
                    self._lead(Side.BUY, event.bid, event.bid_qty)
                    self._lead(Side.SELL, event.ask, event.ask_qty)
                    self.update_id += 1
            case DepthChanged():
                self.deep = True
                if event.snapshot:
                    self.whole = True
                    for side in Side:
                        for price in list(self.sizes[side]):
                            self._state(side, price, ZERO)
                self._change(Side.BUY, event.bids)
                self._change(Side.SELL, event.asks)
                self.update_id += 1

    def _lead(self, side: Side, price: Decimal, qty: Decimal) -> None:
        """A touch: nothing is better, and without depth nothing else is known."""
        for other in list(self.sizes[side]):
            if other != price and (not self.deep or (other - price) * side.sign > 0):
                self._state(side, other, ZERO)
        self._state(side, price, qty)

    def _change(self, side: Side, levels: Iterable[Level]) -> None:
        for level in levels:
            self._state(side, level.price, level.qty)
        for own in list(self.sizes[side]):
            for facing in list(self.sizes[side.opposite]):
                if (own - facing) * side.sign >= 0:
                    self._state(side.opposite, facing, ZERO)

    def _state(self, side: Side, price: Decimal, qty: Decimal) -> None:
        if self.sizes[side].get(price, ZERO) == qty:
            return
        self.sizes[side].pop(price, None)
        if qty > ZERO:
            self.sizes[side][price] = qty
        self.takes = [take for take in self.takes if take[:2] != (side, price)]
        self.restated.add((side, price))

    def printed(self, taker: Side, price: Decimal) -> None:
        self.beyond[taker.opposite] = price

    def take(self, taker: Side, price: Decimal, qty: Decimal, now_ms: int) -> None:
        self.takes = self._standing(now_ms)
        for level, left in list(self._lefts(taker, now_ms)):
            if self._met(taker, level) == price and qty:
                part = min(left, qty)
                qty -= part
                self.takes.append((taker.opposite, level, part, now_ms))
        self.last_ms[taker.opposite] = now_ms

    def _standing(self, now_ms: int) -> list[tuple[Side, Decimal, Decimal, int]]:
        """Takes that still count: a side's all together end a while after its last."""
        return [take for take in self.takes if now_ms < self.last_ms[take[0]] + REFILL_MS]

    def levels(self, side: Side) -> list[tuple[Decimal, Decimal]]:
        return sorted(self.sizes[side].items(), key=lambda level: -level[0] * side.sign)

    def offers(self, taker: Side, now_ms: int) -> Iterator[tuple[Decimal, Decimal]]:
        for level, left in self._lefts(taker, now_ms):
            yield self._met(taker, level), left

    def _met(self, taker: Side, level: Decimal) -> Decimal:
        """At what price a level is to be had: none before the last print."""
        worst = max if taker is Side.BUY else min
        return worst(level, self.beyond.get(taker.opposite, level))

    def _lefts(self, taker: Side, now_ms: int) -> Iterator[tuple[Decimal, Decimal]]:
        side = taker.opposite
        there = self.levels(side)
        if there and not self.deep:
            best, size = there[0]
            there += [(best + self.tick * place * taker.sign, size) for place in range(1, UNSEEN_LEVELS + 1)]
        for price, size in there:
            gone = sum((qty for taken, at, qty, _ in self._standing(now_ms) if (taken, at) == (side, price)), ZERO)
            if size > gone and price > 0:
                yield price, size - gone

    def queue_at(self, side: Side, price: Decimal) -> Decimal:
        if price in self.sizes[side]:
            return self.sizes[side][price]
        better = any((shown - price) * side.sign > 0 for shown in self.sizes[side])
        worse = any((shown - price) * side.sign < 0 for shown in self.sizes[side])
        return UNKNOWN_QUEUE if better and not (worse and self.whole) else ZERO


class NaiveQueue:
    """Resting orders in one list, sorted by price and arrival at every question."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.orders: list[Any] = []

    def add(self, order: Any) -> None:
        self.orders.append(order)

    def remove(self, order: Any) -> None:
        self.orders = [other for other in self.orders if other is not order]

    def in_order(self) -> list[Any]:
        return sorted(self.orders, key=lambda order: -order.price * self.side.sign)  # stable: time within a price

    def through(self, price: Decimal) -> list[Any]:
        return [order for order in self.in_order() if (order.price - price) * self.side.sign > 0]

    @property
    def best(self) -> Decimal | None:
        return self.in_order()[0].price if self.orders else None


def fingerprint(book: Any, now_ms: int, probes: Iterable[Decimal]) -> str:
    """A hash of everything matching could ask of ``book`` at ``now_ms``."""
    if isinstance(book, NaiveBook):
        levels = {side: book.levels(side) for side in Side}
        restated = book.restated
    else:
        levels = {side: [(price, book.side(side).shown[price]) for price in book.side(side).levels()] for side in Side}
        restated = {(side, price) for side in Side for price in book.side(side).changed}
    told = [
        levels,
        sorted((side.value, price) for side, price in restated),
        {side: list(book.offers(side, now_ms)) for side in Side},
        [book.queue_at(side, price) for side in Side for price in probes],
        (book.deep, book.whole, book.update_id),
    ]
    return blake2b(repr(told).encode(), digest_size=16).hexdigest()
