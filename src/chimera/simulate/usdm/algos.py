"""The Algo service's orders: a condition that waits for a price and then becomes an order of its own.

Invariants: a status changes only along ``TRANSITIONS``; no margin is looked at before the trigger; the child carries
the algo's client id and its own order id. Among *open* algos of an account a client id is unique, closed ones free it.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from chimera.simulate.usdm.orders import OrderType, PriceMatch
from chimera.simulate.venue.orders import Tif
from chimera.trading.intent import PositionSide, WorkingType
from chimera.trading.market import Side
from chimera.trading.money import ZERO

if TYPE_CHECKING:
    from chimera.simulate.usdm.accounts import Account
    from chimera.simulate.usdm.orders import FuturesOrder
    from chimera.simulate.usdm.perpetual import Perpetual
    from chimera.simulate.venue.orders import Stp

MAX_OPEN = 200  # over all symbols (Binance change log 2025-11-06)


class AlgoType(StrEnum):
    """Conditional types: the first two leave a LIMIT child, the others a MARKET one."""

    STOP = "STOP"
    TAKE_PROFIT = "TAKE_PROFIT"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    TRAILING_STOP_MARKET = "TRAILING_STOP_MARKET"

    @property
    def child(self) -> OrderType:
        """What it becomes."""
        return OrderType.LIMIT if self in (AlgoType.STOP, AlgoType.TAKE_PROFIT) else OrderType.MARKET

    def rises(self, side: Side) -> bool:
        """Whether an order of ``side`` triggers on a price that comes up: a BUY stop, a SELL target."""
        return (self in (AlgoType.TAKE_PROFIT, AlgoType.TAKE_PROFIT_MARKET)) is (side is Side.SELL)


class AlgoTif(StrEnum):
    """Time in force of the child; ``GTE_GTC`` also ends the condition with the position it stands by."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    GTX = "GTX"
    GTD = "GTD"
    GTE_GTC = "GTE_GTC"

    @property
    def child(self) -> Tif:
        """What the matching engine is told."""
        return Tif.GTC if self is AlgoTif.GTE_GTC else Tif(self.value)


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
    """A conditional order. ``qty`` is zero with ``close_position``: the whole position at the trigger.

    ``price`` is a LIMIT child's, zero if ``price_match`` finds it at the trigger. Of a trailing one: ``callback_rate``
    in percent, ``activate_price`` from where it trails (zero: at once), ``extreme`` the best price since ``active``.
    """

    algo_id: int
    client_id: str
    account: "Account"
    listing: "Perpetual"
    side: Side
    type: AlgoType
    qty: Decimal
    trigger_price: Decimal
    working: WorkingType
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
    price: Decimal = ZERO
    price_match: PriceMatch = PriceMatch.NONE
    tif: AlgoTif = AlgoTif.GTC
    good_till_ms: int = 0
    activate_price: Decimal = ZERO
    callback_rate: Decimal = ZERO
    active: bool = False
    extreme: Decimal = ZERO

    @property
    def number(self) -> int:
        """Ascends with age."""
        return self.algo_id

    @property
    def rises(self) -> bool:
        """Triggers when the price rises to it."""
        return self.type.rises(self.side)

    @property
    def trails(self) -> bool:
        """Its trigger follows the price."""
        return self.type is AlgoType.TRAILING_STOP_MARKET

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def waits(self) -> bool:
        """Not triggered yet: what a cancel can reach."""
        return self.status is AlgoStatus.NEW

    def follow(self, price: Decimal) -> bool:
        """A trailing one sees ``price``; whether it became active by it."""
        if self.active:
            self.extreme = min(self.extreme, price) if self.rises else max(self.extreme, price)
            return False
        reached = price <= self.activate_price if self.rises else price >= self.activate_price
        if not self.activate_price or reached:
            self.active, self.extreme = True, price
        return self.active

    def turned(self, price: Decimal) -> bool:
        """Whether ``price`` came back from the extreme by the callback rate."""
        back = self.extreme * self.callback_rate / 100
        return self.active and (price >= self.extreme + back if self.rises else price <= self.extreme - back)

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

    def open_of(self, account: "Account", symbol: str | None = None) -> list[Algo]:
        """Those whose child is not in the matching engine yet, oldest first: waiting, or stuck in TRIGGERING."""
        return [
            algo
            for algo in self.open.values()
            if algo.account is account and algo.child is None and (symbol is None or algo.listing.symbol == symbol)
        ]

    def waiting_of(self, account: "Account", symbol: str | None = None) -> list[Algo]:
        """Untriggered algos, oldest first."""
        return [
            algo
            for algo in self.open.values()
            if algo.account is account and algo.waits and (symbol is None or algo.listing.symbol == symbol)
        ]
