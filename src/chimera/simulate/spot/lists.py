"""Order lists: which there are, of which orders they consist, how far they are. What they do is ``contingency``'s.

``contingency`` is only ever OCO or OTO on the wire; ``kind`` tells the five placements apart.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from chimera.simulate.spot.accounts import SpotAccount
    from chimera.simulate.spot.orders import SpotOrder
    from chimera.simulate.spot.pair import Pair


class ListKind(StrEnum):
    """How a list was placed."""

    OCO = "OCO"  # two legs, of which one trades
    OTO = "OTO"  # a working order, then one pending
    OTOCO = "OTOCO"  # a working order, then an OCO
    OPO = "OPO"  # as OTO, the pending quantity being what was bought
    OPOCO = "OPOCO"

    @property
    def contingency(self) -> str:
        """``contingencyType``."""
        return "OCO" if self is ListKind.OCO else "OTO"

    @property
    def pays(self) -> bool:
        """The pending orders sell what the working order bought."""
        return self in (ListKind.OPO, ListKind.OPOCO)

    @property
    def pairs(self) -> bool:
        """Two of its orders exclude each other."""
        return self in (ListKind.OCO, ListKind.OTOCO, ListKind.OPOCO)


class ListStatus(StrEnum):
    """``listStatusType``."""

    RESPONSE = "RESPONSE"
    EXEC_STARTED = "EXEC_STARTED"
    UPDATED = "UPDATED"
    ALL_DONE = "ALL_DONE"


class ListOrderStatus(StrEnum):
    """``listOrderStatus``."""

    EXECUTING = "EXECUTING"
    ALL_DONE = "ALL_DONE"
    REJECT = "REJECT"


@dataclass(slots=True, eq=False, kw_only=True)
class OrderList:
    """A live or past list. ``working`` is ``None`` for an OCO; ``pending`` are the orders that wait for it."""

    list_id: int
    client_id: str
    account: "SpotAccount"
    listing: "Pair"
    kind: ListKind
    working: "SpotOrder | None"
    legs: tuple["SpotOrder", ...]  # an OCO's two, or those that are or were pending
    created_ms: int
    updated_ms: int
    status_type: ListStatus = ListStatus.EXEC_STARTED
    order_status: ListOrderStatus = ListOrderStatus.EXECUTING
    released: bool = False  # the pending orders went to the market

    @property
    def contingency(self) -> str:
        return self.kind.contingency

    @property
    def orders(self) -> tuple["SpotOrder", ...]:
        """All, the working one first."""
        return self.legs if self.working is None else (self.working, *self.legs)

    @property
    def is_open(self) -> bool:
        return self.order_status is ListOrderStatus.EXECUTING

    def sibling(self, order: "SpotOrder") -> "SpotOrder | None":
        """The other leg of its OCO."""
        if not self.kind.pairs or order is self.working:
            return None
        return next(leg for leg in self.legs if leg is not order)


@dataclass(slots=True)
class ListShelf:
    """Every order list: by id, by client id (the newest), those still open, and those that ended."""

    by_id: dict[int, OrderList] = field(default_factory=dict)
    newest: dict[tuple[str, str], OrderList] = field(default_factory=dict)  # by account and client id
    open: dict[int, OrderList] = field(default_factory=dict)
    ended: list[OrderList] = field(default_factory=list)

    def add(self, order_list: OrderList) -> None:
        """Remember a new list."""
        self.by_id[order_list.list_id] = order_list
        self.newest[order_list.account.name, order_list.client_id] = order_list
        self.open[order_list.list_id] = order_list

    def close(self, order_list: OrderList) -> None:
        """It is open no more."""
        del self.open[order_list.list_id]
        self.ended.append(order_list)

    def has_open(self, account: str, client_id: str) -> bool:
        """Whether an open list carries this id."""
        found = self.newest.get((account, client_id))
        return found is not None and found.is_open

    def find(self, account: "SpotAccount", list_id: int | None, client_id: str | None) -> OrderList | None:
        """By ``list_id`` if given, else by client id."""
        if list_id is not None:
            found = self.by_id.get(list_id)
            return found if found is not None and found.account is account else None
        return self.newest.get((account.name, client_id or ""))

    def of(self, account: "SpotAccount") -> list[OrderList]:
        """All of the account, oldest first."""
        return [each for each in self.by_id.values() if each.account is account]

    def open_of(self, account: "SpotAccount", symbol: str | None = None) -> list[OrderList]:
        """Open lists, oldest first."""
        return [
            each
            for each in self.open.values()
            if each.account is account and (symbol is None or each.listing.symbol == symbol)
        ]
