"""Intents by the stream, on each adapter: taken as POST /orders takes them, acknowledged when that is on disk."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from desk import an_intent

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.streams import Entry, Record
from chimera.services.clock import SystemClock
from chimera.services.router import stream_track
from chimera.services.router.stream_track import Terms
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.intent import Intent
from chimera.trading.money import Millis
from chimera.wire import keys
from support.two_doors import Apart, Book, Doors, MovedClock, as_read, body_of, publish, until

pytestmark = [pytest.mark.slow, pytest.mark.req("S3-PER-2", "S4-IDEM-1")]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PACE_S", "FIRST_PAUSE_S", "LONGEST_PAUSE_S", "AWAY_S"):
        monkeypatch.setattr(stream_track, name, 0.01)


class Place:
    """One Redis and one disk; processes of S4 come and go."""

    def __init__(self, line: Any, name: str) -> None:
        self.clock = MovedClock(getattr(line.bus, "_clock", SystemClock()))
        self.bus: Any = Apart(line.bus, name)
        self._another = lambda: Apart(line.another(), name)
        self.rows, self.book = MemoryLedger(), Book()

    def process(self, name: str = "r1", group: str = "s4") -> Doors:
        return Doors(self.book, self._another(), self.rows, self.clock, Terms(name, group))

    @asynccontextmanager
    async def running(self, name: str = "r1", group: str = "s4") -> AsyncIterator[Doors]:
        doors = self.process(name, group)
        doors.start()
        yield doors
        await doors.kill()

    def intent(self, name: str = "i1", **changed: Any) -> Intent:
        return as_read(an_intent(name, **changed).but(created_ms=self.clock.now_ms()))

    async def read(self, stream: str) -> Sequence[Entry]:
        entries: Sequence[Entry] = await self.bus.tail(stream, after="0-0", count=1_000, block_ms=0)
        return entries

    async def refused(self) -> list[tuple[str, str]]:
        events = await self.read(keys.ROUTER_EVENTS)
        return [(each.fields["intent_id"], each.fields["code"]) for each in events]

    async def owed(self, name: str = "r1", group: str = "s4") -> int:
        """Records of ours that are not acknowledged, and those nobody took."""
        return len(await self.bus.read(keys.ORDERS_INTENT, group, name, count=100, block_ms=0))


@pytest.fixture
async def place(line: Any, fresh: str) -> Place:
    return Place(line, fresh)


async def test_the_stream_alone_is_enough(place: Place) -> None:
    intents = [place.intent(f"i{number}") for number in range(20)]
    async with place.running() as s4:
        for intent in intents:
            await publish(place.bus, intent)
        await until(lambda: len(place.book.traded) == len(intents))
        await until(lambda: not s4.track._in_work)
    assert sorted(place.book.traded) == sorted(intent.intent_id for intent in intents)
    assert (await place.owed(), await place.refused(), s4.alerts) == (0, [], [])


async def test_both_tracks_are_one_order_whichever_comes_first(place: Place) -> None:
    posted, streamed = place.intent("posted"), place.intent("streamed")
    async with place.running() as s4:
        assert await s4.post(posted) == "OK"
        await publish(place.bus, posted)
        await publish(place.bus, streamed)
        await until(lambda: "streamed" in place.book.traded)
        assert await s4.post(streamed) == "OK"
        await until(lambda: s4.asked.count(posted.intent_id) == 2 and not s4.track._in_work)
    assert place.book.traded == ["posted", "streamed"]
    assert (await place.owed(), await place.refused()) == (0, [])


@pytest.mark.parametrize("where", ["claimed", "traded"])
async def test_a_process_that_dies_before_the_ack_leaves_it_to_the_next(place: Place, where: str) -> None:
    s4 = place.process()
    s4.dies = where
    dead = s4.start()
    await publish(place.bus, place.intent())
    await asyncio.gather(dead, return_exceptions=True)
    assert place.book.claims
    assert await place.owed() == 1

    async with place.running() as heir:
        await until(lambda: heir.asked and not heir.track._in_work)
    assert place.book.traded == ["i1"]
    assert await place.owed() == 0


async def test_what_a_dead_consumer_left_is_taken_over(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    await publish(place.bus, place.intent())
    assert await place.owed("r0") == 1  # taken by it, and it never came back
    monkeypatch.setattr(stream_track, "IDLE_MS", 0)
    monkeypatch.setattr(stream_track, "BLOCK_MS", 20)
    async with place.running("r1") as s4:
        await until(lambda: place.book.traded and not s4.track._in_work)
    assert place.book.traded == ["i1"]
    assert await place.owed("r0") == 0


async def test_a_refusal_is_told_once_and_is_the_same_after_a_crash(place: Place) -> None:
    intent = place.intent()
    await publish(place.bus, intent)
    s4 = place.process()
    s4.objection = lambda: Refused("KILL_SWITCH", "somebody killed it")
    s4.track._bus = _NoAcks(place.bus)  # type: ignore[assignment]  # it dies with the refusal told and the record owed
    s4.start()
    await until(lambda: s4.track._bus.tried)  # type: ignore[attr-defined]
    await s4.kill()
    assert await place.refused() == [("i1", "KILL_SWITCH")]
    assert await place.owed() == 1

    async with place.running() as heir:  # nobody is killed any more: what was refused stays so
        await until(lambda: not heir.track._in_work)
        await publish(place.bus, place.intent("i2"))
        await until(lambda: "i2" in place.book.traded and not heir.track._in_work)
    assert place.book.traded == ["i2"]
    assert await place.refused() == [("i1", "KILL_SWITCH")]
    assert await place.owed() == 0


async def test_what_post_refused_the_stream_does_not_trade(place: Place) -> None:
    intent = place.intent()
    s4 = place.process()
    s4.objection = lambda: Refused("LIMIT_ORDER_NOTIONAL", "too much")
    assert await s4.post(intent) == "LIMIT_ORDER_NOTIONAL"
    async with place.running() as heir:  # after a crash, too, and with nothing against it any more
        await publish(place.bus, intent)
        await publish(place.bus, place.intent("i2"))
        await until(lambda: "i2" in place.book.traded and not heir.track._in_work)
    assert place.book.traded == ["i2"]
    assert (await place.owed(), await place.refused()) == (0, [])


async def test_the_stream_waits_while_post_is_answering(place: Place) -> None:
    intent = place.intent()
    async with place.running() as s4:
        s4.gate.clear()
        s4.objection = lambda: Refused("WRONG_SIDE_STOP", "the market moved")
        posting = asyncio.create_task(s4.post(intent))
        await until(lambda: s4.asked)
        await publish(place.bus, intent)
        await publish(place.bus, place.intent("i2"))
        await until(lambda: s4.asked == ["i1", "i2"] and len(s4.track._in_work) == 2)
        s4.gate.set()
        assert await posting == "WRONG_SIDE_STOP"
        await until(lambda: not s4.track._in_work)
    assert "i1" not in place.book.traded
    assert await place.refused() == [("i2", "WRONG_SIDE_STOP")], "POST answered i1 itself"


async def test_post_waits_while_the_streams_copy_is_being_taken(place: Place) -> None:
    """It waits for the venue's leverage, say. Judged beside it POST was refused, and a moment later it was traded."""
    intent = place.intent()
    async with place.running() as s4:
        at_the_venue = s4.gate
        at_the_venue.clear()
        await publish(place.bus, intent)
        await until(lambda: s4.asked)
        s4.gate = asyncio.Event()
        s4.gate.set()
        s4.objection = lambda: Refused("WRONG_SIDE_STOP", "the market moved")
        posting = asyncio.create_task(s4.post(intent))
        await asyncio.sleep(0.05)
        s4.objection = lambda: None
        at_the_venue.set()
        assert await posting == "OK"
        await until(lambda: not s4.track._in_work)
    assert place.book.traded == ["i1"]


async def test_what_post_refused_while_the_disk_was_full_the_stream_does_not_trade_either(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger could be read and not written: the caller heard no, and a moment later it was traded."""
    intent = place.intent()
    async with place.running() as s4:
        with monkeypatch.context() as full:
            full.setattr(place.rows, "insert", _no_room)
            s4.objection = lambda: Refused("WRONG_SIDE_STOP", "the market moved")
            assert await s4.post(intent) == "WRONG_SIDE_STOP"
        s4.objection = lambda: None
        await publish(place.bus, intent)
        await publish(place.bus, place.intent("i2"))
        await until(lambda: "i2" in place.book.traded and not s4.track._in_work)
    async with place.running() as heir:  # it is on disk by now
        await publish(place.bus, intent, event="again")
        await publish(place.bus, place.intent("i3"))
        await until(lambda: "i3" in place.book.traded and not heir.track._in_work)
    assert place.book.traded == ["i2", "i3"]
    assert (await place.owed(), await place.refused()) == (0, [])


async def test_another_body_under_a_used_id_is_refused(place: Place) -> None:
    async with place.running() as s4:
        assert await s4.post(place.intent()) == "OK"
        await publish(place.bus, place.intent(qty="0.02"))
        await until(lambda: s4.asked == ["i1", "i1"] and not s4.track._in_work)
    assert place.book.traded == ["i1"]
    assert await place.refused() == [("i1", "DUPLICATE_ID")]


@pytest.mark.parametrize("code", ["RECOVERING", "VENUE_DOWN", "BUS_AWAY", "CLOCK"])
async def test_what_post_would_ask_to_try_again_waits_and_holds_up_nobody(place: Place, code: str) -> None:
    async with place.running() as s4:
        barred = {"i1"}
        s4.objection = lambda: Refused(code, "not now") if s4.asked[-1] in barred else None
        await publish(place.bus, place.intent("i1"))
        await until(lambda: len(s4.asked) > 2)
        await publish(place.bus, place.intent("i2"))
        await until(lambda: place.book.traded == ["i2"])
        barred.clear()
        await until(lambda: place.book.traded == ["i2", "i1"] and not s4.track._in_work)
    assert (await place.owed(), await place.refused()) == (0, [])


async def test_what_the_ledger_has_not_is_not_acknowledged(place: Place) -> None:
    async with place.running() as s4:
        s4.unsaved = True
        await publish(place.bus, place.intent())
        await until(lambda: len(s4.asked) > 2)
        assert s4.track._in_work
        s4.unsaved = False
        await until(lambda: not s4.track._in_work)
    assert place.book.traded == ["i1"]
    assert await place.owed() == 0


async def test_an_entry_of_last_night_is_refused_and_one_that_was_traded_is_not(place: Place) -> None:
    """S4 was down for a night: at a price of hours ago nothing is bought."""
    await publish(place.bus, place.intent("old"))
    await publish(place.bus, place.intent("reduces", reduce_only=True, stop=None))
    traded = place.intent("traded")
    await publish(place.bus, traded)
    assert await place.process().post(traded) == "OK"
    place.clock.ahead_ms = 8 * 3_600_000
    async with place.running() as s4:
        await until(lambda: s4.alerts and not s4.track._in_work)
    assert place.book.traded == ["traded"]
    assert sorted(await place.refused()) == [("old", "STALE_INTENT"), ("reduces", "STALE_INTENT")]
    assert {alert.code for alert in s4.alerts} == {"INTENTS_LATE"}
    assert await place.owed() == 0


@pytest.mark.req("I24")
async def test_what_went_by_the_streams_length_while_s4_was_away_is_told(line: Any, fresh: str) -> None:
    place, short = Place(line, fresh), line.short()
    place.bus = Apart(short, fresh)
    place._another = lambda: place.bus
    await publish(place.bus, place.intent("first"))
    async with place.running() as s4:
        await until(lambda: place.book.traded and not s4.track._in_work)
    stream = f"{keys.ORDERS_INTENT}:{fresh}"
    await short.tell([Record(stream=stream, event_id=f"e{n}", fields={"n": str(n)}) for n in range(400)])
    async with place.running() as s4:
        await until(lambda: any(alert.code == "INTENTS_GONE" for alert in s4.alerts))
        [told] = [alert for alert in s4.alerts if alert.code == "INTENTS_GONE"]
    left = 400 - len(await place.read(keys.ORDERS_INTENT))
    assert told.text.startswith(f"{left} records of")


async def test_its_own_word_may_be_sooner(place: Place) -> None:
    await publish(place.bus, place.intent().but(valid_until_ms=Millis(place.clock.now_ms() + 5_000)))
    place.clock.ahead_ms = 5_001
    async with place.running() as s4:
        await until(lambda: s4.alerts)
    assert place.book.traded == []
    assert await place.refused() == [("i1", "STALE_INTENT")]


async def test_a_barrier_that_outlasts_it_is_its_end(place: Place) -> None:
    async with place.running() as s4:
        s4.objection = lambda: Refused("USER_STREAM", "deaf")
        await publish(place.bus, place.intent())
        await until(lambda: len(s4.asked) > 1)
        place.clock.ahead_ms = 60_000
        await until(lambda: s4.alerts)
    [event] = await place.read(keys.ROUTER_EVENTS)
    assert event.fields["code"] == "STALE_INTENT"
    assert "USER_STREAM: deaf" in event.fields["message"]
    assert (event.fields["client_order_id"], event.fields["kind"]) == ("s3-btc-i1", "INTENT_REFUSED")


async def test_a_created_ms_in_the_future_makes_nothing_younger(place: Place) -> None:
    await publish(place.bus, place.intent().but(created_ms=Millis(place.clock.now_ms() + 10**9)))
    place.clock.ahead_ms = 31_000
    async with place.running() as s4:
        await until(lambda: s4.alerts)
    assert place.book.traded == []


BAD = {
    "no body": {},
    "not json": {"body": "{"},
    "not an object": {"body": "[]"},
    "a float for a name": {"body": '{"intent_id": 1.5}'},
    "a newer version": {"schema_version": "99", "body": "{}"},
    "no version": {"schema_version": "x", "body": "{}"},
    "too large": {"body": "x" * 70_000},
    "half a name": {"body": '{"intent_id": "\\ud800", "symbol": "\\udc80"}'},
    "half a character": {"body": '{"intent_id": "\udc80"}'},
}


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_record_is_put_aside_and_holds_up_nobody(place: Place, kind: str) -> None:
    if kind == "half a character" and not hasattr(place.bus._bus, "_client"):
        pytest.skip("the memory bus holds text only")
    if kind == "half a character":
        name = f"{keys.ORDERS_INTENT}:{place.bus._name}"
        await place.bus._bus._client.xadd(name, {b"body": b'{"intent_id": "\x80"}', b"\xff": b"1"})
    else:
        await place.bus.publish(keys.ORDERS_INTENT, "bad", {"at": "1", **BAD[kind]})
    await publish(place.bus, place.intent())
    async with place.running() as s4:
        await until(lambda: place.book.traded and s4.alerts and not s4.track._in_work)
    [dead] = await place.read(keys.ORDERS_INTENT_DEAD)
    assert dead.fields["code"] in ("MALFORMED", "MISSING_FIELD", "TOO_LARGE")
    assert dead.fields["message"]
    assert [alert.code for alert in s4.alerts] == ["INTENT_UNREADABLE"]
    assert dead.fields["record"] in s4.alerts[0].text
    assert await place.owed() == 0


async def test_a_body_that_is_no_order_is_told_to_whom_it_names(place: Place) -> None:
    await publish(place.bus, place.intent(), body=body_of(place.intent(), qty="-1"))
    async with place.running() as s4:
        await until(lambda: s4.alerts and not s4.track._in_work)
    assert [name for name, _ in await place.refused()] == ["i1"]
    assert len(await place.read(keys.ORDERS_INTENT_DEAD)) == 1


async def test_a_mistake_of_ours_with_one_record_ends_after_some_tries(place: Place) -> None:
    def broken() -> Exception | None:
        return KeyError("of ours") if s4.asked[-1] == "i1" else None

    async with place.running() as s4:
        s4.objection = broken
        await publish(place.bus, place.intent())
        await until(lambda: s4.alerts and not s4.track._in_work)
        await publish(place.bus, place.intent("i2"))
        await until(lambda: place.book.traded == ["i2"])
    assert await place.refused() == [("i1", "INTERNAL")]
    assert len(await place.read(keys.ORDERS_INTENT_DEAD)) == 1


async def test_alone_it_refuses_what_it_does_not_trade_and_in_company_leaves_it(place: Place) -> None:
    await publish(place.bus, place.intent(), body=body_of(place.intent(), symbol="ETHUSDT"))
    async with place.running(group="of-btc") as s4:
        await publish(place.bus, place.intent("i2"))
        await until(lambda: place.book.traded and not s4.track._in_work)
    assert (await place.refused(), await place.owed(group="of-btc")) == ([], 0)
    async with place.running() as s4:
        await until(lambda: s4.asked and not s4.track._in_work)
    assert await place.refused() == [("i1", "UNKNOWN_SYMBOL")]
    assert place.book.traded == ["i2"], "two groups: each reads all of it, and it is one intent"


async def test_before_the_symbols_are_read_it_waits(place: Place) -> None:
    async with place.running() as s4:
        s4.is_ready = False
        await publish(place.bus, place.intent())
        await until(lambda: s4.track._in_work)
        assert place.book.traded == []
        s4.is_ready = True
        await until(lambda: place.book.traded == ["i1"])
    assert await place.refused() == []


async def _no_room(*_: object) -> bool:
    raise StoreUnavailable("disk full")


class _NoAcks:
    """A bus on which an acknowledgement never arrives."""

    def __init__(self, bus: Any) -> None:
        self._bus = bus
        self.tried = False

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._bus, operation)

    async def ack(self, _stream: str, _group: str, ids: list[str]) -> None:
        self.tried |= bool(ids)  # a slow machine has nothing to acknowledge yet when it looks first
        raise StoreUnavailable("away")
