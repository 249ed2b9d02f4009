"""S3 and the stream's reader together: an intent by either track, once, and what came of it in S3's own log."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategy_world import Stage, ask, until

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.faults import NoFaults
from chimera.ports.intents import OrderAnswer
from chimera.services.router import stream_track
from chimera.services.router.stream_track import Terms
from chimera.services.strategy import dispatch
from chimera.services.strategy.alerts import Alerts
from chimera.services.strategy.hearing import Hearing, Refusal
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused, StoreUnavailable
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.intent import Intent
from chimera.wire import failures, requests
from chimera.wire.decisions import BatchRequest, DecisionAnswer
from chimera.wire.intents import REFUSED
from chimera.wire.keys import ALERTS, ORDERS_INTENT, ROUTER_EVENTS, SIGNALS, idempotency_key
from support.two_doors import Book, Doors, MovedClock

pytestmark = pytest.mark.req("S3-PER-2")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PACE_S", "FIRST_PAUSE_S", "LONGEST_PAUSE_S", "AWAY_S"):
        monkeypatch.setattr(stream_track, name, 0.001)
    monkeypatch.setattr(dispatch, "RETRY_FIRST_MS", 1)
    monkeypatch.setattr(dispatch, "RETRY_MAX_MS", 2)


class Rest:
    """``POST /orders`` of the same S4: away, or its answer lost, as ``script`` says; then it answers."""

    def __init__(self, both: "Both") -> None:
        self._both = both
        self.script: Any = iter(())
        self.got: list[Intent] = []

    async def submit(self, intent: Intent) -> OrderAnswer:
        self.got.append(intent)
        trouble = next(self.script, None)
        if trouble == "away" or self._both.s4 is None:
            raise NotSent("connection refused")
        code = await self._both.s4.post(intent)
        if trouble == "lost":
            raise OutcomeUnknown("no answer")
        if code == "STORE_DOWN":
            raise NotSent(code)
        if code != "OK":
            raise Refused(code, "no")
        return OrderAnswer(result="OK", status="ACCEPTED", order_id="o", client_order_id=intent.client_order_id)


class Both:
    """S3 on its stage, and S4 as far as the tracks see it, on the same bus."""

    def __init__(self, tracks: str = "both") -> None:
        self.stage = Stage(S3_TRACKS=tracks)
        self.stage.hears = True
        self.book = Book()
        self.s4: Doors | None = None
        self.rest = Rest(self)
        self.stage.router = self.rest  # type: ignore[assignment]  # a sink

    @asynccontextmanager
    async def router(self, objection: Exception | None = None) -> AsyncIterator[Doors]:
        """One life of S4."""
        stage = self.stage
        self.s4 = doors = Doors(self.book, stage.bus, stage.ledger, MovedClock(stage.clock), Terms("r1"))
        doors.objection = lambda: objection
        doors.start()
        try:
            yield doors
        finally:
            self.s4 = None
            await doors.kill()

    async def row(self, signal_id: str | None) -> dict[str, Any]:
        row = await self.stage.ledger.get(SIGNALS, str(signal_id))
        assert row is not None
        return row

    async def settled(self, answer: DecisionAnswer, delivery: str) -> dict[str, Any]:
        async def so() -> bool:
            await asyncio.sleep(0.001)
            return bool((await self.row(answer.signal_id))["delivery"] == delivery)

        await until(so, turns=3_000)
        return await self.row(answer.signal_id)

    async def alerts(self) -> list[str]:
        return [alert["code"] for alert in await self.stage.streamed(ALERTS)]


async def test_the_stream_alone_delivers_and_s3_knows_that_it_did() -> None:
    both = Both("stream")
    await both.stage.show()
    async with both.router(), both.stage.process() as strategy:
        row = await both.settled(await strategy.decide(ask()), "DONE")
    assert both.rest.got == []
    assert (row["tracks"]["rest"], row["tracks"]["stream"]) == ("OFF", "TAKEN")
    assert both.book.traded == [row["intent_id"]]


async def test_with_rest_away_the_stream_is_enough() -> None:
    both = Both()
    await both.stage.show()
    both.rest.script = itertools.repeat("away")
    async with both.router(), both.stage.process() as strategy:
        answer = await strategy.decide(ask())
        await until(lambda: asyncio.sleep(0.001, len(both.rest.got) > 3 and both.book.traded))
        both.stage.clock.ms += 15_000
        row = await both.settled(answer, "DONE")
    assert (row["tracks"]["rest"], row["tracks"]["stream"]) == ("EXPIRED", "TAKEN")
    assert both.book.traded == [row["intent_id"]]
    assert await both.alerts() == ["PUBLISH_FAILED"]


async def test_with_the_stream_away_rest_is_enough() -> None:
    both = Both()
    await both.stage.show()
    async with both.router(), both.stage.process() as strategy:
        both.stage.bus.faults = Weather(lambda operation: "before" if operation == "publish" else None)
        answer = await strategy.decide(ask())
        await until(lambda: asyncio.sleep(0.001, both.book.traded))
        both.stage.clock.ms += 15_000
        row = await both.settled(answer, "DONE")
        both.stage.bus.faults = NoFaults()
        await strategy.alerts.flush()
    assert (row["tracks"]["rest"], row["tracks"]["stream"]) == ("ANSWERED", "EXPIRED")
    assert await both.alerts() == ["PUBLISH_FAILED"]


@pytest.mark.req("S3-L0-3")
async def test_a_refusal_on_the_stream_is_in_the_log_and_frees_what_was_reserved() -> None:
    both = Both("stream")
    await both.stage.show()
    async with both.router(Refused("KILL_SWITCH", "killed by me")), both.stage.process() as strategy:
        answer = await strategy.decide(ask())
        assert (await strategy.decide(ask())).decision == "skip", "one entry at a time"
        row = await both.settled(answer, "REFUSED")
        assert (await strategy.decide(ask())).decision == "open"
    tracks = row["tracks"]
    assert (tracks["stream"], tracks["code"], tracks["message"]) == ("REFUSED", "KILL_SWITCH", "killed by me")
    assert [said["code"] for said in tracks["said"]] == ["KILL_SWITCH"]
    assert both.book.traded == []


async def test_of_several_s3_of_one_strategy_each_hears_every_refusal() -> None:
    """Were they one reader, what the first has heard the second would not, and it may be the second's own."""
    stage = Stage()
    heard: dict[str, list[str]] = {"one": [], "two": []}

    async def refuse(*names: str) -> None:
        for name in names:
            await stage.bus.publish(ROUTER_EVENTS, name, {"kind": REFUSED, "intent_id": name})

    async def hear(name: str, most: int) -> None:
        async def refused(no: Refusal) -> None:
            heard[name].append(no.intent_id)

        alerts = Alerts(stage.bus, stage.clock, DEFAULT_ACCOUNT)
        hearing = Hearing(stage.bus, DEFAULT_ACCOUNT, "s3", alerts, name=name)
        listening = asyncio.create_task(hearing.run(refused))
        await until(lambda: asyncio.sleep(0.001, len(heard[name]) >= most))
        await refuse(f"after-{name}")  # once that is heard, what was heard before is acknowledged
        await until(lambda: asyncio.sleep(0.001, len(heard[name]) > most))
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)

    await refuse("a", "b")
    await hear("one", 2)
    await hear("two", 3)
    assert heard == {"one": ["a", "b", "after-one"], "two": ["a", "b", "after-one", "after-two"]}


async def test_a_refusal_while_s3_was_down_is_heard_after_its_start() -> None:
    both = Both("stream")
    await both.stage.show()
    async with both.stage.process() as strategy:
        answer = await strategy.decide(ask())
        await until(lambda: _has(both, ORDERS_INTENT))
    async with both.router(Refused("KILL_SWITCH", "no")):
        await until(lambda: _has(both, ROUTER_EVENTS), turns=100_000)
    async with both.stage.process(seed=2):
        row = await both.settled(answer, "REFUSED")
    assert row["tracks"]["code"] == "KILL_SWITCH"


@pytest.mark.req("I24")
async def test_what_s4_said_while_s3_was_down_for_longer_than_the_stream_is_long_is_told() -> None:
    both = Both("stream")
    both.stage.bus = bus = MemoryBus(both.stage.clock, stream_max=3)
    await both.stage.show()
    async with both.stage.process() as strategy:
        answer = await strategy.decide(ask())
        await until(lambda: _has(both, ORDERS_INTENT))
    async with both.router(Refused("KILL_SWITCH", "no")):
        await until(lambda: _has(both, ROUTER_EVENTS), turns=100_000)
    for n in range(5):
        await bus.publish(ROUTER_EVENTS, f"other-{n}", {"kind": "CHILD"})
    async with both.stage.process(seed=2):
        await until(lambda: _has(both, ALERTS))
        assert (await both.row(answer.signal_id))["delivery"] == "PENDING", "nobody has heard the refusal"
    [told] = await both.stage.streamed(ALERTS)
    assert (told["code"], told["text"].split(" ")[0]) == ("REFUSALS_GONE", "3")


async def test_published_and_never_answered_is_told_and_a_late_word_still_counts() -> None:
    """S4 is down past the intent's time, and refuses it when it is back."""
    both = Both("stream")
    await both.stage.show()
    async with both.stage.process() as strategy:
        answer = await strategy.decide(ask())
        await until(lambda: _has(both, ORDERS_INTENT))
        both.stage.clock.ms += 15_001
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert (await both.row(answer.signal_id))["delivery"] == "PENDING", "S4 has a moment to say so"
        both.stage.clock.ms += dispatch.UNHEARD_MS
        row = await both.settled(answer, "FAILED")
        assert (row["tracks"]["stream"], await both.alerts()) == ("PUBLISHED", ["INTENT_EXPIRED"])
        both.stage.clock.ms += 3_600_000
        async with both.router():
            row = await both.settled(answer, "REFUSED")
    assert row["tracks"]["code"] == "STALE_INTENT"
    assert both.book.traded == []


async def test_the_late_word_finds_its_row_after_a_restart() -> None:
    both = Both("stream")
    await both.stage.show()
    async with both.stage.process() as strategy:
        answer = await strategy.decide(ask())
        await until(lambda: _has(both, ORDERS_INTENT))
    both.stage.clock.ms += 60_000
    async with both.stage.process(seed=2):
        await both.settled(answer, "FAILED")
    both.stage.clock.ms += 60_000
    async with both.router():
        await until(lambda: _has(both, ROUTER_EVENTS), turns=100_000)
    async with both.stage.process(seed=3):
        row = await both.settled(answer, "REFUSED")
    assert row["tracks"]["code"] == "STALE_INTENT"


async def test_what_is_said_of_another_body_or_after_an_answer_changes_nothing() -> None:
    both = Both()
    await both.stage.show()
    async with both.router(), both.stage.process() as strategy:
        answer = await strategy.decide(ask())
        row = await both.settled(answer, "DONE")
        intent = both.rest.got[0]
        for number, digest in enumerate(("another", requests.body_hash(intent))):
            event = {
                "kind": "INTENT_REFUSED",
                "intent_id": intent.intent_id,
                "body_hash": digest,
                "code": "DUPLICATE_ID",
            }
            await both.stage.bus.publish(ROUTER_EVENTS, f"e{number}", event)
        await both.stage.bus.publish(ROUTER_EVENTS, "odd", {"kind": "INTENT_REFUSED"})
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert await both.row(answer.signal_id) == row
    assert both.book.traded == [intent.intent_id]


async def test_another_body_under_our_order_id_is_not_our_delivery() -> None:
    both = Both("stream")
    await both.stage.show()
    async with both.stage.process() as strategy:
        answer = await strategy.decide(ask())
        record = {"state": "IN_PROGRESS", "body_hash": "another"}
        assert answer.intent is not None
        name = str(answer.intent["client_order_id"])
        await both.stage.bus.put(idempotency_key(name), json.dumps(record).encode())
        event = {"kind": "INTENT_REFUSED", "intent_id": str(answer.intent["intent_id"]), "body_hash": "another"}
        await both.stage.bus.publish(ROUTER_EVENTS, "of another", event | {"code": "DUPLICATE_ID"})
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert (await both.row(answer.signal_id))["delivery"] == "PENDING"


async def test_more_than_a_page_of_undelivered_signals_is_carried_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "RESTORE_AT_ONCE", 2)
    monkeypatch.setattr(dispatch, "RECENT_MAX", 1)
    both = Both()
    both.stage = stage = Stage(S3_CONCURRENT_ENTRIES_PER_MARKET="9", S3_TRACKS="rest")
    both.stage.hears = True
    stage.router = both.rest  # type: ignore[assignment]
    await stage.show()
    both.rest.script = itertools.repeat("away")
    async with stage.process() as strategy:
        for _ in range(5):
            assert (await strategy.decide(ask())).decision == "open"
    both.rest.script = iter(())
    async with both.router(), stage.process(seed=2):
        await until(lambda: asyncio.sleep(0.001, len(both.book.traded) == 5), turns=3_000)
    assert len(set(both.book.traded)) == 5


class Weather(NoFaults):
    """What becomes of each operation of the bus, by its name: None, "before" or "after" (its answer is lost)."""

    def __init__(self, fate: Any) -> None:
        self._fate = fate
        self._after: str | None = None

    async def before(self, operation: str, key: str) -> None:
        fate = self._fate(operation)
        self._after = operation if fate == "after" else None
        if fate == "before":
            raise StoreUnavailable("away")
        await super().before(operation, key)

    async def after(self, operation: str, key: str) -> None:
        if self._after == operation:
            self._after = None
            raise StoreUnavailable("answer lost")
        await super().after(operation, key)


fates = st.sampled_from([None, None, "before", "after"])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
@given(
    mode=st.sampled_from(["both", "rest", "stream"]),
    publishing=st.lists(fates, max_size=4),
    posting=st.lists(st.sampled_from([None, "away", "lost"]), max_size=4),
    s3_dies_after=st.lists(st.integers(0, 12), max_size=2),
    s4_dies=st.sampled_from([None, "claimed", "traded"]),
    s4_first=st.booleans(),
)
async def test_no_intent_is_lost_or_doubled_whatever_fails_while_it_is_valid(
    mode: str, publishing: list[str | None], posting: list[str | None], s3_dies_after: list[int], s4_dies: str | None,
    s4_first: bool,
) -> None:  # fmt: skip
    both = Both(mode)
    stage = both.stage
    await stage.show()
    left = iter(publishing)
    both.rest.script = iter(posting)
    stage.bus.faults = Weather(lambda operation: next(left, None) if operation == "publish" else None)
    seeds = itertools.count(1)

    async def decided() -> DecisionAnswer:
        async with stage.process(next(seeds)) as strategy:
            return await strategy.decide(ask())

    if s4_first and s4_dies:
        async with both.router() as doors:
            doors.dies = s4_dies
            answer = await decided()
    else:
        answer = await decided()
    assert answer.decision == "open"
    for turns in s3_dies_after:
        async with stage.process(next(seeds)):
            for _ in range(turns):
                await asyncio.sleep(0)
    async with both.router(), stage.process(next(seeds)):
        row = await both.settled(answer, "DONE")
    assert both.book.traded == [row["intent_id"]]
    assert len({*await _ids(both)}) <= 1


async def _ids(both: Both) -> list[str]:
    return [record["intent_id"] for record in await both.stage.streamed(ORDERS_INTENT)]


async def _has(both: Both, stream: str) -> bool:
    return bool(await both.stage.streamed(stream))


@pytest.mark.req("I30")
async def test_beyond_so_many_undelivered_nothing_new_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skips and dry runs go on; what is on its way is delivered, and then there is room again."""
    monkeypatch.setattr(dispatch, "UNDELIVERED_MOST", 2)
    stage = Stage(S3_CONCURRENT_ENTRIES_PER_MARKET="9", S3_TRACKS="rest")
    await stage.show()
    stage.router.gate = asyncio.Event()
    async with stage.process() as strategy:
        for _ in range(2):
            assert (await strategy.decide(ask())).decision == "open"
        with pytest.raises(Refused, match="not delivered") as no:
            await strategy.decide(ask())
        rows = await stage.ledger.find(SIGNALS, where={"decision": "open"}, newest=9)
        assert (no.value.code, failures.status_of(no.value.code), len(rows)) == ("QUEUE_FULL", 503, 2)
        batch = await strategy.decide_batch(BatchRequest(symbols=["BTCUSDT"], sideHint="BUY"))
        assert batch.results[0]["code"] == "QUEUE_FULL"
        stage.router.gate.set()
        await until(lambda: asyncio.sleep(0.001, len(stage.router.got) == 2), turns=3_000)
        await until(lambda: asyncio.sleep(0.001, not strategy._dispatcher._items), turns=3_000)
        assert (await strategy.decide(ask())).decision == "open"
