"""A ground for tests of the router's parts: the usual account on USD-M, nobody there, time that stands still."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from chimera.services.router.barriers import Barriers
from chimera.services.router.ground import Ground, VenueTime
from chimera.trading.events import Alert
from chimera.trading.ids import DEFAULT_ACCOUNT, PositionKey
from chimera.trading.market import Market
from chimera.trading.scene import Policy
from support.standing import CLOCK


def a_ground(
    owners: Mapping[PositionKey, Any] | None = None,
    *,
    clock: Any = CLOCK,
    tell: Callable[[Alert], None] = lambda alert: None,
    scene: Any = None,
) -> Ground:
    """``owners`` are kept as they are, not copied."""
    return Ground(
        account_id=DEFAULT_ACCOUNT,
        market=Market.FUT,
        symbols=(),
        policy=Policy(),
        owners=cast("Any", {} if owners is None else owners),
        instruments={},
        clock=clock,
        venue_clock=VenueTime(clock),
        barriers=Barriers(clock, tell),
        tell=tell,
        scene=scene,
    )
