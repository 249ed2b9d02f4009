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


def reduces_first(working: Working, holding: Holding) -> bool:
    """Whether its next child may only reduce: the position is still of the other side."""
    return bool(working.nets) and opposed(working.intent, holding)


def gone_qty(working: Working, orders: Sequence[Order], holding: Holding) -> Decimal:
    """Base asset that it was to reduce and that somebody else has: it counts as done, and is not opened instead."""
    if not working.nets or opposed(working.intent, holding):
        return ZERO
    reduced = sum((order.cum_qty for order in orders if order.request.reduce_only), ZERO)
    return max(working.nets - reduced, ZERO)
