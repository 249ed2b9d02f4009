"""Where trouble enters: a seam asked once per request and once per user frame.

The core never knows a fault happened. A fault on a request says whether the venue executed it (``executed``): both
flavours of "unknown" look the same from outside. A seeded schedule implements ``Faults``; the default is none.
"""

from enum import StrEnum
from typing import Protocol

import msgspec

from chimera.simulate.door.messages import Frame, WireRequest, WireResponse
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
    TIMEOUT_1007 = "timeout_1007"  # -1007, executed or not
    REFUSE = "refuse"  # a business refusal with ``code`` and ``msg``, never executed


class RequestFault(Value):
    """A fault on one request. ``executed`` counts only where the kind leaves it open."""

    trouble: Trouble
    executed: bool = False
    delay_ms: Millis = Millis(0)
    code: int = 0
    msg: str = ""

    @property
    def runs(self) -> bool:
        """Whether the venue executes the request all the same."""
        return self.trouble is Trouble.DELAY or (self.executed and self.trouble in _EITHER_WAY)


class FrameTrouble(StrEnum):
    """What goes wrong with one user frame."""

    DROP = "drop"
    DELAY = "delay"
    DUPLICATE = "duplicate"  # once at once, once after ``delay_ms``


class FrameFault(Value):
    """A fault on one user frame."""

    trouble: FrameTrouble
    delay_ms: Millis = Millis(0)


class Faults(Protocol):
    """A schedule of trouble. Deterministic: the same calls in the same order give the same answers."""

    def on_request(self, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        """What happens to this request; ``None`` lets it through."""
        ...

    def on_frame(self, frame: Frame, now_ms: Millis) -> FrameFault | None:
        """What happens to this user frame; ``None`` lets it through."""
        ...


class NoFaults:
    """A perfect day."""

    def on_request(self, request: WireRequest, now_ms: Millis) -> RequestFault | None:
        return None

    def on_frame(self, frame: Frame, now_ms: Millis) -> FrameFault | None:
        return None


_EITHER_WAY = frozenset({Trouble.DROP, Trouble.UNKNOWN_503, Trouble.OVERLOADED_503, Trouble.TIMEOUT_1007})
_ANSWERS = {
    Trouble.UNKNOWN_503: (503, -1000, "Unknown error, please check your request or try again later."),
    Trouble.UNAVAILABLE_503: (503, 0, "Service Unavailable."),
    Trouble.INTERNAL_503: (503, -1001, "Internal error; unable to process your request. Please try again."),
    Trouble.THROTTLED_503: (
        503,
        -1008,
        "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again.",
    ),
    Trouble.OVERLOADED_503: (
        503,
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    Trouble.TIMEOUT_1007: (
        408,
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    ),
}


def spares(fault: RequestFault, request: WireRequest) -> bool:
    """Whether system protection lets this request pass: exits and cancels are exempt (Binance general-info)."""
    if fault.trouble is not Trouble.THROTTLED_503:
        return False
    sent = f"{request.query}&{request.body}".lower()
    return request.method != "POST" or "reduceonly=true" in sent or "closeposition=true" in sent


def answer(fault: RequestFault, executed: WireResponse | None) -> WireResponse:
    """What the client sees; ``executed`` is the venue's own answer where it ran."""
    if fault.trouble is Trouble.DELAY and executed is not None:
        return executed.but(delay_ms=fault.delay_ms)
    if fault.trouble is Trouble.DROP:
        return WireResponse(status=0, headers={}, body=b"", dropped=True, delay_ms=fault.delay_ms)
    status, code, msg = _ANSWERS.get(fault.trouble, (400, fault.code, fault.msg))
    body = msgspec.json.encode({"code": code, "msg": msg})
    headers = {"Content-Type": "application/json"}
    return WireResponse(status=status, headers=headers, body=body, delay_ms=fault.delay_ms)


def mangle(fault: FrameFault | None, frame: Frame) -> tuple[Frame, ...]:
    """The frames that really leave, in place of ``frame``."""
    if fault is None:
        return (frame,)
    late = frame.but(delay_ms=fault.delay_ms)
    match fault.trouble:
        case FrameTrouble.DROP:
            return ()
        case FrameTrouble.DELAY:
            return (late,)
        case FrameTrouble.DUPLICATE:
            return (frame, late)
