"""Several routers, one queue of slices: whoever finds a task, its owner sends the slice, once. On each adapter."""

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from chimera.services.router.waking import CLAIM_MS
from chimera.trading.money import Millis
from chimera.wire import keys
from support.woken import GAP_MS, HandClock, WokenDesk, a_router

pytestmark = pytest.mark.req("S4-ROUTE-6")

SLICES = 4


class _Apart:
    """A bus whose queues lie under names of this test's own."""

    def __init__(self, bus: Any, name: str) -> None:
        self._bus = bus
        self._name = name

    def __getattr__(self, operation: str) -> Any:
        ask = getattr(self._bus, operation)
        return lambda queue, *words, **terms: ask(f"{queue}:{self._name}", *words, **terms)


async def test_two_routers_on_one_queue_send_each_slice_once_and_lose_none(line: Any, fresh: str) -> None:
    """Each owns half of the positions, finds the other's tasks as often as its own, and hands them back."""
    clock = HandClock()
    here, there = ([WokenDesk(f"{side}{number}", clock) for number in range(3)] for side in "ab")
    both = [
        a_router(_Apart(line.bus, fresh), clock, *here),  # type: ignore[arg-type]  # a queue of the port's, by name
        a_router(_Apart(line.another(), fresh), clock, *there),  # type: ignore[arg-type]
    ]
    for number, desk in enumerate((*here, *there)):
        desk.begin(f"i{number}", SLICES)
    for beat in range(3 * SLICES * GAP_MS // 500):
        await asyncio.gather(*(router.look() for router in (both if beat % 2 else both[beat // 2 % 2 :][:1])))
        clock.ms += 500

    for desk in (*here, *there):
        assert desk.done
        refs, moments = zip(*desk.sent, strict=True)
        assert len(set(refs)) == len(refs) == SLICES
        assert all(later - sooner >= GAP_MS for sooner, later in pairwise(moments))
        assert moments[-1] - moments[0] <= (SLICES - 1) * (GAP_MS + 2_500)
    assert await line.bus.claim(f"{keys.TWAP_QUEUE}:{fresh}", now_ms=Millis(2**52), until_ms=Millis(0), count=9) == []


async def test_the_tasks_of_a_router_that_died_with_them_are_found_again(line: Any, fresh: str) -> None:
    clock = HandClock()
    desk = WokenDesk("a", clock)
    queues: Any = _Apart(line.bus, fresh)
    desk.begin("i", 2)
    await a_router(queues, clock, desk).look()
    clock.ms += GAP_MS
    taken = await queues.claim(
        keys.TWAP_QUEUE, now_ms=clock.now_ms(), until_ms=Millis(clock.ms + CLAIM_MS), count=10
    )  # and nothing more: dead
    assert [task.due_ms for task in taken] == [clock.ms]

    heir = WokenDesk("a", clock, desk.holding)
    following = a_router(queues, clock, heir)
    following._all_told_ms = Millis(2**52)  # it lost nothing: the queue alone is to wake it
    following._told = {heir.holding.key: (heir.holding, {})}
    await following.look()
    assert not heir.sent
    clock.ms += CLAIM_MS
    await following.look()
    assert [ref for ref, _ in heir.sent] == [f"{desk.sent[0][0][:-1]}2"]
    assert heir.done
