"""What a bus has told of late, and what of it must be told again because the server may have lost it.

A Redis server answers before its file is written: with ``appendfsync everysec`` a write waits for a sync that is still
running, two seconds at most, and a kill takes what waits; a replica that takes over lacks what had not reached it. So
what was told is remembered for some seconds, counted back from the last call that was answered (a quiet bus hears late
of a death), and told again, once and in its order, after each break and before anything else is written. A record that
was not lost is known by its event id and changes nothing.

Invariants: a stream's order stays; of a key only the newest document counts, and one that is old is left, for its
writer may by now be another; what a server refuses holds up nothing but its own stream, and stays owed.

It does not know whether anything was lost, nor what another process has told.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Final, TypeAlias

import structlog
from redis.exceptions import ResponseError

from chimera.adapters.redis.patience import passes
from chimera.ports.streams import Latest, Record

KEEP_S: Final = 5.0  # one server: it holds back two seconds, and looks at what it holds ten times a second
KEEP_CLUSTER_S: Final = 60.0  # a shard's answer says nothing of another's; a master cut off takes writes for 15 s
COUNT_MAX: Final = 5_000  # records of a stream, and keys
LATEST_S: Final = 30.0  # an older document of a key is not shown again
CHUNK: Final = 250  # records to a command, so that a server is never held up for long
KEYS: Final = ""  # stands among the streams for all keys; no stream is named so

Append: TypeAlias = Callable[[Sequence[Record]], Awaitable[int]]  # to one stream; how many it did not have
Show: TypeAlias = Callable[[Sequence[Latest]], Awaitable[object]]

_log = structlog.get_logger(__name__)


class Recent:
    """The memory of one bus."""

    def __init__(self, keep_s: float, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.now_s: Final = clock_s
        self._keep_s = keep_s
        self._records: dict[str, deque[tuple[float, Record]]] = {}  # by stream, each in its order
        self._latest: dict[str, tuple[float, Latest]] = {}  # by key, the one shown longest ago first
        self._owed: dict[str, None] = {}  # streams, in the order in which they are told again
        self._refused: set[str] = set()  # of these: those the server would not have
        self._breaks = 0
        self._servers: dict[str, str] = {}  # by address their run ids, another one at each start
        self._lock = asyncio.Lock()

    def showing(self, news: Iterable[Latest]) -> None:
        """Documents about to be sent: two on their way at once, and the newer one is remembered."""
        for each in news:
            self._latest.pop(each.key, None)
            self._latest[each.key] = self.now_s(), each
        while len(self._latest) > COUNT_MAX:
            del self._latest[next(iter(self._latest))]

    def told(self, records: Iterable[Record]) -> None:
        """Records that the server has acknowledged."""
        now_s = self.now_s()
        for each in records:
            if (of_it := self._records.get(each.stream)) is None:
                of_it = self._records[each.stream] = deque(maxlen=COUNT_MAX)
            of_it.append((now_s, each))

    def heard(self, asked_s: float) -> None:
        """A call that began at ``asked_s`` was answered: the server lived, and what was old then is safe."""
        if self._owed:
            return
        safe_s = asked_s - self._keep_s
        for stream, of_it in list(self._records.items()):
            while of_it and of_it[0][0] < safe_s:
                of_it.popleft()
            if not of_it:
                del self._records[stream]
        while self._latest and self._latest[key := next(iter(self._latest))][0] < safe_s:
            del self._latest[key]

    def met(self, where: str, run_id: str) -> bool:
        """A connection was made to this server. False where it is another one: what was told is told again first."""
        first, known = not self._servers, self._servers.get(where)
        self._servers[where] = run_id
        if first or (known == run_id and run_id):
            return True
        self.broken()
        return not run_id or not self._owed  # one that keeps its id to itself would never be met again

    def broken(self) -> None:
        """The server may have died, or another may stand in its place: all of it is owed."""
        self._breaks += 1
        self._refused.clear()
        self._owed |= dict.fromkeys(self._records)
        if self._latest:
            self._owed[KEYS] = None

    def owes(self, writing: Collection[str]) -> bool:
        """Whether something is to be told again before a call that writes to these streams."""
        return bool(self._owed) and any(stream in writing or stream not in self._refused for stream in self._owed)

    async def retell(self, writing: Collection[str], append: Append, show: Show) -> None:
        """All that is owed. Raises what the driver raises; a refusal only where ``writing`` is refused."""
        async with self._lock:
            while self.owes(writing):
                for stream in [each for each in self._owed if each in writing or each not in self._refused]:
                    await self._retell_one(stream, writing, append, show)

    async def _retell_one(self, stream: str, writing: Collection[str], append: Append, show: Show) -> None:
        breaks, lost = self._breaks, 0
        try:
            if stream == KEYS:
                self.showing(news := self._still_valid())  # what is told again may be lost again
                await show(news)
            else:
                records = [record for _, record in self._records.get(stream, ())]
                for start in range(0, len(records), CHUNK):
                    lost += await append(records[start : start + CHUNK])
                self.told([record for _, record in self._records.pop(stream, ())])
        except ResponseError as error:
            if passes(error):
                raise
            self._refused.add(stream)
            _log.warning("redis.not_told_again", stream=stream, error=str(error))
            if stream in writing:
                raise
            return
        if lost:
            _log.warning("redis.lost_records_told_again", stream=stream, records=lost)
        if breaks == self._breaks:
            del self._owed[stream]
            self._refused.discard(stream)

    def _still_valid(self) -> list[Latest]:
        now_s, found = self.now_s(), []
        for since_s, each in self._latest.values():
            age_s = now_s - since_s
            left_ms = None if each.ttl_ms is None else each.ttl_ms - round(age_s * 1000)
            if age_s <= LATEST_S and (left_ms is None or left_ms > 0):
                found.append(each.but(ttl_ms=left_ms))
        return found
