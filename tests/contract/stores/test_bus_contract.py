"""What every bus promises (``ports.streams``), on each adapter."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from chimera.ports.streams import Bus, Entry, Latest, Record
from chimera.trading.errors import RecordsGone
from chimera.wire import keys

pytestmark = pytest.mark.req("RD-1")


def ids_of(entries: Sequence[Entry]) -> list[str]:
    return [entry.fields["event_id"] for entry in entries]


async def publish(bus: Bus, stream: str, *events: str) -> None:
    for event in events:
        await bus.publish(stream, event, {"event_id": event, "text": "ü{}"})


async def read(bus: Bus, stream: str, consumer: str = "c1", *, count: int = 10, block_ms: int = 0) -> list[Entry]:
    return list(await bus.read(stream, "group", consumer, count=count, block_ms=block_ms))


@pytest.mark.req("S4-EVT-1", "I24", "I25")
@pytest.mark.fault("D6")
async def test_a_repeated_event_changes_nothing(bus: Bus, fresh: str) -> None:
    await publish(bus, fresh, "e1", "e2", "e1", "e2", "e3")
    entries = await bus.tail(fresh, after="0", count=10, block_ms=0)
    assert ids_of(entries) == ["e1", "e2", "e3"]
    assert entries[0].fields == {"event_id": "e1", "text": "ü{}"}


async def test_the_same_event_on_two_streams_is_two_records(bus: Bus, fresh: str) -> None:
    for stream in (fresh, fresh + "-b"):
        await publish(bus, stream, "e1")
        assert len(await bus.tail(stream, after="0", count=10, block_ms=0)) == 1


def news(stream: str, *events: str) -> list[Record | Latest]:
    return [Record(stream=stream, event_id=each, fields={"event_id": each, "text": "ü{}"}) for each in events]


@pytest.mark.req("S4-EVT-1")
async def test_news_of_many_kinds_are_told_together_each_stream_in_its_order(bus: Bus, fresh: str) -> None:
    other, key = fresh + "-b", fresh + "-key"
    await publish(bus, fresh, "e1")
    first, second = news(fresh, "e1", "e2"), news(fresh, "e3")
    shown = [Latest(key=key, document=b"old"), Latest(key=key, document=b"new", ttl_ms=60_000)]
    for _ in range(2):  # all of it may be told again
        await bus.tell([*first, shown[0], *news(other, "e2", "e9"), shown[1], *second])
    assert ids_of(await bus.tail(fresh, after="0", count=10, block_ms=0)) == ["e1", "e2", "e3"]
    assert ids_of(await bus.tail(other, after="0", count=10, block_ms=0)) == ["e2", "e9"]
    assert await bus.get(key) == b"new"
    await publish(bus, fresh, "e3", "e4")  # by either way a record is there once
    assert ids_of(await bus.tail(fresh, after="0", count=10, block_ms=0)) == ["e1", "e2", "e3", "e4"]


async def test_one_piece_of_news_is_told_too_and_none_is_nothing(bus: Bus, fresh: str) -> None:
    await bus.tell([])
    await bus.tell([Latest(key=fresh + "-key", document=b"x")])
    await bus.tell(news(fresh, "e1"))
    assert await bus.get(fresh + "-key") == b"x"
    assert ids_of(await bus.tail(fresh, after="0", count=10, block_ms=0)) == ["e1"]


async def test_a_group_reads_from_the_beginning(bus: Bus, fresh: str) -> None:
    await publish(bus, fresh, "e1", "e2")
    assert ids_of(await read(bus, fresh)) == ["e1", "e2"]


async def test_a_record_goes_to_one_consumer_of_a_group(bus: Bus, fresh: str) -> None:
    await publish(bus, fresh, "e1", "e2", "e3")
    assert ids_of(await read(bus, fresh, "c1", count=2)) == ["e1", "e2"]
    assert ids_of(await read(bus, fresh, "c2")) == ["e3"]
    assert ids_of(await bus.read(fresh, "other group", "c1", count=10, block_ms=0)) == ["e1", "e2", "e3"]


@pytest.mark.req("I24")
@pytest.mark.fault("D7")
async def test_what_was_not_acknowledged_comes_again_first(bus: Bus, fresh: str) -> None:
    await publish(bus, fresh, "e1", "e2")
    first = await read(bus, fresh)
    assert [entry.deliveries for entry in first] == [1, 1]
    await bus.ack(fresh, "group", [first[1].id])
    await publish(bus, fresh, "e3")

    again = await read(bus, fresh)
    assert [(entry.fields["event_id"], entry.deliveries) for entry in again] == [("e1", 2), ("e3", 1)]
    await bus.ack(fresh, "group", [entry.id for entry in again])
    assert await read(bus, fresh) == []


async def flooded(bus: Bus, stream: str, name: str = "f") -> int:
    """Four times as many records as are kept; how many there are now."""
    await bus.tell(news(stream, *(f"{name}{n}" for n in range(400))))
    return len(await bus.tail(stream, after="0", count=1_000, block_ms=0))


async def gone(reading: Awaitable[Sequence[Entry]]) -> int:
    with pytest.raises(RecordsGone) as told:
        await reading
    return told.value.count


@pytest.mark.req("I24")
@pytest.mark.fault("D10")
async def test_what_went_before_a_group_had_it_is_told_once_with_its_count(line: Any, fresh: str) -> None:
    bus = line.short()
    await publish(bus, fresh, "e1", "e2")
    await bus.ack(fresh, "group", [entry.id for entry in await read(bus, fresh)])
    for name in ("f", "g"):
        kept = await flooded(bus, fresh, name)
        there = await bus.tail(fresh, after="0", count=1_000, block_ms=0)
        newest = [int(entry.fields["event_id"][1:]) for entry in there if entry.fields["event_id"][0] == name]
        assert await gone(bus.read(fresh, "group", "c1", count=1_000, block_ms=5_000)) == 400 - len(newest)
        entries = await read(bus, fresh, count=1_000)
        assert ids_of(entries) == ids_of(there)
        assert len(newest) == kept
        await bus.ack(fresh, "group", [entry.id for entry in entries])
    assert await read(bus, fresh) == []


@pytest.mark.req("I24")
@pytest.mark.fault("D10")
async def test_what_went_while_a_consumer_had_it_is_told_to_whoever_asks_for_it(line: Any, fresh: str) -> None:
    bus = line.short()
    await publish(bus, fresh, "e1", "e2", "e3")
    for consumer, count in (("c1", 2), ("c2", 1)):
        assert len(await read(bus, fresh, consumer, count=count)) == count
    kept = await flooded(bus, fresh)
    assert await gone(bus.read(fresh, "group", "c1", count=5, block_ms=0)) == 2 + 400 - kept
    assert len(await read(bus, fresh, "c1", count=1_000)) == kept
    assert await gone(bus.reclaim(fresh, "group", "c1", idle_ms=0, count=5)) == 1
    assert list(await bus.reclaim(fresh, "group", "c1", idle_ms=0, count=5)) == []


@pytest.mark.req("I24")
async def test_whoever_is_caught_up_or_new_has_missed_nothing(line: Any, fresh: str) -> None:
    """A stream's length goes on taking what everybody has had; and a group that is made now never had the rest."""
    bus = line.short()
    for n in range(8):
        await bus.tell(news(fresh, *(f"e{n}-{m}" for m in range(50))))
        entries = await read(bus, fresh, count=1_000)
        assert len(entries) == 50
        await bus.ack(fresh, "group", [entry.id for entry in entries])
    there = await bus.tail(fresh, after="0", count=1_000, block_ms=0)
    assert len(there) < 400
    assert ids_of(await bus.read(fresh, "new", "c1", count=1_000, block_ms=0)) == ids_of(there)


@pytest.mark.req("I24")
async def test_the_next_process_finds_what_the_last_one_owed(line: Any, fresh: str) -> None:
    await publish(line.bus, fresh, "e1", "e2")
    [first, _] = await read(line.bus, fresh)
    await line.bus.ack(fresh, "group", [first.id])
    assert ids_of(await read(line.another(), fresh)) == ["e2"]


async def test_read_takes_no_more_than_asked(bus: Bus, fresh: str) -> None:
    await publish(bus, fresh, "e1", "e2", "e3")
    assert ids_of(await read(bus, fresh, count=1)) == ["e1"]
    assert ids_of(await read(bus, fresh, count=1)) == ["e1"]
    assert ids_of(await read(bus, fresh, count=2)) == ["e1", "e2"]


@pytest.mark.fault("D7")
async def test_an_ack_may_be_repeated_or_early(bus: Bus, fresh: str) -> None:
    await bus.ack(fresh, "group", ["1-1"])
    await publish(bus, fresh, "e1")
    [entry] = await read(bus, fresh)
    for _ in range(2):
        await bus.ack(fresh, "group", [entry.id])
    await bus.ack(fresh, "group", [])
    assert await read(bus, fresh) == []


async def test_a_waiting_reader_is_woken(bus: Bus, fresh: str) -> None:
    reading = asyncio.create_task(read(bus, fresh, block_ms=5000))
    tailing = asyncio.create_task(bus.tail(fresh, after="$", count=10, block_ms=5000))
    for _ in range(3):
        await asyncio.sleep(0.01)
    assert not reading.done()
    await publish(bus, fresh, "e1")
    async with asyncio.timeout(2):
        assert ids_of(await reading) == ["e1"]
        assert ids_of(await tailing) == ["e1"]


async def test_a_reader_waits_no_longer_than_it_said(bus: Bus, fresh: str) -> None:
    async with asyncio.timeout(2):
        assert await read(bus, fresh, block_ms=30) == []
        assert list(await bus.tail(fresh, after="$", count=1, block_ms=30)) == []


async def test_a_cancelled_reader_loses_nothing(bus: Bus, fresh: str) -> None:
    reading = asyncio.create_task(read(bus, fresh, block_ms=5000))
    await asyncio.sleep(0.02)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await publish(bus, fresh, "e1")
    assert ids_of(await read(bus, fresh, block_ms=1000)) == ["e1"]


@pytest.mark.fault("D8")
async def test_idle_records_of_others_are_reclaimed(line: Any, fresh: str) -> None:
    await publish(line.bus, fresh, "e1", "e2", "e3")
    [first, _] = await read(line.bus, fresh, "c1", count=2)
    await read(line.bus, fresh, "c2", count=1)
    await line.bus.ack(fresh, "group", [first.id])
    assert list(await line.bus.reclaim(fresh, "group", "c2", idle_ms=60_000, count=10)) == []
    await line.wait(60)

    taken = await line.bus.reclaim(fresh, "group", "c2", idle_ms=50, count=10)
    assert [(entry.fields["event_id"], entry.deliveries) for entry in taken] == [("e2", 2)]
    assert await read(line.bus, fresh, "c1") == []
    assert ids_of(await read(line.bus, fresh, "c2")) == ["e2", "e3"]


async def test_reclaim_takes_no_more_than_asked(line: Any, fresh: str) -> None:
    await publish(line.bus, fresh, *(f"e{n}" for n in range(150)))
    await read(line.bus, fresh, "c2", count=120)
    await read(line.bus, fresh, "c1", count=30)
    await line.wait(20)
    assert len(await line.bus.reclaim(fresh, "group", "c2", idle_ms=10, count=7)) == 7  # beyond its own first hundred
    assert len(await line.bus.reclaim(fresh, "group", "c2", idle_ms=0, count=100)) == 23


async def test_reclaim_of_a_stream_that_is_not_there(bus: Bus, fresh: str) -> None:
    assert list(await bus.reclaim(fresh, "group", "c1", idle_ms=0, count=10)) == []


async def test_tail_follows_from_an_id(bus: Bus, fresh: str) -> None:
    await publish(bus, fresh, "e1", "e2", "e3")
    [first] = await bus.tail(fresh, after="0", count=1, block_ms=0)
    assert ids_of(await bus.tail(fresh, after=first.id, count=10, block_ms=0)) == ["e2", "e3"]
    assert ids_of(await bus.tail(fresh, after=first.id, count=1, block_ms=0)) == ["e2"]
    assert list(await bus.tail(fresh, after="$", count=10, block_ms=0)) == []


async def test_snapshots_are_the_latest_value(bus: Bus, fresh: str) -> None:
    assert await bus.get(fresh) is None
    await bus.put(fresh, b'{"bid":"1"}')
    await bus.put(fresh, b"\x00\xff")
    assert await bus.get(fresh) == b"\x00\xff"


@pytest.mark.req("RD-2")
async def test_snapshots_of_many_symbols_come_together(bus: Bus, fresh: str) -> None:
    wanted = [keys.tick_key(fresh + symbol) for symbol in ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")]
    for name in wanted[:3]:
        await bus.put(name, name.encode())
    assert await bus.get_many([*wanted, wanted[0]]) == [
        *(name.encode() for name in wanted[:3]),
        None,
        wanted[0].encode(),
    ]
    assert list(await bus.get_many([])) == []


async def test_a_snapshot_with_a_time_limit_goes(line: Any, fresh: str) -> None:
    await line.bus.put(fresh, b"1", ttl_ms=40)
    assert await line.bus.get(fresh) == b"1"
    await line.wait(60)
    assert await line.bus.get(fresh) is None
    await line.bus.put(fresh, b"1", ttl_ms=40)
    await line.bus.put(fresh, b"2")
    await line.wait(60)
    assert await line.bus.get(fresh) == b"2"


@pytest.mark.req("S3-LOCK-1")
@pytest.mark.fault("D5")
async def test_a_lock_has_one_holder(bus: Bus, fresh: str) -> None:
    assert await bus.acquire(fresh, "a", 3000) is True
    assert await bus.acquire(fresh, "a", 3000) is True
    assert await bus.acquire(fresh, "b", 3000) is False
    await bus.release(fresh, "b")
    assert await bus.acquire(fresh, "b", 3000) is False
    await bus.release(fresh, "a")
    assert await bus.acquire(fresh, "b", 3000) is True


@pytest.mark.req("S3-LOCK-1")
async def test_of_many_who_ask_one_holds(bus: Bus, fresh: str) -> None:
    assert sorted(await asyncio.gather(*(bus.acquire(fresh, f"t{n}", 3000) for n in range(20)))) == [False] * 19 + [
        True
    ]


@pytest.mark.req("S3-LOCK-1")
@pytest.mark.fault("D4")
async def test_a_lock_ends_by_itself_and_is_not_prolonged(line: Any, fresh: str) -> None:
    await line.bus.acquire(fresh, "a", 60)
    await line.wait(30)
    await line.bus.acquire(fresh, "a", 60)
    await line.wait(50)
    assert await line.bus.acquire(fresh, "b", 3000) is True
    await line.bus.release(fresh, "a")  # late, and no longer ours
    assert await line.bus.acquire(fresh, "a", 3000) is False


@pytest.mark.req("S3-LOCK-1")
async def test_only_its_holder_prolongs_a_lock(line: Any, fresh: str) -> None:
    assert await line.bus.prolong(fresh, "a", 3000) is False  # never taken by it
    await line.bus.acquire(fresh, "a", 60)
    assert await line.bus.prolong(fresh, "b", 3000) is False
    assert await line.bus.prolong(fresh, "a", 120) is True
    await line.wait(80)
    assert await line.bus.acquire(fresh, "b", 3000) is False
    await line.wait(80)
    assert await line.bus.acquire(fresh, "b", 3000) is True
    assert await line.bus.prolong(fresh, "a", 3000) is False


async def test_a_record_is_remembered_once(line: Any, fresh: str) -> None:
    assert await line.bus.remember(fresh, "one", 60_000) is None
    assert await line.bus.remember(fresh, "two", 60_000) == "one"
    assert await line.bus.remember(fresh, "one", 60_000) == "one"


async def test_a_record_is_forgotten_in_time(line: Any, fresh: str) -> None:
    await line.bus.remember(fresh, "one", 40)
    await line.wait(80)
    assert await line.bus.remember(fresh, "two", 40) is None


@pytest.mark.req("RD-2")
@pytest.mark.parametrize("stream", [keys.ORDERS_INTENT, keys.ORDER_RESULTS, "prod:{exec}:x", "a{b"])
async def test_streams_of_every_spelling_work(bus: Bus, fresh: str, stream: str) -> None:
    """The seen mark shares the stream's slot, whatever its braces; a Cluster would refuse it otherwise."""
    name = f"{stream}:{fresh}"
    await publish(bus, name, "{e}1", "{e}1")
    assert ids_of(await read(bus, name)) == ["{e}1"]


async def test_a_bus_in_health_answers_ping(bus: Bus) -> None:
    await bus.ping()
