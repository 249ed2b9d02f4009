"""What leaves the aggregate: finished orders and intents whose story is told, and trade ids too old to come again.

The document stays as small as what is alive; the rows in ``orders`` and ``fills`` are the archive. A trade may come
after its order's end, and is its intent's all the same, with the intent's stop and target: so an order of an entry that
ended short of its size, and the intent with it, wait for that a while, and for a survey that would have told.
"""

from chimera.trading.holding import Holding
from chimera.trading.order import Order, Status
from chimera.trading.scene import Scene

CROWD = 100  # orders from which those that came to nothing leave before their intent: the archive has them
LINGER_MS = 60_000  # a trade may be told after its order's end; until then the order is kept to receive it


def prune(holding: Holding, scene: Scene) -> Holding:
    """Drop intents that are done, hold no open lot and wait for no trade, then final orders that nobody needs."""
    waited_for = {
        order.intent_id
        for order in holding.orders.values()  # hundreds, where much was traded lately
        if order.intent_id is not None and order.status is not Status.FILLED and _may_fill_late(order, holding, scene)
    }
    kept = waited_for.union(holding.engaged)
    intents = {key: work for key, work in holding.intents.items() if key in kept}
    crowded = len(holding.orders) > CROWD
    ended_before_ms = scene.now_ms - LINGER_MS
    gone = [
        ref
        for ref, order in holding.orders.items()
        if order.ended_ms is not None
        and order.ended_ms <= ended_before_ms
        and not (order.owed or (order.intent_id in intents and not (crowded and _nothing(order))))
    ]
    oldest = holding.trades_confirmed_ms - 2 * scene.policy.trades_overlap_ms
    trades = {trade: at for trade, at in holding.seen_trades.items() if at >= oldest}
    if len(intents) == len(holding.intents) and not gone:
        return holding if len(trades) == len(holding.seen_trades) else holding.but(seen_trades=trades)
    left = holding.orders
    if gone:
        left = dict(left)
        for ref in gone:
            del left[ref]
    return holding.but(intents=intents, orders=left, seen_trades=trades)


def _lingers(order: Order, scene: Scene) -> bool:
    return order.ended_ms is None or scene.now_ms < order.ended_ms + LINGER_MS


def _nothing(order: Order) -> bool:
    """Refused, or kept back, and never in doubt: nothing of it can come any more."""
    return order.status is Status.REJECTED and not order.fills and order.dead_after_ms is None


def _may_fill_late(order: Order, holding: Holding, scene: Scene) -> bool:
    """An entry short of its size. Also where no survey was asked for since its end: we were dead meanwhile, or the
    venue did not answer."""
    return _lingers(order, scene) or (order.ended_ms is not None and holding.surveyed_ms <= order.ended_ms)
