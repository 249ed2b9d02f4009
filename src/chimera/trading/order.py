"""The life of a child order: statuses, triggers, the one transition table, and quantities as sums over fills.

The table is the machine; nothing else compares statuses to decide what may follow. A pair that is not in it raises
``IllegalTransition``, and the order is reconciled with the venue, not patched. Quantities are never fields that
someone updates: ``cum_qty`` and ``avg_px`` are sums over fills kept by trade id, so a duplicate changes nothing, a
fill may come before the ack, and one that comes after CANCELED counts (it happens).
"""

from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Final

from chimera.trading.errors import IllegalTransition
from chimera.trading.fill import Fill
from chimera.trading.form import Form
from chimera.trading.ids import ClientOrderId, IntentId, Symbol, TradeId, VenueOrderId
from chimera.trading.intent import WorkingType
from chimera.trading.liquidity import Book
from chimera.trading.market import Side
from chimera.trading.money import ZERO, Millis, Price, Qty
from chimera.trading.value import Value


class OrderType(StrEnum):
    """Binance's words. On futures the middle two live in the Algo service until they trigger; the last is spot's."""

    LIMIT = "LIMIT"  # with GTX spot's LIMIT_MAKER
    MARKET = "MARKET"
    STOP_MARKET = "STOP_MARKET"
    TAKE_PROFIT_MARKET = "TAKE_PROFIT_MARKET"
    STOP_LOSS_LIMIT = "STOP_LOSS_LIMIT"

    @property
    def conditional(self) -> bool:
        return self in (OrderType.STOP_MARKET, OrderType.TAKE_PROFIT_MARKET)


class TimeInForce(StrEnum):
    GTC = "GTC"
    IOC = "IOC"
    GTX = "GTX"  # post-only


class Role(StrEnum):
    """What a child order is for; its letter goes into its id."""

    MAKER = "m"
    TAKER = "t"
    STOP = "s"
    TARGET = "p"
    EXIT = "x"
    EXTERNAL = "e"  # not ours: by hand, or the venue's own (liquidation)

    @property
    def protective(self) -> bool:
        return self in (Role.STOP, Role.TARGET)


class NewOrder(Value):
    """What is asked of the venue. Quantities base asset, prices quote per base."""

    ref: ClientOrderId
    symbol: Symbol
    side: Side
    type: OrderType
    qty: Qty
    price: Price | None = None
    trigger_price: Price | None = None
    time_in_force: TimeInForce | None = None
    working_type: WorkingType | None = None
    reduce_only: bool = False
    not_after_ms: Millis | None = None  # the sender gives up instead of sending later than this
    form: Form = Form.QTY  # of a stop or target; WHOLE has no quantity: ``qty`` is 0
    group: ClientOrderId | None = None  # the order list it is a leg of (form OCO)

    @property
    def conditional(self) -> bool:
        """Whether it rests in the Algo service until it triggers."""
        return self.type.conditional and self.form is not Form.REGULAR


class Status(StrEnum):
    PENDING_NEW = "PENDING_NEW"  # about to be sent, or sent and unanswered
    NEW = "NEW"  # live on the venue
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    TRIGGERING = "TRIGGERING"  # a conditional order at its price, its child not seen yet: protects nothing
    PENDING_CANCEL = "PENDING_CANCEL"
    IN_DOUBT = "IN_DOUBT"  # it may have happened: ask by client id before anything else
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"  # the venue never had it: refused, not sent, or proven dead

    @property
    def final(self) -> bool:
        return self in FINAL


OPEN: Final = (Status.NEW, Status.PARTIALLY_FILLED)  # of an entry: it rests in the book
FIRING: Final = (Status.TRIGGERING, Status.PARTIALLY_FILLED)  # of a stop or target: at its work, protecting nothing
FINAL: Final = frozenset({Status.FILLED, Status.CANCELED, Status.EXPIRED, Status.REJECTED})


class Trigger(StrEnum):
    """What can happen to a child order, whether a reply, the stream or a query tells of it."""

    ACKED = "ACKED"
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"
    TIMED_OUT = "TIMED_OUT"
    PROVEN_DEAD = "PROVEN_DEAD"  # not found, and it can no longer be accepted
    PART_FILLED = "PART_FILLED"
    FILLED = "FILLED"
    TRIGGERED = "TRIGGERED"
    CANCEL_SENT = "CANCEL_SENT"
    CANCEL_REFUSED = "CANCEL_REFUSED"  # often: it filled first
    CANCEL_NOT_SENT = "CANCEL_NOT_SENT"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    RESTARTED = "RESTARTED"  # we lost the answer by dying
    REVIVED = "REVIVED"  # the venue lists it as open though it had ended: its id was taken a second time
    MISSING = "MISSING"  # a query does not know it, which proves nothing yet


RECANCEL_MS: Final = 250  # a cancel that had no effect is sent again this soon, then more slowly
RESEND_MS: Final = 250  # what was not answered is sent again this soon, then more slowly

S, T = Status, Trigger

TRANSITIONS: Final[dict[tuple[Status, Trigger], Status]] = {
    (S.PENDING_NEW, T.ACKED): S.NEW,
    (S.PENDING_NEW, T.REFUSED): S.REJECTED,
    (S.PENDING_NEW, T.NOT_SENT): S.REJECTED,
    (S.PENDING_NEW, T.TIMED_OUT): S.IN_DOUBT,  # it may be live: ask, do not resend
    (S.PENDING_NEW, T.RESTARTED): S.IN_DOUBT,
    (S.PENDING_NEW, T.PART_FILLED): S.PARTIALLY_FILLED,  # the stream beat the reply
    (S.PENDING_NEW, T.FILLED): S.FILLED,
    (S.PENDING_NEW, T.TRIGGERED): S.TRIGGERING,
    (S.PENDING_NEW, T.CANCELED): S.CANCELED,
    (S.PENDING_NEW, T.EXPIRED): S.EXPIRED,
    (S.NEW, T.ACKED): S.NEW,
    (S.NEW, T.REFUSED): S.IN_DOUBT,  # a duplicate-id refusal of a resend, or two answers that disagree
    (S.NEW, T.TIMED_OUT): S.NEW,  # the reply was lost, the stream was not
    (S.NEW, T.RESTARTED): S.NEW,
    (S.NEW, T.PART_FILLED): S.PARTIALLY_FILLED,
    (S.NEW, T.FILLED): S.FILLED,
    (S.NEW, T.TRIGGERED): S.TRIGGERING,
    (S.NEW, T.CANCEL_SENT): S.PENDING_CANCEL,
    (S.NEW, T.CANCELED): S.CANCELED,
    (S.NEW, T.EXPIRED): S.EXPIRED,
    (S.PARTIALLY_FILLED, T.ACKED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.TIMED_OUT): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.RESTARTED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.PART_FILLED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.FILLED): S.FILLED,
    (S.PARTIALLY_FILLED, T.TRIGGERED): S.PARTIALLY_FILLED,
    (S.PARTIALLY_FILLED, T.CANCEL_SENT): S.PENDING_CANCEL,
    (S.PARTIALLY_FILLED, T.CANCELED): S.CANCELED,
    (S.PARTIALLY_FILLED, T.EXPIRED): S.EXPIRED,
    (S.TRIGGERING, T.ACKED): S.TRIGGERING,
    (S.TRIGGERING, T.TIMED_OUT): S.TRIGGERING,
    (S.TRIGGERING, T.RESTARTED): S.TRIGGERING,
    (S.TRIGGERING, T.TRIGGERED): S.TRIGGERING,
    (S.TRIGGERING, T.PART_FILLED): S.PARTIALLY_FILLED,
    (S.TRIGGERING, T.FILLED): S.FILLED,
    (S.TRIGGERING, T.REFUSED): S.REJECTED,  # the engine refused the child
    (S.TRIGGERING, T.CANCEL_SENT): S.PENDING_CANCEL,
    (S.TRIGGERING, T.CANCELED): S.CANCELED,
    (S.TRIGGERING, T.EXPIRED): S.EXPIRED,
    (S.PENDING_CANCEL, T.ACKED): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.TIMED_OUT): S.IN_DOUBT,
    (S.PENDING_CANCEL, T.RESTARTED): S.IN_DOUBT,
    (S.PENDING_CANCEL, T.PART_FILLED): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.FILLED): S.FILLED,
    (S.PENDING_CANCEL, T.TRIGGERED): S.TRIGGERING,
    (S.PENDING_CANCEL, T.CANCEL_SENT): S.PENDING_CANCEL,
    (S.PENDING_CANCEL, T.CANCEL_REFUSED): S.IN_DOUBT,
    (S.PENDING_CANCEL, T.CANCEL_NOT_SENT): S.IN_DOUBT,
    (S.PENDING_CANCEL, T.CANCELED): S.CANCELED,
    (S.PENDING_CANCEL, T.EXPIRED): S.EXPIRED,
    (S.PENDING_CANCEL, T.REFUSED): S.REJECTED,
    (S.IN_DOUBT, T.ACKED): S.NEW,
    (S.IN_DOUBT, T.REFUSED): S.REJECTED,
    (S.IN_DOUBT, T.NOT_SENT): S.IN_DOUBT,  # a resend that never left says nothing of the first
    (S.IN_DOUBT, T.TIMED_OUT): S.IN_DOUBT,
    (S.IN_DOUBT, T.RESTARTED): S.IN_DOUBT,
    (S.IN_DOUBT, T.PROVEN_DEAD): S.REJECTED,  # only once it can no longer be accepted
    (S.IN_DOUBT, T.PART_FILLED): S.PARTIALLY_FILLED,
    (S.IN_DOUBT, T.FILLED): S.FILLED,
    (S.IN_DOUBT, T.TRIGGERED): S.TRIGGERING,
    (S.IN_DOUBT, T.CANCEL_SENT): S.PENDING_CANCEL,
    (S.IN_DOUBT, T.CANCEL_REFUSED): S.IN_DOUBT,
    (S.IN_DOUBT, T.CANCEL_NOT_SENT): S.IN_DOUBT,
    (S.IN_DOUBT, T.CANCELED): S.CANCELED,
    (S.IN_DOUBT, T.EXPIRED): S.EXPIRED,
    **{
        (live, T.MISSING): S.IN_DOUBT
        for live in (S.NEW, S.PARTIALLY_FILLED, S.TRIGGERING, S.PENDING_CANCEL, S.IN_DOUBT)
    },
    (S.PENDING_NEW, T.MISSING): S.PENDING_NEW,  # its own answer is still to come
    # A cancel that comes too late for what fires or fills: its answer says no more than that.
    **{
        (firing, trigger): firing
        for firing in (S.TRIGGERING, S.PARTIALLY_FILLED)
        for trigger in (T.CANCEL_REFUSED, T.CANCEL_NOT_SENT)
    },
    # An answer to a resend can say no while the first sending lives: the venue's word on the order itself stands.
    **{
        (live, T.NOT_SENT): live
        for live in (S.NEW, S.PARTIALLY_FILLED, S.TRIGGERING, S.PENDING_CANCEL)
    },
    (S.PARTIALLY_FILLED, T.REFUSED): S.PARTIALLY_FILLED,
    # A final order hears late and repeated news and does not move, except that a proven fill outranks every other word,
    # and that the venue may list it as open again: then its id lives a second time.
    **{
        (final, trigger): final
        for final in (S.FILLED, S.CANCELED, S.EXPIRED)
        for trigger in (
            T.ACKED, T.REFUSED, T.NOT_SENT, T.TIMED_OUT, T.PROVEN_DEAD, T.RESTARTED, T.PART_FILLED, T.TRIGGERED,
            T.CANCELED, T.EXPIRED, T.CANCEL_REFUSED, T.CANCEL_NOT_SENT, T.MISSING,
        )
    },
    **{(final, T.FILLED): S.FILLED for final in (S.FILLED, S.CANCELED, S.EXPIRED)},
    **{(final, T.REVIVED): S.NEW for final in (S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED)},
    **{
        (S.REJECTED, trigger): S.REJECTED
        for trigger in (
            T.REFUSED, T.NOT_SENT, T.TIMED_OUT, T.PROVEN_DEAD, T.RESTARTED, T.CANCEL_REFUSED, T.CANCEL_NOT_SENT,
            T.MISSING,
        )
    },
    # Our proof of death was wrong, or the venue contradicts itself: its word and above all its trades win.
    (S.REJECTED, T.ACKED): S.NEW,
    (S.REJECTED, T.TRIGGERED): S.TRIGGERING,
    (S.REJECTED, T.PART_FILLED): S.PARTIALLY_FILLED,
    (S.REJECTED, T.FILLED): S.FILLED,
    (S.REJECTED, T.CANCELED): S.CANCELED,
    (S.REJECTED, T.EXPIRED): S.EXPIRED,
}  # fmt: skip


def after(status: Status, trigger: Trigger) -> Status:
    """The status that follows; raises ``IllegalTransition`` for a pair the table does not have."""
    try:
        return TRANSITIONS[status, trigger]
    except KeyError:
        raise IllegalTransition(status, trigger) from None


class Ended(Value):
    """What is remembered of an order that has left the holding before its time: nothing of it can come but old news."""

    at_ms: Millis
    qty: Qty  # filled, base asset


class Order(Value, dict=True):
    """One child order: what was asked, where its life stands, and its fills by trade id.

    What follows from these is worked out once for each value (``dict``): the holding asks for it at every step.
    """

    request: NewOrder
    role: Role
    intent_id: IntentId | None  # None for protection, which belongs to the position
    created_ms: Millis
    status: Status = Status.PENDING_NEW
    venue_id: VenueOrderId | None = None
    fills: dict[TradeId, Fill] = {}
    before_qty: Qty = Qty(ZERO)  # filled before we knew this order: not ours to count
    episode: int = 0  # which opening of the position it belongs to (``Position.closed_count``)
    venue_cum_qty: Qty = Qty(ZERO)  # what the venue says is filled; our fills catch up with it
    untold_qty: Qty = Qty(ZERO)  # filled, as the venue's word on it or the position has shown: no trade of it has come
    venue_qty: Qty | None = None  # the venue may shrink a reduce-only order: its quantity wins
    dead_after_ms: Millis | None = None  # in doubt: venue clock past which it can no longer be accepted
    ask_at_ms: Millis | None = None  # when to ask the venue again
    asks: int = 0
    asked_ms: Millis | None = None  # when it was last asked for
    doubted_ms: Millis | None = None  # in doubt since
    patience_ms: Millis | None = None  # a stop that fires and is not done by then is stuck
    passed_ms: Millis | None = None  # a stop that waits: since when its price has been seen passed, without a break
    cancels: int = 0
    cancel_at_ms: Millis | None = None  # not to be cancelled again before
    resends: int = 0
    mid_at_send: Price | None = None  # None: nobody saw it, or it waits at the venue for a price (stop, target)
    book_at_send: Book | None = None  # the best levels, where the feed showed them
    ended_ms: Millis | None = None
    refusal: str = ""

    @property
    def ref(self) -> ClientOrderId:
        return self.request.ref

    @property
    def qty(self) -> Qty:
        return self.request.qty if self.venue_qty is None else self.venue_qty

    @property
    def told_qty(self) -> Qty:
        """Base asset filled: by our own record of trades, and what had filled before we knew the order."""
        filled: Decimal = self.before_qty
        for fill in self.fills.values():
            filled += fill.qty
        return Qty(filled)

    @cached_property
    def cum_qty(self) -> Qty:
        """Base asset filled, by its trades and beyond them."""
        return Qty(self.told_qty + self.untold_qty)

    @cached_property
    def owed_qty(self) -> Qty:
        """Base asset filled by the venue's word whose trades have not reached us."""
        return Qty(max(self.venue_cum_qty - self.cum_qty, ZERO) if self.venue_cum_qty else ZERO)

    @property
    def leaves_qty(self) -> Qty:
        """Base asset that may still fill: zero once final, the whole rest while in doubt.

        Of a WHOLE order nothing until its child says how much that is: see ``closes``.
        """
        if self.status.final:
            return self.owed_qty
        return Qty(max(self.qty - self.cum_qty, ZERO))

    def closes(self, held: Decimal) -> Decimal:
        """Base asset (>= 0) that it would close of a position of this size (>= 0): a WHOLE one all there is."""
        if self.request.form is Form.WHOLE and self.venue_qty is None:
            return ZERO if self.status.final else held
        return min(self.leaves_qty, held)

    @cached_property
    def latest_ms(self) -> int:
        """The last moment that it names, but for the time it may be in doubt; 0: none."""
        named = (self.ask_at_ms, self.patience_ms, self.cancel_at_ms, self.doubted_ms)
        return max((moment for moment in named if moment is not None), default=0)

    @property
    def avg_px(self) -> Price | None:
        """Mean price of the trades that were told, or None before the first."""
        filled = self.told_qty - self.before_qty
        if not filled:
            return None
        return Price(sum((fill.price * fill.qty for fill in self.fills.values()), Decimal(0)) / filled)

    @property
    def owed(self) -> bool:
        """Whether trades of it have not reached us yet."""
        return self.owed_qty > 0

    @property
    def resendable(self) -> bool:
        """In doubt and never seen by the venue, as far as we know: an id that lived once must not be sent again."""
        return self.status is Status.IN_DOUBT and self.venue_id is None

    @property
    def resend_due_ms(self) -> Millis:
        """When one that is ``resendable`` may leave again: at once the first time."""
        return Millis(self.created_ms + (RESEND_MS * 2 ** min(self.resends, 2) if self.resends else 0))

    @property
    def live(self) -> bool:
        """Whether it protects now, by what the venue last said: NEW, triggered by nothing, cancelled by nobody."""
        return self.status is Status.NEW

    def may_cancel(self, now_ms: Millis) -> bool:
        """Not while the last attempt is too fresh: a cancel that never works must not become a storm."""
        return self.cancel_at_ms is None or now_ms >= self.cancel_at_ms

    def canceling(self, now_ms: Millis) -> "Order":
        """With a cancel on its way, and the moment before which there is no other."""
        return self.after(Trigger.CANCEL_SENT).but(
            cancels=self.cancels + 1, cancel_at_ms=Millis(now_ms + _pause_ms(self.cancels))
        )

    @property
    def cancel_sent_ms(self) -> Millis | None:
        """When its last cancel left."""
        return None if self.cancel_at_ms is None else Millis(self.cancel_at_ms - _pause_ms(self.cancels - 1))

    def after(self, trigger: Trigger) -> "Order":
        return self.but(status=after(self.status, trigger))

    def with_fill(self, fill: Fill) -> "Order":
        """Counts a trade once; the status follows from the sum. A WHOLE order of unknown size stays part-filled."""
        if fill.trade_id in self.fills:
            return self
        untold = Qty(max(self.untold_qty - fill.qty, ZERO))
        grown = self.but(fills={**self.fills, fill.trade_id: fill}, untold_qty=untold)
        sized = self.request.form is not Form.WHOLE or self.venue_qty is not None
        return grown.after(Trigger.FILLED if sized and grown.cum_qty >= grown.qty else Trigger.PART_FILLED)


def _pause_ms(cancels: int) -> int:
    """From one cancel to the next, after so many before it."""
    return RECANCEL_MS << min(cancels, 5)
