"""What leaves the aggregate: finished orders and intents whose story is told, and trade ids too old to come again.

The document stays as small as what is alive; the rows in ``orders`` and ``fills`` are the archive.
"""

from chimera.trading.execution import Phase
from chimera.trading.holding import Holding
from chimera.trading.scene import Scene

LINGER_MS = 60_000  # a trade may be told after its order's end; until then the order is kept to receive it


def prune(holding: Holding, scene: Scene) -> Holding:
    """Drop intents that are done and hold no open lot, then final orders that nobody needs."""
    holding_lots = {lot.intent_id for lot in holding.position.lots}
    intents = {key: work for key, work in holding.intents.items() if work.phase is Phase.WORKING or key in holding_lots}
    orders = {
        ref: order
        for ref, order in holding.orders.items()
        if order.ended_ms is None
        or order.owed
        or order.intent_id in intents
        or scene.now_ms < order.ended_ms + LINGER_MS
    }
    oldest = holding.trades_confirmed_ms - 2 * scene.policy.trades_overlap_ms
    trades = {trade: at for trade, at in holding.seen_trades.items() if at >= oldest}
    if len(intents) == len(holding.intents) and len(orders) == len(holding.orders):
        return holding if len(trades) == len(holding.seen_trades) else holding.but(seen_trades=trades)
    return holding.but(intents=intents, orders=orders, seen_trades=trades)
