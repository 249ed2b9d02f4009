"""The Algo service: takes conditional orders in, watches prices, turns a due one into a child order.

Invariants: nothing but shape and price is checked before the trigger; a child the matching engine refuses leaves its
algo REJECTED with the reason and no order; an algo that stands by a position (GTE_GTC, as every closePosition one does)
ends EXPIRED when the position closes. Between trigger and matching engine stands a gate, which may turn a child away or
hold its algo in TRIGGERING.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.usdm import filters
from chimera.simulate.usdm.accounts import Account, only_closes
from chimera.simulate.usdm.admission import Ticket
from chimera.simulate.usdm.algos import MAX_OPEN, Algo, AlgoStatus, AlgoTif, AlgoType
from chimera.simulate.usdm.floor import FuturesFloor
from chimera.simulate.usdm.orders import FuturesOrder, OrderType, PriceMatch
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue.audit import Kind
from chimera.simulate.venue.orders import Stp
from chimera.trading.intent import PositionSide, WorkingType
from chimera.trading.market import Side
from chimera.trading.money import ZERO

_MOST: Final = Decimal(20)  # percent; raised from 10 on 2026-10-23
_LEAST: Final = Decimal("0.1")


@dataclass(slots=True, frozen=True, kw_only=True)
class AlgoTicket:
    """A conditional order as asked for. ``qty`` is zero exactly with ``close_position``; the rest as in ``Algo``."""

    account: Account
    listing: Perpetual
    side: Side
    type: AlgoType
    qty: Decimal
    trigger_price: Decimal = ZERO
    working: WorkingType = WorkingType.CONTRACT_PRICE
    reduce_only: bool = False
    close_position: bool = False
    price_protect: bool = False
    client_id: str
    stp: Stp = Stp.EXPIRE_MAKER
    position_side: PositionSide = PositionSide.BOTH
    price: Decimal = ZERO
    price_match: PriceMatch = PriceMatch.NONE
    tif: AlgoTif = AlgoTif.GTC
    good_till_ms: int = 0
    activate_price: Decimal = ZERO
    callback_rate: Decimal = ZERO

    @property
    def reduces(self) -> bool:
        """Can only close."""
        return self.reduce_only or self.close_position or only_closes(self.side, self.position_side)


class AlgoDesk:
    """Owns every conditional order until it is a child in the matching engine."""

    def __init__(self, floor: FuturesFloor, enter: Callable[[Ticket], FuturesOrder]) -> None:
        self.floor = floor
        self.enter = enter
        self.gate: Callable[[Algo], bool] = lambda algo: True  # may raise ``Refusal``; ``False`` holds it
        self.held: dict[int, Algo] = {}  # triggered, and not let through yet
        self.cancel_code: Callable[[Algo], int] = _cancel_code  # of one that waits no longer

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────
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
            position_side=ticket.position_side,
            price=ticket.price,
            price_match=ticket.price_match,
            tif=ticket.tif,
            good_till_ms=ticket.good_till_ms,
            activate_price=ticket.activate_price,
            callback_rate=ticket.callback_rate,
        )
        last = ticket.listing.price(ticket.working)
        if algo.trails and not algo.activate_price and last is not None:
            algo.activate_price = last  # none given: it trails from here
            algo.follow(last)
        floor.algos.add(algo)
        self.watch(algo)
        floor.log_algo(Kind.ACCEPT, algo)
        floor.reports.algo(algo)
        return algo

    def watch(self, algo: Algo) -> None:
        """Let prices reach it from now on."""
        if algo.trails:
            algo.listing.trailing.append(algo)
        else:
            algo.listing.triggers[algo.working].add(algo)

    def _check(self, ticket: AlgoTicket) -> None:
        listing, account = ticket.listing, ticket.account
        filters.check_status(listing, ticket.reduces)
        if not ticket.close_position:
            filters.check_qty(listing, ticket.qty, market=ticket.type.child is OrderType.MARKET)
        last = listing.price(ticket.working)
        worst = self._check_trailing(ticket, last) if ticket.type is AlgoType.TRAILING_STOP_MARKET else _prices(ticket)
        if not ticket.close_position and worst is not None:
            filters.check_notional(listing, worst, ticket.qty, ticket.reduces)
        if self.floor.algos.has_open(account.name, ticket.client_id):
            raise Refusal(-4116)
        if ticket.tif is AlgoTif.GTE_GTC:
            held = account.position(listing.symbol, ticket.position_side)
            if held.room_to_reduce(ticket.side) <= ZERO:
                raise Refusal(-4509)
        if ticket.close_position and self._has_twin(ticket):
            raise Refusal(-4130)
        if len(self.floor.algos.waiting_of(account)) >= MAX_OPEN:
            raise Refusal(-4045)
        if ticket.trigger_price and last is not None:
            rises = ticket.type.rises(ticket.side)
            if last >= ticket.trigger_price if rises else last <= ticket.trigger_price:
                raise Refusal(-2021)

    def _check_trailing(self, ticket: AlgoTicket, last: Decimal | None) -> Decimal | None:
        """Callback and activation; what the notional is measured by."""
        if not _LEAST <= ticket.callback_rate <= _MOST:
            raise Refusal(-2007)
        if not ticket.activate_price:
            return last
        filters.check_tick(ticket.listing, ticket.activate_price, -4135)
        if last is not None and (ticket.activate_price - last) * ticket.side.sign >= 0:
            raise Refusal(-2021)  # a BUY starts to trail below, a SELL above
        return ticket.activate_price

    def _has_twin(self, ticket: AlgoTicket) -> bool:
        return any(
            algo.close_position
            and algo.type is ticket.type
            and algo.side is ticket.side
            and algo.position_side is ticket.position_side
            for algo in self.floor.algos.waiting_of(ticket.account, ticket.listing.symbol)
        )

    # ── out without a trigger ───────────────────────────────────────────────────────────────────────────────────────
    def cancel(self, algo: Algo) -> None:
        """Withdraw an untriggered algo."""
        self._end(algo, AlgoStatus.CANCELED, Kind.CANCEL)

    def expire(self, algo: Algo) -> None:
        """Its date has come, or its symbol has gone; one that triggered goes on as an order."""
        if algo.waits:
            self._end(algo, AlgoStatus.EXPIRED, Kind.EXPIRE)

    def release(self, account: Account, listing: Perpetual) -> None:
        """After a position changed: algos that stand by a position which is gone expire."""
        for algo in self.floor.algos.waiting_of(account, listing.symbol):
            held = account.position(listing.symbol, algo.position_side)
            if algo.tif is AlgoTif.GTE_GTC and held.room_to_reduce(algo.side) <= ZERO:
                self._end(algo, AlgoStatus.EXPIRED, Kind.EXPIRE)

    def _end(self, algo: Algo, status: AlgoStatus, kind: Kind) -> None:
        if algo.trails:
            algo.listing.trailing.remove(algo)
        else:
            algo.listing.triggers[algo.working].remove(algo)
        algo.move(status, self.floor.now_ms)
        self.floor.algos.close(algo)
        self.floor.log_algo(kind, algo)
        self.floor.reports.algo(algo)

    # ── the trigger ─────────────────────────────────────────────────────────────────────────────────────────────────
    def fire_due(self, listing: Perpetual) -> bool:
        """Trigger every algo of this symbol that is due; whether there was one.

        All are taken off the waiting list before the first child trades: its own print must not spare the others. One
        that is price-protected goes on waiting while last and mark price are too far apart.
        """
        due: list[tuple[Algo, Decimal]] = []
        for working, waiting in listing.triggers.items():
            price = listing.price(working)
            if price is not None:
                due += [(algo, price) for algo in waiting.pop_due(price)]
        if listing.trailing:
            due += self._turned(listing)
        fired = False
        for algo, price in due:
            if algo.price_protect and listing.shielded:
                self.watch(algo)
            else:
                fired = True
                self._fire(algo, price)
        return fired

    def _turned(self, listing: Perpetual) -> list[tuple[Algo, Decimal]]:
        due: list[tuple[Algo, Decimal]] = []
        for algo in tuple(listing.trailing):
            price = listing.price(algo.working)
            if price is None:
                continue
            before = algo.extreme
            if algo.follow(price):
                algo.updated_ms = self.floor.now_ms
                self.floor.reports.algo(algo)  # NEW once more, now active
            if algo.extreme != before:
                self.floor.audit.stir()
            if algo.turned(price):
                listing.trailing.remove(algo)
                due.append((algo, price))
        return due

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
                self.enter(_child(algo))
            else:
                self.held[algo.algo_id] = algo
        except Refusal as refusal:
            algo.reason = refusal.msg
            algo.move(AlgoStatus.REJECTED, floor.now_ms)
            floor.algos.close(algo)
            floor.log_algo(Kind.REJECT, algo, code=refusal.code, reason=refusal.msg)
            floor.reports.algo(algo)


def _cancel_code(algo: Algo) -> int:
    return -4117 if algo.status is AlgoStatus.TRIGGERING else -2011


def _prices(ticket: AlgoTicket) -> Decimal:
    """Trigger and limit price; returns what the notional is measured by."""
    filters.check_trigger(ticket.listing, ticket.trigger_price, ticket.side)
    if ticket.type.child is OrderType.MARKET or ticket.price_match is not PriceMatch.NONE:
        return ticket.trigger_price
    filters.check_tick(ticket.listing, ticket.price)
    filters.check_beside_trigger(ticket.listing, ticket.price, ticket.trigger_price, ticket.side)
    return ticket.price


def _child(algo: Algo) -> Ticket:
    held = algo.account.position(algo.listing.symbol, algo.position_side)
    return Ticket(
        account=algo.account,
        listing=algo.listing,
        side=algo.side,
        type=algo.type.child,
        tif=algo.tif.child,
        price=algo.price,
        qty=held.room_to_reduce(algo.side) if algo.close_position else algo.qty,
        reduce_only=algo.reduce_only,
        client_id=algo.client_id,
        stp=algo.stp,
        close_position=algo.close_position,
        algo=algo,
        position_side=algo.position_side,
        price_match=algo.price_match,
        good_till_ms=algo.good_till_ms,
    )
