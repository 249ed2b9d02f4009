"""What is told and shared: event streams with consumer groups, snapshots of the latest value, and short locks.

Nothing here decides about money: a lost lock or record is found by the ledger. Every method may raise
``StoreUnavailable``; a write whose answer was lost may have happened, and every write here is safe to repeat.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from chimera.trading.value import Value


class Entry(Value):
    """One stream record: its id on the stream, its fields, and how often it was delivered."""

    id: str
    fields: dict[str, str]
    deliveries: int = 1


class Streams(Protocol):
    async def publish(self, stream: str, event_id: str, fields: Mapping[str, str]) -> None:
        """Append once: a repeated ``event_id`` within the stream's memory (an hour) changes nothing."""
        ...

    async def read(self, stream: str, group: str, consumer: str, *, count: int, block_ms: int) -> Sequence[Entry]:
        """New records for this consumer and, first, its own that were never acknowledged. Makes the group from 0."""
        ...

    async def reclaim(self, stream: str, group: str, consumer: str, *, idle_ms: int, count: int) -> Sequence[Entry]:
        """Records that other consumers took and left unacknowledged for ``idle_ms``."""
        ...

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> None: ...

    async def tail(self, stream: str, *, after: str, count: int, block_ms: int) -> Sequence[Entry]:
        """Without a group: records after an id ("$" = from now on, "0" = all)."""
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

    async def release(self, key: str, token: str) -> None:
        """Deletes it only if it is still ours."""
        ...

    async def remember(self, key: str, value: str, ttl_ms: int) -> str | None:
        """Set if absent; the value that was there before, or None when ours was set."""
        ...

    async def overwrite(self, key: str, value: str, ttl_ms: int) -> None: ...


class Bus(Streams, Snapshots, Locks, Protocol):
    """All of it, one store (Redis or Valkey)."""

    async def ping(self) -> None: ...

    async def close(self) -> None: ...
