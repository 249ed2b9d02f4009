"""The venue's word: orders, positions, balances and fee rates as it reports them, in our terms."""

from decimal import Decimal
from typing import Final

from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, Symbol, TradeId, VenueOrderId
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.order import Order, OrderType, Status
from chimera.trading.value import Value

DOUBT_MARGIN_MS: Final = 14_000  # how long after it left a request may be accepted: window + engine + clock error
MARGIN_SHARE: Final = Decimal("0.95")  # of the margin available that a new position may take: fees and the mark move


class OrderRef(Value):
    """How to name an order to the venue: conditional orders live in another service with ids of its own."""

    symbol: Symbol
    ref: ClientOrderId
    conditional: bool

    @classmethod
    def to(cls, order: Order) -> "OrderRef":
        """One of ours, as the venue knows it."""
        return cls(symbol=order.request.symbol, ref=order.ref, conditional=order.request.conditional)


class VenueOrder(Value):
    """One order as the venue tells it. For a triggered conditional order, quantities are its child's."""

    symbol: Symbol
    ref: ClientOrderId
    conditional: bool
    venue_id: VenueOrderId | None
    side: Side
    type: OrderType | None  # None: a type we do not use
    status: Status
    qty: Qty  # 0 with close_position: all of the position
    updated_ms: Millis
    cum_qty: Qty = Qty(Decimal(0))
    price: Price | None = None
    trigger_price: Price | None = None
    reduce_only: bool = False
    close_position: bool = False
    reason: str = ""
    list_id: str | None = None  # spot: the venue's number of the order list that it is a leg of


class VenuePosition(Value):
    """Signed quantity (base asset), entry and mark price, liquidation price where the venue gives one."""

    symbol: Symbol
    qty: Decimal
    entry_px: Price | None
    mark_px: Price | None
    liquidation_px: Price | None
    updated_ms: Millis


class FeeRates(Value):
    """Fractions of notional (0.0005 = 5 bps), before any discount.

    ``discount_asset``: the fees are taken in this asset, and less, while the wallet has enough of it.
    """

    maker: Decimal
    taker: Decimal
    discount_asset: str | None = None


class Funds(Value):
    """Quote asset of one wallet: what is there, and what a new order may still use."""

    wallet: Quote
    available: Quote
    at_ms: Millis


class Income(Value):
    """One movement of the account's money, in the venue's words. ``amount`` is signed, above zero when received."""

    id: str  # the venue's transaction number and the kind: one transaction may have several
    kind: str  # REALIZED_PNL, COMMISSION, FUNDING_FEE, TRANSFER, ...
    amount: Decimal
    asset: str
    at_ms: Millis  # venue clock
    symbol: Symbol | None = None
    trade_id: TradeId | None = None


class AccountModes(Value):
    """What must be so before we trade: one-way mode, single-asset margin, permission to trade."""

    hedge: bool
    multi_asset: bool
    can_trade: bool


class VenueSnapshot(Value):
    """All the venue says of one symbol, asked at one moment: the input of recovery and of every sweep.

    ``asked_ms`` is our clock *before* the first of the queries; anything we heard later outranks it.
    """

    symbol: Symbol
    asked_ms: Millis
    orders: tuple[VenueOrder, ...]  # open ones, both services
    position: VenuePosition
    trades: tuple[Fill, ...]  # since ``trades_since_ms``
    trades_since_ms: Millis


class AccountSnapshot(Value):
    """All that is open on one account, whatever the symbol, asked at one moment: the input of the sweep.

    ``asked_ms`` is our clock *before* the first of the queries; anything we heard later outranks it.
    """

    asked_ms: Millis
    orders: tuple[VenueOrder, ...]  # open ones, both services
    positions: tuple[VenuePosition, ...]  # those that hold something
