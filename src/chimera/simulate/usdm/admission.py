"""What the futures venue takes as an order, and at what size: filters, duplicates, limits, reduce-only rules, margin.

Everything is checked before anything changes: a ``Refusal`` leaves no trace.
"""

from decimal import Decimal

import msgspec

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import filters
from chimera.simulate.usdm.accounts import Account, only_closes
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.margin import MARKET_BUFFER, check_entry, check_free, open_loss
from chimera.simulate.usdm.orders import FuturesOrder, OrderType, PriceMatch
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.usdm.price_match import matched
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Stp, Tif
from chimera.trading.intent import PositionSide
from chimera.trading.market import Side
from chimera.trading.money import ZERO

MAX_OPEN_ORDERS = 200  # MAX_NUM_ORDERS, per symbol


class Ticket(msgspec.Struct, frozen=True):
    """An order as asked for. ``price`` is zero for MARKET, and where ``price_match`` finds it."""

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
    position_side: PositionSide = PositionSide.BOTH
    price_match: PriceMatch = PriceMatch.NONE
    good_till_ms: int = 0

    @property
    def reduces(self) -> bool:
        """Can only close."""
        return self.reduce_only or only_closes(self.side, self.position_side)


def admitted(ticket: Ticket, floor: FuturesFloor, matcher: Matcher[FuturesOrder]) -> FuturesOrder:
    """The order the venue takes (a reduce-only one clipped to the position), or ``Refusal``."""
    price, qty = _terms(ticket, floor, matcher)
    return FuturesOrder(
        order_id=floor.next_order_id(),
        client_id=ticket.client_id,
        account=ticket.account,
        listing=ticket.listing,
        side=ticket.side,
        type=ticket.type,
        tif=ticket.tif,
        price=price,
        qty=qty,
        position_side=ticket.position_side,
        reduce_only=ticket.reduce_only,
        close_position=ticket.close_position,
        stp=ticket.stp,
        created_ms=floor.now_ms,
        updated_ms=floor.now_ms,
        price_match=ticket.price_match,
        good_till_ms=ticket.good_till_ms,
        algo=ticket.algo,
    )


def checked(ticket: Ticket, floor: FuturesFloor, matcher: Matcher[FuturesOrder]) -> None:
    """What ``order/test`` looks at: whether the order would be taken; no order id is used up."""
    _terms(ticket, floor, matcher)


def _terms(ticket: Ticket, floor: FuturesFloor, matcher: Matcher[FuturesOrder]) -> tuple[Decimal, Decimal]:
    listing, account, side, reduces = ticket.listing, ticket.account, ticket.side, ticket.reduces
    filters.check_status(listing, reduces)
    check_free(account, floor.now_ms)
    market = ticket.type is OrderType.MARKET
    price = ticket.price if ticket.price_match is PriceMatch.NONE else matched(listing, side, ticket.price_match)
    if ticket.algo is None:
        filters.check_qty(listing, ticket.qty, market)
        if not market:
            filters.check_price(listing, price, side)
        filters.check_notional(listing, (listing.mark or ZERO) if market else price, ticket.qty, reduces)
        if floor.orders.has_open(account.name, listing.symbol, ticket.client_id):
            raise Refusal(-4116)
    elif not market:
        filters.check_band(listing, price, side)
    if not market and floor.orders.count_open(account, listing.symbol) >= MAX_OPEN_ORDERS:
        raise Refusal(-2025)
    best = matcher.best_against(listing, side)
    if market:
        _check_counterparty(listing, side, best)
    qty = _reducible(ticket) if reduces else ticket.qty
    _check_taking(ticket, price, qty, best, matcher)
    if not reduces:
        _check_margin(ticket, floor, qty, _assumed(side, best) if market and best is not None else price)
    return price, qty


def _assumed(side: Side, best: Decimal) -> Decimal:
    """The price that margin takes a MARKET order to have."""
    return best * MARKET_BUFFER if side is Side.BUY else best


def _check_counterparty(listing: Perpetual, side: Side, best: Decimal | None) -> None:
    if best is None:
        raise Refusal(-1112)
    if listing.mark is not None and (best - listing.band(side)) * side.sign > 0:
        raise Refusal(-4131)


def _check_taking(
    ticket: Ticket, price: Decimal, qty: Decimal, best: Decimal | None, matcher: Matcher[FuturesOrder]
) -> None:
    """GTX must not take, FOK must take all: both are refused as if they had never been."""
    if ticket.tif is Tif.GTX and crosses(ticket.side, price, best):
        raise Refusal(-5022)
    if ticket.tif is Tif.FOK:
        apart = None if ticket.stp is Stp.NONE else ticket.account
        if matcher.within(ticket.listing, ticket.side, price, qty, apart) < qty:
            raise Refusal(-5021)


def crosses(side: Side, price: Decimal, best: Decimal | None) -> bool:
    """Whether a limit order at ``price`` would take, ``best`` being what it meets."""
    return best is not None and (best - price) * side.sign <= 0


def reducing(
    account: Account, listing: Perpetual, side: Side, position_side: PositionSide = PositionSide.BOTH
) -> list[FuturesOrder]:
    """The account's resting orders of ``side`` that can only close this position, best price first."""
    queue = listing.queues[side]
    if not any(order.reduces for line in queue.at.values() for order in line):
        return []
    return [
        order
        for order in queue.in_order()
        if order.reduces and order.account is account and order.position_side is position_side
    ]


def _reducible(ticket: Ticket) -> Decimal:
    """What is left to reduce beside what rests already: one-way a larger order is clipped, in hedge mode refused."""
    held = ticket.account.position(ticket.listing.symbol, ticket.position_side)
    room = held.room_to_reduce(ticket.side)
    if room <= ZERO:
        raise Refusal(-2022)
    if ticket.close_position:
        return room
    resting = reducing(ticket.account, ticket.listing, ticket.side, ticket.position_side)
    room -= sum((order.leaves for order in resting), ZERO)
    if ticket.position_side is not PositionSide.BOTH and ticket.qty > room:
        raise Refusal(-2022)
    if room <= ZERO:
        raise Refusal(-4118)
    return min(ticket.qty, room)


def _check_margin(ticket: Ticket, floor: FuturesFloor, qty: Decimal, price: Decimal) -> None:
    account, listing, side = ticket.account, ticket.listing, ticket.side
    check_free(account, floor.now_ms)
    held = account.position(listing.symbol, ticket.position_side)
    check_entry(floor, account, held, side, qty * price, open_loss(listing, held, side, qty, price))
