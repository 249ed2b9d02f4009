"""The stops and targets of an order that is over, as they are now: its row has them as they were when it was done.

By memory, by news that no row has yet, by their own rows; where none of them answers, one that stood then is in doubt.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from chimera.ports.ledger import Rows
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import OrderChanged
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId
from chimera.trading.order import Order
from chimera.wire import keys
from chimera.wire.results import leg, leg_now, over


async def as_they_are(row: Mapping[str, Any], holdings: Iterable[Holding], rows: Rows) -> dict[str, Any]:
    """The order's row with them."""
    known = tuple(holdings)
    legs = await asyncio.gather(*(_now(each, known, rows) for each in row["legs"]))
    return {**row, "legs": list(legs)}


async def _now(then: dict[str, Any], holdings: tuple[Holding, ...], rows: Rows) -> dict[str, Any]:
    if over(then):
        return then
    ref = ClientOrderId(then["client_order_id"])
    order = _in_memory(ref, holdings)
    if order is not None:
        return leg(order)
    try:
        child = await rows.get(keys.ORDERS, ref)
    except StoreUnavailable:
        child = None
    return {**then, "in_doubt": True} if child is None else leg_now(then, child)


def _in_memory(ref: ClientOrderId, holdings: tuple[Holding, ...]) -> Order | None:
    for holding in holdings:
        if ref in holding.orders:
            return holding.orders[ref]
        for event in reversed(holding.outbox):
            if isinstance(event.body, OrderChanged) and event.body.order.ref == ref:
                return event.body.order
    return None
