"""What happened, as the owner of a position hears it. Trouble is a fact like a fill."""

from chimera.trading.execution import CloseName, Plan
from chimera.trading.fill import Fill
from chimera.trading.guard import GuardRef
from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.intent import Intent
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.refusal import Refusal
from chimera.trading.value import Value
from chimera.trading.venue import VenueOrder, VenueSnapshot


class Submitted(Value):
    """An admitted intent with its plan."""

    intent: Intent
    plan: Plan
    body_hash: str


class CloseAsked(Value):
    """Reduce to flat, or by ``qty`` (base asset), the lots of ``lots`` first; under the caller's ``name``."""

    reason: str
    qty: Qty | None = None
    lots: tuple[IntentId, ...] = ()
    name: CloseName | None = None


class CancelAsked(Value):
    """Stop working an intent; ``escalate`` also flattens what it holds. ``cascade``: the legs of an OCO go, too."""

    intent_id: IntentId
    reason: str
    escalate: bool = False
    cascade: bool = True


class PauseAsked(Value):
    """Send nothing more of an intent until it is resumed, and take what rests from the book."""

    intent_id: IntentId
    reason: str


class ResumeAsked(Value):
    """Go on with an intent that pauses."""

    intent_id: IntentId


class FinishAsked(Value):
    """Take all that is left of an intent now."""

    intent_id: IntentId
    reason: str


class ChangeAsked(Value):
    """Work an intent under other terms. ``plan``: for what was left when it was asked; None: as it was."""

    intent: Intent  # as it is to be
    plan: Plan | None = None


class Found(Value):
    """The venue answered a placement, a cancel or a query with the order itself."""

    order: VenueOrder


class NotFound(Value):
    """A query that began at ``asked_server_ms`` (venue clock) does not know the order: proof only when late enough."""

    ref: ClientOrderId
    asked_server_ms: Millis


class PlaceRefused(Value):
    """Nothing happened, by the venue's word."""

    ref: ClientOrderId
    code: int  # the venue's, for telling; 0: no venue said it
    message: str
    refusal: Refusal | None = None  # what the code means, where the adapter has read it: what decides goes by this


class PlaceNotSent(Value):
    """Nothing happened, because it never left. ``held``: we kept it back ourselves; the venue did not fail."""

    ref: ClientOrderId
    reason: str
    retry_after_ms: Millis | None = None
    held: bool = False


class PlaceUnanswered(Value):
    """It may have happened. ``dead_after_ms`` (venue clock): past it the request can no longer be accepted."""

    ref: ClientOrderId
    dead_after_ms: Millis


class PairAnswered(Value):
    """What the one answer to an order list means for each of its legs: found, refused, not sent or unanswered."""

    stop: "Fact"
    target: "Fact"


class CancelRefused(Value):
    ref: ClientOrderId
    code: int
    message: str
    refusal: Refusal | None = None


class CancelUnanswered(Value):
    ref: ClientOrderId


class CancelNotSent(Value):
    ref: ClientOrderId
    reason: str


class Reported(Value):
    """A user-stream event: the order's state, and the trade where there was one."""

    order: VenueOrder
    fill: Fill | None = None


class Surveyed(Value):
    """The venue's whole word on this symbol."""

    snapshot: VenueSnapshot


class SurveyUnanswered(Value):
    """The venue did not answer a survey, or not all of it; ``retry_after_ms``: not worth asking again before."""

    retry_after_ms: Millis | None = None


class Touched(Value):
    """The market reached a price that a guard of ours watches."""

    ref: GuardRef
    price: Price


class Ticked(Value):
    """Time passed: some deadline may be due."""


class Gapped(Value):
    """The user stream was away: what happened meanwhile must be asked for."""


class Restarted(Value):
    """We have just loaded this state and know of no request in flight: what was pending is in doubt."""


class Restored(Value):
    """The ledger was put back to an earlier state at ``at_ms`` (our clock); this holding may be of before that."""

    at_ms: Millis


class Published(Value):
    """Events up to ``through`` are on their streams and in their collections."""

    through: int


Fact = (
    Submitted
    | CloseAsked
    | CancelAsked
    | PauseAsked
    | ResumeAsked
    | FinishAsked
    | ChangeAsked
    | Found
    | NotFound
    | PlaceRefused
    | PlaceNotSent
    | PlaceUnanswered
    | PairAnswered
    | CancelRefused
    | CancelUnanswered
    | CancelNotSent
    | Reported
    | Surveyed
    | SurveyUnanswered
    | Touched
    | Ticked
    | Gapped
    | Restarted
    | Restored
    | Published
)
