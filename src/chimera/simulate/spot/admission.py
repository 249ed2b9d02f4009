"""What the spot venue takes as an order: its shape and filters before the matching engine, then what that one checks.

``checked`` is what happens before the matching engine and ``examine`` what happens in it; the latter is asked again
when a pending order is released. Everything is checked before anything changes: a ``Refusal`` leaves no trace.
"""

from dataclasses import dataclass
from decimal import Decimal

from chimera.simulate.spot import filters
from chimera.simulate.spot.accounts import Hold, SpotAccount
from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.holds import need, share
from chimera.simulate.spot.orders import OrderType, Peg, PegPrice, SpotOrder
from chimera.simulate.spot.pair import Pair
from chimera.simulate.spot.words import (
    CLOSED,
    DUPLICATE,
    ICEBERG_EXCEEDS,
    INSUFFICIENT,
    NO_PEG,
    THIN,
    THIN_LOT,
    THIN_PEG,
    UNSUPPORTED,
    WOULD_MATCH,
    WOULD_TRIGGER,
    WRONG_PEG,
    invalid,
    rejected,
)
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Stp, Tif
from chimera.trading.market import Side
from chimera.trading.money import ZERO


@dataclass(slots=True, frozen=True, kw_only=True)
class SpotTicket:
    """An order as asked for; zero for what it does not name. ``trailing_delta`` in basis points."""

    account: SpotAccount
    pair: Pair
    side: Side
    type: OrderType
    client_id: str
    qty: Decimal = ZERO
    quote_qty: Decimal = ZERO
    price: Decimal = ZERO
    stop_price: Decimal = ZERO
    trailing_delta: int = 0
    iceberg_qty: Decimal = ZERO
    tif: Tif = Tif.GTC
    stp: Stp = Stp.EXPIRE_MAKER
    peg: Peg | None = None
    strategy_id: int | None = None
    strategy_type: int | None = None


def checked(ticket: SpotTicket, floor: SpotFloor, *, sized: bool = True) -> SpotOrder:
    """The order it would be, still without a number. Not ``sized``: its quantity is not known yet (OPO)."""
    filters.check_precision(
        quantity=ticket.qty,
        quoteOrderQty=ticket.quote_qty,
        price=ticket.price,
        stopPrice=ticket.stop_price,
        icebergQty=ticket.iceberg_qty,
    )
    if not ticket.pair.is_trading:
        raise invalid(CLOSED)
    order = _built(ticket, floor)
    _check_shape(order)
    check_prices(order, order.given_price, floor.now_ms)
    if sized:
        check_size(order, floor)
    return order


def _built(ticket: SpotTicket, floor: SpotFloor) -> SpotOrder:
    order = SpotOrder(
        order_id=0,
        client_id=ticket.client_id,
        account=ticket.account,
        listing=ticket.pair,
        side=ticket.side,
        type=ticket.type,
        tif=ticket.tif,
        price=ticket.price,
        qty=ticket.qty,
        stp=ticket.stp,
        created_ms=floor.now_ms,
        updated_ms=floor.now_ms,
        hold=Hold(ticket.pair.pays(ticket.side)),
        given_price=ticket.price,
        quote_qty=ticket.quote_qty,
        stop_price=ticket.stop_price,
        trailing_delta=ticket.trailing_delta,
        iceberg_qty=ticket.iceberg_qty,
        slice_left=ticket.iceberg_qty,
        peg=ticket.peg,
        strategy_id=ticket.strategy_id,
        strategy_type=ticket.strategy_type,
    )
    order.hold.orders.append(order)
    return order


def _check_shape(order: SpotOrder) -> None:
    if order.iceberg_qty:
        if order.takes_any or order.tif is not Tif.GTC:
            raise rejected(UNSUPPORTED)
        if order.iceberg_qty > order.qty > ZERO:
            raise rejected(ICEBERG_EXCEEDS)
    if order.peg is None:
        return
    if order.takes_any:
        raise rejected(NO_PEG)
    primary = order.peg.price_type is PegPrice.PRIMARY_PEG
    if order.type is OrderType.LIMIT_MAKER and not primary:
        raise rejected(WRONG_PEG)
    if order.type is OrderType.LIMIT and primary and order.tif is not Tif.GTC:
        raise rejected(UNSUPPORTED)


def check_prices(order: SpotOrder, price: Decimal, now_ms: int) -> None:
    """The filters of a limit price (which a peg may not have) and a stop price."""
    pair = order.listing
    if not order.takes_any and (price or order.peg is None):
        filters.check_price(pair, price)
        filters.check_percent(pair, order.side, price, now_ms)
    if order.stop_price:
        filters.check_price(pair, order.stop_price)
    if order.trailing_delta:
        filters.check_trailing(order)


def check_size(order: SpotOrder, floor: SpotFloor) -> None:
    """The filters of a quantity, displayed quantity and notional. A quantity not asked for (quote MARKET) has none."""
    pair, qty = order.listing, order.qty
    average = pair.average(floor.now_ms)
    price = average if order.takes_any or not order.price else order.price
    if order.quote_qty:
        notional: Decimal | None = order.quote_qty
    else:
        filters.check_lot(pair, qty)
        if order.takes_any:
            filters.check_market_lot(pair, qty)
        notional = None if price is None else price * qty
    if order.iceberg_qty:
        filters.check_iceberg(pair, qty, order.iceberg_qty)
    if notional is not None:
        filters.check_notional(pair, notional, market=order.takes_any)
        filters.check_asset(floor, pair, qty, notional)
    filters.check_position(floor, order)


def check_unused(order: SpotOrder, floor: SpotFloor) -> None:
    """No open order has its client id."""
    if floor.orders.has_open(order.account.name, order.listing.symbol, order.client_id):
        raise rejected(DUPLICATE)


def examine(orders: tuple[SpotOrder, ...], floor: SpotFloor, matcher: Matcher[SpotOrder]) -> None:
    """What the matching engine asks of orders of one hold before they go live; sets the prices that pegs choose."""
    for order in orders:
        if not order.type.is_conditional:
            peg_now(order, floor)
        if order.type is OrderType.LIMIT_MAKER and crosses(order, matcher):
            raise rejected(WOULD_MATCH)
        if order.type.is_conditional and would_trigger(order):
            raise rejected(WOULD_TRIGGER)
        if order.quote_qty:
            order.qty = _bought_with(order, matcher)
        order.lock_price = _lock_price(order)
    first = orders[0]
    cost = max(need(order, live=True) for order in orders)
    if first.type is OrderType.MARKET and first.side is Side.BUY:
        cost = cost_of(first, matcher)
    if cost > first.account.free(first.hold.asset) + first.hold.amount:
        raise rejected(INSUFFICIENT)


def peg_now(order: SpotOrder, floor: SpotFloor) -> None:
    """Let a peg choose the limit price from the displayed book; the filters apply to it as well."""
    if order.peg is None:
        return
    primary = order.peg.price_type is PegPrice.PRIMARY_PEG
    ladder = order.listing.book.side(order.side if primary else order.side.opposite)
    depth = order.peg.offset_value or 0
    levels = ladder.top(depth + 1)
    if len(levels) <= depth:
        raise rejected(THIN_PEG)
    price = levels[depth][0]
    check_prices(order, price, floor.now_ms)
    order.price = price
    filters.check_notional(order.listing, price * order.qty, market=False)


def crosses(order: SpotOrder, matcher: Matcher[SpotOrder]) -> bool:
    """Whether it would take."""
    best = matcher.best_against(order.listing, order.side)
    return best is not None and (best - order.price) * order.side.sign <= 0


def would_trigger(order: SpotOrder) -> bool:
    """Whether the last price already meets its stop price; one that only trails never does."""
    last = order.listing.trigger_price
    if last is None or not order.stop_price:
        return False
    return last >= order.stop_price if order.rises else last <= order.stop_price


def _lock_price(order: SpotOrder) -> Decimal:
    """A BUY without a limit price locks at its stop price, one that only trails at the last price (assumption)."""
    if not order.takes_any and order.price:
        return order.price
    return order.stop_price or order.listing.last or ZERO


def cost_of(order: SpotOrder, matcher: Matcher[SpotOrder]) -> Decimal:
    """What the book asks now for all of a MARKET order that it can fill, in quote asset."""
    left, cost = order.leaves, ZERO
    for price, size in share(order, matcher):
        qty = min(left, size)
        cost += qty * price
        left -= qty
        if not left:
            break
    return cost


def _bought_with(order: SpotOrder, matcher: Matcher[SpotOrder]) -> Decimal:
    """The quantity a MARKET order in quote asset comes to: what the book gives for at most that, in whole steps."""
    rules, left, qty = order.listing.instrument, order.quote_qty, ZERO
    seen = False
    for price, size in share(order, matcher):
        seen = True
        take = min(size, rules.floor_to_step(left / price))
        qty += take
        left -= take * price
        if take < size:
            break
    if not seen:
        raise rejected(THIN)
    if qty < rules.min_qty:
        raise rejected(THIN_LOT)
    return min(rules.floor_to_step(qty), rules.market_max_qty)
