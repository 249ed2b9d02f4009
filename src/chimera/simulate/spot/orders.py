"""A spot order's own terms and life beside those of every order: conditions, icebergs, pegs, lists, prevented quantity.

Invariants: ``cum_qty + prevented_qty`` never exceeds ``qty``; an order is on the book or waits (for its price, or for
its list's working order), never both; ``working`` once set stays set. ``price`` is the price it works at: the pegged
one for a pegged order, whose own (perhaps zero) is ``given_price``.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chimera.simulate.venue.orders import Order, Status
from chimera.trading.market import Side
from chimera.trading.money import ZERO

if TYPE_CHECKING:
    from chimera.simulate.spot.accounts import Hold, SpotAccount
    from chimera.simulate.spot.lists import OrderList
    from chimera.simulate.spot.pair import Pair


class OrderType(StrEnum):
    """Binance spot order types."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"
    LIMIT_MAKER = "LIMIT_MAKER"
    STOP_LOSS = "STOP_LOSS"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"
    TAKE_PROFIT = "TAKE_PROFIT"
    TAKE_PROFIT_LIMIT = "TAKE_PROFIT_LIMIT"

    @property
    def is_conditional(self) -> bool:
        """An "algo" order: waits for the last trade price."""
        return self in CONDITIONAL

    @property
    def is_stop(self) -> bool:
        """Triggers against the position: a SELL below the market, a BUY above it."""
        return self in (OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT)

    @property
    def takes_any(self) -> bool:
        """Works without a price of its own."""
        return self in (OrderType.MARKET, OrderType.STOP_LOSS, OrderType.TAKE_PROFIT)


CONDITIONAL: Final = frozenset(
    {OrderType.STOP_LOSS, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT}
)


def rises(type_: OrderType, side: Side) -> bool:
    """Whether its condition is above the market: STOP_LOSS* BUY and TAKE_PROFIT* SELL."""
    return type_.is_stop is (side is Side.BUY)


class PegPrice(StrEnum):
    """Which best price a peg takes."""

    PRIMARY_PEG = "PRIMARY_PEG"  # of the order's own side
    MARKET_PEG = "MARKET_PEG"  # of the other


class PegOffset(StrEnum):
    """What a peg's offset counts."""

    PRICE_LEVEL = "PRICE_LEVEL"  # levels deeper into the book


@dataclass(slots=True, frozen=True)
class Peg:
    """The limit price is the book's when the order goes to it. ``offset_value`` in levels, 0 at the best."""

    price_type: PegPrice
    offset_type: PegOffset | None = None
    offset_value: int | None = None


@dataclass(slots=True, frozen=True)
class SpotFill:
    """One execution of one order with its commission. ``price`` and quote in quote asset, ``qty`` in base asset."""

    trade_id: int
    price: Decimal
    qty: Decimal
    maker: bool
    fee: Decimal
    fee_asset: str


@dataclass(slots=True, frozen=True)
class Prevention:
    """A match that self-trade prevention stopped, as one of its two orders sees it. ``qty``: what this order lost."""

    match_id: int
    price: Decimal
    qty: Decimal
    taker: bool
    counter_order_id: int
    counter_qty: Decimal  # what the other lost


@dataclass(slots=True, frozen=True)
class Amendment:
    """One use of amend keepPriority on an order."""

    execution_id: int
    old_client_id: str
    new_client_id: str
    old_qty: Decimal
    new_qty: Decimal
    at_ms: int


@dataclass(slots=True, eq=False, kw_only=True)
class SpotOrder(Order):
    """A spot order. ``quote_qty``: of a MARKET order asked for in quote asset, zero otherwise."""

    account: "SpotAccount"
    listing: "Pair"
    type: OrderType
    hold: "Hold"  # what is locked for it, perhaps together with the other leg of its OCO
    earmark: "Hold | None" = None  # of a working order that pays for pending ones: where what it buys is kept for them
    given_price: Decimal = ZERO
    lock_price: Decimal = ZERO  # a BUY locks ``leaves`` at this while it rests or waits
    quote_qty: Decimal = ZERO
    stop_price: Decimal = ZERO
    trailing_delta: int = 0  # basis points
    trailing_ms: int = -1  # since when it trails; -1 while it does not
    extreme: Decimal = ZERO  # the best last price since it trails
    iceberg_qty: Decimal = ZERO
    slice_left: Decimal = ZERO  # of the displayed part of an iceberg
    peg: Peg | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None
    working: bool = False
    working_ms: int = -1
    waits: bool = False  # for the last price to reach its condition
    order_list: "OrderList | None" = None
    prevented_qty: Decimal = ZERO
    cancel_id: str = ""  # the client id of the cancel that ended it
    fills: list[SpotFill] = field(default_factory=list)
    preventions: list[Prevention] = field(default_factory=list)
    amendments: list[Amendment] = field(default_factory=list)

    @property
    def takes_any(self) -> bool:
        return self.type.takes_any

    @property
    def leaves(self) -> Decimal:
        return self.qty - self.cum_qty - self.prevented_qty

    @property
    def shown(self) -> Decimal:
        return min(self.leaves, self.slice_left) if self.iceberg_qty else self.leaves

    @property
    def pending(self) -> bool:
        """Waits for the working order of its list."""
        return self.status is Status.PENDING_NEW

    @property
    def list_id(self) -> int:
        """Its order list, -1 without one."""
        return -1 if self.order_list is None else self.order_list.list_id

    @property
    def trigger_price(self) -> Decimal:
        """Where it triggers, or begins to trail."""
        return self.stop_price

    @property
    def number(self) -> int:
        """Ascends with age."""
        return self.order_id

    @property
    def rises(self) -> bool:
        return rises(self.type, self.side)

    @property
    def pegged_price(self) -> Decimal | None:
        """The price its peg chose, once it has."""
        return self.price if self.peg is not None and self.working else None
