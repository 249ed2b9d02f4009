"""The trace of an intent, and the names of its spans: functions of ids that are there anyway (ADR 56).

A trace id is 16 bytes and a span id 8, as lower-case hex (W3C Trace Context). Nothing has to be remembered to name
them: after a restart, by either track and in either service, the same thing has the same name.
"""

import hashlib
import re
from typing import Final, NewType

from chimera.trading.events import (
    CancelRecorded,
    FillRecorded,
    GuardChanged,
    Happening,
    IntentChanged,
    OrderChanged,
    PairArmed,
    PairResolved,
    ProtectionArmed,
)
from chimera.trading.execution import Working
from chimera.trading.holding import Holding
from chimera.trading.ids import ClientOrderId, IntentId, child_of, stem_of
from chimera.trading.intent import Intent
from chimera.trading.value import Value

TraceId = NewType("TraceId", str)
SpanId = NewType("SpanId", str)

DECIDE: Final = "decide"
INTENT: Final = "intent"
ADMIT: Final = "admit"
_TRACE: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")


class Span(Value):
    """One thing that was done for an intent. Times are UTC ns; ``fault``: why it failed, empty where it did not."""

    trace_id: TraceId
    span_id: SpanId
    parent_id: SpanId | None
    name: str
    began_ns: int
    ended_ns: int
    asks: bool = False  # somebody else, and waits for the answer
    fault: str = ""
    attributes: dict[str, str | int | float | bool] = {}


def trace_named(name: str) -> TraceId:
    """A trace id as it is, a UUID without its dashes; whatever else somebody calls it has a trace id of its own."""
    bare = name.replace("-", "").lower()
    return TraceId(bare if _TRACE.fullmatch(bare) else hashlib.sha256(name.encode()).hexdigest()[:32])


def trace_of(intent: Intent) -> TraceId:
    """As its caller named it, else by the intent's own id."""
    return trace_named(intent.trace_id or intent.intent_id)


def span_id(trace: TraceId, what: str, of: str) -> SpanId:
    """``of``: which of these in the trace; of ``decide``, ``intent`` and ``admit`` the intent."""
    return SpanId(hashlib.sha256(f"{trace}:{what}:{of}".encode()).hexdigest()[:16])


def intent_behind(holding: Holding, ref: ClientOrderId, intent_id: IntentId | None) -> Working | None:
    """For which intent an order works; of a stop, a target or a close the one that opened the position."""
    if intent_id is not None:
        return holding.intents.get(intent_id)
    child = child_of(ref)
    if child is None:
        return None
    return next((work for work in holding.intents.values() if stem_of(work.root) == child[0]), None)


def trace_behind(holding: Holding, happening: Happening) -> TraceId | None:
    """Of what an event tells; None where it belongs to no order, or to nobody's whom the holding still knows."""
    match happening:
        case OrderChanged(order=order):
            ref, intent_id = order.ref, order.intent_id
        case FillRecorded(fill=fill):
            ref, intent_id = fill.ref, happening.intent_id
        case ProtectionArmed(ref=ref):
            intent_id = None
        case PairArmed(stop_ref=ref) | PairResolved(filled_ref=ref):
            intent_id = None
        case GuardChanged(guard=guard):
            ref, intent_id = ClientOrderId(""), guard.intent_id
        case CancelRecorded() | IntentChanged():
            ref, intent_id = ClientOrderId(""), happening.intent_id
        case _:
            return None
    work = intent_behind(holding, ref, intent_id)
    return None if work is None else trace_of(work.intent)
