"""Spot: whether the wallet speaks for an order on which there is no word.

A position there is a balance, and the user's own coins lie in it, too: it never says how much of it is ours. But what
it had beyond ours while nothing was in doubt, it has still, unless an order of ours has moved it; what the user trades
by hand is told by its own trades. So what is gained or lost since speaks for a purchase or a sale that no list shows
yet. It books nothing: coins also come and go by transfers, and therefore it does not speak for ever.
"""

from typing import Final

from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.ids import child_of
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Qty
from chimera.trading.order import FIRING, Order, Status
from chimera.trading.scene import Scene
from chimera.trading.venue import VenueSnapshot

BOUGHT_PATIENCE_MS: Final = 600_000  # past the last moment at which the order could be accepted
SOLD_PATIENCE_MS: Final = 60_000
_MOVING: Final = (Status.PENDING_NEW, Status.IN_DOUBT, Status.PENDING_CANCEL, *FIRING)


def moved(fill: Fill, scene: Scene) -> Qty:
    """By how much the position moves, base asset: on spot the fee may be taken from it."""
    market, base = scene.instrument.market, scene.instrument.base
    if market.reduces_only or fill.fee_asset != base:
        return fill.qty
    return Qty(fill.qty - fill.side.sign * fill.fee)


def nobodys(fill: Fill, holding: Holding) -> bool:
    """On spot what others trade with the account's key is the user's own: no lot of ours grows or shrinks by it."""
    return not holding.key.market.reduces_only and fill.ref not in holding.orders and child_of(fill.ref) is None


def by_hand(holding: Holding, fill: Fill, scene: Scene) -> Holding:
    """The user's own trade: what of the wallet is his has moved by it."""
    if holding.own_qty is None:
        return holding
    own = holding.own_qty + fill.side.sign * moved(fill, scene)
    return holding.but(own_qty=own, seen_trades={**holding.seen_trades, fill.trade_id: fill.at_ms})


def given_up(holding: Holding) -> Holding:
    """What is left of our position is the user's from now on."""
    own = None if holding.own_qty is None else holding.own_qty + holding.position.qty
    return holding.but(position=holding.position.without_dust(), own_qty=own)


def looked(holding: Holding, snapshot: VenueSnapshot) -> Holding:
    """After a survey, its trades counted. Less than ours is a gap, which the surveys judge (``reconcile.survey``)."""
    if holding.key.market.reduces_only:
        return holding
    beyond = max(snapshot.position.qty - holding.position.qty, ZERO)
    if holding.own_qty is None or not any(order.status in _MOVING or order.owed for order in holding.orders.values()):
        return holding.but(own_qty=beyond, own_moved=ZERO)
    return holding.but(own_moved=beyond - holding.own_qty)


def speaks(order: Order, holding: Holding, scene: Scene) -> bool:
    """Whether the wallet has moved the way of this order since, by what is in doubt at most.

    Of a purchase by a step at least. While a sale is in doubt, what it should sell is bare: there it must be most of
    it, and not for long, since a fee that was taken in the very asset looks alike. A list is not judged by it at all.
    """
    side, dead_after_ms = order.request.side, order.dead_after_ms
    buys = side is Side.BUY
    patience_ms = BOUGHT_PATIENCE_MS if buys else SOLD_PATIENCE_MS
    late = dead_after_ms is not None and scene.venue_now_ms > dead_after_ms + patience_ms
    if late or order.role.protective or not holding.own_moved:
        return False
    alike = (each for each in holding.orders.values() if each.request.side is side and not each.role.protective)
    most = sum((each.leaves_qty for each in alike if each.status in _MOVING), ZERO)
    return (scene.instrument.step if buys else most / 2) <= holding.own_moved * side.sign <= most
