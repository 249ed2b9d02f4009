"""The venue of a replay: the tape's book, and orders of ours that wait in it without being seen by anybody.

What is taken walks the displayed book and leaves it as it was; beyond the last known level that level's price goes on.
What rests waits behind all that was displayed at its price when it arrived, and its assumption (``Queue``) says what
shortens that queue. Orders do not meet one another: each intent trades as if it were alone.

Invariants: a resting order fills at its own price, at most for what it still wants, and never once it has left.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, Protocol

from chimera.tape.depth import Depth, Ladder
from chimera.trading.liquidity import Book
from chimera.trading.market import DepthChanged, MarketEvent, Side, TopOfBook, Touch, Traded
from chimera.trading.money import ZERO, Millis, Price, Qty
from chimera.trading.order import NewOrder
from chimera.trading.value import Value

LEVELS: Final = 20  # of each side that a book shows, as the feed's board does
_WALKED: Final = 200


class Queue(StrEnum):
    """What moves a resting order forward. Each has what the one before has, and more."""

    # As much as was ahead must trade, at our price or beyond it: even price does not come before time.
    STRICT = "strict"
    TRADES = "trades"  # all that was ahead at our price must trade there; what trades beyond our price fills us first
    CANCELS = "cancels"  # a level that shows less than was ahead moves us up, and a quote that reaches our price fills


class Hit(Value, tag=False):
    """One fill: ``maker`` where it waited in the book."""

    price: Price
    qty: Qty
    maker: bool


class Rest:
    """An order in the book. ``ahead``: base asset before it at its price."""

    __slots__ = ("ahead", "left", "order", "owner", "price", "queue")

    def __init__(self, owner: "Owner", order: NewOrder, price: Price, left: Qty, ahead: Qty, queue: Queue) -> None:
        self.owner, self.order, self.price = owner, order, price
        self.left, self.ahead, self.queue = left, ahead, queue


class Owner(Protocol):
    """Whose orders rest: it is told of each fill at the moment when it happens."""

    def filled(self, rest: Rest, qty: Qty, at_us: int) -> None: ...


class Floor:
    """Of one symbol."""

    def __init__(self) -> None:
        self.depth = Depth()
        self.at_us = 0
        self.top: TopOfBook | None = None
        self._touch: Touch | None = None
        self._book: Book | None = None
        self._resting: dict[Side, dict[Price, list[Rest]]] = {Side.BUY: {}, Side.SELL: {}}
        self._watching = 0  # orders that quotes matter to

    def take(self, event: MarketEvent) -> None:
        """One event of the tape, in time order; resting orders that it reaches are told."""
        self.at_us = event.at_us
        match event:
            case TopOfBook():
                self.depth.apply(event)
                self.top, self._touch, self._book = event, None, None
                self._shown()
            case DepthChanged():
                self.depth.apply(event)
                self._book = None
                self._shown()
            case Traded():
                self._traded(event)
            case _:
                return

    @property
    def touch(self) -> Touch | None:
        top = self.top
        if self._touch is None and top is not None:
            self._touch = Touch(
                bid=top.bid, bid_qty=top.bid_qty, ask=top.ask, ask_qty=top.ask_qty, at_ms=Millis(top.at_us // 1_000)
            )
        return self._touch

    @property
    def book(self) -> Book | None:
        if self._book is None and self.top is not None:
            bids, asks = self.depth.bids.top(LEVELS), self.depth.asks.top(LEVELS)
            self._book = Book(bids=bids, asks=asks, at_ms=Millis(self.at_us // 1_000))
        return self._book

    def walk(self, side: Side, qty: Qty, limit: Price | None = None) -> tuple[Hit, ...]:
        """What an order of this side takes now, no worse than ``limit``; without one all of it fills."""
        hits: list[Hit] = []
        left, last = qty, None
        for level in self._ladder(side.opposite).top(_WALKED):
            if not left or (limit is not None and (level.price - limit) * side.sign > 0):
                break
            part = Qty(min(left, level.qty))
            hits.append(Hit(price=level.price, qty=part, maker=False))
            left, last = Qty(left - part), level.price
        if left and last is not None and limit is None:
            hits.append(Hit(price=last, qty=left, maker=False))
        return tuple(hits)

    def crosses(self, side: Side, price: Price) -> bool:
        """Whether an order of this side at this price would take."""
        best = self._ladder(side.opposite).best()
        return best is not None and (price - best.price) * side.sign >= 0

    def join(self, owner: Owner, order: NewOrder, price: Price, left: Qty, queue: Queue) -> Rest:
        """Wait at the back of the queue that is displayed now."""
        ahead = self._ladder(order.side).at(price) or Qty(ZERO)
        rest = Rest(owner, order, price, left, ahead, queue)
        self._resting[order.side].setdefault(price, []).append(rest)
        self._watching += queue is Queue.CANCELS
        return rest

    def leave(self, rest: Rest) -> None:
        """Taken from the book, or done."""
        level = self._resting[rest.order.side][rest.price]
        level.remove(rest)
        self._watching -= rest.queue is Queue.CANCELS
        if not level:
            del self._resting[rest.order.side][rest.price]

    def _ladder(self, side: Side) -> Ladder:
        return self.depth.bids if side is Side.BUY else self.depth.asks

    def _reached(self, side: Side, price: Price) -> Iterator[tuple[Rest, bool]]:
        """Orders of this side that a price of the other side's meets; True: it is beyond their own."""
        for at in [at for at in self._resting[side] if (at - price) * side.sign >= 0]:
            for rest in tuple(self._resting[side].get(at, ())):
                yield rest, at != price

    def _traded(self, trade: Traded) -> None:
        for rest, beyond in self._reached(trade.taker.opposite, trade.price):
            if beyond and rest.queue is not Queue.STRICT:
                rest.ahead = Qty(ZERO)  # nobody sells lower while a better bid stands, and vice versa
            eaten = min(rest.ahead, trade.qty)
            rest.ahead = Qty(rest.ahead - eaten)
            if part := min(rest.left, trade.qty - eaten):
                rest.owner.filled(rest, Qty(part), trade.at_us)

    def _shown(self) -> None:
        """The book changed: orders that the other side's quotes have reached, and levels that show less."""
        if not self._watching:
            return
        for side, levels in self._resting.items():
            if not levels:
                continue
            other = self._ladder(side.opposite).best()
            if other is not None:
                for rest, _ in tuple(self._reached(side, other.price)):
                    if rest.queue is Queue.CANCELS:
                        rest.owner.filled(rest, rest.left, self.at_us)
            for price, rests in levels.items():
                self._shrink(side, price, rests)

    def _shrink(self, side: Side, price: Price, rests: list[Rest]) -> None:
        displayed = self._ladder(side).at(price) or Qty(ZERO)
        for rest in rests:
            if rest.queue is Queue.CANCELS:
                rest.ahead = min(rest.ahead, displayed)
