"""An OpenTelemetry collector on a real socket: it reads OTLP's protobuf, and answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web


class Seen(NamedTuple):
    """One span as it came; times are UTC ns."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    began_ns: int
    ended_ns: int
    kind: int
    fault: str
    about: dict[str, Any]


class Collector:
    """``status``: of each answer; ``hangs``: until it is set no request is answered."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.hangs: asyncio.Event | None = None
        self.bodies: list[bytes] = []
        self.spans: list[Seen] = []
        self._came = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        assert (request.path, request.content_type) == ("/v1/traces", "application/x-protobuf")
        self.bodies.append(body)
        self.spans += read(body)
        self._came.set()
        if self.hangs is not None:
            await self.hangs.wait()
        return web.Response(status=self.status)

    async def until(self, *names: str, trace_id: str = "", within_s: float = 40) -> list[Seen]:
        """The spans of one trace, once each of these names is among them."""
        try:
            async with asyncio.timeout(within_s):
                while not set(names) <= {span.name for span in self.of(trace_id)}:
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise AssertionError(f"not all of {names} in {[span[1:9] for span in self.of(trace_id)]}") from None
        return self.of(trace_id)

    def of(self, trace_id: str) -> list[Seen]:
        return [span for span in self.spans if trace_id in ("", span.trace_id)]


def read(body: bytes) -> list[Seen]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - an extra
        ExportTraceServiceRequest,
    )

    found = []
    for of_service in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _about(of_service.resource.attributes)["service.name"]
        for span in (span for scope in of_service.scope_spans for span in scope.spans):
            names = (part.hex() for part in (span.trace_id, span.span_id, span.parent_span_id))
            times = span.start_time_unix_nano, span.end_time_unix_nano
            fault = span.status.message or "?" if span.status.code == 2 else ""
            found.append(Seen(service, span.name, *names, *times, span.kind, fault, _about(span.attributes)))
    return found


def _about(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    collector = Collector()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    collector.url = f"http://{host}:{port}/v1/traces"
    try:
        yield collector
    finally:
        if collector.hangs is not None:
            collector.hangs.set()
        await runner.cleanup()
