"""What is told and shared: event streams with consumer groups, snapshots of the latest value and the lines beside
them, short locks, task lists.

Nothing here decides about money: a lost lock, record or task is found by the ledger. Every method may raise
``StoreUnavailable``; a write whose answer was lost may have happened, and every write here is safe to repeat.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from chimera.trading.money import HOUR_MS, Millis
from chimera.trading.value import Value

SEEN_MS: Final = HOUR_MS  # how long a stream remembers an event id


class Entry(Value):
    """One stream record: its id on the stream, its fields, and how often it was delivered."""

    id: str
    fields: dict[str, str]
    deliveries: int = 1


class Record(Value):
    """What is appended to a stream, once for each ``event_id``."""

    stream: str
    event_id: str
    fields: dict[str, str]


class Latest(Value):
    """What a key shows from now on."""

    key: str
    document: bytes
    ttl_ms: int | None = None


class Streams(Protocol):
    async def publish(self, stream: str, event_id: str, fields: Mapping[str, str]) -> None:
        """Append once: a repeated ``event_id`` within the stream's memory (``SEEN_MS``) changes nothing."""
        ...

    async def read(self, stream: str, group: str, consumer: str, *, count: int, block_ms: int) -> Sequence[Entry]:
        """New records for this consumer and, first, its own that were never acknowledged. Makes the group from 0.

        Raises ``RecordsGone`` once where records went by the stream's length before the group had them, or while this
        consumer had them: nothing is handed out before, and the same read asked again goes on behind them. Who dies
        in between is told again.
        """
        ...

    async def reclaim(self, stream: str, group: str, consumer: str, *, idle_ms: int, count: int) -> Sequence[Entry]:
        """Records that other consumers took and left unacknowledged for ``idle_ms``; ``RecordsGone`` as of ``read``."""
        ...

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> None: ...

    async def tail(self, stream: str, *, after: str, count: int, block_ms: int) -> Sequence[Entry]:
        """Without a group: records after an id ("$" = from now on, "0" = all), of those that are there."""
        ...


class Snapshots(Protocol):
    """The latest value under a key (``mkt:tick:BTCUSDT``), a JSON document."""

    async def put(self, key: str, document: bytes, *, ttl_ms: int | None = None) -> None: ...

    async def get(self, key: str) -> bytes | None: ...

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]: ...


class Locks(Protocol):
    """Short claims by owner token; efficiency, never correctness."""

    async def acquire(self, key: str, token: str, ttl_ms: int) -> bool:
        """True when we hold it (also when we already did under this token)."""
        ...

    async def prolong(self, key: str, token: str, ttl_ms: int) -> bool:
        """Have it last so long from now, where it is ours still; whether it is. Never takes it."""
        ...

    async def release(self, key: str, token: str) -> None:
        """Deletes it only if it is still ours."""
        ...

    async def remember(self, key: str, value: str, ttl_ms: int) -> str | None:
        """Set if absent; the value that was there before, or None when ours was set."""
        ...


class Task(Value):
    """What a queue holds: when it was due (UTC ms) and its name, one of its kind in a queue."""

    due_ms: Millis
    name: str


class Queues(Protocol):
    """Tasks by the moment at which they are due, shared by whoever works on them."""

    async def schedule(self, queue: str, due_ms: Mapping[str, Millis]) -> None:
        """Put each task in at its moment, or move it there, whoever has claimed it."""
        ...

    async def drop(self, queue: str, tasks: Sequence[str]) -> None: ...

    async def claim(self, queue: str, *, now_ms: Millis, until_ms: Millis, count: int) -> Sequence[Task]:
        """Tasks due at ``now_ms``, earliest first, each for one claimant: nobody else is given it before ``until_ms``.

        What is neither scheduled, dropped nor handed back by then is due again. A claim whose answer was lost holds its
        tasks until then, too.
        """
        ...

    async def hand_back(self, queue: str, due_ms: Mapping[str, Millis], *, claimed_until_ms: Millis) -> int:
        """Make claimed tasks due at their moments, all but those that somebody has moved or claimed since; how many."""
        ...


class Table(Value):
    """A snapshot and the lines that stand beside it, all of one moment."""

    snapshot: bytes | None
    lines: dict[str, bytes]


class Tables(Protocol):
    """Lines of several writers beside a snapshot. Each goes by itself ``ttl_ms`` after it was last laid."""

    async def lay(self, key: str, lines: Mapping[str, bytes], *, ttl_ms: int) -> Table:
        """Put each line there, or anew, and read the whole table in the same step.

        So of two writers one sees the other's line, and none sees lines older than the snapshot beside them.
        """
        ...

    async def lift(self, key: str, lines: Sequence[str]) -> None:
        """Take lines away; those that are not there are no fault."""
        ...

    async def table(self, key: str) -> Table:
        """All of it; changes nothing."""
        ...


class Bus(Streams, Snapshots, Locks, Queues, Tables, Protocol):
    """All of it, one store (Redis or Valkey)."""

    async def tell(self, news: Sequence[Record | Latest]) -> None:
        """All of it, as ``publish`` and ``put`` would; each stream and each key in the order given.

        ``StoreUnavailable``: some of it may be told. Nobody can say what, so all of it is told again.
        """
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
