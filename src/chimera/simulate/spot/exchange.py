"""The spot market behind its face: market events in, orders and lists in, everything settled before it returns.

Settling after each entry: pending orders whose working order is filled are released and due conditions fire (their
fills may move the last price again), until nothing more happens; then every balance that changed is reported once.
While a pair is not TRADING its book moves and nothing of ours matches or triggers.
"""

from collections.abc import Callable, Iterable
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot import filters
from chimera.simulate.spot.accounts import SpotAccount
from chimera.simulate.spot.admission import SpotTicket, check_unused, checked, examine
from chimera.simulate.spot.amend import amend, check_amend
from chimera.simulate.spot.clearing import SpotClearing
from chimera.simulate.spot.desk import Desk
from chimera.simulate.spot.floor import SpotFloor, SpotReports
from chimera.simulate.spot.list_admission import ListTicket, admitted_list
from chimera.simulate.spot.lists import OrderList
from chimera.simulate.spot.orders import Amendment, SpotOrder
from chimera.simulate.spot.pair import Pair, PairStatus
from chimera.simulate.spot.words import CLOSED, RESTRICTED, UNKNOWN, not_canceled
from chimera.simulate.venue.audit import Audit, Kind
from chimera.simulate.venue.orders import Status, Step
from chimera.trading.instrument import Instrument
from chimera.trading.market import DepthChanged, Marked, MarketEvent, TopOfBook, Traded


class Restriction(StrEnum):
    """``cancelRestrictions``: the status an order must have to be canceled."""

    ONLY_NEW = "ONLY_NEW"
    ONLY_PARTIALLY_FILLED = "ONLY_PARTIALLY_FILLED"

    @property
    def status(self) -> Status:
        return Status.NEW if self is Restriction.ONLY_NEW else Status.PARTIALLY_FILLED


class ReplaceMode(StrEnum):
    """``cancelReplaceMode``: whether the new order is placed where the cancel failed."""

    STOP_ON_FAILURE = "STOP_ON_FAILURE"
    ALLOW_FAILURE = "ALLOW_FAILURE"


class Outcome(StrEnum):
    """``cancelResult``, ``newOrderResult``."""

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    NOT_ATTEMPTED = "NOT_ATTEMPTED"


@dataclass(slots=True, frozen=True)
class Replaced:
    """How a cancel-replace went: what was canceled or why not, what was placed or why not. Neither: not attempted."""

    canceled: SpotOrder | OrderList | None = None
    cancel_refusal: Refusal | None = None
    placed: SpotOrder | None = None
    new_refusal: Refusal | None = None

    @property
    def cancel_result(self) -> Outcome:
        return Outcome.SUCCESS if self.canceled is not None else Outcome.FAILURE

    @property
    def new_result(self) -> Outcome:
        if self.placed is not None:
            return Outcome.SUCCESS
        return Outcome.NOT_ATTEMPTED if self.new_refusal is None else Outcome.FAILURE


@dataclass(slots=True, frozen=True)
class Placed:
    """A list as placed; ``orders`` are copies from before its pending orders were released, as the reply shows them."""

    order_list: OrderList
    orders: tuple[SpotOrder, ...]


class SpotExchange:
    """One spot venue over one floor."""

    def __init__(self, instruments: Iterable[Instrument], seed: int, audit: Audit, reports: SpotReports) -> None:
        self.floor = SpotFloor(instruments, seed, audit, reports)
        clearing = SpotClearing(self.floor)
        self.matcher = clearing.matcher
        self.desk = Desk(self.floor, clearing)

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    def check(self, ticket: SpotTicket) -> None:
        """What happens before the matching engine, and nothing after it (``order/test``)."""
        self._checked(ticket)

    def place(self, ticket: SpotTicket) -> SpotOrder:
        """Place an order; returned as it stands after matching, or ``Refusal`` with nothing changed."""
        order = self._enter(self._checked(ticket))
        self.settle()
        return order

    def _checked(self, ticket: SpotTicket) -> SpotOrder:
        order = checked(ticket, self.floor)
        filters.check_counts(self.floor, (order,))
        return order

    def _enter(self, order: SpotOrder) -> SpotOrder:
        check_unused(order, self.floor)
        examine((order,), self.floor, self.matcher)
        order.order_id = self.floor.next_order_id()
        self.desk.accept(order)
        self.desk.bring(order)
        return order

    def place_list(self, ticket: ListTicket) -> Placed:
        """Place an order list, whole or not at all."""
        floor = self.floor
        held = admitted_list(ticket, floor, self.matcher)
        held.list_id = floor.next_list_id()
        for order in held.orders:
            order.order_id = floor.next_order_id()
        floor.lists.add(held)
        floor.reports.list_status(held)
        for order in held.orders:
            self.desk.accept(order)
        for order in sorted(held.orders, key=lambda order: order.working):  # what waits first, then what may trade
            if order.is_open and not order.pending:
                self.desk.bring(order)
        placed = Placed(held, tuple(copy(order) for order in held.orders))
        self.settle()
        return placed

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def cancel(
        self, order: SpotOrder, cancel_id: str = "", restriction: Restriction | None = None
    ) -> SpotOrder | OrderList:
        """Cancel an open order, with its whole list if it is in one; returns what was canceled."""
        if not order.is_open:
            raise not_canceled(UNKNOWN)
        self._check_cancel(order.listing)
        if restriction is not None and order.status is not restriction.status:
            raise not_canceled(RESTRICTED)
        self._cancel(order, cancel_id)
        self.settle()
        return order.order_list or order

    def cancel_list(self, held: OrderList, cancel_id: str = "") -> OrderList:
        """Cancel every open order of an open list."""
        if not held.is_open:
            raise not_canceled(UNKNOWN)
        self._check_cancel(held.listing)
        self._cancel(held.orders[0], cancel_id)
        self.settle()
        return held

    def cancel_all(self, account: SpotAccount, pair: Pair, cancel_id: str = "") -> list[SpotOrder | OrderList]:
        """Cancel every open order of the pair; lists stand once in what is returned."""
        found = self.floor.orders.open_of(account, pair.symbol)
        if not found:
            raise not_canceled(UNKNOWN)
        self._check_cancel(pair)
        done: dict[SpotOrder | OrderList, None] = {}
        for order in found:
            if order.is_open:
                self._cancel(order, cancel_id)
                done[order.order_list or order] = None
        self.settle()
        return list(done)

    def _check_cancel(self, pair: Pair) -> None:
        if not pair.may_cancel:
            raise not_canceled(CLOSED)

    def _cancel(self, order: SpotOrder, cancel_id: str) -> None:
        cancel_id = cancel_id or self.floor.new_client_id()
        orders = (order,) if order.order_list is None else order.order_list.orders
        for each in reversed(orders):  # pending orders before the working one, whose end would expire them
            if each.is_open:
                each.cancel_id = cancel_id
                self.matcher.end(each, Step.CANCEL)

    def replace(
        self,
        find: Callable[[], SpotOrder],
        ticket: SpotTicket,
        mode: ReplaceMode,
        *,
        cancel_id: str = "",
        restriction: Restriction | None = None,
    ) -> Replaced:
        """Cancel what ``find`` finds (or refuses to), then place ``ticket``. Filters are judged before the cancel."""
        order = self._checked(ticket)
        canceled: SpotOrder | OrderList | None = None
        refused: Refusal | None = None
        try:
            canceled = self.cancel(find(), cancel_id, restriction)
        except Refusal as refusal:
            refused = refusal
            if mode is ReplaceMode.STOP_ON_FAILURE:
                return Replaced(cancel_refusal=refused)
        try:
            self._enter(order)
        except Refusal as refusal:
            return Replaced(canceled, refused, new_refusal=refusal)
        self.settle()
        return Replaced(canceled, refused, order)

    def amend(self, order: SpotOrder, qty: Decimal, client_id: str = "") -> Amendment:
        """Lower an open order's quantity to ``qty`` in its place; a client id is drawn if none is given."""
        check_amend(order, qty, client_id, self.floor)
        done = amend(order, qty, client_id or self.floor.new_client_id(), self.floor)
        self.settle()
        return done

    # ── the market moves ────────────────────────────────────────────────────────────────────────────────────────────
    def market(self, event: MarketEvent) -> Pair | None:
        """The market moved; ``None`` for a pair not listed here, and for marks, which spot has not."""
        pair = self.floor.listings.get(event.symbol)
        if pair is None or isinstance(event, Marked):
            return None
        match event:
            case TopOfBook():
                pair.book.apply_top(event)
                self._quoted(pair)
            case DepthChanged():
                pair.book.apply_depth(event)
                self._quoted(pair)
            case Traded():
                pair.last, pair.traded = event.price, True
                pair.book.printed(event.taker, event.price)
                pair.printed(event.price, event.qty, self.floor.now_ms)
                if pair.is_trading:
                    self.matcher.traded(event, pair)
        self.settle(pair)
        return pair

    def _quoted(self, pair: Pair) -> None:
        mid = pair.book.mid
        if mid is not None:
            if not pair.traded:
                pair.last = mid
            pair.dark = False
        if pair.is_trading:
            self.matcher.quoted(pair)

    def set_status(self, pair: Pair, status: PairStatus) -> None:
        """Open or close a pair."""
        pair.status = status
        self.floor.log(Kind.SETTING, symbol=pair.symbol, reason=f"status={status}")
        self.settle(pair)

    def settle(self, pair: Pair | None = None) -> None:
        """Let consequences run until nothing more happens."""
        moved = self.floor.moved
        if pair is not None:
            moved[pair.symbol] = pair
        busy = True
        while busy:
            busy = self.desk.release()
            pairs = list(moved.values())
            moved.clear()
            for each in pairs:
                busy = self.desk.fire_due(each) or busy
        self._tell_balances()

    def _tell_balances(self) -> None:
        floor = self.floor
        for name, assets in floor.touched.items():
            floor.reports.balances(floor.accounts[name], tuple(assets))
        floor.touched.clear()
