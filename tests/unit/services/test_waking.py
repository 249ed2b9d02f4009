"""The queue of slices: told by level, woken in order, handed back, dropped by the owner alone; and it may be lost."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.adapters.memory.bus import MemoryBus
from chimera.services.router import waking
from chimera.services.router.waking import ALL_AGAIN_MS, CLAIM_MS, OVERDUE_MS
from chimera.trading.errors import StoreUnavailable
from chimera.trading.facts import PauseAsked, ResumeAsked
from chimera.trading.ids import IntentId
from chimera.trading.money import Millis
from chimera.wire import keys
from support.desk import T0
from support.woken import GAP_MS, HandClock, WokenDesk, a_router, due_of

pytestmark = pytest.mark.req("S4-ROUTE-6")


def in_queue(bus: MemoryBus) -> dict[str, int]:
    """All of it, and when it is due."""
    return {task.name: task.due_ms for task in bus._content.queues.due(keys.TWAP_QUEUE, Millis(2**52), 1_000)}


async def test_the_queue_holds_what_our_plans_wait_for_and_lets_go_of_what_is_over() -> None:
    clock, bus = HandClock(), MemoryBus(HandClock())
    desk = WokenDesk("a", clock)
    router = a_router(bus, clock, desk)
    desk.begin("i", 2)
    await router.look()
    name = keys.slices_task(str(desk.holding.key), "i")
    assert in_queue(bus) == {name: T0 + GAP_MS}
    clock.ms += GAP_MS
    await router.look()
    assert len(desk.sent) == 2
    assert in_queue(bus) == {}


async def test_one_slice_is_no_task() -> None:
    clock, bus = HandClock(), MemoryBus(HandClock())
    desk = WokenDesk("a", clock)
    desk.begin("i", 1)
    await a_router(bus, clock, desk).look()
    assert in_queue(bus) == {}


async def test_a_pause_takes_the_task_out_and_its_end_puts_it_back() -> None:
    clock, bus = HandClock(), MemoryBus(HandClock())
    desk = WokenDesk("a", clock)
    router = a_router(bus, clock, desk)
    desk.begin("i", 3)
    desk.hear(PauseAsked(intent_id=IntentId("i"), reason="asked"))
    await router.look()
    assert in_queue(bus) == {}
    clock.ms += 60_000
    desk.hear(ResumeAsked(intent_id=IntentId("i")))
    await router.look()
    assert list(in_queue(bus).values()) == due_of(desk) == [T0 + 60_000 + GAP_MS]


async def test_owners_are_woken_in_the_order_of_their_slices() -> None:
    clock, bus = HandClock(), MemoryBus(HandClock())
    desks = [WokenDesk(name, clock) for name in ("c", "a", "b")]
    for desk in desks:
        desk.begin("i", 2)
        clock.ms += 10
    router = a_router(bus, clock, *reversed(desks))
    await router.look()
    clock.ms += GAP_MS
    heard: list[str] = []
    for desk in desks:
        desk.hear = lambda fact, desk=desk: heard.append(desk.holding.key.account)  # type: ignore[method-assign,misc]
    await router.look()
    assert heard == ["c", "a", "b"]


async def test_a_slice_that_cannot_go_yet_is_looked_at_again() -> None:
    """Nothing shows its market, so it waits."""
    clock, bus = HandClock(), MemoryBus(HandClock())
    desk = WokenDesk("a", clock)
    router = a_router(bus, clock, desk)
    desk.begin("i", 2)
    await router.look()
    clock.ms += GAP_MS
    desk.hear = lambda fact: None  # type: ignore[method-assign]
    await router.look()
    assert list(in_queue(bus).values()) == [clock.ms + OVERDUE_MS]


async def test_however_many_tasks_of_others_stand_before_ours_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "AT_ONCE", 2)
    clock, bus = HandClock(), MemoryBus(HandClock())
    desk = WokenDesk("a", clock)
    router = a_router(bus, clock, desk)
    others = {keys.slices_task("binance:other:FUT:BTCUSDT", f"i{number}"): Millis(T0 + number) for number in range(5)}
    desk.begin("i", 2)
    await router.look()
    await bus.schedule(keys.TWAP_QUEUE, others)
    clock.ms += GAP_MS
    await router.look()
    assert len(desk.sent) == 2
    assert in_queue(bus) == others


async def test_before_all_positions_are_known_the_queue_is_left_alone() -> None:
    clock, bus = HandClock(), MemoryBus(HandClock())
    stands_in = WokenDesk("a", clock)
    name = keys.slices_task(str(stands_in.holding.key), "unknown to him")
    await bus.schedule(keys.TWAP_QUEUE, {name: T0})
    await a_router(bus, clock, stands_in, complete=False).look()
    assert in_queue(bus) == {name: T0}
    await a_router(bus, clock, stands_in).look()
    assert in_queue(bus) == {}


async def test_who_was_deposed_hands_back_and_tells_nothing() -> None:
    clock, bus = HandClock(), MemoryBus(HandClock())
    former = WokenDesk("a", clock)
    former.begin("i", 3)
    router = a_router(bus, clock, former)
    await router.look()
    former.deposed = True
    clock.ms += GAP_MS
    heir = WokenDesk("a", clock, former.holding)
    following = a_router(bus, clock, heir)
    for _ in range(3):
        await router.look()
        await following.look()
        clock.ms += 1_000
    assert len(former.sent) == 1
    assert len(heir.sent) == 1
    assert list(in_queue(bus).values()) == due_of(heir)


@pytest.mark.fault("D2")
async def test_a_queue_that_was_lost_is_written_again() -> None:
    clock, bus = HandClock(), MemoryBus(HandClock())
    desk = WokenDesk("a", clock)
    router = a_router(bus, clock, desk)
    desk.begin("i", 30)
    await router.look()
    before = in_queue(bus)
    bus.rollback(bus.snapshot())
    assert in_queue(bus) == {}
    clock.ms += ALL_AGAIN_MS - 1
    desk.hear = lambda fact: None  # type: ignore[method-assign]
    await router.look()
    assert in_queue(bus) == {}
    clock.ms += 1
    await router.look()
    assert in_queue(bus).keys() == before.keys()


@pytest.mark.fault("D1")
async def test_what_could_not_be_told_is_told_once_the_bus_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, bus = HandClock(), MemoryBus(HandClock())
    desk = WokenDesk("a", clock)
    router = a_router(bus, clock, desk)
    desk.begin("i", 3)

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as broken:
        broken.setattr(bus, "schedule", away)
        with pytest.raises(StoreUnavailable):
            await router.look()
    await router.look()
    assert list(in_queue(bus).values()) == due_of(desk)


async def test_the_ticker_outlives_a_bus_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks every second, whatever came of the last look."""
    router, looks = a_router(MemoryBus(HandClock()), HandClock()), 0
    monkeypatch.setattr(router, "_every_s", 0)

    async def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 5:
            raise asyncio.CancelledError
        raise StoreUnavailable("away")

    monkeypatch.setattr(router, "look", look)
    with pytest.raises(asyncio.CancelledError):
        await router.run()
    assert looks == 5


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("look"), st.integers(0, 1)),
        st.tuples(st.just("wait"), st.sampled_from([100, 900, GAP_MS, CLAIM_MS])),
        st.tuples(st.just("die claiming"), st.integers(1, 4)),
        st.tuples(st.just("lose"), st.integers(1, 6)),
    ),
    max_size=40,
)


@pytest.mark.req("I16")
@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_whatever_becomes_of_the_queue_each_slice_goes_once_and_not_too_soon(history: list[tuple[str, int]]) -> None:
    """Two routers look in any order; claims are left behind by the dead, the store loses its latest changes.

    The owners here have no timer of their own: whatever goes, goes by the queue. In the end both look every second.
    """

    async def story() -> None:
        clock = HandClock()
        bus = MemoryBus(clock)
        desks = [WokenDesk(name, clock) for name in "abc"]
        routers = [a_router(bus, clock, desks[0], desks[1]), a_router(bus, clock, desks[2])]
        for number, desk in enumerate(desks):
            desk.begin(f"i{number}", 3)
        for step, how in history:
            match step:
                case "look":
                    await routers[how].look()
                case "wait":
                    clock.ms += how
                case "die claiming":
                    until_ms = Millis(clock.ms + CLAIM_MS)
                    await bus.claim(keys.TWAP_QUEUE, now_ms=clock.now_ms(), until_ms=until_ms, count=how)
                case _:
                    bus.rollback(how)
        for _ in range(40):
            for router in routers:
                await router.look()
                clock.ms += 500
        for desk in desks:
            assert desk.done
            assert len({ref for ref, _ in desk.sent}) == len(desk.sent) == 3
            assert all(later - sooner >= GAP_MS for (_, sooner), (_, later) in pairwise(desk.sent))
        assert in_queue(bus) == {}

    asyncio.run(story())
