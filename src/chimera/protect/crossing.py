"""Stops whose price the market has passed while the venue says, as far as we have heard, that they still wait.

A trigger is told by the stream; where that is silent, or the trigger's child was refused, the market tells first. And
where the venue has not triggered it (its conditional orders are a service of their own, which may stand still while
orders trade), nothing tells but the market: a stop that waits on though its price is long passed is no stop.
"""

from typing import Final

from chimera.trading.holding import Holding
from chimera.trading.intent import WorkingType
from chimera.trading.market import Side
from chimera.trading.money import Price
from chimera.trading.order import Order, Role
from chimera.trading.scene import Scene

CROSSED_MS: Final = 1_000  # a stop whose price was passed is asked for so often, until there is news


def crossed(holding: Holding, scene: Scene) -> tuple[Order, ...]:
    """By the mark, or by the touch where the stop goes by the last price, as on spot all do."""
    stops = (order for order in holding.in_role(Role.STOP) if order.live)
    return tuple(order for order in stops if _passed(order, scene))


def timed(holding: Holding, scene: Scene) -> Holding:
    """With the moment since which the price of each stop that waits has been passed."""
    for order in holding.in_role(Role.STOP):
        began_ms = order.passed_ms if _unbroken(order, scene) else scene.now_ms
        since_ms = began_ms if order.live and _wholly_passed(order, scene) else None
        if since_ms != order.passed_ms:
            holding = holding.with_order(order.but(passed_ms=since_ms))
    return holding


def _unbroken(order: Order, scene: Scene) -> bool:
    """It is asked for all the while: where it was not, the price was elsewhere, or nobody saw it."""
    asked_ms = order.asked_ms
    return order.passed_ms is not None and asked_ms is not None and scene.now_ms <= asked_ms + 2 * CROSSED_MS


def overdue(holding: Holding, scene: Scene) -> bool:
    """Whether a stop of this position waits on though its price has been passed for longer than it may."""
    return any(
        order.passed_ms is not None
        and scene.now_ms >= order.passed_ms + scene.policy.passed_patience_ms
        and order.request.side.sign * holding.exposure < 0
        and holding.stands(order)
        and _unbroken(order, scene)
        and _wholly_passed(order, scene)
        for order in holding.in_role(Role.STOP)
        if order.live
    )


def _wholly_passed(order: Order, scene: Scene) -> bool:
    """By the mark; where the stop goes by trades, by both sides of the touch: none can be made on its own side."""
    touch, trigger = scene.touch, order.request.trigger_price
    if trigger is None or not _passed(order, scene):
        return False
    if _by_mark(order.request.working_type, scene):
        return True
    return touch is not None and (touch.ask <= trigger if order.request.side is Side.SELL else touch.bid >= trigger)


def _passed(order: Order, scene: Scene) -> bool:
    request = order.request
    return request.trigger_price is not None and passed(
        request.trigger_price, request.side, request.working_type, scene
    )


def passed(trigger: Price, side: Side, working_type: WorkingType | None, scene: Scene) -> bool:
    """Whether a stop of this side with this trigger would fire at once by the prices seen now; unseen ones say no."""
    touch, sells = scene.touch, side is Side.SELL
    if _by_mark(working_type, scene):
        price = scene.mark
    else:
        price = None if touch is None else touch.bid if sells else touch.ask
    if price is None:
        return False
    return price <= trigger if sells else price >= trigger


def _by_mark(working_type: WorkingType | None, scene: Scene) -> bool:
    return working_type is not WorkingType.CONTRACT_PRICE and scene.instrument.market.reduces_only
