"""Changing a resting order (``PUT order``): what the venue takes as a change, and at what terms.

Everything is checked before anything changes. Two changes end the order instead: a quantity at or below what is already
filled, and a post-only price that would take.
"""

from dataclasses import dataclass
from decimal import Decimal

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import filters
from chimera.simulate.usdm.admission import crosses, reducing
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.margin import check_entry, open_loss
from chimera.simulate.usdm.orders import MAX_AMENDMENTS, Amendment, FuturesOrder, OrderType, PriceMatch
from chimera.simulate.usdm.price_match import matched
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Tif
from chimera.trading.intent import PositionSide
from chimera.trading.market import Side
from chimera.trading.money import ZERO


@dataclass(slots=True, frozen=True)
class Change:
    """A change as asked for. ``exempt``: sent with ``reduceOnly``, which spares an exit the notional rule."""

    order: FuturesOrder
    side: Side
    qty: Decimal
    price: Decimal
    price_match: PriceMatch = PriceMatch.NONE
    modify_id: int | None = None
    exempt: bool = False


def amended(change: Change, floor: FuturesFloor, matcher: Matcher[FuturesOrder]) -> Amendment | None:
    """The change the venue makes, ``None`` if it cancels the order instead, or ``Refusal``."""
    order = change.order
    price = _price(change)
    _check(change, price)
    if order.cum_qty and change.qty <= order.cum_qty:
        return None
    if order.tif is Tif.GTX and crosses(order.side, price, matcher.best_against(order.listing, order.side)):
        return None
    qty = change.qty
    if order.reduces:
        qty = min(qty, order.cum_qty + _room(order))
    else:
        more = (qty - order.cum_qty) * price - order.leaves * order.price
        held = order.account.position(order.listing.symbol, order.position_side)
        loss = open_loss(order.listing, held, order.side, qty - order.cum_qty, price)
        check_entry(floor, order.account, held, order.side, more, loss)
    return Amendment(
        at_ms=floor.now_ms,
        price_before=order.price,
        price_after=price,
        qty_before=order.qty,
        qty_after=qty,
        modify_id=change.modify_id,
    )


def _price(change: Change) -> Decimal:
    order = change.order
    if not order.listing.takes_orders:
        raise Refusal(-5024)
    if order.type is not OrderType.LIMIT:
        raise Refusal(-5025)
    if change.side is not order.side:
        raise Refusal(-1117)
    if change.price_match is PriceMatch.NONE:
        return change.price
    return matched(order.listing, order.side, change.price_match)


def _check(change: Change, price: Decimal) -> None:
    order, listing = change.order, change.order.listing
    if change.exempt and not order.reduce_only:
        raise Refusal(-5047)
    if price == order.price and change.qty == order.qty:
        raise Refusal(-5027)
    if len(order.amendments) >= MAX_AMENDMENTS:
        raise Refusal(-5026)
    filters.check_qty(listing, change.qty, market=False)
    filters.check_price(listing, price, order.side)
    exempt = change.exempt or (order.position_side is not PositionSide.BOTH and order.reduces)
    filters.check_notional(listing, price, change.qty, exempt, -5029)


def _room(order: FuturesOrder) -> Decimal:
    """What this order may still close beside the others that rest."""
    held = order.account.position(order.listing.symbol, order.position_side)
    others = reducing(order.account, order.listing, order.side, order.position_side)
    room = held.room_to_reduce(order.side) - sum((each.leaves for each in others if each is not order), ZERO)
    if room <= ZERO:
        raise Refusal(-4118)
    return room
