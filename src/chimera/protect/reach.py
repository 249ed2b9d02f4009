"""How far from the market a stop may stand: the venue takes a trigger within its price band around the mark alone.

A stop may belong beyond that: the market has gone from it since it was named, and a fill asks for one of another size.
Then one stands at the band's edge meanwhile, nearer than was asked, and the position is neither bare nor closed for it.
As the market comes back the stop goes on, step by step, to where it belongs. One that stands there already stays.
"""

from decimal import Decimal
from typing import Final

from chimera.trading.market import Side
from chimera.trading.money import Price
from chimera.trading.scene import Scene
from chimera.trading.value import Value

INSIDE: Final = Decimal("0.02")  # of the band's width: the venue's mark may be another than the one we see
AFTER_REFUSAL: Final = Decimal("0.2")  # likewise, once the venue has refused
STEP: Final = Decimal("0.2")  # likewise: how much farther it must be let before it goes there


class Reach(Value):
    """Of stops of one side, at one moment. ``farthest``: the last price believed to be taken; ``edge``: one surely."""

    side: Side
    farthest: Decimal
    edge: Decimal
    step: Decimal

    def lets(self, price: Price) -> bool:
        return (price - self.farthest) * self.side.sign <= 0

    def serves(self, trigger: Price, price: Price) -> bool:
        """Whether a stop there stands in for one at ``price``: not beyond it, and about as near to it as may be."""
        beyond, behind = (trigger - price) * self.side.sign, (self.edge - trigger) * self.side.sign
        return not self.lets(price) and beyond <= 0 and behind <= self.step


def reach(side: Side, tries: int, scene: Scene) -> Reach | None:
    """``side``: the exit's. ``tries``: refusals in a row. None: no mark is seen."""
    rules = scene.instrument
    bound = rules.price_down if side is Side.SELL else rules.price_up
    if scene.mark is None:
        return None
    last = scene.mark * bound
    width = abs(scene.mark - last)
    edge = last - side.sign * width * (AFTER_REFUSAL if tries else INSIDE)
    return Reach(side=side, farthest=edge if tries else last, edge=edge, step=width * STEP)


def placed_at(price: Price, side: Side, tries: int, scene: Scene) -> Price:
    """Where a stop is sent that belongs at ``price``; rounded toward the market."""
    within = reach(side, tries, scene)
    if within is None or within.lets(price):
        return price
    return scene.instrument.stop_toward_entry(within.edge, side)


def stands_in(trigger: Price | None, price: Price, side: Side, tries: int, scene: Scene) -> bool:
    """Whether a stop at ``trigger`` is where one belongs whose own ``price`` the venue does not take now."""
    within = reach(side, tries, scene)
    return within is not None and trigger is not None and within.serves(trigger, price)
