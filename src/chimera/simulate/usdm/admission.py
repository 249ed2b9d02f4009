"""What the futures venue takes as an order, and at what size: filters, duplicates, limits, reduce-only rules, margin.

Everything is checked before anything changes: a ``Refusal`` leaves no trace.
"""

from dataclasses import dataclass
from decimal import Decimal

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import filters
from chimera.simulate.usdm.accounts import Account, PositionSide
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.orders import FuturesOrder, OrderType
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Stp, Tif
from chimera.trading.market import Side
from chimera.trading.money import ZERO

MAX_OPEN_ORDERS = 200  # MAX_NUM_ORDERS, per symbol


@dataclass(slots=True, frozen=True)
class Ticket:
    """An order as asked for. ``price`` is zero for MARKET."""

    account: Account
    listing: Perpetual
    side: Side
    type: OrderType
    tif: Tif
    price: Decimal
    qty: Decimal
    reduce_only: bool
    client_id: str
    stp: Stp = Stp.EXPIRE_MAKER
    close_position: bool = False
    algo: Algo | None = None


def admitted(ticket: Ticket, floor: FuturesFloor, matcher: Matcher[FuturesOrder]) -> FuturesOrder:
    """The order the venue takes (a reduce-only one clipped to the position), or ``Refusal``."""
    qty = _qty(ticket, floor, matcher)
    return FuturesOrder(
        order_id=floor.next_order_id(),
        client_id=ticket.client_id,
        account=ticket.account,
        listing=ticket.listing,
        side=ticket.side,
        type=ticket.type,
        tif=ticket.tif,
        price=ticket.price,
        qty=qty,
        reduce_only=ticket.reduce_only,
        close_position=ticket.close_position,
        stp=ticket.stp,
        created_ms=floor.now_ms,
        updated_ms=floor.now_ms,
        algo=ticket.algo,
    )


def _qty(ticket: Ticket, floor: FuturesFloor, matcher: Matcher[FuturesOrder]) -> Decimal:
    listing, account, side = ticket.listing, ticket.account, ticket.side
    market = ticket.type is OrderType.MARKET
    if ticket.algo is None:
        filters.check_qty(listing, ticket.qty, market)
        if not market:
            filters.check_price(listing, ticket.price, side)
        reference = (listing.mark or ZERO) if market else ticket.price
        filters.check_notional(listing, reference, ticket.qty, ticket.reduce_only)
        if floor.orders.has_open(account.name, listing.symbol, ticket.client_id):
            raise Refusal(-4116)
    if not market and floor.orders.count_open(account, listing.symbol) >= MAX_OPEN_ORDERS:
        raise Refusal(-2025)
    best = matcher.best_against(listing, side)
    if market:
        _check_counterparty(listing, side, best)
    qty = _clipped(ticket) if ticket.reduce_only else ticket.qty
    crosses = best is not None and (market or (best - ticket.price) * side.sign <= 0)
    if ticket.tif is Tif.GTX and crosses:
        raise Refusal(-5022)
    if ticket.tif is Tif.FOK and matcher.within(listing, side, ticket.price, qty, account) < qty:
        raise Refusal(-5021)
    if not ticket.reduce_only:
        _check_margin(ticket, floor, best if market and best is not None else ticket.price)
    return qty


def _check_counterparty(listing: Perpetual, side: Side, best: Decimal | None) -> None:
    if best is None:
        raise Refusal(-1112)
    if listing.mark is not None and (best - listing.band(side)) * side.sign > 0:
        raise Refusal(-4131)


def reducing(
    account: Account, listing: Perpetual, side: Side, position_side: PositionSide = PositionSide.BOTH
) -> list[FuturesOrder]:
    """The account's resting orders of ``side`` that can only close this position, best price first."""
    return [
        order
        for order in listing.queues[side].in_order()
        if order.account is account and order.position_side is position_side and order.reduces
    ]


def _clipped(ticket: Ticket) -> Decimal:
    """Reduce-only: what is left to reduce beside the reduce-only orders already resting."""
    room = ticket.account.position(ticket.listing.symbol).room_to_reduce(ticket.side)
    if room <= ZERO:
        raise Refusal(-2022)
    if ticket.close_position:
        return room
    room -= sum((order.leaves for order in reducing(ticket.account, ticket.listing, ticket.side)), ZERO)
    if room <= ZERO:
        raise Refusal(-4118)
    return min(ticket.qty, room)


def _check_margin(ticket: Ticket, floor: FuturesFloor, price: Decimal) -> None:
    held = ticket.account.position(ticket.listing.symbol)
    mark = ticket.listing.mark if ticket.listing.mark is not None else price
    more = ticket.qty * price
    bids, asks = (more, ZERO) if ticket.side is Side.BUY else (ZERO, more)
    needed = held.margin(mark, bids, asks) - held.margin(mark)
    if needed > ZERO and needed > ticket.account.available(floor.marks):
        raise Refusal(-2019)
