"""What the parts of the exchange share: listings, accounts, orders, the moment being handled, and where news goes.

``now_ms`` is the time of the request or market event in hand; the entry points set it, nothing here asks a clock.
Ids are counters, so the same calls give the same ids.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any, Protocol

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm.accounts import Account, AccountSpec, open_account
from chimera.simulate.usdm.algos import Algo, AlgoShelf
from chimera.simulate.venue.audit import Audit, Kind
from chimera.simulate.venue.listing import Listing
from chimera.simulate.venue.orders import Order, Shelf
from chimera.trading.instrument import Instrument
from chimera.trading.market import Side

_FIRST_ORDER_ID = 4_000_000_000
_FIRST_ALGO_ID = 1_000_000_000_000_000


@dataclass(slots=True, frozen=True)
class Fill:
    """One execution of one order. ``fee`` and ``realized`` in the margin asset."""

    trade_id: int
    price: Decimal
    qty: Decimal
    maker: bool
    fee: Decimal
    realized: Decimal


class Reports(Protocol):
    """Who turns happenings into stream frames; the exchange does not know their shape."""

    def order(self, order: Order, execution: str, fill: Fill | None = None) -> None:
        """An order's state changed; ``execution`` is NEW, TRADE (with its fill), CANCELED or EXPIRED."""
        ...

    def algo(self, algo: Algo) -> None:
        """An algo order's state changed."""
        ...

    def printed(self, listing: Listing, price: Decimal, qty: Decimal, taker: Side) -> None:
        """A public trade."""
        ...


class Floor:
    """The shared state of one simulated venue."""

    def __init__(self, instruments: Iterable[Instrument], seed: int, audit: Audit, reports: Reports) -> None:
        self.listings: dict[str, Listing] = {instrument.symbol: Listing(instrument) for instrument in instruments}
        self.accounts: dict[str, Account] = {}
        self.by_key: dict[str, Account] = {}
        self.orders = Shelf()
        self.algos = AlgoShelf()
        self.audit = audit
        self.reports = reports
        self.now_ms = 0
        self.marks: dict[str, Decimal] = {}
        self.moved: dict[tuple[str, str], None] = {}  # positions changed since the last settle, in order
        self.order_id = _FIRST_ORDER_ID  # the last one given, as the two below
        self.algo_id = _FIRST_ALGO_ID
        self.drawn = 0
        self._seed = seed

    def admit(self, spec: AccountSpec) -> Account:
        """A new account; its name and key must be new."""
        if spec.name in self.accounts or spec.api_key in self.by_key:
            raise Refusal(-1130, "name")
        account = self.accounts[spec.name] = self.by_key[spec.api_key] = open_account(spec)
        self.audit.add(Kind.OPEN_ACCOUNT, self.now_ms, account=account.name, wallet_after=account.wallet)
        return account

    def listing(self, symbol: str) -> Listing:
        """The listing, or -1121."""
        found = self.listings.get(symbol)
        if found is None:
            raise Refusal(-1121)
        return found

    def next_order_id(self) -> int:
        """Ascending over all symbols."""
        self.order_id += 1
        return self.order_id

    def next_algo_id(self) -> int:
        """Ascending over all symbols."""
        self.algo_id += 1
        return self.algo_id

    def draw(self, length: int) -> str:
        """A token of letters and digits, unlike any drawn before; a function of the seed and the count."""
        self.drawn += 1
        return sha256(f"{self._seed}:{self.drawn}".encode()).hexdigest()[:length]

    def log_order(self, kind: Kind, order: Order, **more: Any) -> None:
        """Audit an order with its terms."""
        self.audit.add(
            kind,
            self.now_ms,
            account=order.account.name,
            symbol=order.listing.symbol,
            client_order_id=order.client_id,
            order_id=order.order_id,
            algo_id=None if order.algo is None else order.algo.algo_id,
            side=order.side,
            type=order.type,
            status=order.status,
            reduce_only=order.reduce_only,
            close_position=order.close_position,
            cum_qty=order.cum_qty,
            **({"time_in_force": order.tif, "price": order.price, "qty": order.qty} | more),
        )

    def log_algo(self, kind: Kind, algo: Algo, **more: Any) -> None:
        """Audit an algo order with its terms."""
        self.audit.add(
            kind,
            self.now_ms,
            account=algo.account.name,
            symbol=algo.listing.symbol,
            client_order_id=algo.client_id,
            algo_id=algo.algo_id,
            side=algo.side,
            type=algo.type,
            status=algo.status,
            qty=algo.qty,
            reduce_only=algo.reduce_only,
            close_position=algo.close_position,
            trigger_price=algo.trigger_price,
            working_type=algo.working,
            **more,
        )
