"""Working an entry that nets: what opposes it is reduced first, by reduce-only children, and then the rest opens.

No child does both. One order that flips would leave its remainder under the old position's stop, on the wrong side of
the market; a reduce-only child cannot flip, and the position's stop stays until it is flat. What opens then gets a stop
of its own from its first fill, like any entry. Both parts are children of one intent, under its ids in order.
"""

from collections.abc import Sequence
from decimal import Decimal

from chimera.admit.netting import netted, opposed
from chimera.trading.execution import Working
from chimera.trading.holding import Holding
from chimera.trading.money import ZERO, Qty, text
from chimera.trading.order import Order
from chimera.trading.scene import Scene


def begun(working: Working, holding: Holding, scene: Scene) -> Working:
    """With what it nets, once and for all."""
    nets = netted(working.intent, holding, scene.policy)
    if not nets:
        return working
    rest = text(Qty(working.intent.qty - nets))
    told = f"nets {text(nets)} of the position of the other side first, reduce-only; {rest} is to open"
    return working.but(nets=nets).noting(told, scene.now_ms)


def to_reduce(working: Working, orders: Sequence[Order], holding: Holding) -> Qty:
    """Base asset that its next child may only reduce; 0 where that part is over, and for every other entry.

    What stands on the other side once that is done, or once something was sent to open, is another's.
    """
    if not working.nets or not opposed(working.intent, holding) or not all(each.request.reduce_only for each in orders):
        return Qty(ZERO)
    return Qty(min(max(working.nets - _reduced(orders), ZERO), abs(holding.exposure)))


def gone_qty(working: Working, orders: Sequence[Order], holding: Holding) -> Decimal:
    """Base asset that it was to reduce and that somebody else has: it counts as done, and is not opened instead."""
    if not working.nets or opposed(working.intent, holding):
        return ZERO
    return max(working.nets - _reduced(orders), ZERO)


def _reduced(orders: Sequence[Order]) -> Decimal:
    return sum((order.cum_qty for order in orders if order.request.reduce_only), ZERO)
