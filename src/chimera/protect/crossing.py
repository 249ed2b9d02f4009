"""Stops whose price the market has passed while the venue says, as far as we have heard, that they still wait.

A trigger is told by the stream; where that is silent, or the trigger's child was refused, the market tells first.
"""

from chimera.trading.holding import Holding
from chimera.trading.intent import WorkingType
from chimera.trading.market import Side
from chimera.trading.money import Price
from chimera.trading.order import Order, Role
from chimera.trading.scene import Scene


def crossed(holding: Holding, scene: Scene) -> tuple[Order, ...]:
    """By the mark, or by the touch where the stop goes by the last price, as on spot all do."""
    stops = (order for order in holding.in_role(Role.STOP) if order.live)
    return tuple(order for order in stops if _passed(order, scene))


def _passed(order: Order, scene: Scene) -> bool:
    request = order.request
    return request.trigger_price is not None and passed(
        request.trigger_price, request.side, request.working_type, scene
    )


def passed(trigger: Price, side: Side, working_type: WorkingType | None, scene: Scene) -> bool:
    """Whether a stop of this side with this trigger would fire at once by the prices seen now; unseen ones say no."""
    touch, sells = scene.touch, side is Side.SELL
    if working_type is WorkingType.CONTRACT_PRICE or not scene.instrument.market.reduces_only:
        price = None if touch is None else touch.bid if sells else touch.ask
    else:
        price = scene.mark
    if price is None:
        return False
    return price <= trigger if sells else price >= trigger
