"""Spans to an OpenTelemetry collector, as OTLP over HTTP. Needs ``chimera[otel]``.

Batching, sending and trying again are the SDK's, in a thread of its own behind a bounded queue: a collector that hangs
or is away costs spans and nothing else. Ids, parents and times are the span's own, which the SDK is told through its
``IdGenerator``. Sources: opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http 1.45.
"""

import asyncio
import threading
from importlib.metadata import version
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from chimera.trading.trace import Span

EVERY_MS: Final = 1_000
MOST_WAITING: Final = 4_096  # spans; more are dropped
TIMEOUT_S: Final = 5.0  # of one sending
CLOSE_S: Final = 1.0  # for the last spans; a service ends in two seconds


class _Named(IdGenerator):
    """The ids of the span that is being handed over."""

    def __init__(self) -> None:
        self.span: Span | None = None

    def generate_trace_id(self) -> int:
        assert self.span is not None
        return int(self.span.trace_id, 16)

    def generate_span_id(self) -> int:
        assert self.span is not None
        return int(self.span.span_id, 16)


class OtlpSpans:
    """``ports.Spans``; of one thread's callers."""

    def __init__(self, url: str, service: str) -> None:
        """``url``: the collector's address for traces, with its path. Connects only when there is something to send."""
        self._named = _Named()
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create({"service.name": service, "service.version": version("chimera")}),
            id_generator=self._named,
            shutdown_on_exit=False,  # it would wait for a collector that hangs
        )
        sending = OTLPSpanExporter(endpoint=url, timeout=TIMEOUT_S)
        self._provider.add_span_processor(
            BatchSpanProcessor(sending, max_queue_size=MOST_WAITING, schedule_delay_millis=EVERY_MS)
        )
        self._tracer = self._provider.get_tracer("chimera")

    def keep(self, span: Span) -> None:
        self._named.span = span
        told = self._tracer.start_span(
            span.name,
            context=None if span.parent_id is None else set_span_in_context(_parent(span, int(span.parent_id, 16))),
            kind=SpanKind.CLIENT if span.asks else SpanKind.INTERNAL,
            attributes=span.attributes,
            start_time=span.began_ns,
        )
        if span.fault:
            told.set_status(Status(StatusCode.ERROR, span.fault))
        told.end(max(span.ended_ns, span.began_ns))

    async def close(self) -> None:
        """Send what is left, for ``CLOSE_S`` at most; a thread that still hangs then ends with the process."""
        closing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        loop = asyncio.get_running_loop()
        until_s = loop.time() + CLOSE_S
        while closing.is_alive() and loop.time() < until_s:  # noqa: ASYNC110 - a thread tells no event
            await asyncio.sleep(0.01)


def _parent(span: Span, parent_id: int) -> NonRecordingSpan:
    flags = TraceFlags(TraceFlags.SAMPLED)
    return NonRecordingSpan(SpanContext(int(span.trace_id, 16), parent_id, is_remote=True, trace_flags=flags))
