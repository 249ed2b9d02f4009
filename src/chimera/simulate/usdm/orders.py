"""A futures order's own terms beside those of every order."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from chimera.simulate.usdm.accounts import PositionSide
from chimera.simulate.venue.orders import Order

if TYPE_CHECKING:
    from chimera.simulate.usdm.accounts import Account
    from chimera.simulate.usdm.algos import Algo
    from chimera.simulate.usdm.perpetual import Perpetual


class OrderType(StrEnum):
    """What the matching engine takes directly; conditional types live in the Algo service."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


@dataclass(slots=True, eq=False, kw_only=True)
class FuturesOrder(Order):
    """An order on a perpetual contract. ``algo``: the conditional order whose child it is."""

    account: "Account"
    listing: "Perpetual"
    type: OrderType
    reduce_only: bool
    close_position: bool
    position_side: PositionSide = PositionSide.BOTH
    algo: "Algo | None" = None

    @property
    def reduces(self) -> bool:
        """Can only close: reduce-only, or in hedge mode against its position's direction."""
        return self.reduce_only or self.position_side.reduced_by(self.side)

    @property
    def orig_type(self) -> str:
        """The type it began as: the algo's for a child."""
        return self.type if self.algo is None else self.algo.type
