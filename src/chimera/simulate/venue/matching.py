"""The matching engine of both markets: walks the book, fills what rests, ends what cannot.

How a resting order fills (documented assumptions, conservative): it joins behind the size displayed at its price;
trades at its price and a shrinking level consume that queue first; the market trading or quoting *through* its price
fills all of it; a quote that meets its price fills at most the size quoted. A taker walks the displayed levels of the
book and other accounts' orders resting among them, displayed size first at equal price.

Deliberately unaware of money: what an order may do, what a trade costs and who hears of it is its ``Clearing``'s.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Generic, Protocol, TypeVar

from chimera.simulate.venue.floor import Execution, Floor
from chimera.simulate.venue.listing import Listing
from chimera.simulate.venue.orders import Order, Step, Stp, Tif
from chimera.trading.market import Side, Traded
from chimera.trading.money import ZERO

OrderT = TypeVar("OrderT", bound=Order)
OrderT_contra = TypeVar("OrderT_contra", bound=Order, contravariant=True)


class Clearing(Protocol[OrderT_contra]):
    """One market's side of matching: its money, its books, its reports."""

    def accepted(self, order: OrderT_contra) -> None:
        """It is an order now: audit and report it."""
        ...

    def allowed(self, order: OrderT_contra, price: Decimal) -> Decimal:
        """What may still fill of it now at ``price``, at most ``leaves``."""
        ...

    def bound(self, order: OrderT_contra) -> Decimal | None:
        """The worst price it may take; ``None``: any."""
        ...

    def reserve(self, order: OrderT_contra, qty: Decimal) -> None:
        """``qty`` of it rests; below zero: rests no more."""
        ...

    def executed(self, order: OrderT_contra, execution: Execution) -> None:
        """It traded and its own quantities say so: book the money, audit, report."""
        ...

    def prevented(
        self, taker: OrderT_contra, maker: OrderT_contra, price: Decimal, lost: tuple[Decimal, Decimal]
    ) -> None:
        """They would have met at ``price``: what the taker and what the maker ``lost`` instead, zero for who stays."""
        ...

    def ended(self, order: OrderT_contra) -> None:
        """It ended without its last fill, and says how: audit, report."""
        ...

    def printed(self, listing: Any, price: Decimal, qty: Decimal, taker: Side) -> None:
        """A public trade of ours."""
        ...

    def expiry(self, step: Step, order: OrderT_contra) -> str:
        """Why a remainder ends, as the wire says it: of a MARKET order, an IOC, a FOK, or by self-trade prevention."""
        ...


class Matcher(Generic[OrderT]):
    """Lets admitted orders meet the market and each other."""

    def __init__(self, floor: Floor[Any, Any, OrderT], clearing: Clearing[OrderT]) -> None:
        self.floor = floor
        self.clearing = clearing

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    def enter(self, order: OrderT) -> None:
        """An admitted order: it is known from here on, and has met the market when this returns."""
        self.floor.orders.add(order)
        self.clearing.accepted(order)
        self.meet(order)

    def meet(self, order: OrderT) -> None:
        """Walk the book, then rest or expire the remainder."""
        self.walk(order)
        if not order.is_open:
            return
        if order.takes_any or order.tif in (Tif.IOC, Tif.FOK):
            self.end(order, Step.EXPIRE, self.clearing.expiry(Step.EXPIRE, order))
        else:
            self.rest(order)

    def walk(self, order: OrderT) -> None:
        """Take from the book what the order may."""
        listing, side = order.listing, order.side
        limit, best = self.clearing.bound(order), self.best_against(listing, side)
        if best is None or (limit is not None and (best - limit) * side.sign > 0):
            return
        for price, size, facing in self.against(listing, side):
            if not order.is_open or (limit is not None and (price - limit) * side.sign > 0):
                break
            if facing is not None and facing.account is order.account and order.stp is not Stp.NONE:
                self._prevent(order, facing, price)
                continue
            self._trade(order, facing, price, min(size, order.leaves))

    def rest(self, order: OrderT) -> None:
        """Join the back of the queue at its price."""
        order.ahead = self.floor.queue_before(order.listing, order.side, order.price)
        order.resting = True
        order.listing.queues[order.side].add(order)
        self.clearing.reserve(order, order.leaves)

    def unrest(self, order: OrderT) -> None:
        """Leave the queue, still open: on its way to other terms."""
        self.clearing.reserve(order, -order.leaves)
        order.listing.queues[order.side].remove(order)
        order.resting = False

    # ── the market on the other side ────────────────────────────────────────────────────────────────────────────────
    def best_against(self, listing: Listing[OrderT], side: Side) -> Decimal | None:
        """The best price a taker of ``side`` meets now."""
        offer = listing.book.best_offer(side, self.floor.now_ms)
        resting = listing.queues[side.opposite].best
        if offer is None or resting is None:
            return offer if resting is None else resting
        return min(offer, resting) if side is Side.BUY else max(offer, resting)

    def against(self, listing: Listing[OrderT], side: Side) -> Iterator[tuple[Decimal, Decimal, OrderT | None]]:
        """What a taker of ``side`` meets, best first: price, size, and whose order it is (``None``: the market's).

        Orders that leave their queue on the way are passed over.
        """
        resting, sign = listing.queues[side.opposite].along(), side.sign
        order = next(resting, None)
        for price, size in listing.book.offers(side, self.floor.now_ms):
            while order is not None and (order.price - price) * sign < 0:
                if order.resting:
                    yield order.price, order.leaves, order
                order = next(resting, None)
            yield price, size, None
        while order is not None:
            if order.resting:
                yield order.price, order.leaves, order
            order = next(resting, None)

    def within(
        self, listing: Listing[OrderT], side: Side, limit: Decimal | None, qty: Decimal, account: object
    ) -> Decimal:
        """How much of ``qty`` could fill at once down to ``limit``, the account's own orders aside."""
        found = ZERO
        for price, size, order in self.against(listing, side):
            if found >= qty or (limit is not None and (price - limit) * side.sign > 0):
                break
            if order is None or order.account is not account:
                found += size
        return found

    def _trade(self, taker: OrderT, maker: OrderT | None, price: Decimal, qty: Decimal) -> None:
        listing = taker.listing
        qty = min(qty, self.clearing.allowed(taker, price))
        if maker is not None:
            qty = min(qty, self.clearing.allowed(maker, price))
        if qty <= ZERO:
            return
        listing.trade_id += 1
        if maker is None:
            listing.book.take(taker.side, price, qty, self.floor.now_ms)
        else:
            self.fill(maker, Execution(listing.trade_id, price, qty, True))
        self.fill(taker, Execution(listing.trade_id, price, qty, False))
        listing.last = price
        self.clearing.printed(listing, price, qty, taker.side)

    def _prevent(self, taker: OrderT, maker: OrderT, price: Decimal) -> None:
        """Self-trade prevention, as the taker says: who would trade with itself loses quantity, ends without any."""
        both = min(taker.leaves, maker.leaves)
        lost = {
            Stp.EXPIRE_TAKER: (taker.leaves, ZERO),
            Stp.EXPIRE_MAKER: (ZERO, maker.leaves),
            Stp.EXPIRE_BOTH: (taker.leaves, maker.leaves),
            Stp.DECREMENT: (both, both),
        }[taker.stp]
        ends = [order for order, qty in ((maker, lost[1]), (taker, lost[0])) if qty == order.leaves]
        self.clearing.prevented(taker, maker, price, lost)
        for order in ends:
            self.end(order, Step.PREVENT, self.clearing.expiry(Step.PREVENT, order))

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def fill(self, order: OrderT, execution: Execution) -> None:
        """One execution of ``order``."""
        order.cum_qty += execution.qty
        order.cum_quote += execution.qty * execution.price
        if order.resting:
            self.clearing.reserve(order, -execution.qty)
        order.move(Step.PART if order.leaves else Step.FILL, self.floor.now_ms)
        if not order.is_open:
            self._shelve(order)
        self.clearing.executed(order, execution)

    def end(self, order: OrderT, step: Step, expiry: str = "0") -> None:
        """Close a live order without a fill: canceled, expired, or prevented."""
        leaves = order.leaves
        order.expiry = expiry
        if order.resting:
            self.clearing.reserve(order, -leaves)
        order.move(step, self.floor.now_ms)
        self._shelve(order)
        self.clearing.ended(order)

    def _shelve(self, order: OrderT) -> None:
        if order.resting:
            order.listing.queues[order.side].remove(order)
            order.resting = False
        self.floor.orders.close(order)

    # ── the market moves ────────────────────────────────────────────────────────────────────────────────────────────
    def quoted(self, listing: Listing[OrderT]) -> None:
        """After the displayed book changed: queues shorten, orders the market reached fill."""
        for side in (Side.BUY, Side.SELL):
            queue = listing.queues[side]
            if queue.prices:
                self._shorten(listing, side)
                self._reached(listing, side)

    def _shorten(self, listing: Listing[OrderT], side: Side) -> None:
        queue, ladder = listing.queues[side], listing.book.side(side)
        for price in ladder.changed:
            shown = ladder.shown.get(price)
            if shown is None and not listing.book.deep:
                continue  # a touch that moved away says nothing about the size behind it
            for order in queue.at.get(price, ()):
                order.ahead = min(order.ahead, shown or ZERO)
        if ladder.best is not None:
            for order in queue.through(ladder.best):
                order.ahead = ZERO  # alone before the market's own best

    def _reached(self, listing: Listing[OrderT], side: Side) -> None:
        queue = listing.queues[side]
        best = listing.book.best_offer(side, self.floor.now_ms)
        if best is None:
            return
        for order in queue.through(best):
            self._passive(order, order.leaves)
        size = next((size for price, size in listing.book.offers(side, self.floor.now_ms) if price == best), ZERO)
        for order in tuple(queue.at.get(best, ())):
            qty = min(order.leaves, size)
            if qty > ZERO:
                listing.book.take(side, best, qty, self.floor.now_ms)
                self._passive(order, qty)
                size -= qty

    def traded(self, event: Traded, listing: Listing[OrderT]) -> None:
        """A public trade: through our price fills us, at our price eats the queue before us."""
        queue = listing.queues[event.taker.opposite]
        if not queue.prices:
            return
        for order in queue.through(event.price):
            self._passive(order, order.leaves)
        ours = ZERO
        for order in tuple(queue.at.get(event.price, ())):
            excess = event.qty - order.ahead - ours
            order.ahead = max(ZERO, order.ahead - event.qty)
            if excess > ZERO:
                qty = min(excess, order.shown)
                ours += qty
                self._passive(order, qty)

    def _passive(self, order: OrderT, qty: Decimal) -> None:
        qty = min(qty, self.clearing.allowed(order, order.price)) if order.is_open else ZERO
        if qty > ZERO:
            order.listing.trade_id += 1
            self.fill(order, Execution(order.listing.trade_id, order.price, qty, True))
