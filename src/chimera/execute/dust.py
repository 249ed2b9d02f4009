"""What is left of a spot position and can no longer be sold: fees in base and part fills leave fractions behind.

Below a step, or below the least notional at the price of now, the venue takes no order. It is booked out at what it
cost, without gain or loss, and told; the coins stay in the wallet and are the user's own from then on.
"""

from decimal import Decimal

from chimera.execute.wallet import given_up
from chimera.trading.holding import Holding
from chimera.trading.money import ZERO
from chimera.trading.position import Position
from chimera.trading.scene import Scene


def left_over(holding: Holding, scene: Scene) -> Holding:
    """The holding without its dust; unchanged while anything of ours may still trade there."""
    if holding.key.market.reduces_only or not holding.position.lots or holding.entering:
        return holding
    if any(not order.status.final or order.owed for order in holding.orders.values()):
        return holding
    if not is_dust(holding.position, scene):
        return holding
    return given_up(holding).but(exit=None)


def is_dust(position: Position, scene: Scene) -> bool:
    """Whether the venue would take no sale of it now."""
    return too_small(max(position.qty, ZERO), scene)


def too_small(qty: Decimal, scene: Scene) -> bool:
    """Whether the venue would take no close of so much now; what is reduce-only needs no least notional."""
    rules = scene.instrument
    closable = rules.floor_to_step(qty)
    if closable < rules.min_qty:
        return True
    return not rules.market.reduces_only and scene.near is not None and closable * scene.near < rules.min_notional
