"""The Algo service's orders: a condition that waits for a price and then becomes an order of its own.

Invariants: a status changes only along ``TRANSITIONS``; no margin is looked at before the trigger; the child carries
the algo's client id and its own order id. Among *open* algos of an account a client id is unique, closed ones free it.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chimera.simulate.usdm.accounts import PositionSide
from chimera.trading.market import Side

if TYPE_CHECKING:
    from chimera.simulate.usdm.accounts import Account
    from chimera.simulate.usdm.orders import FuturesOrder
    from chimera.simulate.usdm.perpetual import Perpetual
    from chimera.simulate.venue.orders import Stp

MAX_OPEN = 200  # over all symbols (Binance change log 2025-11-06)


class AlgoType(StrEnum):
    """Conditional types of this floor."""

    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"


class Working(StrEnum):
    """Which price triggers."""

    CONTRACT_PRICE = "CONTRACT_PRICE"
    MARK_PRICE = "MARK_PRICE"


class AlgoStatus(StrEnum):
    """Binance algoStatus."""

    NEW = "NEW"
    TRIGGERING = "TRIGGERING"
    TRIGGERED = "TRIGGERED"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


TRANSITIONS: Final[dict[AlgoStatus, frozenset[AlgoStatus]]] = {
    AlgoStatus.NEW: frozenset({AlgoStatus.TRIGGERING, AlgoStatus.CANCELED, AlgoStatus.EXPIRED}),
    AlgoStatus.TRIGGERING: frozenset({AlgoStatus.TRIGGERED, AlgoStatus.REJECTED}),
    AlgoStatus.TRIGGERED: frozenset({AlgoStatus.FINISHED}),
}
OPEN: Final = frozenset({AlgoStatus.NEW, AlgoStatus.TRIGGERING, AlgoStatus.TRIGGERED})


@dataclass(slots=True, eq=False)
class Algo:
    """A conditional order. ``qty`` is zero with ``close_position``: the whole position at the trigger."""

    algo_id: int
    client_id: str
    account: "Account"
    listing: "Perpetual"
    side: Side
    type: AlgoType
    qty: Decimal
    trigger_price: Decimal
    working: Working
    reduce_only: bool
    close_position: bool
    price_protect: bool
    stp: "Stp"
    created_ms: int
    updated_ms: int
    status: AlgoStatus = AlgoStatus.NEW
    triggered_ms: int = 0
    child: "FuturesOrder | None" = None
    reason: str = ""
    position_side: PositionSide = PositionSide.BOTH

    @property
    def number(self) -> int:
        """Ascends with age."""
        return self.algo_id

    @property
    def rises(self) -> bool:
        """Triggers when the price rises to it: a BUY stop, a SELL target."""
        return (self.type is AlgoType.STOP_MARKET) is (self.side is Side.BUY)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def waits(self) -> bool:
        """Not triggered yet: what a cancel can reach and ``openAlgoOrders`` lists."""
        return self.status is AlgoStatus.NEW

    def due(self, price: Decimal) -> bool:
        """Whether ``price`` would trigger it."""
        return price >= self.trigger_price if self.rises else price <= self.trigger_price

    def move(self, status: AlgoStatus, now_ms: int) -> None:
        """Go to ``status``; a move the table does not know is our own mistake."""
        if status not in TRANSITIONS.get(self.status, frozenset()):
            raise ValueError(f"algo {self.algo_id}: {self.status} -> {status}")
        self.status = status
        self.updated_ms = now_ms


@dataclass(slots=True)
class AlgoShelf:
    """Every algo order: by id, by client id (the newest), those still open, and those that ended."""

    by_id: dict[int, Algo] = field(default_factory=dict)
    newest: dict[tuple[str, str], Algo] = field(default_factory=dict)
    open: dict[int, Algo] = field(default_factory=dict)
    ended: list[Algo] = field(default_factory=list)  # in the order they ended; none of them changes again

    def add(self, algo: Algo) -> None:
        """Remember a new algo order."""
        self.by_id[algo.algo_id] = algo
        self.newest[algo.account.name, algo.client_id] = algo
        self.open[algo.algo_id] = algo

    def close(self, algo: Algo) -> None:
        """It is open no more."""
        del self.open[algo.algo_id]
        self.ended.append(algo)

    def has_open(self, account: str, client_id: str) -> bool:
        """Whether an open algo carries this id."""
        found = self.newest.get((account, client_id))
        return found is not None and found.is_open

    def find(self, account: "Account", algo_id: int | None, client_id: str | None) -> Algo | None:
        """By ``algo_id`` if given, else by client id."""
        if algo_id is not None:
            algo = self.by_id.get(algo_id)
            return algo if algo is not None and algo.account is account else None
        return self.newest.get((account.name, client_id or ""))

    def waiting_of(self, account: "Account", symbol: str | None = None) -> list[Algo]:
        """Untriggered algos, oldest first."""
        return [
            algo
            for algo in self.open.values()
            if algo.account is account and algo.waits and (symbol is None or algo.listing.symbol == symbol)
        ]
