"""The Algo service: takes conditional orders in, watches prices, turns a due one into a child order.

Invariants: nothing but shape and price is checked before the trigger; a child the matching engine refuses leaves its
algo REJECTED with the reason and no order; a closePosition algo ends EXPIRED when its position closes. Between trigger
and matching engine stands a gate, which may turn a child away or hold its algo in TRIGGERING.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import filters
from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.admission import Ticket
from chimera.simulate.usdm.algos import MAX_OPEN, Algo, AlgoStatus, AlgoType, Working
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.orders import FuturesOrder, OrderType
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue.audit import Kind
from chimera.simulate.venue.orders import Stp, Tif
from chimera.trading.market import Side
from chimera.trading.money import ZERO


@dataclass(slots=True, frozen=True)
class AlgoTicket:
    """A conditional order as asked for. ``qty`` is zero exactly with ``close_position``."""

    account: Account
    listing: Perpetual
    side: Side
    type: AlgoType
    qty: Decimal
    trigger_price: Decimal
    working: Working
    reduce_only: bool
    close_position: bool
    price_protect: bool
    client_id: str
    stp: Stp = Stp.EXPIRE_MAKER


class AlgoDesk:
    """Owns every conditional order until it is a child in the matching engine."""

    def __init__(self, floor: FuturesFloor, enter: Callable[[Ticket], FuturesOrder]) -> None:
        self.floor = floor
        self.enter = enter
        self.gate: Callable[[Algo], bool] = lambda algo: True  # may raise ``Refusal``; ``False`` holds it
        self.held: dict[int, Algo] = {}  # triggered, and not let through yet

    def place(self, ticket: AlgoTicket) -> Algo:
        """Take a conditional order in, or raise ``Refusal`` with nothing changed."""
        self._check(ticket)
        floor = self.floor
        algo = Algo(
            algo_id=floor.next_algo_id(),
            client_id=ticket.client_id,
            account=ticket.account,
            listing=ticket.listing,
            side=ticket.side,
            type=ticket.type,
            qty=ticket.qty,
            trigger_price=ticket.trigger_price,
            working=ticket.working,
            reduce_only=ticket.reduce_only or ticket.close_position,
            close_position=ticket.close_position,
            price_protect=ticket.price_protect,
            stp=ticket.stp,
            created_ms=floor.now_ms,
            updated_ms=floor.now_ms,
        )
        floor.algos.add(algo)
        ticket.listing.triggers[ticket.working].add(algo)
        floor.log_algo(Kind.ACCEPT, algo)
        floor.reports.algo(algo)
        return algo

    def _check(self, ticket: AlgoTicket) -> None:
        listing, account = ticket.listing, ticket.account
        if not ticket.close_position:
            filters.check_qty(listing, ticket.qty, market=True)
        filters.check_trigger(listing, ticket.trigger_price, ticket.side)
        if not ticket.close_position:
            exempt = ticket.reduce_only
            filters.check_notional(listing, ticket.trigger_price, ticket.qty, exempt)
        if self.floor.algos.has_open(account.name, ticket.client_id):
            raise Refusal(-4116)
        if ticket.close_position:
            if account.position(listing.symbol).room_to_reduce(ticket.side) <= ZERO:
                raise Refusal(-4509)
            if self._has_twin(ticket):
                raise Refusal(-4130)
        if len(self.floor.algos.waiting_of(account)) >= MAX_OPEN:
            raise Refusal(-4045)
        price = listing.price(ticket.working)
        rises = (ticket.type is AlgoType.STOP_MARKET) is (ticket.side is Side.BUY)
        if price is not None and (price >= ticket.trigger_price if rises else price <= ticket.trigger_price):
            raise Refusal(-2021)

    def _has_twin(self, ticket: AlgoTicket) -> bool:
        return any(
            algo.close_position and algo.type is ticket.type and algo.side is ticket.side
            for algo in self.floor.algos.waiting_of(ticket.account, ticket.listing.symbol)
        )

    def cancel(self, algo: Algo) -> None:
        """Withdraw an untriggered algo."""
        self._end(algo, AlgoStatus.CANCELED, Kind.CANCEL)

    def release(self, account: Account, listing: Perpetual) -> None:
        """After a position changed: closePosition algos that have nothing left to close expire."""
        for algo in self.floor.algos.waiting_of(account, listing.symbol):
            held = account.position(listing.symbol, algo.position_side)
            if algo.close_position and held.room_to_reduce(algo.side) <= ZERO:
                self._end(algo, AlgoStatus.EXPIRED, Kind.EXPIRE)

    def _end(self, algo: Algo, status: AlgoStatus, kind: Kind) -> None:
        algo.listing.triggers[algo.working].remove(algo)
        algo.move(status, self.floor.now_ms)
        self.floor.algos.close(algo)
        self.floor.log_algo(kind, algo)
        self.floor.reports.algo(algo)

    def fire_due(self, listing: Perpetual) -> bool:
        """Trigger every algo of this symbol that is due; whether there was one.

        All are taken off the waiting list before the first child trades: its own print must not spare the others.
        """
        due: list[tuple[Algo, Decimal]] = []
        for working, waiting in listing.triggers.items():
            price = listing.price(working)
            if price is not None:
                due += [(algo, price) for algo in waiting.pop_due(price)]
        for algo, price in due:
            self._fire(algo, price)
        return bool(due)

    def _fire(self, algo: Algo, price: Decimal) -> None:
        floor = self.floor
        algo.triggered_ms = floor.now_ms
        algo.move(AlgoStatus.TRIGGERING, floor.now_ms)
        floor.log_algo(Kind.TRIGGER, algo, price=price)
        floor.reports.algo(algo)
        self._let_in(algo, self.gate)

    def go_on(self, algo: Algo) -> None:
        """Let a held algo through."""
        del self.held[algo.algo_id]
        self._let_in(algo, lambda _: True)

    def _let_in(self, algo: Algo, gate: Callable[[Algo], bool]) -> None:
        floor = self.floor
        try:
            if gate(algo):
                self.enter(self._child(algo))
            else:
                self.held[algo.algo_id] = algo
        except Refusal as refusal:
            algo.reason = refusal.msg
            algo.move(AlgoStatus.REJECTED, floor.now_ms)
            floor.algos.close(algo)
            floor.log_algo(Kind.REJECT, algo, code=refusal.code, reason=refusal.msg)
            floor.reports.algo(algo)

    def _child(self, algo: Algo) -> Ticket:
        held = algo.account.position(algo.listing.symbol)
        return Ticket(
            account=algo.account,
            listing=algo.listing,
            side=algo.side,
            type=OrderType.MARKET,
            tif=Tif.GTC,
            price=ZERO,
            qty=held.room_to_reduce(algo.side) if algo.close_position else algo.qty,
            reduce_only=algo.reduce_only,
            client_id=algo.client_id,
            stp=algo.stp,
            close_position=algo.close_position,
            algo=algo,
        )
