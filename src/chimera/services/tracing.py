"""What a service says of its traces: the one way from what was done to a span, and who called.

Invariants: nothing here waits or raises, and what others put together for a span they do inside ``apart``: a mistake in
what is told must not cost what was done, such as the venue's answer to an order. Every text passes the redaction of the
logs; without a collector there is no ``Tracing``, and whoever would tell something asks for that first. Which spans
there are is each service's own.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final

import structlog

from chimera.ports.spans import Spans
from chimera.services.logs import redacted
from chimera.trading.trace import Span, SpanId, TraceId
from chimera.wire.traceparent import Caller

LONGEST: Final = 500  # characters of one text

log = structlog.get_logger(__name__)

_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)

Attribute = str | int | float | bool | None


class NoCollector(ValueError):
    """The setting asks for traces, and what sends them is not installed."""


class Tracing:
    """``now_ns``: UTC."""

    def __init__(self, spans: Spans, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._spans = spans
        self.now_ns = now_ns

    def tell(
        self,
        trace: TraceId,
        name: SpanId,
        what: str,
        began_ns: int,
        *,
        parent: SpanId | None,
        ended_ns: int | None = None,
        asks: bool = False,
        fault: str = "",
        about: Mapping[str, Attribute],
    ) -> None:
        """``about``: attributes, named ``chimera.*`` outside; what is None or empty is left out."""
        with self.apart(what):
            self._spans.keep(
                Span(
                    trace_id=trace,
                    span_id=name,
                    parent_id=parent,
                    name=what,
                    began_ns=began_ns,
                    ended_ns=self.now_ns() if ended_ns is None else ended_ns,
                    asks=asks,
                    fault=_clean(fault),
                    attributes={
                        f"chimera.{key}": _clean(value) if isinstance(value, str) else value
                        for key, value in about.items()
                        if value is not None and value != ""
                    },
                )
            )

    @contextmanager
    def apart(self, what: str) -> Iterator[None]:
        """What goes wrong inside is logged and ends there."""
        try:
            yield
        except Exception:  # the last net of a span, of ours or the SDK's: an order is not to hear of it
            log.exception("span_fault", what=what)


def _clean(text: str) -> str:
    return redacted(text)[:LONGEST]


@contextmanager
def called_by(caller: Caller | None) -> Iterator[None]:
    """What is done inside was asked for by this span."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def caller_in(trace: TraceId) -> SpanId | None:
    """Who asked, where it is of this trace."""
    caller = _caller.get()
    return caller.span_id if caller is not None and caller.trace_id == trace else None


@asynccontextmanager
async def tracing_to(url: str | None, service: str) -> AsyncIterator[Tracing | None]:
    """None without an address. Raises ``NoCollector`` where the extra is not installed."""
    if not url:
        yield None
        return
    try:
        from chimera.adapters.otlp import OtlpSpans  # noqa: PLC0415 - an extra, and a start need not pay for it
    except ModuleNotFoundError as missing:
        raise NoCollector(f"what sends traces is not installed ({missing.name}): install chimera[otel]") from missing
    spans = OtlpSpans(url, service)
    try:
        yield Tracing(spans)
    finally:
        await spans.close()
