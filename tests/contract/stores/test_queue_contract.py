"""What every bus promises of its queues (``ports.streams.Queues``), on each adapter. Moments are the caller's words."""

import asyncio
from typing import Any

import pytest

from chimera.ports.streams import Bus, Task
from chimera.trading.money import Millis
from chimera.wire import keys

pytestmark = pytest.mark.req("S4-ROUTE-6")

T0 = 1_760_000_000_000


def at(ms: int) -> Millis:
    return Millis(T0 + ms)


async def claimed(bus: Bus, queue: str, now: int, until: int, *, count: int = 10) -> list[str]:
    found = await bus.claim(queue, now_ms=at(now), until_ms=at(until), count=count)
    return [task.name for task in found]


async def test_what_is_due_comes_in_the_order_of_its_moments(bus: Bus, fresh: str) -> None:
    await bus.schedule(fresh, {"c": at(30), "a": at(10), "b": at(20), "later": at(31)})
    found = await bus.claim(fresh, now_ms=at(30), until_ms=at(5_000), count=10)
    assert list(found) == [Task(due_ms=at(ms), name=name) for ms, name in ((10, "a"), (20, "b"), (30, "c"))]


async def test_a_claim_takes_no_more_than_asked_and_the_earliest_first(bus: Bus, fresh: str) -> None:
    await bus.schedule(fresh, {f"t{n}": at(n) for n in range(5)})
    assert await claimed(bus, fresh, 10, 5_000, count=2) == ["t0", "t1"]
    assert await claimed(bus, fresh, 10, 5_000, count=2) == ["t2", "t3"]


async def test_of_many_who_claim_each_task_goes_to_one(line: Any, fresh: str) -> None:
    """The tasks of one queue, claimed by two connections at once, again and again."""
    other = line.another()
    names = {f"t{n}" for n in range(40)}
    await line.bus.schedule(fresh, dict.fromkeys(names, at(0)))
    taken = await asyncio.gather(
        *(claimed(bus, fresh, 1, 5_000, count=7) for _ in range(4) for bus in (line.bus, other))
    )
    assert sorted(name for found in taken for name in found) == sorted(names)


async def test_a_task_whose_claimant_died_is_due_again(bus: Bus, fresh: str) -> None:
    await bus.schedule(fresh, {"a": at(0)})
    assert await claimed(bus, fresh, 0, 5_000) == ["a"]
    assert await claimed(bus, fresh, 4_999, 9_000) == []
    assert await claimed(bus, fresh, 5_000, 9_000) == ["a"]


async def test_a_task_is_handed_back_by_its_claimant_alone(bus: Bus, fresh: str) -> None:
    await bus.schedule(fresh, {"a": at(0)})
    await claimed(bus, fresh, 0, 5_000)
    assert await bus.hand_back(fresh, {"a": at(1)}, claimed_until_ms=at(4_000)) == 0
    assert await bus.hand_back(fresh, {"a": at(1_000)}, claimed_until_ms=at(5_000)) == 1
    assert await claimed(bus, fresh, 999, 6_000) == []
    assert await claimed(bus, fresh, 1_000, 6_000) == ["a"]


async def test_what_was_moved_or_dropped_meanwhile_is_not_handed_back(bus: Bus, fresh: str) -> None:
    """The owner's word came between the claim and the handing back: it stands."""
    await bus.schedule(fresh, {"moved": at(0), "dropped": at(0), "still ours": at(0)})
    await claimed(bus, fresh, 0, 5_000)
    await bus.schedule(fresh, {"moved": at(60_000)})
    await bus.drop(fresh, ["dropped"])
    names = ("moved", "dropped", "still ours")
    assert await bus.hand_back(fresh, dict.fromkeys(names, at(0)), claimed_until_ms=at(5_000)) == 1
    assert await claimed(bus, fresh, 59_999, 70_000) == ["still ours"]
    assert await claimed(bus, fresh, 60_000, 70_000) == ["moved"]


async def test_each_write_may_be_repeated(bus: Bus, fresh: str) -> None:
    for _ in range(2):
        await bus.schedule(fresh, {"a": at(5), "b": at(6)})
    for _ in range(2):
        await bus.drop(fresh, ["b", "never there"])
    assert await claimed(bus, fresh, 10, 20) == ["a"]


async def test_nothing_to_write_is_no_call(bus: Bus, fresh: str) -> None:
    await bus.schedule(fresh, {})
    await bus.drop(fresh, [])
    assert await bus.hand_back(fresh, {}, claimed_until_ms=at(0)) == 0
    assert await claimed(bus, fresh, 10, 20) == []


async def test_the_queue_of_slices_is_spelt_so_that_a_cluster_takes_it(bus: Bus, fresh: str) -> None:
    name = f"{keys.TWAP_QUEUE}:{fresh}"
    await bus.schedule(name, {"binance:main:FUT:BTCUSDT#i1": at(0)})
    assert await claimed(bus, name, 0, 10) == ["binance:main:FUT:BTCUSDT#i1"]
