"""One order in the matching engine, whatever the market: its terms, its life, what it has filled; and the shelf of all.

Invariants: a status changes only along ``TRANSITIONS``; ``cum_qty`` never exceeds ``qty``; among *open* orders of an
account and symbol a client id is unique, and it is free again once its order has ended (Binance's own trap, kept).
Each market adds its own terms in a subclass.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from chimera.trading.market import Side
from chimera.trading.money import ZERO

if TYPE_CHECKING:
    from chimera.simulate.venue.listing import Listing


class Owner(Protocol):
    """Whose order it is, as far as matching must know."""

    name: str


class Tif(StrEnum):
    """Time in force."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"  # post-only
    GTD = "GTD"  # until a date


class Stp(StrEnum):
    """Self-trade prevention: who yields when an order meets its own account's."""

    NONE = "NONE"
    EXPIRE_TAKER = "EXPIRE_TAKER"
    EXPIRE_MAKER = "EXPIRE_MAKER"
    EXPIRE_BOTH = "EXPIRE_BOTH"
    DECREMENT = "DECREMENT"  # spot: both lose what would have matched


class Status(StrEnum):
    """Binance order status."""

    PENDING_NEW = "PENDING_NEW"  # spot: waits in an order list for its working order
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    EXPIRED_IN_MATCH = "EXPIRED_IN_MATCH"


class Step(StrEnum):
    """What can happen to a live order."""

    PART = "part"
    FILL = "fill"
    CANCEL = "cancel"
    EXPIRE = "expire"
    PREVENT = "prevent"  # self-trade prevention
    RELEASE = "release"  # a pending order of a list goes to the market
    TRIGGER = "trigger"  # a conditional order goes to the market
    LESSEN = "lessen"  # part of its quantity is given up, by amendment or self-trade prevention


OPEN: Final = frozenset({Status.PENDING_NEW, Status.NEW, Status.PARTIALLY_FILLED})
TRANSITIONS: Final[dict[tuple[Status, Step], Status]] = {
    (live, step): after
    for live in (Status.NEW, Status.PARTIALLY_FILLED)
    for step, after in (
        (Step.PART, Status.PARTIALLY_FILLED),
        (Step.FILL, Status.FILLED),
        (Step.CANCEL, Status.CANCELED),
        (Step.EXPIRE, Status.EXPIRED),
        (Step.PREVENT, Status.EXPIRED_IN_MATCH),
        (Step.LESSEN, live),
    )
} | {
    (Status.NEW, Step.TRIGGER): Status.NEW,
    (Status.PENDING_NEW, Step.RELEASE): Status.NEW,
    (Status.PENDING_NEW, Step.LESSEN): Status.PENDING_NEW,
    (Status.PENDING_NEW, Step.CANCEL): Status.CANCELED,
    (Status.PENDING_NEW, Step.EXPIRE): Status.EXPIRED,
}


@dataclass(slots=True, eq=False, kw_only=True)
class Order:
    """A live or past order. Quantities in base asset; ``price`` is zero for one that takes any."""

    order_id: int
    client_id: str
    account: Owner
    listing: "Listing[Any]"
    side: Side
    type: StrEnum
    tif: Tif
    price: Decimal
    qty: Decimal
    stp: Stp
    created_ms: int
    updated_ms: int
    status: Status = Status.NEW
    cum_qty: Decimal = ZERO
    cum_quote: Decimal = ZERO
    ahead: Decimal = ZERO  # queue before us at our price
    resting: bool = False
    expiry: str = "0"  # why it ended: ``er`` on futures, ``eR`` on spot

    @property
    def takes_any(self) -> bool:
        """Walks the book without a price of its own and never rests."""
        return self.type == "MARKET"

    @property
    def leaves(self) -> Decimal:
        """What is still to fill."""
        return self.qty - self.cum_qty

    @property
    def shown(self) -> Decimal:
        """What of it a trade at its price can reach before it queues anew; less than ``leaves`` for an iceberg."""
        return self.leaves

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def avg_px(self) -> Decimal:
        """Average fill price; zero before a fill."""
        return self.cum_quote / self.cum_qty if self.cum_qty else ZERO

    def move(self, step: Step, now_ms: int) -> None:
        """Go where the table says; a pair not in it is our own mistake."""
        self.status = TRANSITIONS[self.status, step]
        self.updated_ms = now_ms


OrderT = TypeVar("OrderT", bound=Order)


class Queue(Generic[OrderT]):
    """Resting orders of one side of one symbol, in price-time priority."""

    __slots__ = ("_buys", "at", "prices")

    def __init__(self, side: Side) -> None:
        self._buys = side is Side.BUY
        self.prices: list[Decimal] = []
        self.at: dict[Decimal, list[OrderT]] = {}

    @property
    def best(self) -> Decimal | None:
        return (self.prices[-1] if self._buys else self.prices[0]) if self.prices else None

    def add(self, order: OrderT) -> None:
        """Join the back of the price's queue."""
        line = self.at.get(order.price)
        if line is None:
            self.at[order.price] = [order]
            insort(self.prices, order.price)
        else:
            line.append(order)

    def remove(self, order: OrderT) -> None:
        """Leave the queue."""
        line = self.at[order.price]
        line.remove(order)
        if not line:
            del self.at[order.price]
            del self.prices[bisect_left(self.prices, order.price)]

    def through(self, price: Decimal) -> list[OrderT]:
        """Orders priced better than ``price`` for the other side (a BUY above it, a SELL below it), best first."""
        found: list[OrderT] = []
        for level in reversed(self.prices) if self._buys else self.prices:
            if level <= price if self._buys else level >= price:
                break
            found += self.at[level]
        return found

    def along(self) -> Iterator[OrderT]:
        """As ``in_order``, read level by level as one goes."""
        for price in tuple(reversed(self.prices) if self._buys else self.prices):
            yield from tuple(self.at.get(price, ()))

    def in_order(self) -> list[OrderT]:
        """All, best price first, then by time."""
        prices = reversed(self.prices) if self._buys else self.prices
        return [order for price in prices for order in self.at[price]]


ClientKey = tuple[str, str, str]  # account, symbol, client id


@dataclass(slots=True)
class Shelf(Generic[OrderT]):
    """Every order of the venue: by id, by client id (the newest), those still open, and those that ended."""

    by_id: dict[int, OrderT] = field(default_factory=dict)
    newest: dict[ClientKey, OrderT] = field(default_factory=dict)
    open: dict[tuple[str, str], dict[int, OrderT]] = field(default_factory=dict)  # by account and symbol
    ended: list[OrderT] = field(default_factory=list)  # in the order they ended; none of them changes again

    def add(self, order: OrderT) -> None:
        """Remember a new order."""
        self.by_id[order.order_id] = order
        self.newest[order.account.name, order.listing.symbol, order.client_id] = order
        self.open.setdefault((order.account.name, order.listing.symbol), {})[order.order_id] = order

    def rename(self, order: OrderT, client_id: str) -> None:
        """An open order goes by another client id from now on; the old one is free."""
        name, symbol = order.account.name, order.listing.symbol
        if self.newest.get((name, symbol, order.client_id)) is order:
            del self.newest[name, symbol, order.client_id]
        order.client_id = client_id
        self.newest[name, symbol, client_id] = order

    def close(self, order: OrderT) -> None:
        """It is open no more."""
        del self.open[order.account.name, order.listing.symbol][order.order_id]
        self.ended.append(order)

    def count_open(self, account: Owner, symbol: str) -> int:
        """How many are open."""
        return len(self.open.get((account.name, symbol), ()))

    def has_open(self, account: str, symbol: str, client_id: str) -> bool:
        """Whether an open order carries this id."""
        found = self._named(account, symbol, client_id)
        return found is not None and found.is_open

    def _named(self, account: str, symbol: str, client_id: str) -> OrderT | None:
        """The open order of this id, else the newest.

        The newest may hide an open one: a conditional order's child takes the id it was given, whoever else has it.
        """
        newest = self.newest.get((account, symbol, client_id))
        if newest is None or newest.is_open:
            return newest
        shelf = self.open.get((account, symbol), {})
        return next((order for order in shelf.values() if order.client_id == client_id), newest)

    def find(self, account: Owner, symbol: str, order_id: int | None, client_id: str | None) -> OrderT | None:
        """By ``order_id`` if given (it wins), else by client id: the open order of that id before any that ended."""
        if order_id is not None:
            order = self.by_id.get(order_id)
            return order if order is not None and order.account is account and order.listing.symbol == symbol else None
        return self._named(account.name, symbol, client_id or "")

    def open_of(self, account: Owner, symbol: str | None = None) -> list[OrderT]:
        """Open orders, oldest first."""
        if symbol is not None:
            return list(self.open.get((account.name, symbol), {}).values())
        shelves = [shelf for (name, _), shelf in self.open.items() if name == account.name]
        return sorted((order for shelf in shelves for order in shelf.values()), key=lambda order: order.order_id)
