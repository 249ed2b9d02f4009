"""The bus of the virtual-time world: the streams, snapshots, locks and queues of Redis, on a clock that is handed in.

Invariants: each operation applies in one step; a blocking read waits on the loop, never on a real clock; the object
outlives a simulated process. ``rollback`` loses the latest acknowledged changes, as a Redis fail-over does: nothing
above may depend on them.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from chimera.adapters.memory.faults import Faults, NoFaults, through
from chimera.adapters.memory.streams import Content, parse_id
from chimera.ports.clock import Clock
from chimera.ports.streams import Entry, Latest, Record, Table, Task
from chimera.trading.errors import RecordsGone
from chimera.trading.money import Millis

DEADLINE_MS: Final = Millis(2000)
STREAM_MAX: Final = 100_000  # records kept per stream

T = TypeVar("T")


class MemoryBus:
    """``chimera.ports.streams.Bus`` in memory."""

    def __init__(self, clock: Clock, *, faults: Faults | None = None, stream_max: int = STREAM_MAX) -> None:
        self.faults: Faults = faults or NoFaults()
        self._clock = clock
        self._content = Content(stream_max)
        self._told_gone: set[tuple[str, str, str]] = set()  # operation, stream, group
        self._arrivals: dict[str, asyncio.Event] = {}

    def snapshot(self) -> int:
        """How many changes are held; the difference of two snapshots is what lies between them."""
        return self._content.changes

    def rollback(self, changes: int) -> int:
        """Lose the latest ``changes`` (deliveries and acks count as changes); how many were lost."""
        return self._content.lose(changes)

    async def ping(self) -> None:
        await self._apply("ping", "", lambda: None)

    async def close(self) -> None:
        """Nothing to let go of: the content stays for the next process of the world."""

    # ── streams ──

    async def publish(self, stream: str, event_id: str, fields: Mapping[str, str]) -> None:
        def apply() -> None:
            if self._content.publish(stream, event_id, fields, self._now()):
                self._arrivals.pop(stream, asyncio.Event()).set()

        await self._apply("publish", stream, apply)

    async def read(self, stream: str, group: str, consumer: str, *, count: int, block_ms: int) -> Sequence[Entry]:
        def apply() -> list[Entry]:
            self._tell_gone("read", stream, group, self._content.gone(stream, group, consumer))
            self._content.go_on(stream, group)
            own = self._content.own(stream, group, consumer, count, self._now())
            room = count - len(own)
            return own + (self._content.new(stream, group, consumer, room, self._now()) if room else [])

        return await self._until_some("read", stream, block_ms, apply)

    async def reclaim(self, stream: str, group: str, consumer: str, *, idle_ms: int, count: int) -> Sequence[Entry]:
        def apply() -> list[Entry]:
            now_ms = self._now()
            gone = self._content.gone_idle(stream, group, consumer, idle_ms, now_ms)
            self._tell_gone("reclaim", stream, group, gone)
            return self._content.reclaim(stream, group, consumer, idle_ms, count, now_ms)

        return await self._apply("reclaim", stream, apply)

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> None:
        await self._apply("ack", stream, lambda: self._content.ack(stream, group, ids))

    async def tail(self, stream: str, *, after: str, count: int, block_ms: int) -> Sequence[Entry]:
        start = self._content.last(stream) if after == "$" else parse_id(after)
        return await self._until_some("tail", stream, block_ms, lambda: self._content.after(stream, start, count))

    # ── snapshots ──

    async def put(self, key: str, document: bytes, *, ttl_ms: int | None = None) -> None:
        await self._apply("put", key, lambda: self._content.set(key, document, ttl_ms, self._now()))

    async def get(self, key: str) -> bytes | None:
        return await self._apply("get", key, lambda: self._content.value(key, self._now()))

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return await self._apply(
            "get_many", " ".join(keys), lambda: [self._content.value(key, self._now()) for key in keys]
        )

    async def tell(self, news: Sequence[Record | Latest]) -> None:
        """One by one: each is a moment of its own at which the world may strike."""
        for each in news:
            match each:
                case Record(stream=stream, event_id=event_id, fields=fields):
                    await self.publish(stream, event_id, fields)
                case Latest(key=key, document=document, ttl_ms=ttl_ms):
                    await self.put(key, document, ttl_ms=ttl_ms)

    # ── locks ──

    async def acquire(self, key: str, token: str, ttl_ms: int) -> bool:
        return await self._apply("acquire", key, lambda: self._set_absent(key, token, ttl_ms) in (None, token))

    async def prolong(self, key: str, token: str, ttl_ms: int) -> bool:
        def apply() -> bool:
            ours = self._content.value(key, self._now()) == token.encode()
            if ours:
                self._content.set(key, token.encode(), ttl_ms, self._now())
            return ours

        return await self._apply("prolong", key, apply)

    async def release(self, key: str, token: str) -> None:
        def apply() -> None:
            if self._content.value(key, self._now()) == token.encode():
                self._content.delete(key)

        await self._apply("release", key, apply)

    async def remember(self, key: str, value: str, ttl_ms: int) -> str | None:
        return await self._apply("remember", key, lambda: self._set_absent(key, value, ttl_ms))

    # ── queues ──

    async def schedule(self, queue: str, due_ms: Mapping[str, Millis]) -> None:
        if due_ms:
            await self._apply("schedule", queue, lambda: self._content.queues.move(queue, due_ms))

    async def drop(self, queue: str, tasks: Sequence[str]) -> None:
        if tasks:
            await self._apply("drop", queue, lambda: self._content.queues.drop(queue, tasks))

    async def claim(self, queue: str, *, now_ms: Millis, until_ms: Millis, count: int) -> Sequence[Task]:
        def apply() -> list[Task]:
            due = self._content.queues.due(queue, now_ms, count)
            self._content.queues.move(queue, {task.name: until_ms for task in due})
            return due

        return await self._apply("claim", queue, apply)

    async def hand_back(self, queue: str, due_ms: Mapping[str, Millis], *, claimed_until_ms: Millis) -> int:
        queues = self._content.queues

        def apply() -> int:
            ours = {name: at for name, at in due_ms.items() if queues.moment(queue, name) == claimed_until_ms}
            queues.move(queue, ours)
            return len(ours)

        return await self._apply("hand_back", queue, apply) if due_ms else 0

    # ── tables ──

    async def lay(self, key: str, lines: Mapping[str, bytes], *, ttl_ms: int) -> Table:
        def apply() -> Table:
            now_ms = self._now()
            self._content.tables.lay(key, lines, Millis(now_ms + ttl_ms))
            return self._table(key)

        return await self._apply("lay", key, apply)

    async def lift(self, key: str, lines: Sequence[str]) -> None:
        if lines:
            await self._apply("lift", key, lambda: self._content.tables.lift(key, lines))

    async def table(self, key: str) -> Table:
        return await self._apply("table", key, lambda: self._table(key))

    # ── how ──

    def _tell_gone(self, operation: str, stream: str, group: str, gone: int) -> None:
        """Once; the same operation goes on behind them."""
        place = (operation, stream, group)
        if gone and place not in self._told_gone:
            self._told_gone.add(place)
            raise RecordsGone(stream, group, gone)
        self._told_gone.discard(place)

    def _table(self, key: str) -> Table:
        now_ms = self._now()
        return Table(snapshot=self._content.value(key, now_ms), lines=self._content.tables.standing(key, now_ms))

    def _now(self) -> Millis:
        return self._clock.now_ms()

    def _set_absent(self, key: str, value: str, ttl_ms: int) -> str | None:
        there = self._content.value(key, self._now())
        if there is not None:
            return there.decode()
        self._content.set(key, value.encode(), ttl_ms, self._now())
        return None

    async def _apply(self, operation: str, key: str, apply: Callable[[], T]) -> T:
        return await through(self.faults, DEADLINE_MS, operation, key, apply)

    async def _until_some(
        self, operation: str, stream: str, block_ms: int, look: Callable[[], list[Entry]]
    ) -> Sequence[Entry]:
        """Look, and look again at each arrival, until something is there or ``block_ms`` have passed."""
        try:
            async with asyncio.timeout(block_ms / 1000 if block_ms else None) as patience:
                while True:
                    arrival = self._arrivals.setdefault(stream, asyncio.Event())
                    found = await self._apply(operation, stream, look)
                    if found or not block_ms:
                        return found
                    await arrival.wait()
        except TimeoutError:
            if not patience.expired():
                raise
            return []
