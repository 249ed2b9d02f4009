"""How a call is made: to the home of its key, after what is owed there, until its deadline.

On one server everything has the same home; on a Cluster a key's is its shard's master, and what is away holds up only
what lives there. Whatever is told goes through here, because it is what may have to be told again (``recent``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import AskError, NoScriptError

from chimera.adapters.redis import scripts
from chimera.adapters.redis.clients import Client, Raw
from chimera.adapters.redis.cluster import ClusterClient
from chimera.adapters.redis.patience import FOREIGN, Try, is_break, until
from chimera.adapters.redis.recent import Recent
from chimera.adapters.redis.slots import beside
from chimera.ports.streams import SEEN_MS, Latest, Record
from chimera.trading.errors import StoreUnavailable

TOGETHER_MAX: Final = 16  # connections that one call for many keys may take at once
LOOK_ROUND_S: Final = 1.0  # a bus that is used and has told something asks each shard so often whether it lives

T = TypeVar("T")


class Calls:
    """Of one bus. ``home``: of everything, where there is one server."""

    def __init__(self, client: Client, recent: Recent, *, home: str, deadline_s: float, stream_max: int) -> None:
        self._client = client
        self._recent = recent
        self._home = home
        self._deadline_s = deadline_s
        self._stream_max = stream_max
        self._looking: asyncio.Task[None] | None = None
        self._looked_s = 0.0
        if isinstance(client, ClusterClient):
            client.mapped = lambda: recent.rehomed(client.where)

    def where(self, key: str) -> str:
        return self._client.where(key) if isinstance(self._client, ClusterClient) else self._home

    async def call(
        self, operation: str, key: str, once: Try[T], *, block_ms: int = 0, writing: Sequence[str] = ()
    ) -> T:
        """Its answer, once all that is owed there has been told again. ``writing``: the topics that it tells."""
        return await self._at(operation, lambda: self.where(key), once, block_ms=block_ms, writing=writing)

    async def ping(self) -> None:
        """Of a Cluster each shard: what is owed to one that has come back is told there, though nobody writes to it."""
        if not isinstance(client := self._client, ClusterClient):
            raw: Raw = client
            await self._at("ping", lambda: self._home, lambda _: raw.execute_command("PING"))
            return

        async def of_shard(slot: int) -> None:
            here = partial(client.where_slot, slot)
            await self._at("ping", here, lambda _: client.execute_command("PING", target_nodes=here()))

        await until(self._deadline_s, "ping", lambda _: client.initialize())
        await together(partial(of_shard, slot) for slot in client.shards())

    async def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    # ── what is told ──

    async def show(self, operation: str, latest: Latest) -> None:
        self._recent.showing([latest], self.where(latest.key))
        await self.call(operation, latest.key, lambda _: self._shown(latest), writing=(latest.key,))

    async def append(self, operation: str, records: Sequence[Record]) -> None:
        """To one stream."""
        stream = records[0].stream

        async def once(_: int) -> None:
            by = self.where(stream)
            await self._appended(records)
            self._recent.told(records, self.where(stream), by=by)

        await self.call(operation, stream, once, writing=(stream,))

    async def tell(self, shown: Mapping[str, Latest], streams: Mapping[str, Sequence[Record]]) -> None:
        """One command for each stream and each key; on one server all of them in one round trip."""
        client = self._client
        if len(shown) + len(streams) > 1 and isinstance(client, Redis):
            self._recent.showing(shown.values(), self._home)
            writing = (*shown, *streams)
            await self._at("tell", lambda: self._home, lambda _: self._at_once(client, shown, streams), writing=writing)
            for records in streams.values():
                self._recent.told(records, self._home)
            return
        showing = (partial(self.show, "tell", latest) for latest in shown.values())
        await together((*showing, *(partial(self.append, "tell", records) for records in streams.values())))

    async def _at_once(
        self, client: Redis, shown: Mapping[str, Latest], streams: Mapping[str, Sequence[Record]]
    ) -> None:
        async with client.pipeline(transaction=False) as line:
            for key, latest in shown.items():
                line.set(key, latest.document, px=latest.ttl_ms)
            for records in streams.values():
                line.execute_command(*scripts.PUBLISH_MANY.words(*self._appending(records)))
            answers = await line.execute(raise_on_error=False)
        for records, answer in zip(streams.values(), answers[len(shown) :], strict=True):
            if isinstance(answer, NoScriptError):  # a server that has just begun
                await scripts.PUBLISH_MANY.run(client, *self._appending(records))
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, NoScriptError):
                raise answer

    async def _shown(self, latest: Latest) -> None:
        await self._client.set(latest.key, latest.document, px=latest.ttl_ms)

    async def _appended(self, records: Sequence[Record]) -> int:
        """How many of them the stream had not."""
        return int(await scripts.PUBLISH_MANY.run(self._client, *self._appending(records)))

    def _appending(self, records: Sequence[Record]) -> tuple[Any, ...]:
        """Keys and arguments of the script. All records are one word: the client packs each word by itself, slowly."""
        stream = records[0].stream
        flat = [[record.event_id, *(word for pair in record.fields.items() for word in pair)] for record in records]
        return [stream, beside(stream, "seen")], SEEN_MS, self._stream_max, msgspec.json.encode(flat)

    # ── how ──

    async def _at(
        self,
        operation: str,
        home: Callable[[], str],
        once: Try[T],
        *,
        block_ms: int = 0,
        writing: Sequence[str] = (),
    ) -> T:
        recent = self._recent

        async def in_turn(tries: int) -> T:
            there = ""
            try:
                await self._client.initialize()
                there = home()
                while recent.owes(writing, there):
                    await recent.retell(writing, there, self._appended, self._shown)
                    await self._client.initialize()  # nobody moves the map between this and the sending
                    there = home()
                asked_s = recent.now_s()
                answer = await once(tries)
            except FOREIGN as error:
                if isinstance(error, AskError) and isinstance(self._client, Redis):
                    raise StoreUnavailable(f"{self._home} is one node of a Redis Cluster: name more of them") from error
                if is_break(error) and there:
                    recent.broken(there)
                raise
            recent.heard(asked_s, there)
            self._look_round(asked_s)
            return answer

        return await until(self._deadline_s + block_ms / 1000, operation, in_turn)

    def _look_round(self, now_s: float) -> None:
        """Beside a call: a shard whose master died after our last word to it hears it again, though nobody writes."""
        if not (isinstance(self._client, ClusterClient) and self._recent.has_told):
            return
        if now_s - self._looked_s >= LOOK_ROUND_S and (self._looking is None or self._looking.done()):
            self._looked_s = now_s
            self._looking = asyncio.create_task(self._ping_quietly(), name="redis-look-round")

    async def _ping_quietly(self) -> None:
        with suppress(StoreUnavailable):  # whoever calls there hears it
            await self.ping()


async def together(calls: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """All of them, some at a time, also where one fails; then the first failure is raised."""
    room = asyncio.Semaphore(TOGETHER_MAX)

    async def one(call: Callable[[], Awaitable[None]]) -> None:
        async with room:
            await call()

    ends = await asyncio.gather(*map(one, calls), return_exceptions=True)
    for end in ends:
        if isinstance(end, BaseException):
            raise end
