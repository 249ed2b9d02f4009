"""Binance Spot payloads as typed structs, field for field in the vendor's words; read by ``payloads.decoded``.

What stands only "when relevant" has a default, and so has what a foreign order may lack (the quantity of a pending
OPO leg): one strange order of the user's must not hide all others.
"""

from decimal import Decimal

import msgspec
from msgspec import Struct, field

from chimera.adapters.binance.payloads import Text
from chimera.trading.market import Side
from chimera.trading.money import ZERO

NO_LIST = -1


class OrderRow(Struct, rename="camel"):
    """Place, ``GET order``, ``openOrders`` and each of ``orderReports`` alike.

    On a cancel ``origClientOrderId`` is the order's id and ``clientOrderId`` the cancel's own.
    """

    symbol: Text
    client_order_id: Text
    order_id: int
    side: Side
    type: Text
    status: Text
    executed_qty: Decimal
    orig_qty: Decimal = ZERO
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    order_list_id: int = NO_LIST
    update_time: int = 0
    transact_time: int = 0
    working_time: int = -1  # since when it is on the book; -1: not yet
    is_working: bool = True  # the queries alone say so
    orig_client_order_id: Text = ""
    expiry_reason: Text = ""


class ListAnswer(Struct, rename="camel"):
    """What placing and cancelling an order list answer."""

    order_list_id: int
    list_client_order_id: Text
    symbol: Text
    order_reports: list[OrderRow]


class Canceled(Struct, rename="camel"):
    """A look at ``DELETE order``: the order itself, or, for a leg, its list."""

    contingency_type: Text = ""


class TradeRow(Struct, rename="camel"):
    """``myTrades``: no client order id."""

    id: int
    order_id: int
    symbol: Text
    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: Text
    time: int
    is_buyer: bool
    is_maker: bool


class BalanceRow(Struct):
    asset: Text
    free: Decimal
    locked: Decimal


class Account(Struct, rename="camel"):
    can_trade: bool
    balances: list[BalanceRow]
    update_time: int = 0


class Rates(Struct):
    """Fractions of notional: by how it traded, and by which side it was."""

    maker: Decimal = ZERO
    taker: Decimal = ZERO
    buyer: Decimal = ZERO
    seller: Decimal = ZERO


class Discount(Struct, rename="camel"):
    enabled_for_account: bool = False
    enabled_for_symbol: bool = False
    discount_asset: Text | None = None


class Commission(Struct, rename="camel"):
    symbol: Text
    standard_commission: Rates
    special_commission: Rates = field(default_factory=Rates)
    tax_commission: Rates = field(default_factory=Rates)
    discount: Discount | None = None


class Filter(Struct, rename="camel"):
    """Any filter: each has the fields of its kind."""

    filter_type: Text
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    tick_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    step_size: Decimal | None = None
    min_notional: Decimal | None = None
    multiplier_up: Decimal | None = None
    multiplier_down: Decimal | None = None
    bid_multiplier_up: Decimal | None = None
    ask_multiplier_down: Decimal | None = None
    max_num_algo_orders: int | None = None


class SymbolRow(Struct, rename="camel"):
    symbol: Text
    status: Text
    base_asset: Text
    quote_asset: Text
    filters: list[Filter]
    order_types: list[Text] = []
    oco_allowed: bool = False
    is_spot_trading_allowed: bool = True


class Envelope(Struct):
    """A frame of the WebSocket API: an event, or an answer to a request (``Answer``)."""

    event: msgspec.Raw = msgspec.Raw(b"")
    status: int = 0
    error: msgspec.Raw = msgspec.Raw(b"")


class Subscribed(Struct, rename="camel"):
    subscription_id: int


class ExecutionReport(Struct):
    symbol: Text = field(name="s")
    ref: Text = field(name="c")  # on a cancel the cancel's own
    side: Side = field(name="S")
    type: Text = field(name="o")
    qty: Decimal = field(name="q")
    execution: Text = field(name="x")
    status: Text = field(name="X")
    order_id: int = field(name="i")
    cum_qty: Decimal = field(name="z")
    at_ms: int = field(name="T")
    former_ref: Text = field(name="C", default="")
    price: Decimal = field(name="p", default=ZERO)
    stop_price: Decimal = field(name="P", default=ZERO)
    list_id: int = field(name="g", default=NO_LIST)
    last_qty: Decimal = field(name="l", default=ZERO)
    last_price: Decimal = field(name="L", default=ZERO)
    trade_id: int = field(name="t", default=-1)
    fee: Decimal | None = field(name="n", default=None)
    fee_asset: Text | None = field(name="N", default=None)
    maker: bool = field(name="m", default=False)
    working: bool = field(name="w", default=True)
    working_ms: int = field(name="W", default=-1)
    reject: Text = field(name="r", default="NONE")
    expiry: Text = field(name="eR", default="")
