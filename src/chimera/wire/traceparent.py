"""``traceparent`` of W3C Trace Context: who asks, as one line of HTTP and of a stream record."""

import re
from typing import Final, NamedTuple

from chimera.trading.intent import Intent
from chimera.trading.trace import INTENT, SpanId, TraceId, span_id, trace_of

TRACEPARENT: Final = "traceparent"
_LINE: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


class Caller(NamedTuple):
    """The caller's trace, and its span in it."""

    trace_id: TraceId
    span_id: SpanId


def read(line: str | None) -> Caller | None:
    """None for none, and for one that cannot be read, which the standard has everybody pass over."""
    found = _LINE.fullmatch(line.strip()) if line is not None else None
    if found is None or ((line or "").strip().startswith("00-") and found[3]):
        return None
    return Caller(TraceId(found[1]), SpanId(found[2]))


def traceparent(intent: Intent) -> str:
    """Of whoever sends this intent to S4. Always marked as sampled: who keeps spans decides which."""
    trace = trace_of(intent)
    return f"00-{trace}-{span_id(trace, INTENT, intent.intent_id)}-01"
