"""A futures order's own terms beside those of every order, and the record of its changes."""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chimera.simulate.usdm.accounts import only_closes
from chimera.simulate.venue.orders import Order
from chimera.trading.intent import PositionSide
from chimera.trading.value import Value

if TYPE_CHECKING:
    from chimera.simulate.usdm.accounts import Account
    from chimera.simulate.usdm.algos import Algo
    from chimera.simulate.usdm.perpetual import Perpetual


MAX_AMENDMENTS: Final = 10_000


class OrderType(StrEnum):
    """What the matching engine takes directly; conditional types live in the Algo service."""

    LIMIT = "LIMIT"
    MARKET = "MARKET"


class PriceMatch(StrEnum):
    """A limit price taken from the book: the n-th of the other side (OPPONENT) or of the own one (QUEUE).

    OPPONENT_10 and OPPONENT_20 were withdrawn from placing and changing (change log 2025-10-23).
    """

    NONE = "NONE"
    OPPONENT = "OPPONENT"
    OPPONENT_5 = "OPPONENT_5"
    QUEUE = "QUEUE"
    QUEUE_5 = "QUEUE_5"
    QUEUE_10 = "QUEUE_10"
    QUEUE_20 = "QUEUE_20"

    @property
    def rank(self) -> int:
        """Which level, the best is 1."""
        return _RANKS[self]

    @property
    def crosses(self) -> bool:
        """Looks at the other side."""
        return self in (PriceMatch.OPPONENT, PriceMatch.OPPONENT_5)


_RANKS: Final = {
    PriceMatch.OPPONENT: 1,
    PriceMatch.OPPONENT_5: 5,
    PriceMatch.QUEUE: 1,
    PriceMatch.QUEUE_5: 5,
    PriceMatch.QUEUE_10: 10,
    PriceMatch.QUEUE_20: 20,
}


class Amendment(Value, tag=False):
    """One change of a resting order. ``modify_id`` is its owner's own number for it."""

    at_ms: int
    price_before: Decimal
    price_after: Decimal
    qty_before: Decimal
    qty_after: Decimal
    modify_id: int | None = None


class Forced(StrEnum):
    """Why the venue placed an order on its own; as ``autoCloseType`` names it."""

    LIQUIDATION = "LIQUIDATION"
    ADL = "ADL"
    SETTLEMENT = "SETTLEMENT"

    def client_id(self, now_ms: int, number: int) -> str:
        """As Binance writes it: a prefix, the moment, a number (none of both for ADL)."""
        prefix = _PREFIXES[self]
        return f"{prefix}{now_ms}{number % 1_000_000:06d}" if prefix.endswith("-") else prefix


_PREFIXES: Final = {
    Forced.LIQUIDATION: "autoclose-",
    Forced.ADL: "adl_autoclose",
    Forced.SETTLEMENT: "settlement_autoclose-",
}


@dataclass(slots=True, eq=False, kw_only=True)
class FuturesOrder(Order):
    """An order on a perpetual contract. ``algo``: the conditional order whose child it is.

    ``good_till_ms``: when a GTD order ends, else 0.
    """

    account: "Account"
    listing: "Perpetual"
    type: OrderType
    reduce_only: bool
    close_position: bool
    position_side: PositionSide = PositionSide.BOTH
    price_match: PriceMatch = PriceMatch.NONE
    good_till_ms: int = 0
    amendments: tuple[Amendment, ...] = ()
    algo: "Algo | None" = None
    forced: Forced | None = None
    reduces: bool = field(init=False)  # can only close: reduce-only, or in hedge mode against its position's direction

    def __post_init__(self) -> None:
        self.reduces = self.reduce_only or only_closes(self.side, self.position_side)

    @property
    def orig_type(self) -> str:
        """The type it began as: the algo's for a child."""
        return self.type if self.algo is None else self.algo.type
