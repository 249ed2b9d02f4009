"""One intent being worked: its plan, how far it is, and how it ended."""

from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Final

from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.intent import Intent
from chimera.trading.liquidity import Liquidity
from chimera.trading.money import ZERO, Millis, Price, Qty
from chimera.trading.value import Value


class Slice(Value, tag=False):
    """``qty`` base asset, due ``after_ms`` after acceptance; jitter is already in both."""

    qty: Qty
    after_ms: int = 0


class Maker(Value, tag=False):
    """How a slice rests before it takes. ``wait_ms`` 0: it takes at once.

    When the wait is over and less than ``theta`` of the slice has filled, the rest goes at market. Otherwise it chases
    once: a limit order one tick nearer to the market, for ``chase_ms`` (0: not at all), and then at market.
    """

    wait_ms: int = 0
    reprices: int = 0  # how often it may follow a touch that moves away
    inside_bps: Decimal = Decimal(0)  # how much dearer than the touch it may rest, to be the first; 0: at the touch
    theta: Decimal = Decimal("0.5")
    chase_ms: int = 0


class Plan(Value, dict=True):
    """How an admitted intent will be traded, and why; immutable once made.

    ``slices`` sum to exactly the intended quantity, the first due at once. ``worst_price``: no child is sent beyond it.
    ``slack_ms``: how far slices that began late may move the deadline.
    """

    slices: tuple[Slice, ...]
    deadline_ms: Millis  # past it nothing that adds exposure is sent
    maker: Maker = Maker()
    worst_price: Price | None = None
    liquidity: Liquidity | None = None  # None: it goes whatever the market is like
    slack_ms: int = 0
    why: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what the caller should know: rounded down, default stop

    @cached_property
    def total(self) -> Qty:
        """All of it; less than the intent asked for where the margin did not suffice."""
        return Qty(sum((part.qty for part in self.slices), ZERO))

    def gap_ms(self, number: int) -> int:
        """From the slice before ``number`` (> 0) to it."""
        return self.slices[number].after_ms - self.slices[number - 1].after_ms

    def cut(self, total: Qty) -> "Plan":
        """The same plan for at most ``total``: what goes beyond it is left out at the end."""
        kept: list[Slice] = []
        left: Decimal = total
        for part in self.slices:
            if left > 0:
                kept.append(part.but(qty=Qty(min(part.qty, left))))
                left -= part.qty
        return self.but(slices=tuple(kept))


class Phase(StrEnum):
    WORKING = "WORKING"
    STANDING = "STANDING"  # a stop on its own, in force
    DONE = "DONE"  # nothing more will be sent for the entry; its lot may be open


SOLD = "FILLED"  # the reason of a stop on its own that has closed its position
CANCELED_BY = "CANCELED_BY_"  # begins the reason of an intent that a caller cancelled


class Begun(Value, tag=False):
    """When a slice began, and how much of the intent had filled by then (base asset)."""

    at_ms: Millis
    filled: Qty


class Step(Value, tag=False):
    """Something the plan met on its way that a reader should see: a slice postponed, cut, bounded; a pause."""

    at_ms: Millis
    what: str


PAUSE_MAX_MS: Final = 3_600_000  # a pause beyond it does not move the deadline any more
STEPS_MAX: Final = 60  # of one intent; the last of them says that there were more


class Working(Value):
    """The state of one intent's entry. Child ids count up from ``child_no``.

    A slice that begins late does not hurry the next: that one keeps its gap from when this one began, and the deadline
    moves with it, by the plan's ``slack_ms`` at most. A pause moves both, the deadline by ``PAUSE_MAX_MS`` at most.
    """

    intent: Intent
    body_hash: str
    plan: Plan
    accepted_ms: Millis
    phase: Phase = Phase.WORKING
    slice_no: int = 0
    child_no: int = 0
    maker_tries: int = 0  # in this slice
    taker_tries: int = 0  # in this slice
    reprices: int = 0  # in this slice
    shrunk: int = 0  # in this slice: children smaller than the slice, for lack of liquidity
    maker_until_ms: Millis | None = None
    chase_until_ms: Millis | None = None  # set once this slice chases
    retry_at_ms: Millis | None = None
    canceling: bool = False
    failures: int = 0  # sendings in a row that the venue failed to take
    told_late: int = -1  # the newest slice whose maker time-out has been told; -1: none
    reductions: int = 0  # how often it was made smaller for lack of margin
    refused: bool = False  # ended with nothing filled because somebody said no
    reason: str = ""  # why it ended as it did, or what it waits for
    refusal_code: str = ""
    mid_at_send: Price | None = None
    first_ack_ms: Millis | None = None
    done_ms: Millis | None = None
    begun: tuple[Begun, ...] = ()  # one for each slice that has begun, in order
    waited_ms: int = 0  # postponed for lack of liquidity, in all
    lag_ms: int = 0  # how much later than planned the newest slice began
    paused_ms: Millis | None = None  # since when it pauses
    rested_ms: int = 0  # paused before, in all
    finishing: bool = False  # all that is left is taken now
    next_plan: Plan | None = None  # asked for: it takes over once the end of every child is known
    episode: int = 0  # of a stop on its own: for which opening of the position (``Position.closed_count``)
    nets: Qty = Qty(ZERO)  # of the intent: it reduces a position of the other side, and never opens one
    steps: tuple[Step, ...] = ()
    close_as: str = ""  # why all that it holds, and what of it may still fill, is to be closed; empty: it may stay

    @property
    def intent_id(self) -> IntentId:
        return self.intent.intent_id

    @property
    def stop_price(self) -> Price | None:
        """As it was asked for; None: at the default distance, or none."""
        return None if self.intent.stop is None else self.intent.stop.price

    @property
    def root(self) -> ClientOrderId:
        return self.intent.client_order_id

    @property
    def due_qty(self) -> Qty:
        """What should be filled once the present slice is done."""
        return Qty(sum((part.qty for part in self.plan.slices[: self.slice_no + 1]), ZERO))

    @property
    def slice_due_ms(self) -> Millis:
        """When the present slice may begin."""
        return self.slice_at_ms(self.slice_no)

    def slice_at_ms(self, number: int) -> Millis:
        """When that slice may begin: as planned, and no sooner than its gap after the one before it began."""
        planned = self.accepted_ms + self.rested_ms + self.plan.slices[number].after_ms
        if 0 < number <= len(self.begun):
            planned = max(planned, self.begun[number - 1].at_ms + self.plan.gap_ms(number))
        return Millis(planned)

    @property
    def slice_begun(self) -> bool:
        return len(self.begun) > self.slice_no

    def works_at(self, now_ms: Millis) -> bool:
        """Whether its present slice is being worked: it neither pauses nor waits for its time."""
        if self.paused_ms is not None:
            return False
        return self.slice_begun or self.finishing or now_ms >= self.slice_due_ms

    @property
    def rests_until_ms(self) -> Millis | None:
        """When what rests is to leave the book; None where this slice has not rested yet."""
        return self.maker_until_ms if self.chase_until_ms is None else self.chase_until_ms

    def beginning(self, filled: Decimal, now_ms: Millis) -> "Working":
        """With the present slice begun, if it was not yet."""
        if self.slice_begun:
            return self
        begun = Begun(at_ms=now_ms, filled=Qty(filled))
        return self.but(begun=(*self.begun, begun), lag_ms=max(self.lag_ms, self.late_ms(now_ms)))

    def slice_fills(self, filled: Decimal) -> tuple[Qty, ...]:
        """Base asset that filled in each slice that has begun, given what has filled in all: ``twap.slice_fill_ratio``.

        A trade that comes late counts for the slice that was on when it came.
        """
        marks = [mark.filled for mark in self.begun] + [Qty(filled)]
        return tuple(Qty(after - before) for before, after in pairwise(marks))

    def late_ms(self, now_ms: Millis) -> int:
        """How much later than planned the present slice begins, if it begins now; the first is due at acceptance."""
        planned = self.accepted_ms + self.rested_ms + self.plan.slices[self.slice_no].after_ms
        return max(now_ms - planned, 0) if self.slice_no else 0

    def ends_ms(self, now_ms: Millis) -> Millis:
        """The deadline as it stands now: past it nothing that adds exposure is sent."""
        rested = self.rested_ms + (0 if self.paused_ms is None else now_ms - self.paused_ms)
        lag = max(self.lag_ms, self.waited_ms, 0 if self.slice_begun or self.paused_ms else self.late_ms(now_ms))
        moved = self.plan.deadline_ms + min(rested, PAUSE_MAX_MS) + min(lag, self.plan.slack_ms)
        latest = None if self.intent.reduce_only else self.intent.valid_until_ms
        return Millis(moved if latest is None else min(moved, latest))

    def turning_to(self, slice_no: int) -> "Working":
        """At this slice, nothing of which has been tried or waited for yet."""
        return self.but(
            slice_no=slice_no,
            maker_tries=0,
            taker_tries=0,
            reprices=0,
            shrunk=0,
            maker_until_ms=None,
            chase_until_ms=None,
            retry_at_ms=None,
            reason="",
        )

    def noting(self, what: str, now_ms: Millis) -> "Working":
        """With one more step told, up to ``STEPS_MAX``."""
        if len(self.steps) >= STEPS_MAX:
            return self
        told = what if len(self.steps) < STEPS_MAX - 1 else "more steps than are told"
        return self.but(steps=(*self.steps, Step(at_ms=now_ms, what=told)))


STOP_STUCK: Final = "STOP_STUCK"
STOP_REFUSED: Final = "STOP_REFUSED"
STOP_CROSSED: Final = "STOP_CROSSED"
TARGET_CROSSED: Final = "TARGET_CROSSED"
UNGUARDABLE: Final = (STOP_STUCK, STOP_REFUSED, STOP_CROSSED, TARGET_CROSSED)  # their stop or target cannot stand


class CloseName(Value):
    """What a caller calls his close, and the hash of what he asked: by one name nothing is closed twice."""

    id: str
    body_hash: str


class Exit(Value):
    """A close being worked. ``qty`` None means all of it, sized by the position at each try."""

    reason: str
    asked_ms: Millis
    qty: Qty | None = None
    left_qty: Qty | None = None  # of a partial close
    lots: tuple[IntentId, ...] = ()  # whose lots it closes first; empty: oldest first
    tries: int = 0
    retry_at_ms: Millis | None = None
    name: CloseName | None = None
    hindered: bool = False  # the last try was refused for there being nothing to reduce
    theirs: tuple[ClientOrderId, ...] = ()  # reduce-only orders of others that stood in its way then
