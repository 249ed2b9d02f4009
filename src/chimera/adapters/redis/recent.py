"""What a bus has told of late, and what of it must be told again because the server may have lost it.

A Redis server answers before its file is written: with ``appendfsync everysec`` a write waits for a sync that is still
running, two seconds at most, and a kill takes what waits; a replica that takes over lacks what had not reached it. So
what was told is remembered for some seconds, counted back from the last call that its server answered (a quiet bus
hears late of a death), and told again, once and in its order, after each break and before anything else is written
there. A record that was not lost is known by its event id and changes nothing.

Each topic (a stream, or a key that shows a document) has a home: the server that takes it, one for all of them, or on a
Cluster its shard's master. A break is its home's alone, and a topic whose home has become another is told again there:
what is away holds up nothing elsewhere.

Invariants: a stream's order stays; of a key only the newest document counts, and one that is old is left, for its
writer may by now be another; what a server refuses holds up nothing but its own topic, and stays owed.

It does not know whether anything was lost, nor what another process has told.
"""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final, TypeAlias

import structlog
from redis.exceptions import ResponseError

from chimera.adapters.redis.patience import passes
from chimera.ports.streams import Latest, Record

KEEP_S: Final = 5.0  # one server: it holds back two seconds, and looks at what it holds ten times a second
KEEP_CLUSTER_S: Final = 60.0  # a master that is cut off takes writes for 15 s (Redis's own node time-out)
COUNT_MAX: Final = 5_000  # records of a stream, and keys
LATEST_S: Final = 30.0  # an older document of a key is not shown again
CHUNK: Final = 250  # records to a command, so that a server is never held up for long

Append: TypeAlias = Callable[[Sequence[Record]], Awaitable[int]]  # to one stream; how many it did not have
Show: TypeAlias = Callable[[Latest], Awaitable[object]]

_log = structlog.get_logger(__name__)


class Recent:
    """The memory of one bus."""

    def __init__(self, keep_s: float, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.now_s: Final = clock_s
        self._keep_s = keep_s
        self._records: dict[str, deque[tuple[float, Record]]] = {}  # by stream, each in its order
        self._latest: dict[str, tuple[float, Latest]] = {}  # by key, the one shown longest ago first
        self._homes: dict[str, str] = {}  # of all topics above
        self._owed: dict[str, None] = {}  # topics, in the order in which they are told again
        self._refused: set[str] = set()  # of these: those the server would not have
        self._breaks = 0
        self._servers: dict[str, str] = {}  # by address their run ids, another one at each start
        self._telling: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # by home

    @property
    def has_told(self) -> bool:
        """Whether there is anything that a server could lose."""
        return bool(self._homes)

    def showing(self, news: Iterable[Latest], home: str) -> None:
        """Documents about to be sent: two on their way at once, and the newer one is remembered."""
        for each in news:
            self._latest.pop(each.key, None)
            self._latest[each.key] = self.now_s(), each
            self._homes[each.key] = home
        while len(self._latest) > COUNT_MAX:
            self._drop(next(iter(self._latest)))

    def told(self, records: Iterable[Record], home: str, *, by: str | None = None) -> None:
        """Records that ``by`` has acknowledged; by now it may live elsewhere."""
        now_s = self.now_s()
        for each in records:
            if (of_it := self._records.get(each.stream)) is None:
                of_it = self._records[each.stream] = deque(maxlen=COUNT_MAX)
            of_it.append((now_s, each))
            self._homes[each.stream] = home
            if by is not None and by != home:
                self._owe(each.stream)

    def heard(self, asked_s: float, home: str) -> None:
        """A call that began at ``asked_s`` was answered: its server lived, and what was old then is safe there."""
        safe_s = asked_s - self._keep_s
        for stream, of_it in list(self._records.items()):
            if stream in self._owed or self._homes[stream] != home:
                continue
            while of_it and of_it[0][0] < safe_s:
                of_it.popleft()
            if not of_it:
                self._drop(stream)
        while self._latest and self._latest[key := next(iter(self._latest))][0] < safe_s and key not in self._owed:
            self._drop(key)

    def met(self, where: str, run_id: str) -> bool:
        """A connection was made to this server. False where it is another one: what was told is told again first."""
        first, known = where not in self._servers, self._servers.get(where)
        self._servers[where] = run_id
        if first or (known == run_id and run_id):
            return True
        self.broken(where)
        return not run_id or not self._owes_at(where)  # one that keeps its id to itself would never be met again

    def broken(self, home: str) -> None:
        """This server may have died, or another may stand in its place: all that lives there is owed."""
        self._breaks += 1
        self._refused.clear()
        for topic in (*self._records, *self._latest):
            if self._homes[topic] == home:
                self._owe(topic)

    def rehomed(self, where: Callable[[str], str]) -> None:
        """The map of slots has changed: what lives elsewhere now is owed there. ``where``: "" is not known."""
        for topic, former in list(self._homes.items()):
            now = where(topic)
            if now and now != former:
                self._homes[topic] = now
                self._breaks += 1
                self._refused.discard(topic)
                self._owe(topic)

    def owes(self, writing: Collection[str], home: str) -> bool:
        """Whether something is to be told again before a call that goes to ``home`` and writes to these topics."""
        return bool(self._owed) and any(True for _ in self._due(writing, home))

    async def retell(self, writing: Collection[str], home: str, append: Append, show: Show) -> None:
        """All that is owed there. Raises what the driver raises; a refusal only where ``writing`` is refused."""
        async with self._telling[home]:
            while self.owes(writing, home):
                for topic in list(self._due(writing, home)):
                    await self._retell_one(topic, writing, append, show)

    def _due(self, writing: Collection[str], home: str) -> Iterable[str]:
        return (
            topic
            for topic in self._owed
            if topic in writing or (topic not in self._refused and self._homes[topic] == home)
        )

    def _owes_at(self, home: str) -> bool:
        return any(self._homes[topic] == home for topic in self._owed)

    async def _retell_one(self, topic: str, writing: Collection[str], append: Append, show: Show) -> None:
        breaks, lost, shown = self._breaks, 0, self._latest.get(topic)
        try:
            if (latest := self._still_valid(topic)) is not None:
                await show(latest)
            for start in range(0, len(records := self._told_of(topic)), CHUNK):
                lost += await append(records[start : start + CHUNK])
        except ResponseError as error:
            if passes(error):
                raise
            if not self._refused:  # one for all of them: a server that is full refuses each
                _log.warning("redis.not_told_again", topic=topic, error=str(error))
            self._refused.add(topic)
            if topic in writing:
                raise
            return
        if lost:
            _log.warning("redis.lost_records_told_again", stream=topic, records=lost)
        self._told_again(topic, shown, latest)
        if breaks == self._breaks:
            self._owed.pop(topic, None)
            self._refused.discard(topic)

    def _told_of(self, stream: str) -> list[Record]:
        return [record for _, record in self._records.get(stream, ())]

    def _still_valid(self, key: str) -> Latest | None:
        since_s, latest = self._latest.get(key, (0.0, None))
        if latest is None:
            return None
        age_s = self.now_s() - since_s
        left_ms = None if latest.ttl_ms is None else latest.ttl_ms - round(age_s * 1000)
        return latest.but(ttl_ms=left_ms) if age_s <= LATEST_S and (left_ms is None or left_ms > 0) else None

    def _told_again(self, topic: str, shown: tuple[float, Latest] | None, latest: Latest | None) -> None:
        """It may be lost again: its seconds begin anew."""
        now_s = self.now_s()
        if topic in self._records:
            self._records[topic] = deque(((now_s, each) for each in self._told_of(topic)), maxlen=COUNT_MAX)
        if latest is not None and self._latest.get(topic) is shown:  # and not a newer one by now
            del self._latest[topic]
            self._latest[topic] = now_s, latest

    def _owe(self, topic: str) -> None:
        self._owed[topic] = None

    def _drop(self, topic: str) -> None:
        self._records.pop(topic, None)
        self._latest.pop(topic, None)
        self._owed.pop(topic, None)
        self._homes.pop(topic, None)
