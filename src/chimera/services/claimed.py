"""The bus as S4 and S3 use it: only while its database is claimed for our account (``apart`` of each).

Before that, and while it is another's, each call fails as if Redis were away, and they do what they do then: S4's stops
and exits go on, news waits in the outboxes, prices come from the venue; S3 decides nothing. So nothing of the other
account is overwritten, taken or answered, and what it would not hear of ours (two accounts' events have the same names)
is not lost. Only ``ping`` goes through: it says whether there is a Redis.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from chimera.ports.streams import Bus, Entry, Latest, Record, Table, Task
from chimera.trading.errors import StoreUnavailable
from chimera.trading.money import Millis

WHY: Final = "another account's S4 uses this Redis database: each needs its own"
PATIENCE_S: Final = 1.0


class NotClaimed(StoreUnavailable):
    """Redis answers, and what is in it is not ours, or nobody knows yet whose it is."""


class ClaimedBus:
    """``chimera.ports.streams.Bus``."""

    def __init__(self, bus: Bus, *, patience_s: float = PATIENCE_S) -> None:
        """``patience_s``: how long a call waits at a start, where nobody knows yet whose it is."""
        self._bus = bus
        self._patience_s = patience_s
        self._known = asyncio.Event()
        self._why: str | None = "nobody knows yet whose account uses this Redis database"

    def level(self, why: str | None) -> None:
        """It is not ours for this reason; None: it is."""
        self._why = why
        self._known.set()

    async def _ours(self) -> Bus:
        if not self._known.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience_s):
                    await self._known.wait()
        if self._why is not None:
            raise NotClaimed(self._why)
        return self._bus

    async def ping(self) -> None:
        await self._bus.ping()

    async def close(self) -> None:
        await self._bus.close()

    # ── streams ──

    async def publish(self, stream: str, event_id: str, fields: Mapping[str, str]) -> None:
        await (await self._ours()).publish(stream, event_id, fields)

    async def tell(self, news: Sequence[Record | Latest]) -> None:
        await (await self._ours()).tell(news)

    async def read(self, stream: str, group: str, consumer: str, *, count: int, block_ms: int) -> Sequence[Entry]:
        return await (await self._ours()).read(stream, group, consumer, count=count, block_ms=block_ms)

    async def reclaim(self, stream: str, group: str, consumer: str, *, idle_ms: int, count: int) -> Sequence[Entry]:
        return await (await self._ours()).reclaim(stream, group, consumer, idle_ms=idle_ms, count=count)

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> None:
        await (await self._ours()).ack(stream, group, ids)

    async def tail(self, stream: str, *, after: str, count: int, block_ms: int) -> Sequence[Entry]:
        return await (await self._ours()).tail(stream, after=after, count=count, block_ms=block_ms)

    # ── snapshots ──

    async def put(self, key: str, document: bytes, *, ttl_ms: int | None = None) -> None:
        await (await self._ours()).put(key, document, ttl_ms=ttl_ms)

    async def get(self, key: str) -> bytes | None:
        return await (await self._ours()).get(key)

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        return await (await self._ours()).get_many(keys)

    # ── locks ──

    async def acquire(self, key: str, token: str, ttl_ms: int) -> bool:
        return await (await self._ours()).acquire(key, token, ttl_ms)

    async def prolong(self, key: str, token: str, ttl_ms: int) -> bool:
        return await (await self._ours()).prolong(key, token, ttl_ms)

    async def release(self, key: str, token: str) -> None:
        await (await self._ours()).release(key, token)

    async def remember(self, key: str, value: str, ttl_ms: int) -> str | None:
        return await (await self._ours()).remember(key, value, ttl_ms)

    # ── queues ──

    async def schedule(self, queue: str, due_ms: Mapping[str, Millis]) -> None:
        await (await self._ours()).schedule(queue, due_ms)

    async def drop(self, queue: str, tasks: Sequence[str]) -> None:
        await (await self._ours()).drop(queue, tasks)

    async def claim(self, queue: str, *, now_ms: Millis, until_ms: Millis, count: int) -> Sequence[Task]:
        return await (await self._ours()).claim(queue, now_ms=now_ms, until_ms=until_ms, count=count)

    async def hand_back(self, queue: str, due_ms: Mapping[str, Millis], *, claimed_until_ms: Millis) -> int:
        return await (await self._ours()).hand_back(queue, due_ms, claimed_until_ms=claimed_until_ms)

    # ── tables ──

    async def lay(self, key: str, lines: Mapping[str, bytes], *, ttl_ms: int) -> Table:
        return await (await self._ours()).lay(key, lines, ttl_ms=ttl_ms)

    async def lift(self, key: str, lines: Sequence[str]) -> None:
        await (await self._ours()).lift(key, lines)

    async def table(self, key: str) -> Table:
        return await (await self._ours()).table(key)
