"""The futures floor: accounts and positions, perpetuals and marks, orders and conditional orders, where news goes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm.accounts import Account, Position, open_account
from chimera.simulate.usdm.algos import Algo, AlgoShelf
from chimera.simulate.usdm.orders import FuturesOrder
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import Audit, Kind
from chimera.simulate.venue.floor import Execution, Floor, terms_of
from chimera.trading.instrument import Instrument
from chimera.trading.intent import PositionSide
from chimera.trading.market import Side

_FIRST_ALGO_ID = 1_000_000_000_000_000
_FIRST_TRAN_ID = 100_000_000_000


@dataclass(slots=True, frozen=True)
class Fill:
    """One execution of one order with its money. ``fee`` and ``realized`` in the margin asset."""

    trade_id: int
    price: Decimal
    qty: Decimal
    maker: bool
    fee: Decimal
    realized: Decimal


def cleared(execution: Execution, fee: Decimal, realized: Decimal) -> Fill:
    """The execution with its money."""
    return Fill(execution.trade_id, execution.price, execution.qty, execution.maker, fee, realized)


class Reports(Protocol):
    """Who turns happenings into stream frames; the exchange does not know their shape."""

    def order(self, order: FuturesOrder, execution: str, fill: Fill | None = None) -> None:
        """An order's state changed; ``execution`` is NEW, TRADE (with its fill), AMENDMENT, CANCELED or EXPIRED."""
        ...

    def algo(self, algo: Algo) -> None:
        """An algo order's state changed."""
        ...

    def printed(self, listing: Perpetual, price: Decimal, qty: Decimal, taker: Side) -> None:
        """A public trade."""
        ...

    def account(
        self,
        account: Account,
        reason: str,
        positions: Sequence[tuple[Position, Decimal]],
        change: Decimal,
        symbol: str = "",
    ) -> None:
        """Money moved by ``change`` without a trade; ``positions``, each with its mark, had their margin changed."""
        ...

    def margin_call(self, account: Account, positions: Sequence[tuple[Position, Decimal, Decimal]]) -> None:
        """These positions, each with its mark and maintenance margin, are near liquidation."""
        ...


class FuturesFloor(Floor[Account, Perpetual, FuturesOrder]):
    """The shared state of the futures market."""

    def __init__(self, instruments: Iterable[Instrument], seed: int, audit: Audit, reports: Reports) -> None:
        super().__init__({each.symbol: Perpetual(each) for each in instruments}, seed, audit)
        self.algos = AlgoShelf()
        self.reports = reports
        self.marks: dict[str, Decimal] = {}
        self.moved: dict[tuple[str, str], None] = {}  # positions changed since the last settle, in order
        self.remarked: dict[str, None] = {}  # symbols whose mark changed since the last settle, in order
        self.algo_id = _FIRST_ALGO_ID  # the last one given
        self.tran_id = _FIRST_TRAN_ID  # likewise, of money that moves without a trade

    def admit(self, spec: AccountSpec) -> Account:
        """A new account; its name must be new."""
        if spec.name in self.accounts:
            raise Refusal(-1130, "name")
        account = self.accounts[spec.name] = open_account(spec)
        self.audit.add(Kind.OPEN_ACCOUNT, self.now_ms, account=account.name, wallet_after=account.wallet)
        return account

    def next_tran_id(self) -> int:
        """Ascending over all accounts."""
        self.tran_id += 1
        return self.tran_id

    def next_algo_id(self) -> int:
        """Ascending over all symbols."""
        self.algo_id += 1
        return self.algo_id

    def log_order(self, kind: Kind, order: FuturesOrder, **more: Any) -> None:
        """Audit an order with its terms; an execution's ``price`` and ``qty`` stand in the place of its own."""
        terms = terms_of(order) | {
            "algo_id": None if order.algo is None else order.algo.algo_id,
            "position_side": "" if order.position_side is PositionSide.BOTH else order.position_side,
            "reduce_only": order.reduce_only,
            "close_position": order.close_position,
        }
        self.audit.add(kind, self.now_ms, **terms | more)

    def log_algo(self, kind: Kind, algo: Algo, **more: Any) -> None:
        """Audit an algo order with its terms."""
        self.audit.add(
            kind,
            self.now_ms,
            account=algo.account.name,
            symbol=algo.listing.symbol,
            client_order_id=algo.client_id,
            algo_id=algo.algo_id,
            side=algo.side,
            position_side="" if algo.position_side is PositionSide.BOTH else algo.position_side,
            type=algo.type,
            status=algo.status,
            qty=algo.qty,
            reduce_only=algo.reduce_only,
            close_position=algo.close_position,
            trigger_price=algo.trigger_price,
            working_type=algo.working,
            **more,
        )
