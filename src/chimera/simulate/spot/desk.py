"""Brings orders to the market: new ones, triggered ones, and the pending orders of a list that are released.

Invariant: an order is numbered, known and reported before anything happens to it. What the matching engine refuses at a
trigger or a release ends EXPIRED with ``eR`` REJECTED: there is nobody to answer any more.
"""

from collections.abc import Callable

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.spot import conditional
from chimera.simulate.spot.admission import check_prices, check_size, cost_of, examine, peg_now
from chimera.simulate.spot.clearing import SpotClearing
from chimera.simulate.spot.contingency import REJECTED
from chimera.simulate.spot.floor import SpotFloor
from chimera.simulate.spot.holds import need, relock
from chimera.simulate.spot.list_admission import check_relation
from chimera.simulate.spot.lists import OrderList
from chimera.simulate.spot.orders import SpotOrder
from chimera.simulate.spot.pair import Pair
from chimera.simulate.spot.words import CLOSED, INSUFFICIENT, invalid, rejected
from chimera.simulate.venue.audit import Kind
from chimera.simulate.venue.orders import Step, Tif
from chimera.trading.market import Side


class Desk:
    """The way in for every order."""

    def __init__(self, floor: SpotFloor, clearing: SpotClearing) -> None:
        self.floor = floor
        self.clearing = clearing
        self.matcher = clearing.matcher
        self.gate: Callable[[SpotOrder], None] = lambda order: None  # between trigger and market; may raise ``Refusal``

    def accept(self, order: SpotOrder) -> None:
        """It is an order now; a pending one waits for its list."""
        floor = self.floor
        floor.orders.add(order)
        if not order.pending and not order.type.is_conditional:
            order.working, order.working_ms = True, floor.now_ms
        self.clearing.accepted(order)

    def bring(self, order: SpotOrder) -> None:
        """To the market, or to wait for its price."""
        if order.working:
            self._work(order)
        else:
            conditional.wait(order, self.floor.now_ms)

    def _work(self, order: SpotOrder) -> None:
        if order.tif is Tif.FOK and not order.takes_any:
            found = self.matcher.within(order.listing, order.side, order.price, order.leaves, order.account)
            if found < order.leaves:
                self.matcher.end(order, Step.EXPIRE, self.clearing.expiry(Step.EXPIRE, order))
                return
        self.matcher.meet(order)

    # ── triggers ────────────────────────────────────────────────────────────────────────────────────────────────────
    def fire_due(self, pair: Pair) -> bool:
        """Trigger every order of the pair that is due; whether there was one."""
        due = conditional.due(pair, self.floor.now_ms)
        for order in due:
            if order.is_open:  # another one's trigger may have ended it
                self._fire(order)
        return bool(due)

    def _fire(self, order: SpotOrder) -> None:
        floor = self.floor
        order.move(Step.TRIGGER, floor.now_ms)
        floor.log_order(Kind.TRIGGER, order, price=order.listing.last)
        self.clearing.contingency.triggered(order)
        try:
            self.gate(order)
            self._check_again(order)
        except Refusal:
            self.matcher.end(order, Step.EXPIRE, REJECTED)
            return
        order.working, order.working_ms = True, floor.now_ms
        if not order.takes_any:
            relock(order.hold, floor)
        if floor.reports_trigger:
            floor.reports.order(order, "NEW")
        self._work(order)

    def _check_again(self, order: SpotOrder) -> None:
        peg_now(order, self.floor)
        if order.side is Side.SELL:
            return
        if not order.takes_any:
            order.lock_price = order.price
        cost = cost_of(order, self.matcher) if order.takes_any else need(order)
        if cost > order.account.free(order.hold.asset) + order.hold.amount:
            raise rejected(INSUFFICIENT)

    # ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def release(self) -> bool:
        """Bring the pending orders of every list whose working order is filled; whether there was one."""
        lists = list(self.floor.filled.values())
        self.floor.filled.clear()
        for held in lists:
            self._release(held)
        return bool(lists)

    def _release(self, held: OrderList) -> None:
        legs = tuple(leg for leg in held.legs if leg.pending)
        if not legs:
            return
        held.released = True
        try:
            self._check_release(held, legs)
        except Refusal:
            for leg in legs:
                self.matcher.end(leg, Step.EXPIRE, REJECTED)
            return
        floor = self.floor
        for leg in legs:
            leg.move(Step.RELEASE, floor.now_ms)
            if not leg.type.is_conditional:
                leg.working, leg.working_ms = True, floor.now_ms
        relock(legs[0].hold, floor)
        for leg in legs:
            floor.log_order(Kind.TRIGGER, leg, reason="released")
            floor.reports.order(leg, "NEW")
        for leg in sorted(legs, key=lambda leg: leg.working):  # one that waits is no danger to the other
            if leg.is_open:
                self.bring(leg)

    def _check_release(self, held: OrderList, legs: tuple[SpotOrder, ...]) -> None:
        floor, now_ms = self.floor, self.floor.now_ms
        if not held.listing.is_trading:
            raise invalid(CLOSED)
        for leg in legs:
            if held.kind.pays:
                leg.qty = held.listing.instrument.floor_to_step(leg.hold.amount)
                leg.slice_left = leg.iceberg_qty
            check_prices(leg, leg.given_price, now_ms)
            check_size(leg, floor)
        if held.kind.pairs:
            check_relation(legs)
        examine(legs, floor, self.matcher)
