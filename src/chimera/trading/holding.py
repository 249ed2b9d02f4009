"""The aggregate of one position key: position, intents, child orders, protection, exit and outbox in one document.

This is the ledger's only atomic unit. It holds what is alive; a finished intent or order leaves it once its events are
published, and lives on as a row. It is changed by its owner alone, through ``execute.advance``.
"""

from decimal import Decimal
from functools import cached_property

from chimera.trading.booking import Booking
from chimera.trading.events import CloseTaken, Event
from chimera.trading.execution import Exit, Phase, Working
from chimera.trading.form import Form
from chimera.trading.guard import Guard
from chimera.trading.ids import (
    CHILDREN_MAX,
    ClientOrderId,
    IntentId,
    PositionKey,
    TradeId,
    child_id,
    derived_id,
    probes,
)
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis, Price, Quote
from chimera.trading.order import Ended, Order, Role
from chimera.trading.position import Position
from chimera.trading.value import Value


class Holding(Value, dict=True):
    """Everything its owner must remember across a crash. Sums over its orders are made once for each value."""

    key: PositionKey
    position: Position = Position()
    intents: dict[IntentId, Working] = {}
    orders: dict[ClientOrderId, Order] = {}
    ended: dict[ClientOrderId, Ended] = {}  # orders that left early: their late news is known for what it is
    exit: Exit | None = None
    stop_tries: int = 0  # refusals in a row
    stop_retry_at_ms: Millis | None = None
    refused_stop_forms: tuple[Form, ...] = ()  # by the venue, since the last stop that stayed
    guards: tuple[Guard, ...] = ()  # prices that S4 watches itself, since no order of the venue's stands there
    guard_until_ms: Millis | None = None  # how long they may stand in for a stop, since the first was armed
    target_tries: int = 0
    target_retry_at_ms: Millis | None = None
    refused_target_forms: tuple[Form, ...] = ()
    root: ClientOrderId | None = None  # parent of this position's protective and exit ids; new with each opening
    child_no: int = 0  # last protective or exit child under ``root``
    seen_trades: dict[TradeId, Millis] = {}  # trades not older than the confirmed cursor, for de-duplication
    trades_confirmed_ms: Millis = Millis(0)  # every trade before this was pulled by query (never by stream)
    survey_due_ms: Millis = Millis(0)  # when to ask for the venue's whole word again; at once after a load
    survey_asked_ms: Millis | None = None  # one is under way since
    unseen: bool = False  # spot: no survey has been heard since a restart; until one is, nothing is sold
    surveyed_ms: Millis = Millis(0)  # when the newest survey we have heard was asked
    filled_ms: Millis = Millis(0)  # when we last counted a trade: what was asked before knows less than we do
    strikes: int = 0  # surveys in a row whose position disagreed with ours, to the same side
    suspected: Decimal = ZERO  # the least of their differences: the venue's signed position less ours, base asset
    liquidation_px: Price | None = None  # where the venue would end this position, by the newest survey of it
    own_qty: Decimal | None = None  # spot: what the wallet had beyond ours when nothing was in doubt; the user's own
    own_moved: Decimal = ZERO  # ... and how much more than that it shows, by the newest survey
    day: int = 0  # UTC day number of ``day_start_net``
    day_start_net: Quote = Quote(Decimal(0))  # realised - fees when that day began
    booked: dict[TradeId, Booking] = {}  # what the trades of this step did to the lots; cleared once told
    closes: tuple[CloseTaken, ...] = ()  # heard in this step under a name of the caller's; cleared once told
    restored_ms: Millis = Millis(0)  # when the ledger was put back: what was named before, another life may have named
    maker_timeouts: int = 0  # takers that were sent because their maker's time was up
    event_seq: int = 0
    outbox: tuple[Event, ...] = ()

    @property
    def day_net(self) -> Quote:
        """Realised P&L less fees since UTC midnight, quote asset; what is open is not in it."""
        return Quote(self.position.realized - self.position.fees - self.day_start_net)

    def open_qty(self, side: Side) -> Decimal:
        """Base asset that entries of one side may still add; what filled by the venue's word is in ``exposure``."""
        return self._open_qty[side]

    @cached_property
    def _open_qty(self) -> dict[Side, Decimal]:
        added = dict.fromkeys(Side, Decimal(0))
        for order in self.orders.values():
            if not order.request.reduce_only and not order.status.final:
                added[order.request.side] += order.leaves_qty - order.owed_qty
        return added

    @property
    def flattening(self) -> bool:
        """Whether all of it is being closed; the close of a part is another matter."""
        return self.exit is not None and self.exit.qty is None

    @cached_property
    def entering(self) -> bool:
        """Whether something may still open or add: an intent being worked, or an entry order not known to be over."""
        return self.resting or any(working.phase is Phase.WORKING for working in self.intents.values())

    @cached_property
    def resting(self) -> bool:
        """Whether an entry order is not known to be over: it may fill at any moment."""
        return any(not order.request.reduce_only and not order.status.final for order in self.orders.values())

    @cached_property
    def exposure(self) -> Decimal:
        """Signed base asset to protect: the position, and what has filled by the venue's word without its trades."""
        exposure: Decimal = self.position.qty
        for order in self.orders.values():
            if order.venue_cum_qty and (owed := order.owed_qty):
                exposure += order.request.side.sign * owed
        return exposure

    @cached_property
    def covered_qty(self) -> Decimal:
        """Base asset that live stops would close now, at most the exposure."""
        held = self.exposure
        exit_side = Side.SELL if held > 0 else Side.BUY
        live = (order for order in self.in_role(Role.STOP) if order.live and order.request.side is exit_side)
        return min(sum((order.closes(abs(held)) for order in live if self.stands(order)), Decimal(0)), abs(held))

    @property
    def covered(self) -> bool:
        """Whether live stops would close all of it."""
        return self.covered_qty >= abs(self.exposure)

    def stands(self, order: Order) -> bool:
        """Whether a live stop or target is of this opening; a WHOLE one ends with the position it was placed for.

        A probe that outlived its sender is nobody's: far from the market, and withdrawn once it is seen.
        """
        if probes(order.ref):
            return False
        return order.request.form is not Form.WHOLE or order.episode == self.position.closed_count

    @property
    def engaged(self) -> tuple[IntentId, ...]:
        """Intents that are worked or in force, or whose lot is open; the others only wait for trades that come late."""
        held = {lot.intent_id for lot in self.position.lots}
        return tuple(key for key, work in self.intents.items() if work.phase is not Phase.DONE or key in held)

    def with_order(self, order: Order) -> "Holding":
        return self.but(orders={**self.orders, order.ref: order})

    def in_role(self, *roles: Role) -> tuple[Order, ...]:
        """Child orders of these roles, oldest first."""
        return tuple([order for order in self.orders.values() if order.role in roles])

    def carrying_out(self, work: Working) -> tuple[Order, ...]:
        """The orders of a stop on its own: stops of its opening at its price, by its gauge where it names one."""
        price, gauge = work.stop_price, None if work.intent.stop is None else work.intent.stop.working_type
        stops = (order for order in self.in_role(Role.STOP) if order.episode == work.episode)
        right = (order for order in stops if order.request.trigger_price == price)
        return tuple(order for order in right if gauge is None or order.request.working_type in (None, gauge))

    @cached_property
    def conditional(self) -> tuple[Order, ...]:
        """Stops and targets that take one of the venue's places."""
        return tuple(order for order in self.in_role(Role.STOP, Role.TARGET) if not order.status.final)

    def working_of(self, order: Order) -> Working | None:
        """The intent that the order works for, while it is held here."""
        return self.intents.get(order.intent_id) if order.intent_id else None

    def of_intent(self, intent_id: IntentId) -> tuple[Order, ...]:
        """Its entries, oldest first."""
        return self._of_intents.get(intent_id, ())

    @cached_property
    def _of_intents(self) -> dict[IntentId | None, tuple[Order, ...]]:
        """Of all of them at once: each step asks for each of them."""
        found: dict[IntentId | None, list[Order]] = {}
        for order in self.orders.values():
            found.setdefault(order.intent_id, []).append(order)
        return {intent_id: tuple(orders) for intent_id, orders in found.items()}

    @cached_property
    def standing(self) -> Working | None:
        """The newest stop asked for on its own that is in force."""
        standing = [work for work in self.intents.values() if work.phase is Phase.STANDING and not work.canceling]
        return standing[-1] if standing else None  # intents are kept in the order in which they came

    def next_child(self, role: Role) -> tuple["Holding", ClientOrderId]:
        """The next protective or exit id of this position, and the holding that remembers it was given out."""
        opening = None if self.position.lots else next((work for work in self.opening() if self.named(work)), None)
        root = (opening.root if opening else self.root) or derived_id("cx", str(self.key))
        number = self.child_no + 1  # not begun anew with each root: two openings under one root share no id
        if number > CHILDREN_MAX:
            root, number = derived_id("cx", f"{root}:{number}"), 1
        return self.but(child_no=number, root=root), child_id(root, role.value, number)

    def named(self, work: Working) -> bool:
        """Whether its name is this life's alone: it was not taken up before the ledger was put back."""
        return work.accepted_ms > self.restored_ms

    def opening(self) -> tuple[Working, ...]:
        """Intents whose entries have filled by the venue's word while the trades are still to come."""
        owed = {order.intent_id for order in self.orders.values() if order.owed and order.intent_id}
        return tuple(working for key, working in self.intents.items() if key in owed)
