"""One intent being worked: its plan, how far it is, and how it ended."""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.intent import Intent
from chimera.trading.money import ZERO, Millis, Price, Qty
from chimera.trading.value import Value


class Plan(Value):
    """How an admitted intent will be traded, and why; immutable once made.

    ``slices`` sum to exactly the intended quantity (base asset); slice k is due ``gap_ms`` x k after acceptance.
    """

    slices: tuple[Qty, ...]
    gap_ms: int
    maker_wait_ms: int  # 0: take at once
    deadline_ms: Millis  # past it nothing that adds exposure is sent
    why: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  # what the caller should know: rounded down, default stop

    @property
    def total(self) -> Qty:
        """All of it; less than the intent asked for where the margin did not suffice."""
        return Qty(sum(self.slices, ZERO))

    def cut(self, total: Qty) -> "Plan":
        """The same plan for at most ``total``: what goes beyond it is left out at the end."""
        kept: list[Qty] = []
        left: Decimal = total
        for part in self.slices:
            if left > 0:
                kept.append(Qty(min(part, left)))
                left -= part
        return self.but(slices=tuple(kept))


class Phase(StrEnum):
    WORKING = "WORKING"
    DONE = "DONE"  # nothing more will be sent for the entry; its lot may be open


CANCELED_BY = "CANCELED_BY_"  # begins the reason of an intent that a caller cancelled


class Working(Value):
    """The state of one intent's entry. Child ids count up from ``child_no``."""

    intent: Intent
    body_hash: str
    plan: Plan
    accepted_ms: Millis
    phase: Phase = Phase.WORKING
    slice_no: int = 0
    child_no: int = 0
    maker_tries: int = 0  # in this slice
    taker_tries: int = 0  # in this slice
    maker_until_ms: Millis | None = None
    retry_at_ms: Millis | None = None
    canceling: bool = False
    failures: int = 0  # sendings in a row that the venue failed to take
    reductions: int = 0  # how often it was made smaller for lack of margin
    refused: bool = False  # ended with nothing filled because somebody said no
    reason: str = ""  # why it ended as it did, or what it waits for
    refusal_code: str = ""
    mid_at_send: Price | None = None
    first_ack_ms: Millis | None = None
    done_ms: Millis | None = None

    @property
    def intent_id(self) -> IntentId:
        return self.intent.intent_id

    @property
    def root(self) -> ClientOrderId:
        return self.intent.client_order_id

    @property
    def due_qty(self) -> Qty:
        """What should be filled once the present slice is done."""
        return Qty(sum(self.plan.slices[: self.slice_no + 1], ZERO))


STOP_STUCK: Final = "STOP_STUCK"
STOP_REFUSED: Final = "STOP_REFUSED"
STOP_CROSSED: Final = "STOP_CROSSED"
TARGET_CROSSED: Final = "TARGET_CROSSED"
UNGUARDABLE: Final = (STOP_STUCK, STOP_REFUSED, STOP_CROSSED, TARGET_CROSSED)  # their stop or target cannot stand


class Exit(Value):
    """A close being worked. ``qty`` None means all of it, sized by the position at each try."""

    reason: str
    asked_ms: Millis
    qty: Qty | None = None
    left_qty: Qty | None = None  # of a partial close
    lots: tuple[IntentId, ...] = ()  # whose lots it closes first; empty: oldest first
    tries: int = 0
    retry_at_ms: Millis | None = None
