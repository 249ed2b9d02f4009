"""One trace from the decision to the stop, by real processes and a real collector; its id on rows, records and logs."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest

pytest.importorskip("opentelemetry.sdk", reason="OpenTelemetry's SDK is not installed (chimera[otel])")

from chimera.trading.trace import trace_named
from chimera.wire import keys
from proofs.real import Stage, ledger_of, stage
from support.collector import Collector, Seen, collecting

pytestmark = [pytest.mark.slow, pytest.mark.req("OP-2")]

THEIRS: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
THEIR_SPAN: Final = "00f067aa0ba902b7"


class Traced:
    """A house whose S3 and S4 tell one collector."""

    def __init__(self, house: Stage, collector: Collector) -> None:
        self.house = house
        self.collector = collector
        self.canaries = [f"canary{secrets.token_hex(24)}" for _ in range(2)]

    async def start(self) -> None:
        house, (key, secret) = self.house, self.canaries
        traces = {"S4_TRACES_URL": self.collector.url}
        account = {"name": "canary", "api_key": key, "secret": secret, "balance": "10000"}
        status, _ = await house.ask("POST", f"{house.venue_url}/sim/accounts", account)
        assert status == 200
        house.s4 = house.router(S4_BINANCE_KEY=key, S4_BINANCE_SECRET=secret, **traces)
        house.s3._environ |= {"S3_TRACES_URL": self.collector.url, "S3_MAX_HOLD_S": "600"}
        for service in (house.s4, house.feed, house.s3):
            await service.start()
        await house.until_open()
        await house.until_ready(house.s3_url)

    async def traded(self) -> dict[str, Any]:
        """A decision of which a position came: the market may pass its stop before S4 has it, or before it fills."""
        body = {"symbol": "BTCUSDT", "sideHint": "BUY"}
        async with asyncio.timeout(90):
            while True:
                _, told = await self.house.ask("POST", f"{self.house.s3_url}/decide", body)
                if told["decision"] == "open" and await self.filled(
                    told["signal_id"], told["intent"]["client_order_id"]
                ):
                    found: dict[str, Any] = told
                    return found
                await asyncio.sleep(0.2)

    def delivered(self) -> set[tuple[str, str]]:
        return {(line["signal_id"], line["delivery"]) for line in of_event(self.house, "s3", "delivered")}

    async def filled(self, signal_id: str, name: str) -> bool:
        """Whether it came to S4 and was filled, once it is over."""
        while True:
            status, row = await self.house.ask("GET", f"{self.house.s4_url}/orders/{name}")
            if status == 200 and row["done_ms"] is not None:
                return bool(row["filled_qty"])
            if status == 404 and (signal_id, "REFUSED") in self.delivered():
                return False
            await asyncio.sleep(0.05)


@pytest.fixture
async def traced(tmp_path: Path) -> AsyncIterator[Traced]:
    async with collecting() as collector, stage(tmp_path) as house:
        made = Traced(house, collector)
        await made.start()
        yield made


async def test_an_intent_is_one_trace_from_the_decision_to_its_stop(traced: Traced) -> None:
    house, told = traced.house, await traced.traded()
    trace, name = trace_named(told["signal_id"]), told["intent"]["client_order_id"]
    spans = await traced.collector.until("decide", "intent", "admit", "send", "fill", "stop armed", trace_id=trace)
    mine = await of_a_caller_who_traces(traced)
    await asyncio.gather(*(service.stop() for service in (house.s3, house.s4, house.feed)))

    [decide], [intent], [admit] = (named(spans, each) for each in ("decide", "intent", "admit"))
    assert (decide.service, intent.service, admit.service) == ("s3-strategy", "s3-strategy", "s4-router")
    assert (decide.parent_id, intent.parent_id, admit.parent_id) == ("", decide.span_id, intent.span_id)
    assert {span.parent_id for span in spans if span.name in ("send", "fill", "stop armed")} == {admit.span_id}
    assert {span.about["chimera.role"] for span in named(spans, "send")} >= {"STOP"}
    assert all(span.began_ns <= span.ended_ns for span in spans)
    assert {span.about["chimera.intent_id"] for span in spans} == {told["intent"]["intent_id"]}
    assert (mine.trace_id, mine.parent_id) == (THEIRS, THEIR_SPAN)

    rows = await of_order(house, name)
    assert {row["trace_id"] for row in rows} == {trace}
    assert {row["kind"] for row in rows} >= {"PARENT", "CHILD", "FILL", "TP_SL_PLACED"}
    async with ledger_of(house.ledger_path("s3")) as ledger:
        [signal] = await ledger.find(keys.SIGNALS, where={"signal_id": told["signal_id"]}, newest=1)
    assert signal["trace_id"] == trace
    assert trace in {line["trace_id"] for line in of_event(house, "s3", "delivered")}
    assert {line.get("trace_id") for line in of_event(house, "s4", "place_unanswered")} == {THEIRS}
    sent = b"".join(traced.collector.bodies)
    assert [canary for canary in traced.canaries if canary.encode() in sent] == []
    assert b"signature" not in sent


async def of_a_caller_who_traces(traced: Traced) -> Seen:
    """An order by whoever has a trace of his own: what S4 says it did is a part of that. Its answer is lost."""
    lost = {"name": "timeout_after", "match": {"path": "/fapi/v1/order", "method": "POST"}, "count": 1}
    status, told = await traced.house.ask("POST", f"{traced.house.venue_url}/sim/faults", lost)
    assert status == 200, told
    order: dict[str, Any] = {"market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.003"}
    order |= {"client_order_id": "theirs", "exec_policy": {"type": "MARKET"}}  # a maker may be refused as well
    header = {"traceparent": f"00-{THEIRS}-{THEIR_SPAN}-01"}
    status, row = await traced.house.ask("POST", f"{traced.house.s4_url}/orders", order, headers=header)
    assert status in (200, 202), row
    spans = await traced.collector.until("admit", "send", "fill", trace_id=THEIRS)
    assert [span.about["chimera.outcome"] for span in named(spans, "send") if span.fault] == ["unanswered"]
    assert row.get("trace_id", THEIRS) == THEIRS
    return named(spans, "admit")[0]


async def of_order(house: Stage, name: str) -> list[dict[str, Any]]:
    """Every row of one order that S4 keeps."""
    async with ledger_of(house.ledger_path("s4")) as ledger:
        parent = await ledger.get(keys.ORDERS, name)
        assert parent is not None
        of_intent = {"intent_id": parent["intent_id"]}
        children = await ledger.find(keys.ORDERS, where=of_intent, newest=20)
        fills = await ledger.find(keys.FILLS, where=of_intent, newest=20)
        events = await ledger.find(keys.STRATEGY_EVENTS, where={"symbol": "BTCUSDT"}, newest=50)
    stops = [row for row in events if row["kind"] == "TP_SL_PLACED" and row["ref"].startswith(f"{name}-")]
    return [parent, *children, *fills, *stops]


def of_event(house: Stage, service: str, event: str) -> list[dict[str, Any]]:
    """Lines of a log."""
    lines = (house.folder / f"{service}.log").read_text(encoding="utf-8").splitlines()
    return [told for told in map(json.loads, lines) if told["event"] == event]


def named(spans: list[Seen], name: str) -> list[Seen]:
    return [span for span in spans if span.name == name]
