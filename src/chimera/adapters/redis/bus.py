"""The production bus on Redis or Valkey: one server today, a Cluster by more addresses, the same commands on both.

Invariants: every write may be applied twice without harm (appends carry a seen mark in the stream's own slot, locks
accept their own token); what must be atomic is one Lua script whose keys are declared and share a slot, never MULTI;
each call ends within its deadline in a value or ``StoreUnavailable``. Blocking reads have a client of their own, so
that a waiting reader never holds up a lock. What was told shortly before a server died is told again (``recent``).

It knows nothing of what the records say.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from chimera.adapters.redis import answers, clients, scripts
from chimera.adapters.redis.calls import Calls, together
from chimera.adapters.redis.recent import KEEP_CLUSTER_S, KEEP_S, Recent
from chimera.adapters.redis.slots import beside, by_slot
from chimera.ports.streams import Entry, Latest, Record, Table, Task
from chimera.trading.errors import RecordsGone
from chimera.trading.money import Millis

DEADLINE_MS: Final = Millis(2000)
STREAM_MAX: Final = 100_000  # records kept per stream, about
BLOCK_SLICE_MS: Final = 1000  # a longer wait is cut into these, so that a dead server is noticed


def connect(
    addresses: str | Sequence[str],
    *,
    cluster: bool | None = None,
    deadline_ms: Millis = DEADLINE_MS,
    stream_max: int = STREAM_MAX,
    keep_s: float | None = None,
) -> "RedisBus":
    """A bus on these addresses (a list, or text with commas); several make a Cluster unless ``cluster`` says.

    ``keep_s``: how long what was told is remembered, to be told again when the server has died; None takes what a
    server may lose.

    Opens nothing yet: a service starts while Redis is away, and ``ping`` tells. Raises ``ValueError`` on a bad address.
    """
    named = addresses.split(",") if isinstance(addresses, str) else list(addresses)
    wanted = [address.strip() for address in named if address.strip()]
    if not wanted:
        raise ValueError("no Redis address given")
    is_cluster = len(wanted) > 1 if cluster is None else cluster
    patient_s = BLOCK_SLICE_MS / 1000 + 1
    recent = Recent(keep_s if keep_s is not None else KEEP_CLUSTER_S if is_cluster else KEEP_S)
    client = clients.client(wanted, cluster=is_cluster, answer_s=clients.ANSWER_S, met=recent.met)
    home = clients.address_of(wanted[0]).name
    return RedisBus(
        client,
        clients.client(wanted, cluster=is_cluster, answer_s=patient_s, met=recent.met),
        Calls(client, recent, home=home, deadline_s=deadline_ms / 1000, stream_max=stream_max),
    )


class RedisBus:
    """``chimera.ports.streams.Bus``; made by ``connect``."""

    def __init__(self, client: clients.Client, blocking: clients.Client, calls: Calls) -> None:
        self._client = client
        self._blocking = blocking
        self._calls = calls
        self._told_gone: set[tuple[str, str, str]] = set()  # script, stream, group: the next one goes on behind it

    async def ping(self) -> None:
        await self._calls.ping()

    async def close(self) -> None:
        await self._calls.close()
        await self._client.aclose()
        await self._blocking.aclose()

    # ── streams ──

    async def publish(self, stream: str, event_id: str, fields: Mapping[str, str]) -> None:
        await self._calls.append("publish", [Record(stream=stream, event_id=event_id, fields=dict(fields))])

    async def read(self, stream: str, group: str, consumer: str, *, count: int, block_ms: int) -> Sequence[Entry]:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + block_ms / 1000
        while True:
            newest, entries = await self._read(stream, group, consumer, count)
            left_ms = round((end_s - loop.time()) * 1000)
            if entries or left_ms <= 0:
                return entries
            await self._arrival(stream, newest, min(left_ms, BLOCK_SLICE_MS))

    async def reclaim(self, stream: str, group: str, consumer: str, *, idle_ms: int, count: int) -> Sequence[Entry]:
        asked = (consumer, idle_ms, count)
        [found] = await self._but_gone(scripts.RECLAIM, stream, group, *asked)
        return answers.delivered(found)

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> None:
        if ids:
            await self._calls.call("ack", stream, lambda _: self._client.xack(stream, group, *ids))

    async def tail(self, stream: str, *, after: str, count: int, block_ms: int) -> Sequence[Entry]:
        start = await self._end(stream) if after == "$" else after  # a retry from "$" would skip what came meanwhile

        async def look(slice_ms: int) -> list[Entry]:
            async def once(_: int) -> Any:
                return await self._blocking.xread({stream: start}, count=count, block=slice_ms or None)

            return answers.records(await self._calls.call("tail", stream, once, block_ms=slice_ms))

        return await _until_some(look, block_ms)

    # ── snapshots ──

    async def put(self, key: str, document: bytes, *, ttl_ms: int | None = None) -> None:
        await self._calls.show("put", Latest(key=key, document=document, ttl_ms=ttl_ms))

    async def get(self, key: str) -> bytes | None:
        return answers.maybe_bytes(await self._calls.call("get", key, lambda _: self._client.get(key)))

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """One command for each slot; on one server, which has all of them, one for all."""
        raw: clients.Raw = self._client
        found: dict[str, bytes | None] = {}

        async def of_slot(group: Sequence[str]) -> None:
            values = await self._calls.call("get_many", group[0], lambda _: raw.execute_command("MGET", *group))
            found.update(zip(group, values, strict=True))

        wanted = list(dict.fromkeys(keys))
        if wanted and isinstance(self._client, Redis):
            await of_slot(wanted)
        else:
            await together(partial(of_slot, group) for group in by_slot(wanted))
        return [found[key] for key in keys]

    # ── both ──

    async def tell(self, news: Sequence[Record | Latest]) -> None:
        shown = {each.key: each for each in news if isinstance(each, Latest)}  # the newest of each key
        streams: dict[str, list[Record]] = {}
        for each in news:
            if isinstance(each, Record):
                streams.setdefault(each.stream, []).append(each)
        await self._calls.tell(shown, streams)

    # ── locks ──

    async def acquire(self, key: str, token: str, ttl_ms: int) -> bool:
        there = await self._calls.call("acquire", key, lambda _: self._set_absent(key, token, ttl_ms))
        return there is None or there == token.encode()

    async def prolong(self, key: str, token: str, ttl_ms: int) -> bool:
        kept = await self._calls.call("prolong", key, lambda _: scripts.PROLONG.run(self._client, [key], token, ttl_ms))
        return bool(kept)

    async def release(self, key: str, token: str) -> None:
        await self._calls.call("release", key, lambda _: scripts.RELEASE.run(self._client, [key], token))

    async def remember(self, key: str, value: str, ttl_ms: int) -> str | None:
        async def once(tries: int) -> bytes | None:
            there = await self._set_absent(key, value, ttl_ms)
            return None if tries and there == value.encode() else there  # the lost try before this one was ours

        there = await self._calls.call("remember", key, once)
        return None if there is None else there.decode()

    # ── queues ──

    async def schedule(self, queue: str, due_ms: Mapping[str, Millis]) -> None:
        if due_ms:
            await self._calls.call("schedule", queue, lambda _: self._client.zadd(queue, dict(due_ms)))

    async def drop(self, queue: str, tasks: Sequence[str]) -> None:
        if tasks:
            await self._calls.call("drop", queue, lambda _: self._client.zrem(queue, *tasks))

    async def claim(self, queue: str, *, now_ms: Millis, until_ms: Millis, count: int) -> Sequence[Task]:
        found = await self._calls.call(
            "claim", queue, lambda _: scripts.CLAIM_DUE.run(self._client, [queue], now_ms, until_ms, count)
        )
        pairs = zip(found[::2], found[1::2], strict=True)  # a score is a double: whole milliseconds are exact in it
        return [Task(due_ms=Millis(int(float(due_ms))), name=name.decode()) for name, due_ms in pairs]

    async def hand_back(self, queue: str, due_ms: Mapping[str, Millis], *, claimed_until_ms: Millis) -> int:
        if not due_ms:
            return 0
        words = [word for pair in due_ms.items() for word in pair]
        told = await self._calls.call(
            "hand_back", queue, lambda _: scripts.HAND_BACK.run(self._client, [queue], claimed_until_ms, *words)
        )
        return int(told)

    # ── tables ──

    async def lay(self, key: str, lines: Mapping[str, bytes], *, ttl_ms: int) -> Table:
        words = [word for pair in lines.items() for word in pair]
        keys = [beside(key, "lines"), key]
        snapshot, flat = await self._calls.call(
            "lay", key, lambda _: scripts.LAY.run(self._client, keys, ttl_ms, *words)
        )
        found = {name.decode(): bytes(line) for name, line in zip(flat[::2], flat[1::2], strict=True)}
        return Table(snapshot=answers.maybe_bytes(snapshot), lines=found)

    async def lift(self, key: str, lines: Sequence[str]) -> None:
        if lines:
            await self._calls.call("lift", key, lambda _: self._client.hdel(beside(key, "lines"), *lines))

    async def table(self, key: str) -> Table:
        return await self.lay(key, {}, ttl_ms=0)

    # ── how ──

    async def _set_absent(self, key: str, value: str, ttl_ms: int) -> bytes | None:
        """What was there, or None. Through ``set``: a raw SET .. GET has its answer turned into a truth value."""
        return answers.maybe_bytes(await self._client.set(key, value, px=ttl_ms, nx=True, get=True))

    async def _read(self, stream: str, group: str, consumer: str, count: int) -> tuple[str, list[Entry]]:
        """The newest id of the stream, and what is there for us now."""
        newest, found = await self._but_gone(scripts.READ, stream, group, consumer, count)
        return newest.decode(), answers.delivered(found)

    async def _but_gone(self, script: scripts.Script, stream: str, group: str, *asked: str | int) -> Any:
        """What the script hands out; raises ``RecordsGone`` where it tells of that first, once."""
        place = (script.name, stream, group)
        told = int(place in self._told_gone)

        async def once(_: int) -> Any:
            return await script.run(self._client, [stream], group, *asked, told)

        gone, *found = await self._calls.call(script.name.partition("_")[0], stream, once)
        if gone:
            self._told_gone.add(place)
            raise RecordsGone(stream, group, gone)
        self._told_gone.discard(place)
        return found

    async def _arrival(self, stream: str, newest: str, wait_ms: int) -> None:
        """Until there is a record after ``newest``, or so long."""

        async def once(_: int) -> Any:
            return await self._blocking.xread({stream: newest}, count=1, block=wait_ms)

        await self._calls.call("read", stream, once, block_ms=wait_ms)

    async def _end(self, stream: str) -> str:
        """The id of the last record ever appended."""

        async def once(_: int) -> str:
            try:
                told: Any = await self._client.xinfo_stream(stream)
            except ResponseError as error:
                if "no such key" in str(error):
                    return "0-0"
                raise
            return str(told["last-generated-id"], "ascii")

        return await self._calls.call("tail", stream, once)


async def _until_some(look: Any, block_ms: int) -> list[Entry]:
    """Look in slices until something is there or ``block_ms`` have passed; 0 looks once and does not wait."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + block_ms / 1000
    while True:
        left_ms = round((end_s - loop.time()) * 1000)
        found: list[Entry] = await look(max(min(left_ms, BLOCK_SLICE_MS), 0))
        if found or loop.time() >= end_s:
            return found
