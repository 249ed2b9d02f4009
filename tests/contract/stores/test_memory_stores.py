"""What is the memory doubles' own: the world's hooks, and a bus that loses its latest changes."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.adapters.memory.streams import Content
from chimera.trading.errors import StoreUnavailable
from chimera.trading.money import Millis


class StillClock:
    def now_ms(self) -> Millis:
        return Millis(1_000)

    def monotonic_ms(self) -> Millis:
        return Millis(1_000)


class Scripted:
    """Faults that run what they are told at one place, and remember what passed."""

    def __init__(self, place: str, act: Callable[[], Awaitable[None]]) -> None:
        self.passed: list[tuple[str, str, str]] = []
        self._place = place
        self._act = act

    async def before(self, operation: str, key: str) -> None:
        await self._at("before", operation, key)

    async def after(self, operation: str, key: str) -> None:
        await self._at("after", operation, key)

    async def _at(self, place: str, operation: str, key: str) -> None:
        self.passed.append((place, operation, key))
        if place == self._place:
            self._place = ""
            await self._act()


async def away() -> None:
    raise StoreUnavailable("injected")


@pytest.mark.parametrize(("place", "applied"), [("before", None), ("after", {"a": 1})])
async def test_a_fault_before_or_after_a_write(place: str, applied: object) -> None:
    faults = Scripted(place, away)
    ledger = MemoryLedger(faults=faults)
    with pytest.raises(StoreUnavailable, match="injected"):
        await ledger.put("orders", "o-1", {"a": 1})
    assert await ledger.get("orders", "o-1") == applied
    assert faults.passed[0] == ("before", "put", "orders/o-1")


@pytest.mark.parametrize(("place", "applied"), [("before", None), ("after", {"a": 1})])
async def test_a_stall_ends_at_the_deadline(place: str, applied: object) -> None:
    async def stall() -> None:
        await asyncio.sleep(60)

    ledger = MemoryLedger(faults=Scripted(place, stall), deadline_ms=Millis(20))
    with pytest.raises(StoreUnavailable, match="outcome unknown"):
        await ledger.put("orders", "o", {"a": 1})
    assert await ledger.get("orders", "o") == applied


@pytest.mark.parametrize(("place", "applied"), [("before", None), ("after", b"v")])
async def test_a_kill_before_or_after_a_write(place: str, applied: object) -> None:
    reached = asyncio.Event()

    async def wait() -> None:
        reached.set()
        await asyncio.sleep(60)

    bus = MemoryBus(StillClock(), faults=Scripted(place, wait))
    task = asyncio.create_task(bus.put("k", b"v"))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await bus.get("k") == applied


async def test_without_faults_an_operation_still_gives_way() -> None:
    ledger, order = MemoryLedger(), list[str]()

    async def write() -> None:
        await ledger.ping()
        order.append("write")

    async def other() -> None:
        order.append("other")

    await asyncio.gather(write(), other())
    assert order == ["other", "write"]


@pytest.mark.fault("D2")
async def test_a_fail_over_loses_the_latest_changes() -> None:
    bus = MemoryBus(StillClock())
    await bus.publish("s", "e1", {"n": "1"})
    [entry] = await bus.read("s", "g", "c", count=10, block_ms=0)
    held = bus.snapshot()
    await bus.ack("s", "g", [entry.id])
    await bus.publish("s", "e2", {"n": "2"})
    await bus.acquire("lock", "token", 3000)
    assert bus.rollback(bus.snapshot() - held) == 3

    assert await bus.acquire("lock", "other", 3000) is True
    again = await bus.read("s", "g", "c", count=10, block_ms=0)
    assert [(one.fields["n"], one.deliveries) for one in again] == [("1", 2)]
    await bus.publish("s", "e2", {"n": "2"})  # told again, and not taken for a repetition
    assert [one.fields["n"] for one in await bus.tail("s", after="0", count=10, block_ms=0)] == ["1", "2"]


steps = st.lists(
    st.tuples(
        st.sampled_from(["publish", "new", "own", "reclaim", "ack", "set", "delete", "move", "drop"]),
        st.integers(0, 3),
        st.integers(0, 3),
    ),
    max_size=25,
)


def play(content: Content, history: list[tuple[str, int, int]], from_ms: int) -> None:
    for at, (step, one, two) in enumerate(history):
        now_ms = from_ms + at
        match step:
            case "publish":
                content.publish("s", f"e{one}", {"n": str(at)}, now_ms)
            case "new":
                content.go_on("s", "g")
                content.new("s", "g", f"c{one}", two + 1, now_ms)
            case "own":
                content.own("s", "g", f"c{one}", two + 1, now_ms)
            case "reclaim":
                content.reclaim("s", "g", f"c{one}", two, 10, now_ms)
            case "ack":
                content.ack("s", "g", [entry.id for entry in content.after("s", (0, 0), two + 1)])
            case "set":
                content.set(f"k{one}", str(at).encode(), two or None, now_ms)
            case "delete":
                content.delete(f"k{one}")
            case "move":
                content.queues.move("q", {f"t{one}": Millis(now_ms), f"t{two}": Millis(two)})
            case "drop":
                content.queues.drop("q", [f"t{one}", f"t{two}"])


def picture(content: Content) -> str:
    """All there is to see."""
    stream = content._stream("s")
    group = content._group("s", "g")
    gone = (stream.trimmed, group.had, group.last, sorted(group.pending.items()))
    values = sorted((key, repr(held)) for key, held in content._values.items())
    tasks = content.queues.due("q", Millis(10**6), 100)
    return repr((list(stream.records.items()), stream.last, sorted(stream.seen), gone, values, tasks))


@settings(max_examples=200, deadline=None)
@given(steps, steps)
def test_what_is_lost_leaves_no_trace(kept: list[tuple[str, int, int]], lost: list[tuple[str, int, int]]) -> None:
    content = Content(maxlen=3)
    play(content, kept, 1_000)
    before, changes = picture(content), content.changes
    play(content, lost, 2_000)
    content.lose(content.changes - changes)
    assert picture(content) == before
    assert content.changes == changes
