"""What is in doubt, and when it is dead: after a restart, and after a query that does not know an order.

An answer "not found" proves nothing by itself: listings lag, and a request may still be on its way. Until there is
proof an order counts in full.
"""

from chimera.execute.hear import settle
from chimera.execute.wallet import speaks
from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.order import Order, Role, Status, Trigger
from chimera.trading.scene import Scene


def in_doubt(order: Order, scene: Scene) -> Order:
    """An order that certainly exists, in a state we must ask for."""
    if order.status is Status.PENDING_NEW:
        order = order.after(Trigger.TIMED_OUT)
    return order.but(ask_at_ms=scene.now_ms) if order.status is Status.IN_DOUBT else order


def look_elsewhere(holding: Holding, order: Order, scene: Scene) -> Holding:
    """What the query does not know may have filled all the same: position and trades may tell it sooner.

    So an order that one silence does not prove dead (``not_found``) calls for a survey, which a flat position would
    hardly get otherwise.
    """
    if holding.orders[order.ref].status is not Status.IN_DOUBT or _harmless(order, holding):
        return holding
    return holding.but(survey_due_ms=Millis(min(holding.survey_due_ms, scene.now_ms)))


def next_ask_ms(holding: Holding, order: Order, pause_ms: int, scene: Scene) -> Millis:
    """After the pause; on spot no later than the moment from which silence proves death: what waits for it is bare."""
    later = Millis(scene.now_ms + pause_ms)
    if holding.key.market.reduces_only or order.status is not Status.IN_DOUBT or order.dead_after_ms is None:
        return later
    telling = Millis(order.dead_after_ms + 1 - scene.venue_now_ms + scene.now_ms)
    return telling if scene.now_ms < telling < later else later


def asked_again(holding: Holding, scene: Scene) -> Holding:
    """After a survey on spot: what could have been in it by now and was not is asked for at once."""
    if holding.key.market.reduces_only:
        return holding
    for order in tuple(holding.orders.values()):
        late = order.status is Status.IN_DOUBT and order.dead_after_ms is not None
        if late and _silent(holding, order, Millis(order.dead_after_ms or 0), scene):
            holding = holding.with_order(order.but(ask_at_ms=scene.now_ms))
    return holding


def not_found(holding: Holding, order: Order, asked_server_ms: Millis, scene: Scene) -> Order:
    """Proof of death only when the question began after the last moment at which it could be accepted.

    What could trade twice needs more than one silence: a survey asked after that moment has brought neither the order
    nor a trade of it, and leaves no difference of positions unexplained (S4-RETRY-2). One the venue has shown since
    is in a new doubt: what was asked before, that very survey, too, is no silence.
    """
    missing = order.after(Trigger.MISSING)
    if missing.status is not Status.IN_DOUBT:
        return settle(missing, order, scene)
    if missing.created_ms > scene.now_ms:  # held back since a restart for this answer
        missing = missing.but(created_ms=scene.now_ms)
    dead_after = missing.dead_after_ms
    if dead_after is None or (_was_shown(order) and not _harmless(order, holding)):
        dead_after = Millis(scene.venue_now_ms + scene.policy.doubt_margin_ms)
        missing = missing.but(dead_after_ms=dead_after)
    if asked_server_ms > dead_after and (_harmless(order, holding) or _silent(holding, missing, dead_after, scene)):
        return settle(missing.after(_end_of(missing)), order, scene)
    return settle(missing, order, scene)


def _end_of(unknown: Order) -> Trigger:
    """Dead; or over, where position or trades have spoken for it though nobody names it."""
    if not unknown.untold_qty:
        return Trigger.PROVEN_DEAD
    return Trigger.EXPIRED if unknown.leaves_qty else Trigger.FILLED


def _was_shown(order: Order) -> bool:
    """Whether the venue's last word on it was that it lives."""
    return order.status is not Status.IN_DOUBT and order.venue_id is not None


def _harmless(order: Order, holding: Holding) -> bool:
    """Whether the venue itself keeps a second one from doing more than the first."""
    whole = order.role.protective or (order.role is Role.EXIT and holding.flattening)
    return whole and holding.key.market.reduces_only


def _silent(holding: Holding, order: Order, dead_after_ms: Millis, scene: Scene) -> bool:
    """Whether open orders, trades and position, or wallet, have been heard since, and none of them speaks for it."""
    surveyed_on_venue_clock = holding.surveyed_ms + scene.venue_now_ms - scene.now_ms
    return surveyed_on_venue_clock > dead_after_ms and not holding.strikes and not speaks(order, holding, scene)


def restarted(order: Order, scene: Scene) -> Order:
    """Whatever was on its way when we died may have arrived up to ``not_after_ms`` and its window.

    A pause that was set in the life before is over: its moment may be by a clock that has been set since. Patience with
    a stop that fires begins anew: it may have done its work long ago.
    """
    after = order.after(Trigger.RESTARTED).but(
        ask_at_ms=no_later(order.ask_at_ms, scene),
        cancel_at_ms=no_later(order.cancel_at_ms, scene),
        passed_ms=None,
        patience_ms=None,
    )
    if after.status is Status.IN_DOUBT and after.dead_after_ms is None:
        latest = max(order.request.not_after_ms or scene.venue_now_ms, scene.venue_now_ms)
        after = after.but(dead_after_ms=Millis(latest + scene.policy.doubt_margin_ms))
    if after.resendable and order.request.reduce_only:  # the venue is asked first: it may be over meanwhile
        after = after.but(created_ms=Millis(scene.now_ms + scene.policy.restart_patience_ms), resends=0)
    if after.owed:  # nobody has asked for its trades while we were dead
        after = after.but(asks=0, ask_at_ms=scene.now_ms)
    return settle(after, order, scene)


def no_later(moment_ms: Millis | None, scene: Scene) -> Millis | None:
    """The moment, or now where it lies ahead."""
    return None if moment_ms is None else Millis(min(moment_ms, scene.now_ms))
