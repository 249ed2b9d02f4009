"""What the parts of one market's exchange share: listings, accounts, orders, the moment being handled, the audit.

``now_ms`` is the time of the request or market event in hand; the entry points set it, nothing here asks a clock.
Ids are counters, so the same calls give the same ids.
"""

from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, Generic, TypeVar

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.venue.audit import Audit
from chimera.simulate.venue.listing import Listing
from chimera.simulate.venue.orders import Order, Owner, Shelf
from chimera.trading.market import Side
from chimera.trading.money import ZERO

_FIRST_ORDER_ID = 4_000_000_000
_CLIENT_ID_CHARS = 22  # as long as the ids Binance makes up

A = TypeVar("A", bound=Owner)
L = TypeVar("L", bound=Listing[Any])
OrderT = TypeVar("OrderT", bound=Order)


@dataclass(slots=True, frozen=True)
class Execution:
    """One trade as one order sees it. ``price`` in quote, ``qty`` in base asset."""

    trade_id: int
    price: Decimal
    qty: Decimal
    maker: bool


def terms_of(order: Order) -> dict[str, Any]:
    """What the audit writes of any order, whatever its market."""
    return {
        "account": order.account.name,
        "symbol": order.listing.symbol,
        "client_order_id": order.client_id,
        "order_id": order.order_id,
        "side": order.side,
        "type": order.type,
        "time_in_force": order.tif,
        "price": order.price,
        "qty": order.qty,
        "status": order.status,
        "cum_qty": order.cum_qty,
    }


class Floor(Generic[A, L, OrderT]):
    """The shared state of one market of the venue."""

    def __init__(self, listings: dict[str, L], seed: int, audit: Audit) -> None:
        self.listings = listings
        self.accounts: dict[str, A] = {}
        self.orders: Shelf[OrderT] = Shelf()
        self.audit = audit
        self.now_ms = 0
        self.order_id = _FIRST_ORDER_ID  # the last one given
        self.drawn = 0
        self.queue_share = Decimal(1)
        self._seed = seed

    def listing(self, symbol: str) -> L:
        """The listing, or -1121."""
        found = self.listings.get(symbol)
        if found is None:
            raise Refusal(-1121)
        return found

    def queue_before(self, listing: L, side: Side, price: Decimal) -> Decimal:
        """What stands before an order that joins ``side`` at ``price`` now.

        ``queue_share`` of what is displayed: 1, all of it, is the conservative assumption; 0 puts it in front.
        """
        shown = listing.book.queue_at(side, price)
        return shown * self.queue_share if self.queue_share else ZERO

    def next_order_id(self) -> int:
        """Ascending over all symbols."""
        self.order_id += 1
        return self.order_id

    def new_client_id(self) -> str:
        """For an order whose owner names none."""
        return self.draw(_CLIENT_ID_CHARS)

    def draw(self, length: int) -> str:
        """A token of letters and digits, unlike any drawn before; a function of the seed and the count."""
        self.drawn += 1
        return sha256(f"{self._seed}:{self.drawn}".encode()).hexdigest()[:length]
