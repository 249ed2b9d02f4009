"""What leaves the aggregate: finished orders and intents whose story is told, and trade ids too old to come again.

The document stays as small as what is alive; the rows in ``orders`` and ``fills`` are the archive. A trade may come
after its order's end, and is its intent's all the same, with the intent's stop and target: so an order of an entry that
ended short of its size, and the intent with it, wait for that a while, and for a survey that would have told. On
futures, what ended without a doubt and cannot fill any more leaves soon: only its end is remembered, for that while.
"""

from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId
from chimera.trading.order import Ended, Order, Role, Status
from chimera.trading.scene import Scene

CROWD = 100  # orders from which those that came to nothing leave before their intent: the archive has them
SETTLED_MS = 1_000  # so long what settled stays: the other answers to it come
ENDS_MOST = (
    256  # of those that left soon, where more than four a second do: what is older than the newest so many is over
)
UNTOLD_MS = 600_000  # so long an order stays that has filled, and whose trades were given up: they may be told yet
LINGER_MS = 60_000  # a trade may be told after its order's end; until then the order is kept to receive it


def prune(holding: Holding, scene: Scene) -> Holding:
    """Drop intents that are done, hold no open lot and wait for no trade, then final orders that nobody needs."""
    waited_for = {
        order.intent_id
        for order in holding.orders.values()  # hundreds, where much was traded lately
        if order.intent_id is not None and _trades_may_come(order, holding, scene)
    }
    kept = waited_for.union(holding.engaged)
    intents = {key: work for key, work in holding.intents.items() if key in kept}
    crowded = len(holding.orders) > CROWD
    ended_before_ms = scene.now_ms - LINGER_MS
    settled_before_ms = scene.now_ms - SETTLED_MS if _hastens(holding) else ended_before_ms
    gone = [
        ref
        for ref, order in holding.orders.items()
        if order.ended_ms is not None
        and order.ended_ms <= settled_before_ms
        and not (order.owed or (order.intent_id in intents and not (crowded and _nothing(order))))
        and (order.ended_ms <= ended_before_ms or _settled(order))
    ]
    ended = _ended(holding, gone, ended_before_ms)
    if len(intents) == len(holding.intents) and ended is holding.ended and not gone:
        return holding
    left = holding.orders
    if gone:
        left = dict(left)
        for ref in gone:
            del left[ref]
    return holding.but(intents=intents, orders=left, ended=ended)


def forget_trades(holding: Holding, scene: Scene) -> Holding:
    """Without the ids of trades too old to come again, once the cursor has moved: one before it is counted no more."""
    oldest = holding.trades_confirmed_ms - 2 * scene.policy.trades_overlap_ms
    trades = {trade: at for trade, at in holding.seen_trades.items() if at >= oldest}
    return holding if len(trades) == len(holding.seen_trades) else holding.but(seen_trades=trades)


def _ended(holding: Holding, gone: list[ClientOrderId], before_ms: int) -> dict[ClientOrderId, Ended]:
    """With the ends of those that leave now; without what was before that moment."""
    known = holding.ended
    if not gone and (not known or next(iter(known.values())).at_ms > before_ms):
        return known
    ends = {
        ref: Ended(at_ms=order.ended_ms, qty=order.cum_qty)
        for ref, order in ((ref, holding.orders[ref]) for ref in gone)
        if order.ended_ms is not None
    }
    left = [(ref, end) for ref, end in (known | ends).items() if end.at_ms > before_ms]
    return dict(left[-ENDS_MOST:])


def _hastens(holding: Holding) -> bool:
    """Spot's lists are judged by both their legs, and a close in parts by what it has sent: there nothing hurries."""
    return holding.key.market.reduces_only and holding.exit is None


def _settled(order: Order) -> bool:
    """Each sending of it was answered, and it has filled whole, each trade counted, or was protection and never began:
    the venue's word on it is its last, and whatever comes late has been heard before."""
    if order.dead_after_ms is not None or order.before_qty:
        return False
    if order.role.protective:
        return order.status is Status.CANCELED and not order.fills and not order.venue_cum_qty
    return order.role is not Role.EXTERNAL and order.status is Status.FILLED and order.told_qty == order.qty


def _lingers(order: Order, scene: Scene) -> bool:
    return order.ended_ms is None or scene.now_ms < order.ended_ms + LINGER_MS


def _nothing(order: Order) -> bool:
    """Refused, or kept back, and never in doubt: nothing of it can come any more."""
    return order.status is Status.REJECTED and not order.fills and order.dead_after_ms is None


def _trades_may_come(order: Order, holding: Holding, scene: Scene) -> bool:
    if order.untold_qty and order.ended_ms is not None:
        return scene.now_ms < order.ended_ms + UNTOLD_MS
    return order.status is not Status.FILLED and _may_fill_late(order, holding, scene)


def _may_fill_late(order: Order, holding: Holding, scene: Scene) -> bool:
    """An entry short of its size. Also where no survey was asked for since its end: we were dead meanwhile, or the
    venue did not answer."""
    return _lingers(order, scene) or (order.ended_ms is not None and holding.surveyed_ms <= order.ended_ms)
