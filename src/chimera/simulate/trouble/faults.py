"""Where trouble enters: the few places at which the twin asks whether something goes wrong, and what may be answered.

Asked by ``simulate.twin`` once per request, per frame, per trigger, and whenever time passes. The core never knows a
fault happened: it sees a request that did not come, a symbol whose status changed, a book that is thin. A fault on a
request says whether the venue executed it (``executed``): both flavours of "unknown" look the same from outside.
``schedule.Schedule`` carries out named faults; ``NoFaults`` is the perfect day that others build on.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from chimera.simulate.door.messages import Frame, WireRequest
from chimera.trading.money import Millis
from chimera.trading.value import Value


class Trouble(StrEnum):
    """What goes wrong with one request."""

    DROP = "drop"  # no answer; executed or not
    DELAY = "delay"  # answered, late
    UNKNOWN_503 = "unknown_503"  # "Unknown error": executed or not
    UNAVAILABLE_503 = "unavailable_503"  # never executed
    INTERNAL_503 = "internal_503"  # -1001, never executed
    THROTTLED_503 = "throttled_503"  # -1008, never executed; exits are exempt
    OVERLOADED_503 = "overloaded_503"  # -1008 with the overload text: executed or not
    UNEXPECTED_1006 = "unexpected_1006"  # -1006, executed or not
    TIMEOUT_1007 = "timeout_1007"  # -1007, executed or not
    REFUSE = "refuse"  # a business refusal with ``code`` and ``msg``, never executed
    ZEROS = "zeros"  # executed, and every amount in the answer reads zero
    LATE_ROWS = "late_rows"  # executed, and the newest rows are missing from the answer


class RequestFault(Value):
    """A fault on one request. ``executed`` counts only where the kind leaves it open.

    ``name`` is the named fault's, for the audit; ``status`` and ``headers`` are a refusal's. ``engine_ms``: between the
    door and the matching engine, which judges the request's age once more. ``unread_ms``: rows after it are missing.
    """

    trouble: Trouble
    executed: bool = False
    delay_ms: Millis = Millis(0)
    code: int = 0
    msg: str = ""
    status: int = 400
    headers: dict[str, str] = {}
    engine_ms: Millis = Millis(0)
    unread_ms: Millis = Millis(0)
    name: str = ""

    @property
    def runs(self) -> bool:
        """Whether the venue executes the request all the same."""
        return self.trouble in _RUNS or (self.executed and self.trouble in _EITHER_WAY)


_RUNS = frozenset({Trouble.DELAY, Trouble.ZEROS, Trouble.LATE_ROWS})
_EITHER_WAY = frozenset(
    {Trouble.DROP, Trouble.UNKNOWN_503, Trouble.OVERLOADED_503, Trouble.UNEXPECTED_1006, Trouble.TIMEOUT_1007}
)


class FrameTrouble(StrEnum):
    """What goes wrong with one stream frame."""

    DROP = "drop"
    DELAY = "delay"
    DUPLICATE = "duplicate"  # once at once, once after ``delay_ms``
    REORDER = "reorder"  # leaves after the next frame of its channel, at the latest after ``delay_ms``
    CUT = "cut"  # lost, and the connections that would have heard it end


class FrameFault(Value):
    """A fault on one frame. ``same_type``: a reordered one may be overtaken by its own type, too."""

    trouble: FrameTrouble
    delay_ms: Millis = Millis(0)
    same_type: bool = False
    name: str = ""


class Triggering(Value):
    """A conditional order whose price was reached: what a fault may be aimed at."""

    market: str
    type: str
    account: str
    symbol: str
    client_id: str


class TriggerFault(Value):
    """A fault on one conditional order that triggers; at most one of the three is set.

    ``held``: it stays TRIGGERING, and a cancel is answered with ``cancel_code``; for ``hold_ms``, with 0 until the
    fault is cleared. ``code``: the matching engine refuses its child so. ``thin``: the child finds this share of its
    quantity in the book. ``fault``: the id of the armed fault.
    """

    name: str
    fault: str = ""
    held: bool = False
    hold_ms: Millis = Millis(0)
    cancel_code: int = 0
    code: int = 0
    msg: str = ""
    thin: Decimal | None = None


class CutStreams(Value):
    """Connections end: those of ``route`` ("" all). ``told``: spot's readers hear ``serverShutdown`` before."""

    route: str = ""
    told: bool = False


class LoseListenKey(Value):
    """The listenKey of these accounts ends now. ``told``: with its event, as Binance does."""

    account: str
    told: bool


class SetStatus(Value):
    """These symbols go to this state. DELISTED: all their orders expire and positions are settled."""

    symbol: str
    market: str
    to: "SymbolState"


class SymbolState(StrEnum):
    """A symbol's state, in words of neither market."""

    TRADING = "trading"
    CANCEL_ONLY = "cancel_only"
    DELISTED = "delisted"


class FeeInBase(Value):
    """Spot: these accounts pay commission in what they receive (``on``), whatever they chose."""

    account: str
    on: bool


class ReleaseTriggers(Value):
    """Conditional orders held in TRIGGERING by the fault of this id go on."""

    fault: str


class DelayTransfers(Value):
    """What these accounts send from one wallet to the other arrives so much later; 0: at once."""

    account: str
    by_ms: Millis


Act = CutStreams | LoseListenKey | SetStatus | FeeInBase | ReleaseTriggers | DelayTransfers


class Faults(Protocol):
    """A schedule of trouble. Deterministic: the same calls in the same order give the same answers."""

    def on_arrival(self, request: WireRequest, now_ms: Millis) -> Millis:
        """How long this request is still under way before the venue sees it; asked by whoever carries it."""
        ...

    def on_request(self, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        """What happens to this request; ``None`` lets it through."""
        ...

    def on_frame(self, frame: Frame, now_ms: Millis) -> FrameFault | None:
        """What happens to this frame; ``None`` lets it through."""
        ...

    def on_trigger(self, triggering: Triggering, now_ms: Millis) -> TriggerFault | None:
        """What happens to this conditional order as it triggers; ``None`` lets it go on."""
        ...

    def admits(self, route: str, now_ms: Millis) -> bool:
        """Whether a new stream connection on ``route`` is let in."""
        ...

    def skew_ms(self, now_ms: Millis) -> int:
        """How far the venue's clock is ahead of the true one; below zero it is behind."""
        ...

    def journal_fails(self, part: str, now_ms: Millis) -> bool:
        """Whether the twin's own ``part`` ("state" or "audit") cannot be written now."""
        ...

    def due(self, now_ms: Millis) -> tuple[Act, ...]:
        """What has begun or ended since the last time this was asked."""
        ...


class NoFaults:
    """A perfect day."""

    def on_arrival(self, request: WireRequest, now_ms: Millis) -> Millis:
        return Millis(0)

    def on_request(self, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        return None

    def on_frame(self, frame: Frame, now_ms: Millis) -> FrameFault | None:
        return None

    def on_trigger(self, triggering: Triggering, now_ms: Millis) -> TriggerFault | None:
        return None

    def admits(self, route: str, now_ms: Millis) -> bool:
        return True

    def skew_ms(self, now_ms: Millis) -> int:
        return 0

    def journal_fails(self, part: str, now_ms: Millis) -> bool:
        return False

    def due(self, now_ms: Millis) -> tuple[Act, ...]:
        return ()
