"""The duty of protection by kind of market, chosen once: ``stops`` on futures, ``pairs`` (order lists) on spot.

It knows only which is whose; both answer the same three questions. Their functions are looked up as they are called,
so that a test may take one away.
"""

from typing import Final, Protocol

from chimera.protect import pairs, stops
from chimera.trading.bracket import Bracket
from chimera.trading.commands import Command
from chimera.trading.facts import PlaceRefused
from chimera.trading.holding import Holding
from chimera.trading.market import Market
from chimera.trading.order import Order
from chimera.trading.scene import Scene


class Duty(Protocol):
    """What protects the positions of one kind of market. A module is one."""

    def protect(self, holding: Holding, wanted: Bracket | None, scene: Scene) -> tuple[Holding, tuple[Command, ...]]:
        """Bring what stands to what the position needs; ``wanted`` None: nothing, or nobody knows yet."""

    def refused(self, holding: Holding, order: Order, no: PlaceRefused, scene: Scene) -> Holding:
        """After the venue refused a stop, a target or a list."""

    def ended(self, holding: Holding, order: Order, scene: Scene) -> Holding:
        """After the venue ended one that nobody cancelled, and that did nothing."""


_FUTURES: Final[Duty] = stops
_SPOT: Final[Duty] = pairs


def duty_on(market: Market) -> Duty:
    return _FUTURES if market.reduces_only else _SPOT
