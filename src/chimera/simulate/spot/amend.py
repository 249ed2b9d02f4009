"""Amend keep priority: less of an order, in its place in the queue.

Both legs of an OCO have one quantity, so amending either amends both. Failures are -2038, those of quantity filters
-1013. Source: S/faqs/order_amend_keep_priority.md; that a quantity not above what has traded is refused as no change is
an assumption.
"""

from decimal import Decimal

from chimera.simulate.spot import filters
from chimera.simulate.spot.admission import check_size
from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.holds import relock
from chimera.simulate.spot.lists import ListStatus
from chimera.simulate.spot.orders import Amendment, SpotOrder
from chimera.simulate.spot.words import CLOSED, DUPLICATE, NO_CHANGE, NO_INCREASE, PENDING_OPO, UNKNOWN, not_amended
from chimera.simulate.venue.audit import Kind
from chimera.simulate.venue.orders import Step


def check_amend(order: SpotOrder, qty: Decimal, client_id: str, floor: SpotFloor) -> None:
    """Whether ``qty`` (base asset, new total) may be the order's, and ``client_id`` its name; raises ``Refusal``."""
    pair, held = order.listing, order.order_list
    filters.check_precision(newQty=qty)
    if not order.is_open:
        raise not_amended(UNKNOWN)
    if not pair.is_trading:
        raise not_amended(CLOSED)
    if held is not None and held.kind.pays and order.pending:
        raise not_amended(PENDING_OPO)
    if qty > order.qty:
        raise not_amended(NO_INCREASE)
    legs = amended_with(order)
    if qty == order.qty or any(qty <= leg.cum_qty + leg.prevented_qty for leg in legs):
        raise not_amended(NO_CHANGE)
    if any(len(leg.amendments) >= pair.rules.max_order_amends for leg in legs):
        raise not_amended("Filter failure: MAX_NUM_ORDER_AMENDS")
    if client_id != order.client_id and floor.orders.has_open(order.account.name, pair.symbol, client_id):
        raise not_amended(DUPLICATE)
    before = [leg.qty for leg in legs]
    try:
        for leg in legs:
            leg.qty = qty
            check_size(leg, floor)
    finally:
        for leg, old in zip(legs, before, strict=True):
            leg.qty = old


def amended_with(order: SpotOrder) -> tuple[SpotOrder, ...]:
    """The order and the leg whose quantity is the same by definition."""
    sibling = None if order.order_list is None else order.order_list.sibling(order)
    return (order,) if sibling is None or not sibling.is_open else (order, sibling)


def amend(order: SpotOrder, qty: Decimal, client_id: str, floor: SpotFloor) -> Amendment:
    """Make it so; checked before. Only the order asked for takes the new client id."""
    old_client_id, old_qty = order.client_id, order.qty
    for leg in amended_with(order):
        done = Amendment(
            execution_id=floor.next_execution_id(),
            old_client_id=leg.client_id,
            new_client_id=client_id if leg is order else leg.client_id,
            old_qty=leg.qty,
            new_qty=qty,
            at_ms=floor.now_ms,
        )
        leg.qty = qty
        leg.slice_left = min(leg.slice_left, leg.leaves)
        leg.amendments.append(done)
        leg.move(Step.LESSEN, floor.now_ms)
        if leg is order:
            floor.orders.rename(order, client_id)
    relock(order.hold, floor)
    for leg in amended_with(order):
        floor.log_order(Kind.AMEND, leg, reason=f"{old_qty} before")
        floor.reports.order(leg, "REPLACED")
    held = order.order_list
    if held is not None and client_id != old_client_id:
        held.status_type, held.updated_ms = ListStatus.UPDATED, floor.now_ms
        floor.reports.list_status(held)
        held.status_type = ListStatus.EXEC_STARTED
    return order.amendments[-1]
