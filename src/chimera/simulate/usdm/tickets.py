"""Orders as asked for, read from a request's parameters or from one object of a batch, and refused as Binance does.

Knows names, enums and which go together; sizes, prices and money are judged later.
"""

from decimal import Decimal
from typing import Final

from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.admission import Ticket
from chimera.simulate.usdm.algos import AlgoTif, AlgoType
from chimera.simulate.usdm.amend import Change
from chimera.simulate.usdm.conditional import AlgoTicket
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.orders import FuturesOrder, OrderType, PriceMatch
from chimera.simulate.venue.orders import Stp, Tif
from chimera.trading.intent import PositionSide, WorkingType
from chimera.trading.market import Side
from chimera.trading.money import ZERO

GTD_LEAST_MS: Final = 600_000  # ahead of now
GTD_END_MS: Final = 253_402_300_799_000
_OF_ALGOS: Final = ("stopPrice", "closePosition", "workingType", "priceProtect", "activationPrice", "callbackRate")
ORDER_OPTIONS: Final = (  # beside symbol, side, type; the last line only to be refused by name
    "positionSide timeInForce quantity price reduceOnly newClientOrderId newOrderRespType priceMatch goodTillDate "
    "selfTradePreventionMode stopPrice closePosition workingType priceProtect activationPrice callbackRate"
)
CHANGE_OPTIONS: Final = (
    "orderId origClientOrderId price priceMatch modifyId reduceOnly"  # beside symbol, side, quantity
)
ALGO_OPTIONS: Final = (  # beside algoType, symbol, side, type
    "positionSide timeInForce quantity price triggerPrice workingType priceMatch closePosition priceProtect reduceOnly "
    "activatePrice callbackRate clientAlgoId newOrderRespType selfTradePreventionMode goodTillDate"
)


def place_ticket(params: Params, floor: FuturesFloor, account: Account, default_stp: Stp = Stp.EXPIRE_MAKER) -> Ticket:
    """``POST order``: conditional types live elsewhere since 2025-12-09."""
    if params.text("type") in AlgoType.__members__:
        raise Refusal(-4120)
    params.refuse(*_OF_ALGOS)
    answer_type(params)
    listing = floor.listing(params.need("symbol"))
    side = params.choice("side", Side, None, -1117)
    type_ = params.choice("type", OrderType, None, -1116)
    position_side = _position_side(params, account)
    tif, match, price, until = Tif.GTC, PriceMatch.NONE, ZERO, 0
    if type_ is OrderType.LIMIT:
        tif = params.choice("timeInForce", Tif, None, -1115)
        match, price = _limit(params)
        until = _good_till(params, tif == Tif.GTD, floor.now_ms)
    else:
        _refuse_match(params)
        params.refuse("timeInForce", "price", "goodTillDate")
    return Ticket(
        account=account,
        listing=listing,
        side=side,
        type=type_,
        tif=tif,
        price=price,
        qty=params.amount("quantity"),
        reduce_only=_reduce_only(params, account),
        client_id=params.client_id("newClientOrderId") or floor.new_client_id(),
        stp=_stp(params, default_stp),
        position_side=position_side,
        price_match=match,
        good_till_ms=until,
    )


def answer_type(params: Params) -> str:
    """ACK (the default) or RESULT."""
    answer = params.text("newOrderRespType", "ACK")
    if answer not in ("ACK", "RESULT"):
        raise Refusal(-1136)
    return answer


def change(params: Params, order: FuturesOrder) -> Change:
    """``PUT order``."""
    match, price = _limit(params)
    return Change(
        order=order,
        side=params.choice("side", Side, None, -1117),
        qty=params.amount("quantity"),
        price=price,
        price_match=match,
        modify_id=params.maybe_integer("modifyId"),
        exempt=params.flag("reduceOnly"),
    )


def algo_ticket(params: Params, floor: FuturesFloor, account: Account) -> AlgoTicket:
    """``POST algoOrder``."""
    if params.text("algoType") != "CONDITIONAL":
        raise Refusal(-1130, "algoType")
    answer_type(params)
    listing = floor.listing(params.need("symbol"))
    side = params.choice("side", Side, None, -1117)
    type_ = params.choice("type", AlgoType, None, -1116)
    position_side = _position_side(params, account)
    close = _close_position(params, type_)
    tif = AlgoTif.GTE_GTC if close else params.choice("timeInForce", AlgoTif, AlgoTif.GTC, -1115)
    match, price = _child_price(params, type_, tif)
    trigger, activate, rate = _trigger(params, type_)
    return AlgoTicket(
        account=account,
        listing=listing,
        side=side,
        type=type_,
        qty=ZERO if close else params.amount("quantity"),
        trigger_price=trigger,
        working=params.choice("workingType", WorkingType, WorkingType.CONTRACT_PRICE, -4031),
        reduce_only=False if close else _reduce_only(params, account),
        close_position=close,
        price_protect=params.flag("priceProtect"),
        client_id=params.client_id("clientAlgoId") or floor.new_client_id(),
        stp=_stp(params, Stp.EXPIRE_MAKER),
        position_side=position_side,
        price=price,
        price_match=match,
        tif=tif,
        good_till_ms=_good_till(params, tif is AlgoTif.GTD, floor.now_ms),
        activate_price=activate,
        callback_rate=rate,
    )


def _position_side(params: Params, account: Account) -> PositionSide:
    """LONG or SHORT in hedge mode, BOTH (or nothing) one-way."""
    side = params.choice("positionSide", PositionSide, PositionSide.BOTH, -4060)
    if (side is PositionSide.BOTH) is account.hedge:
        raise Refusal(-4061)
    return side


def _reduce_only(params: Params, account: Account) -> bool:
    if account.hedge and params.has("reduceOnly"):
        raise Refusal(-1106, "reduceonly")  # written so by the venue
    return params.flag("reduceOnly")


def _match(params: Params) -> PriceMatch:
    return params.choice("priceMatch", PriceMatch, PriceMatch.NONE, -5037)


def _refuse_match(params: Params) -> None:
    if _match(params) is not PriceMatch.NONE:
        raise Refusal(-5038)


def _limit(params: Params) -> tuple[PriceMatch, Decimal]:
    """A price, or a way to find one; not both."""
    match = _match(params)
    if match is PriceMatch.NONE:
        return match, params.amount("price")
    params.refuse("price")
    return match, ZERO


def _good_till(params: Params, dated: bool, now_ms: int) -> int:
    """When a GTD order ends: whole seconds, more than ten minutes ahead."""
    if not dated:
        params.refuse("goodTillDate")
        return 0
    until = params.integer("goodTillDate")
    if not now_ms + GTD_LEAST_MS < until < GTD_END_MS:
        raise Refusal(-5040)
    return until // 1000 * 1000


def _close_position(params: Params, type_: AlgoType) -> bool:
    if not params.flag("closePosition"):
        return False
    if type_ not in (AlgoType.STOP_MARKET, AlgoType.TAKE_PROFIT_MARKET):
        raise Refusal(-4136, type_, "true")
    if params.has("quantity"):
        raise Refusal(-4137)
    if params.has("reduceOnly"):
        raise Refusal(-1106, "reduceOnly") if params.flag("reduceOnly") else Refusal(-4138)
    return True


def _child_price(params: Params, type_: AlgoType, tif: AlgoTif) -> tuple[PriceMatch, Decimal]:
    """What a LIMIT child is placed at; a MARKET child has neither price nor a time in force of its own."""
    if type_.child is OrderType.LIMIT:
        return _limit(params)
    if tif not in (AlgoTif.GTC, AlgoTif.GTE_GTC):
        raise Refusal(-1115)
    _refuse_match(params)
    params.refuse("price")
    return PriceMatch.NONE, ZERO


def _trigger(params: Params, type_: AlgoType) -> tuple[Decimal, Decimal, Decimal]:
    """Trigger price; or of a trailing order activation price and callback rate in percent."""
    if type_ is not AlgoType.TRAILING_STOP_MARKET:
        params.refuse("activatePrice", "callbackRate")
        return params.amount("triggerPrice"), ZERO, ZERO
    if params.has("triggerPrice"):
        raise Refusal(-2021)  # what the venue says to it, as nautilus_trader #4192 saw
    activate = params.amount("activatePrice") if params.has("activatePrice") else ZERO
    if params.has("activatePrice") and not activate:
        raise Refusal(-4135)
    return ZERO, activate, params.amount("callbackRate")


def _stp(params: Params, default: Stp) -> Stp:
    """One of the modes futures have; DECREMENT is spot's alone."""
    stp = params.choice("selfTradePreventionMode", Stp, default, -5039)
    if stp is Stp.DECREMENT:
        raise Refusal(-5039)
    return stp
