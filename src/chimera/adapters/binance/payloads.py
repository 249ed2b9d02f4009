"""Binance USD-M payloads as typed structs, field for field in the vendor's words.

Unknown fields are ignored and documented-but-absent ones tolerated: ``avgPrice`` and ``cumQuote`` left the documented
replies on 2026-07-15 and are not read at all. What we cannot do without is required, so that a changed payload is an
error (``Unreadable``) and never a wrong number. Numbers are finite and of a size that prices and quantities have.
"""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from chimera.trading.market import Side
from chimera.trading.money import ZERO

_EXPONENT_MAX: Final = 30  # digits before or after the point; a bomb such as 1E+999999 stops here
Text = Annotated[str, Meta(max_length=200)]

V = TypeVar("V")


class Unreadable(ValueError):
    """Bytes from the venue that are not what its documents say."""


def decoded(body: bytes, kind: type[V]) -> V:
    """Raises ``Unreadable`` and nothing else."""
    try:
        found = msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError, ArithmeticError) as error:
        raise Unreadable(f"{kind}: {error}"[:200]) from error
    _check(found)
    return found


def amount(text: str | int | None) -> Decimal:
    """A number that the venue may leave empty: "" and null are zero."""
    if text is None or text == "":
        return ZERO
    try:
        found = Decimal(text)
    except InvalidOperation as error:
        raise Unreadable(f"not a number: {str(text)[:40]!r}") from error
    _check(found)
    return found


def _check(node: Any) -> None:
    """Every decimal within must be a finite one of sane size."""
    match node:
        case Decimal():
            if not node.is_finite() or (node and abs(node.adjusted()) > _EXPONENT_MAX) or _finest(node) > _EXPONENT_MAX:
                raise Unreadable("a number out of all proportion")
        case Struct():
            for name in node.__struct_fields__:
                _check(getattr(node, name))
        case list():
            for inner in node:
                _check(inner)


def _finest(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return abs(exponent) if isinstance(exponent, int) else _EXPONENT_MAX + 1


class ServerTime(Struct, rename="camel"):
    server_time: int


class ListenKey(Struct, rename="camel"):
    listen_key: str = ""  # the keep-alive may answer {}


class OrderRow(Struct, rename="camel"):
    """Place, cancel, ``GET order`` and ``openOrders`` alike."""

    symbol: Text
    client_order_id: Text
    order_id: int
    side: Side
    type: Text
    status: Text
    orig_qty: Decimal
    executed_qty: Decimal
    orig_type: Text = ""
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    reduce_only: bool = False
    close_position: bool = False
    update_time: int = 0


class AlgoRow(Struct, rename="camel"):
    """The Algo service's place, query and open list. ``actualOrderId`` is "" before the trigger.

    What a kind of order has not may be null: one of somebody else's must not make a whole list unreadable.
    """

    symbol: Text
    client_algo_id: Text
    algo_id: int
    side: Side
    order_type: Text
    algo_status: Text
    quantity: Text | None = ""
    trigger_price: Text | None = ""
    reduce_only: bool | None = False
    close_position: bool | None = False
    update_time: int | None = 0
    create_time: int | None = 0
    actual_order_id: int | Text | None = ""


class AlgoCanceled(Struct, rename="camel"):
    """``code`` is a string here, "200"."""

    client_algo_id: Text
    code: int | Text


class PositionRow(Struct, rename="camel"):
    symbol: Text
    position_amt: Decimal
    entry_price: Decimal
    position_side: Text = "BOTH"
    mark_price: Decimal = ZERO
    liquidation_price: Decimal = ZERO
    update_time: int = 0


class TradeRow(Struct, rename="camel"):
    """``userTrades``: no client order id."""

    id: int
    order_id: int
    symbol: Text
    side: Side
    price: Decimal
    qty: Decimal
    commission: Decimal
    commission_asset: Text
    realized_pnl: Decimal
    maker: bool
    time: int


class BalanceRow(Struct, rename="camel"):
    """``accountAlias`` is unique to the account (Binance USD-M, Futures Account Balance)."""

    asset: Text
    balance: Decimal
    available_balance: Decimal
    account_alias: str = ""


class IncomeRow(Struct, rename="camel"):
    """``tranId`` is unique per user and income type (Binance USD-M, Get Income History)."""

    income_type: Text
    income: Decimal
    asset: Text
    time: int
    tran_id: int | Text
    symbol: Text = ""
    trade_id: int | Text = ""


class CommissionRate(Struct, rename="camel"):
    symbol: Text
    maker_commission_rate: Decimal
    taker_commission_rate: Decimal


class FeeBurn(Struct, rename="camel"):
    fee_burn: bool


class AccountConfig(Struct, rename="camel"):
    can_trade: bool
    dual_side_position: bool
    multi_assets_margin: bool


class SymbolConfig(Struct, rename="camel"):
    symbol: Text
    margin_type: Text  # CROSSED or ISOLATED
    leverage: int


class BracketRow(Struct, rename="camel"):
    initial_leverage: int
    notional_cap: Decimal
    maint_margin_ratio: Decimal
    cum: Decimal


class Brackets(Struct, rename="camel"):
    """One symbol of ``leverageBracket``."""

    symbol: Text
    brackets: list[BracketRow]


class Leverage(Struct, rename="camel"):
    symbol: Text
    leverage: int


class Filter(Struct, rename="camel"):
    """Any filter: each has the fields of its kind."""

    filter_type: Text
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    tick_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    step_size: Decimal | None = None
    notional: Decimal | None = None
    multiplier_up: Decimal | None = None
    multiplier_down: Decimal | None = None
    limit: int | None = None


class SymbolRow(Struct, rename="camel"):
    symbol: Text
    status: Text
    base_asset: Text
    quote_asset: Text
    filters: list[Filter]
    contract_type: Text = ""


class RateLimitRow(Struct, rename="camel"):
    """``interval`` is SECOND, MINUTE or DAY; the limit is per ``intervalNum`` of them."""

    rate_limit_type: Text
    interval: Text
    interval_num: int
    limit: int


class ExchangeInfo(Struct, rename="camel"):
    symbols: list[msgspec.Raw]  # one by one: a symbol of a new shape must not hide the others
    rate_limits: list[msgspec.Raw] = []


class BookTicker(Struct, rename="camel"):
    symbol: Text
    bid_price: Decimal
    bid_qty: Decimal
    ask_price: Decimal
    ask_qty: Decimal
    time: int = 0


class PremiumIndex(Struct, rename="camel"):
    symbol: Text
    mark_price: Decimal


class FrameHead(Struct):
    """What kind of user event a frame is."""

    kind: Text = field(name="e")


class OrderEventBody(Struct):
    symbol: Text = field(name="s")
    ref: Text = field(name="c")
    side: Side = field(name="S")
    type: Text = field(name="o")
    qty: Decimal = field(name="q")
    execution: Text = field(name="x")
    status: Text = field(name="X")
    order_id: int = field(name="i")
    cum_qty: Decimal = field(name="z")
    at_ms: int = field(name="T")
    orig_type: Text = field(name="ot", default="")
    price: Decimal = field(name="p", default=ZERO)
    stop_price: Decimal = field(name="sp", default=ZERO)
    last_qty: Decimal = field(name="l", default=ZERO)
    last_price: Decimal = field(name="L", default=ZERO)
    trade_id: int = field(name="t", default=0)
    fee: Decimal | None = field(name="n", default=None)
    fee_asset: Text | None = field(name="N", default=None)
    realized: Decimal = field(name="rp", default=ZERO)
    maker: bool = field(name="m", default=False)
    reduce_only: bool = field(name="R", default=False)
    close_position: bool = field(name="cp", default=False)
    expiry: int | Text = field(name="er", default="0")
    position_side: Any = field(name="ps", default="BOTH")  # whatever it is: no order is unreadable for it


class OrderEvent(Struct):
    order: OrderEventBody = field(name="o")


class AlgoEventBody(Struct):
    ref: Text = field(name="caid")
    algo_id: int = field(name="aid")
    type: Text = field(name="o")
    symbol: Text = field(name="s")
    side: Side = field(name="S")
    status: Text = field(name="X")
    qty: Text | None = field(name="q", default="")
    actual_id: int | Text | None = field(name="ai", default="")
    trigger_price: Text | None = field(name="tp", default="")
    reduce_only: bool | None = field(name="R", default=False)
    close_position: bool | None = field(name="cp", default=False)
    reason: Text | None = field(name="rm", default="")
    position_side: Any = field(name="ps", default="BOTH")  # whatever it is: no order is unreadable for it


class AlgoEvent(Struct):
    order: AlgoEventBody = field(name="o")
    at_ms: int = field(name="T")


class PositionEventBody(Struct):
    symbol: Text = field(name="s", default="")
    margin_type: Any = field(name="mt", default="")
    position_side: Any = field(name="ps", default="BOTH")


class AccountEventBody(Struct):
    positions: list[PositionEventBody] = field(name="P", default_factory=list)


class AccountEvent(Struct):
    """``ACCOUNT_UPDATE``, of which only the sides and the margin types of positions are read."""

    account: AccountEventBody = field(name="a")


class TermsEventBody(Struct):
    symbol: Text = field(name="s")
    leverage: int = field(name="l")


class ConfigEvent(Struct):
    """``ACCOUNT_CONFIG_UPDATE``: of a symbol's leverage, or with ``ai`` of the account's multi-assets mode."""

    assets: msgspec.Raw = field(name="ai", default=msgspec.Raw())
    terms: TermsEventBody | None = field(name="ac", default=None)


class KeyExpired(Struct, rename="camel"):
    listen_key: str = ""
