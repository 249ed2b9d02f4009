"""Spans to a collector by the real SDK, and what a collector in trouble costs: spans, and nothing else."""

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator

import pytest

from chimera.services.logs import HIDDEN, keep_secret
from chimera.services.tracing import NoCollector, Tracing, called_by, caller_in, tracing_to
from chimera.trading.trace import Span, span_id, trace_named
from chimera.wire.traceparent import Caller
from support.collector import Collector, collecting

pytestmark = pytest.mark.slow

TRACE = trace_named("0af76519-16cd-43dd-8448-eb211c80319c")
BEGAN_NS = 1_763_635_200_000_000_123
PATIENCE_S = 0.5  # of one sending


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    """Whoever still sends when a test is over has ended before the next: its pauses draw from what all tests share."""
    pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry's SDK is not installed (chimera[otel])")
    monkeypatch.setattr("chimera.adapters.otlp.TIMEOUT_S", PATIENCE_S)
    before = set(threading.enumerate())
    async with collecting() as made:
        yield made
    for sending in (thread for thread in set(threading.enumerate()) - before if thread.daemon):
        await asyncio.to_thread(sending.join)


def tell(tracing: Tracing, number: int = 0, **about: str | int | float | bool | None) -> None:
    name, parent = span_id(TRACE, "send", str(number)), span_id(TRACE, "admit", "i")
    ended_ns = BEGAN_NS + 5
    tracing.tell(TRACE, name, "send", BEGAN_NS, parent=parent, ended_ns=ended_ns, asks=True, about=about)


async def test_a_span_comes_with_its_own_names_times_and_words(collector: Collector) -> None:
    async with tracing_to(collector.url, "s4-router") as tracing:
        assert tracing is not None
        tell(tracing, qty="0.003", tries=2, maker=True, slip_bps=0.5, price=None, code="")
        root = span_id(TRACE, "decide", "i")
        tracing.tell(TRACE, root, "decide", BEGAN_NS, parent=None, fault="-2019: Margin is insufficient.", about={})

    send, decide = sorted(collector.spans, key=lambda span: span.name, reverse=True)
    assert (send.service, send.name, send.kind) == ("s4-router", "send", 3)
    assert (send.trace_id, send.span_id) == ("0af7651916cd43dd8448eb211c80319c", span_id(TRACE, "send", "0"))
    assert send.parent_id == span_id(TRACE, "admit", "i")
    assert (send.began_ns, send.ended_ns) == (BEGAN_NS, BEGAN_NS + 5)
    assert send.about == {
        "chimera.qty": "0.003", "chimera.tries": 2, "chimera.maker": True, "chimera.slip_bps": 0.5
    }  # fmt: skip
    assert (decide.parent_id, decide.kind, decide.fault) == ("", 1, "-2019: Margin is insufficient.")
    assert decide.ended_ns > BEGAN_NS


@pytest.mark.req("OP-2")
async def test_no_secret_leaves_in_a_span(collector: Collector) -> None:
    keep_secret("canary-of-a-span")
    async with tracing_to(collector.url, "s4-router") as tracing:
        assert tracing is not None
        tell(tracing, reason="no canary-of-a-span here, nor signature=abcdef in an address")

    assert collector.spans[0].about["chimera.reason"].count(HIDDEN) == 2
    assert b"canary-of-a-span" not in b"".join(collector.bodies)
    assert b"abcdef" not in b"".join(collector.bodies)


@pytest.mark.parametrize("trouble", ["hangs", "fails", "is away"])
async def test_whoever_tells_waits_for_no_collector(
    collector: Collector, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    """More spans than the queue holds, told in one breath; and the end of the process is not held up either."""
    caplog.set_level(logging.CRITICAL)
    url = collector.url
    if trouble == "hangs":
        collector.hangs = asyncio.Event()
    elif trouble == "fails":
        collector.status = 503
    else:
        url = "http://127.0.0.1:9/v1/traces"
    async with asyncio.timeout(10), tracing_to(url, "s4-router") as tracing:
        assert tracing is not None
        for number in range(6_000):
            tell(tracing, number)
        if trouble != "is away":
            await collector.until("send")

    assert len(collector.spans) < 6_000, "what the queue did not hold is dropped"


async def test_a_fault_of_the_sender_is_not_the_orders() -> None:
    class Broken:
        def keep(self, span: Span) -> None:
            raise RuntimeError("no room")

    tell(Tracing(Broken()))


async def test_without_the_extra_a_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.delitem(sys.modules, "chimera.adapters.otlp", raising=False)
    with pytest.raises(NoCollector, match=r"install chimera\[otel\]"):
        async with tracing_to("http://127.0.0.1:4318/v1/traces", "s4-router"):
            pass


async def test_without_an_address_there_is_nobody_to_tell() -> None:
    async with tracing_to(None, "s4-router") as tracing:
        assert tracing is None


def test_a_caller_is_a_parent_in_his_own_trace_alone() -> None:
    caller = Caller(TRACE, span_id(TRACE, "intent", "i"))
    with called_by(caller):
        assert caller_in(TRACE) == caller.span_id
        assert caller_in(trace_named("another")) is None
    assert caller_in(TRACE) is None
