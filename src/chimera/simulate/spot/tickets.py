"""What a caller asks for, read into tickets: one order, or a leg of a list under its prefix.

The parameters of ``POST order`` and of each leg are the same but for their names; which are mandatory and which not
wanted is by order type. What the terms mean together (filters, prices, list shapes) is the exchange's to judge.
"""

from decimal import Decimal
from typing import Final, NamedTuple

from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot.admission import SpotTicket
from chimera.simulate.spot.call import SpotCall
from chimera.simulate.spot.orders import OrderType, Peg, PegOffset, PegPrice
from chimera.simulate.venue.orders import Stp, Tif
from chimera.trading.market import Side
from chimera.trading.money import ZERO

STRATEGY_TYPES_FROM: Final = 1_000_000
PEG_VALUE_MAX: Final = 100
_SPOT_TIFS: Final = frozenset({Tif.GTC, Tif.IOC, Tif.FOK})
_LIMITS: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LOSS_LIMIT, OrderType.TAKE_PROFIT_LIMIT})


class Names(NamedTuple):
    """What one order's parameters are called; "" for one that this order cannot have."""

    type: str
    side: str
    quantity: str
    price: str
    stop_price: str
    trailing_delta: str
    iceberg_qty: str
    tif: str
    client_id: str
    strategy_id: str
    strategy_type: str
    peg_price: str
    peg_offset: str
    peg_value: str

    @property
    def terms(self) -> tuple[str, ...]:
        """All that is optional to the parser: not type, side and quantity."""
        return tuple(name for name in self[3:] if name)


_PLAIN: Final = (
    "type side quantity price stopPrice trailingDelta icebergQty timeInForce newClientOrderId strategyId strategyType "
    "pegPriceType pegOffsetType pegOffsetValue"
)
PLAIN: Final = Names(*_PLAIN.split())


def leg(prefix: str, *, side: str = "side", quantity: str = "quantity") -> Names:
    """A list's leg: ``abovePrice``, ``pendingBelowStopPrice``… Side and quantity may be shared with others."""
    named = [prefix + name[0].upper() + name[1:] for name in _PLAIN.replace("newC", "c").split()]
    return Names(*named)._replace(side=side, quantity=quantity)


def shared(call: SpotCall) -> Stp:
    """The self-trade prevention mode of all orders of the call; -1130 for one that no pair allows (TRANSFER)."""
    return call.params.choice("selfTradePreventionMode", Stp, Stp.EXPIRE_MAKER, -1130)


def single(call: SpotCall) -> SpotTicket:
    """``POST order``: also of a quantity in quote asset."""
    params = call.params
    quote = ZERO
    if params.text("type") == OrderType.MARKET:
        params.need_one("quantity", "quoteOrderQty")
        if params.has("quantity") and params.has("quoteOrderQty"):
            raise Refusal(-1128)
        quote = params.amount("quoteOrderQty") if params.has("quoteOrderQty") else ZERO
    else:
        params.refuse("quoteOrderQty")
    return read(call, PLAIN, sized=not quote, quote_qty=quote)


def read(
    call: SpotCall,
    names: Names,
    type_: OrderType | None = None,
    *,
    sized: bool = True,
    quote_qty: Decimal = ZERO,
) -> SpotTicket:
    """One order's ticket. ``type_``: its type, where no parameter says it. Not ``sized``: its quantity comes later."""
    params = call.params
    side = params.choice(names.side, Side, None, -1117)
    if type_ is None:
        type_ = params.choice(names.type, OrderType, None, -1116)
    peg, tif = _peg(params, names), _tif(params, names.tif)
    if names is not PLAIN and params.has(names.iceberg_qty) and tif is not Tif.GTC:
        raise Refusal(-1160, names.iceberg_qty, names.tif)
    _check(params, names, type_, pegged=peg is not None)
    return SpotTicket(
        account=call.account,
        pair=call.pair,
        side=side,
        type=type_,
        client_id=call.new_id(names.client_id),
        qty=params.amount(names.quantity) if sized else ZERO,
        quote_qty=quote_qty,
        price=_amount(params, names.price),
        stop_price=_amount(params, names.stop_price),
        trailing_delta=params.integer_or(names.trailing_delta, 0),
        iceberg_qty=_amount(params, names.iceberg_qty),
        tif=tif,
        stp=shared(call),
        peg=peg,
        strategy_id=params.maybe_integer(names.strategy_id),
        strategy_type=_strategy_type(params, names.strategy_type),
    )


def _check(params: Params, names: Names, type_: OrderType, *, pegged: bool) -> None:
    """What this type must and must not bring."""
    if type_ in _LIMITS:
        params.need(names.tif)
    else:
        params.refuse(names.tif)
    if type_.takes_any:
        params.refuse(names.price, names.iceberg_qty)
    elif not pegged:
        params.need(names.price)
    if type_.is_conditional:
        params.need_one(names.stop_price, names.trailing_delta)
    else:
        params.refuse(names.stop_price, names.trailing_delta)


def _amount(params: Params, name: str) -> Decimal:
    return params.amount(name) if params.has(name) else ZERO


def _tif(params: Params, name: str) -> Tif:
    tif = params.choice(name, Tif, Tif.GTC, -1115)
    if tif not in _SPOT_TIFS:
        raise Refusal(-1115)
    return tif


def _strategy_type(params: Params, name: str) -> int | None:
    value = params.maybe_integer(name)
    if value is not None and value < STRATEGY_TYPES_FROM:
        raise Refusal(-1134)
    return value


def _peg(params: Params, names: Names) -> Peg | None:
    if not params.has(names.peg_price):
        params.refuse(names.peg_offset, names.peg_value)
        return None
    price_type = params.choice(names.peg_price, PegPrice, None, -1210)
    if params.has(names.peg_offset) != params.has(names.peg_value):
        fields = f"{names.peg_offset}, {names.peg_value}"
        raise Refusal(-1128, text=f"Fields [{fields}] must be sent together or omitted entirely.")
    if not params.has(names.peg_offset):
        return Peg(price_type)
    offset, value = params.choice(names.peg_offset, PegOffset, None, -1211), params.integer(names.peg_value)
    if value > PEG_VALUE_MAX:
        raise Refusal(-1130, names.peg_value)
    return Peg(price_type, offset, value)
