"""What the spot venue takes as an order list: the shape of each kind (-11xx, -12xx), then filters, prices and funds.

Sources: S/rest-api.md order lists, S/errors.md. Names of parameters are the face's: -1160, -1224 and -1225 are refused
there. A plain OTO's pending order is not funded at placement but at its release (unverified).
"""

from dataclasses import dataclass
from typing import Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot import filters
from chimera.simulate.spot.accounts import Hold, SpotAccount
from chimera.simulate.spot.admission import SpotTicket, check_unused, checked, examine, would_trigger
from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.lists import ListKind, OrderList
from chimera.simulate.spot.orders import OrderType, SpotOrder
from chimera.simulate.spot.pair import Pair
from chimera.simulate.spot.words import BAD_PRICES, DUPLICATE, UNSUPPORTED, rejected
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Status
from chimera.trading.market import Side

_TEXTS: Final = {
    -1158: "Order type not supported in OCO.",
    -1165: "A limit order in a buy OCO must be below.",
    -1166: "A limit order in a sell OCO must be above.",
    -1168: "At least one OCO order must be contingent.",
    -1196: "A stop loss order in a buy OCO must be above.",
    -1197: "A stop loss order in a sell OCO must be below.",
    -1198: "A take profit order in a buy OCO must be below.",
    -1199: "A take profit order in a sell OCO must be above.",
    -1222: "Working order in an OPO list must be a bid.",
    -1223: "Pending orders in an OPO list must be asks.",
}


@dataclass(slots=True, frozen=True, kw_only=True)
class ListTicket:
    """A list as asked for: OCO (above, below); OTO, OPO (working, pending); OTOCO, OPOCO (working, above, below).

    The pending orders of OPO and OPOCO come without a quantity.
    """

    account: SpotAccount
    pair: Pair
    kind: ListKind
    client_id: str
    orders: tuple[SpotTicket, ...]


def admitted_list(ticket: ListTicket, floor: SpotFloor, matcher: Matcher[SpotOrder]) -> OrderList:
    """The list the venue takes, its orders not yet numbered, or ``Refusal``."""
    kind = ticket.kind
    _check_shape(ticket)
    first = 0 if kind is ListKind.OCO else 1
    made = [checked(each, floor, sized=not (kind.pays and at >= first)) for at, each in enumerate(ticket.orders)]
    working, legs = (made[0] if first else None), _in_wire_order(made[first:])
    filters.check_counts(floor, made, lists=1)
    _check_ids(ticket, made, floor)
    if kind.pairs:
        _share_hold(legs)
    if working is None:
        check_relation(legs)
        examine(legs, floor, matcher)
    else:
        examine((working,), floor, matcher)
        for leg in legs:
            leg.status = Status.PENDING_NEW
        if kind.pays:
            working.earmark = legs[0].hold
    held = OrderList(
        list_id=0,
        client_id=ticket.client_id,
        account=ticket.account,
        listing=ticket.pair,
        kind=kind,
        working=working,
        legs=legs,
        created_ms=floor.now_ms,
        updated_ms=floor.now_ms,
    )
    for order in made:
        order.order_list = held
    return held


def _check_shape(ticket: ListTicket) -> None:
    kind, orders = ticket.kind, ticket.orders
    if kind is not ListKind.OCO:
        working = orders[0]
        if working.type not in (OrderType.LIMIT, OrderType.LIMIT_MAKER) or any(each.quote_qty for each in orders):
            raise rejected(UNSUPPORTED)
        if kind.pays and working.side is not Side.BUY:
            raise _shape(-1222)
        if kind.pays and any(each.side is not Side.SELL for each in orders[1:]):
            raise _shape(-1223)
    if kind.pairs:
        _check_pair(*orders[-2:])


def _check_pair(above: SpotTicket, below: SpotTicket) -> None:
    buy = above.side is Side.BUY
    if not all(each.type is OrderType.LIMIT_MAKER or each.type.is_conditional for each in (above, below)):
        raise _shape(-1158)
    if not above.type.is_conditional and not below.type.is_conditional:
        raise _shape(-1168)
    outer, inner = (above, below) if buy else (below, above)  # where the stop belongs, and where the target
    if outer.type is OrderType.LIMIT_MAKER:
        raise _shape(-1165 if buy else -1166)
    if inner.type.is_stop:
        raise _shape(-1196 if buy else -1197)
    if not outer.type.is_stop:
        raise _shape(-1198 if buy else -1199)


def _shape(code: int) -> Refusal:
    return Refusal(code, text=_TEXTS[code])


def _in_wire_order(orders: list[SpotOrder]) -> tuple[SpotOrder, ...]:
    """Of an OCO the stop comes first, as in every example of Binance's."""
    return tuple(sorted(orders, key=lambda order: not order.type.is_stop)) if len(orders) > 1 else tuple(orders)


def _check_ids(ticket: ListTicket, orders: list[SpotOrder], floor: SpotFloor) -> None:
    ids = [ticket.client_id, *(order.client_id for order in orders)]
    if len(set(ids)) < len(ids) or floor.lists.has_open(ticket.account.name, ticket.client_id):
        raise rejected(DUPLICATE)
    for order in orders:
        check_unused(order, floor)


def _share_hold(legs: tuple[SpotOrder, ...]) -> None:
    hold = Hold(legs[0].hold.asset, orders=list(legs))
    for leg in legs:
        leg.hold = hold


def check_relation(legs: tuple[SpotOrder, ...]) -> None:
    """The last price lies between the two legs; a leg that only trails has no price to compare."""
    last = legs[0].listing.trigger_price
    for leg in legs:
        if leg.type is OrderType.LIMIT_MAKER:
            wrong = last is not None and leg.peg is None and (last - leg.price) * leg.side.sign <= 0
        else:
            wrong = would_trigger(leg)
        if wrong:
            raise rejected(BAD_PRICES)
