"""The simulated venue behind its face: market events in, orders in, everything settled before it returns.

Settling after each entry: resting reduce-only orders are cut to the position, closePosition algos without a position
expire, due triggers fire (their fills may move last price and position again), until nothing more happens.
"""

from collections.abc import Iterable

from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.admission import Ticket, admitted, reducing
from chimera.simulate.usdm.algos import Algo
from chimera.simulate.usdm.clearing import REDUCE_ONLY_KNOCKED_OUT, FuturesClearing
from chimera.simulate.usdm.conditional import AlgoDesk, AlgoTicket
from chimera.simulate.usdm.floor import FuturesFloor, Reports
from chimera.simulate.usdm.orders import FuturesOrder
from chimera.simulate.usdm.perpetual import Perpetual
from chimera.simulate.venue.audit import Audit, Kind
from chimera.simulate.venue.matching import Matcher
from chimera.simulate.venue.orders import Step
from chimera.trading.instrument import Instrument
from chimera.trading.market import DepthChanged, Marked, MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import ZERO

MARK_EVERY_MS = 1_000


class Exchange:
    """One venue: matching engine and Algo service over one floor."""

    def __init__(self, instruments: Iterable[Instrument], seed: int, audit: Audit, reports: Reports) -> None:
        self.floor = FuturesFloor(instruments, seed, audit, reports)
        self.matcher = Matcher(self.floor, FuturesClearing(self.floor))
        self.desk = AlgoDesk(self.floor, self.enter)

    def enter(self, ticket: Ticket) -> FuturesOrder:
        """Place an order without settling what follows from it."""
        order = admitted(ticket, self.floor, self.matcher)
        self.matcher.enter(order)
        return order

    def place(self, ticket: Ticket) -> FuturesOrder:
        """Place an order; returned as it stands after matching."""
        order = self.enter(ticket)
        self.settle()
        return order

    def cancel(self, order: FuturesOrder) -> None:
        """Cancel an open order."""
        self.matcher.end(order, Step.CANCEL)
        self.settle()

    def place_algo(self, ticket: AlgoTicket) -> Algo:
        """Place a conditional order."""
        return self.desk.place(ticket)

    def cancel_algo(self, algo: Algo) -> None:
        """Withdraw an untriggered conditional order."""
        self.desk.cancel(algo)

    def market(self, event: MarketEvent) -> Perpetual | None:
        """The market moved; ``None`` for a symbol not listed here."""
        listing = self.floor.listings.get(event.symbol)
        if listing is None:
            return None
        match event:
            case TopOfBook():
                listing.book.apply_top(event)
                self._quoted(listing)
            case DepthChanged():
                listing.book.apply_depth(event)
                self._quoted(listing)
            case Traded():
                listing.last, listing.traded = event.price, True
                self.matcher.traded(event, listing)
            case Marked():
                listing.mark, listing.index, listing.mark_given = event.mark, event.index, True
                listing.funding_rate, listing.next_funding_ms = event.funding_rate, event.next_funding_ms
                listing.marked_ms = self.floor.now_ms
                self.floor.marks[listing.symbol] = event.mark
        self.settle(listing)
        return listing

    def _quoted(self, listing: Perpetual) -> None:
        mid = listing.book.mid
        if mid is not None:
            if not listing.traded:
                listing.last = mid
            if listing.mark is None or listing.dark:
                self.remark(listing)
            listing.dark = False
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
        return True

    def settle(self, listing: Perpetual | None = None) -> None:
        """Let consequences run until nothing more happens."""
        floor = self.floor
        touched = {} if listing is None else {listing.symbol: listing}
        fired = listing is not None and self.desk.fire_due(listing)
        while fired or floor.moved:
            for name, symbol in tuple(floor.moved):
                self._hold(floor.accounts[name], floor.listings[symbol])
                touched[symbol] = floor.listings[symbol]
            floor.moved.clear()
            fired = False
            for each in touched.values():
                fired = self.desk.fire_due(each) or fired

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
