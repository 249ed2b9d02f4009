"""The simulated venue behind its face: market events in, orders in, everything settled before it returns.

Settling after each entry: resting reduce-only orders are cut to the position, closePosition algos without a position
expire, due triggers fire (their fills may move last price and position again), whoever cannot keep what he holds is
liquidated, until nothing more happens. Funding that fell due is paid before a market event is taken. Also what
time alone does: dated orders end, a dead man's switch fires.
"""

from collections.abc import Iterable
from decimal import Decimal

from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.admission import Ticket, admitted, checked, reducing
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.amend import Change, amended
from chimera.simulate.usdm.cash import CashDesk
from chimera.simulate.usdm.clearing import REDUCE_ONLY_KNOCKED_OUT, FuturesClearing
from chimera.simulate.usdm.conditional import AlgoDesk, AlgoTicket
from chimera.simulate.usdm.countdown import Countdowns
from chimera.simulate.usdm.deadlines import Deadlines
from chimera.simulate.usdm.floor import FuturesFloor, Reports
from chimera.simulate.usdm.funding import FundingDesk
from chimera.simulate.usdm.liquidation import LiquidationDesk
from chimera.simulate.usdm.orders import FuturesOrder
from chimera.simulate.usdm.perpetual import Perpetual, SymbolStatus
from chimera.simulate.venue.audit import Audit, Kind
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Step
from chimera.trading.instrument import Instrument
from chimera.trading.intent import PositionSide
from chimera.trading.market import DepthChanged, Marked, MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import ZERO

MARK_EVERY_MS = 1_000
DELISTED = "7"  # Binance ``er``


class FuturesExchange:
    """One futures venue: matching engine and Algo service over one floor."""

    def __init__(self, instruments: Iterable[Instrument], seed: int, audit: Audit, reports: Reports) -> None:
        self.floor = FuturesFloor(instruments, seed, audit, reports)
        self.matcher = Matcher(self.floor, FuturesClearing(self.floor))
        self.desk = AlgoDesk(self.floor, self.enter)
        self.cash = CashDesk(self.floor)
        self.funding = FundingDesk(self.floor, self.cash)
        self.liquidation = LiquidationDesk(self.floor, self.matcher, self.cash)
        self.deadlines = Deadlines()
        self.countdowns = Countdowns()
        self.countdown_takes_algos = False  # not documented; a switch

    def enter(self, ticket: Ticket) -> FuturesOrder:
        """Place an order without settling what follows from it."""
        order = admitted(ticket, self.floor, self.matcher)
        self.matcher.enter(order)
        if order.is_open:
            self.deadlines.add(order)
        return order

    def place(self, ticket: Ticket) -> FuturesOrder:
        """Place an order; returned as it stands after matching."""
        order = self.enter(ticket)
        self.settle()
        return order

    def test(self, ticket: Ticket) -> None:
        """Whether it would be taken; ``Refusal`` if not. Nothing changes."""
        checked(ticket, self.floor, self.matcher)

    def amend(self, change: Change) -> None:
        """Change a resting order, which loses its place in the queue; or cancel it, where the change comes to that."""
        order, amendment = change.order, amended(change, self.floor, self.matcher)
        if amendment is None:
            self.matcher.end(order, Step.CANCEL)
        else:
            self.matcher.unrest(order)
            order.price, order.qty, order.price_match = amendment.price_after, amendment.qty_after, change.price_match
            order.updated_ms = self.floor.now_ms
            order.amendments += (amendment,)
            self.floor.log_order(Kind.AMEND, order)
            self.floor.reports.order(order, "AMENDMENT")
            self.matcher.meet(order)
        self.settle()

    def cancel(self, order: FuturesOrder) -> None:
        """Cancel an open order."""
        self.matcher.end(order, Step.CANCEL)
        self.settle()

    def place_algo(self, ticket: AlgoTicket) -> Algo:
        """Place a conditional order."""
        algo = self.desk.place(ticket)
        self.deadlines.add(algo)
        return algo

    def cancel_algo(self, algo: Algo) -> None:
        """Withdraw an untriggered conditional order."""
        self.desk.cancel(algo)

    def tick(self) -> None:
        """Time passed: what was to end now ends, what is due is paid."""
        for listing in self.floor.listings.values():
            if self.funding.pass_time(listing):
                self.floor.remarked[listing.symbol] = None
        self.come_due()
        self.settle()

    def come_due(self) -> None:
        """End what was to end by now. Whoever tells the time asks this first: nobody is to find it still open."""
        dated, fired = self.deadlines.due(self.floor.now_ms), self.countdowns.fired(self.floor.now_ms)
        for each in dated:
            if isinstance(each, Algo):
                self.desk.expire(each)
            elif isinstance(each, FuturesOrder):
                self.matcher.end(each, Step.EXPIRE)
        for name, symbol in fired:
            self.cancel_open(self.floor.accounts[name], symbol, self.countdown_takes_algos)

    def cancel_open(self, account: Account, symbol: str, algos: bool = False) -> None:
        """Cancel every open order of a symbol; untriggered conditional orders too if ``algos``."""
        for order in self.floor.orders.open_of(account, symbol):
            if order.is_open:
                self.cancel(order)
        if algos:
            for algo in self.floor.algos.waiting_of(account, symbol):
                self.desk.cancel(algo)

    def delist(self, listing: Perpetual) -> None:
        """The symbol is taken off: open orders expire with ``er`` 7, conditional ones too; positions stay."""
        listing.status = SymbolStatus.SETTLING
        for queue in listing.queues.values():
            for order in queue.in_order():
                self.matcher.end(order, Step.EXPIRE, DELISTED)
        for algo in tuple(self.floor.algos.open.values()):
            if algo.listing is listing:
                self.desk.expire(algo)
        self.settle()

    def market(self, event: MarketEvent) -> Perpetual | None:
        """The market moved; ``None`` for a symbol not listed here."""
        listing = self.floor.listings.get(event.symbol)
        if listing is None:
            return None
        if self.funding.pass_time(listing):
            self.floor.remarked[listing.symbol] = None
        match event:
            case TopOfBook():
                listing.book.apply_top(event)
                self._quoted(listing)
            case DepthChanged():
                listing.book.apply_depth(event)
                self._quoted(listing)
            case Traded():
                listing.last, listing.traded = event.price, True
                listing.book.printed(event.taker, event.price)
                if listing.takes_orders:
                    self.matcher.traded(event, listing)
            case Marked():
                listing.mark, listing.index, listing.mark_given = event.mark, event.index, True
                listing.funding_rate, listing.next_funding_ms = event.funding_rate, event.next_funding_ms
                listing.marked_ms = self.floor.now_ms
                self.floor.marks[listing.symbol] = event.mark
                self.floor.remarked[listing.symbol] = None
                listing.funding_due_ms = listing.funding_at(self.floor.now_ms)
        self.settle(listing)
        return listing

    def _quoted(self, listing: Perpetual) -> None:
        mid = listing.book.mid
        if mid is not None:
            if not listing.traded:
                listing.last = mid
            if listing.mark is None or listing.dark:
                self.remark(listing)
            if listing.dark:
                listing.dark = False
                self.floor.remarked[listing.symbol] = None  # what waited in the dark is judged now
        if listing.takes_orders:
            self.matcher.quoted(listing)

    def remark(self, listing: Perpetual) -> bool:
        """Where the source gives no mark price, the mid stands for it, once a second; whether it was set."""
        mid = listing.book.mid
        due = listing.mark is None or listing.dark or self.floor.now_ms - listing.marked_ms >= MARK_EVERY_MS
        if listing.mark_given or mid is None or not due:
            return False
        listing.mark = listing.index = mid
        listing.marked_ms = self.floor.now_ms
        self.floor.marks[listing.symbol] = mid
        self.floor.remarked[listing.symbol] = None
        return True

    def settle(self, listing: Perpetual | None = None) -> None:
        """Let consequences run until nothing more happens."""
        floor = self.floor
        touched = {} if listing is None else {listing.symbol: listing}
        fired = listing is not None and self.desk.fire_due(listing)
        while fired or floor.moved or floor.remarked:
            moved = tuple(floor.moved)
            floor.moved.clear()
            for name, symbol in moved:
                self._hold(floor.accounts[name], floor.listings[symbol])
                touched[symbol] = floor.listings[symbol]
            fired = False
            for each in touched.values():
                fired = self.desk.fire_due(each) or fired
            self._review(moved)

    def _review(self, moved: Iterable[tuple[str, str]]) -> None:
        """After the stops had their chance: who cannot keep what is held."""
        floor = self.floor
        for name, symbol in moved:
            self.liquidation.review(floor.accounts[name], symbol)
        remarked = tuple(floor.remarked)
        floor.remarked.clear()
        for symbol in remarked:
            self.liquidation.review_all(symbol)

    def deleverage(
        self, account: Account, symbol: str, side: PositionSide = PositionSide.BOTH, qty: Decimal | None = None
    ) -> FuturesOrder:
        """Auto-deleverage a position, all of it by default. -2024: there is not so much of it."""
        order = self.liquidation.deleverage(account, symbol, side, qty)
        self.settle()
        return order

    def settle_symbol(self, symbol: str) -> None:
        """Close every position in the symbol at its mark."""
        self.liquidation.settle_symbol(symbol)
        self.settle()

    def _hold(self, account: Account, listing: Perpetual) -> None:
        self._keep_within(account, listing)
        self.desk.release(account, listing)

    def _keep_within(self, account: Account, listing: Perpetual) -> None:
        """Cut resting reduce-only orders to the position, best price first; the rest expire with ``er`` 4."""
        for held in account.held_in(listing.symbol):
            for side in (Side.BUY, Side.SELL):
                room = held.room_to_reduce(side)
                for order in reducing(account, listing, side, held.side):
                    if room <= ZERO:
                        self.matcher.end(order, Step.EXPIRE, REDUCE_ONLY_KNOCKED_OUT)
                    elif order.leaves > room:
                        order.qty = order.cum_qty + room
                        self.floor.log_order(Kind.SHRINK, order)
                    room -= order.leaves
