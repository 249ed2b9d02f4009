"""The production bus on Redis or Valkey: one server today, a Cluster by more addresses, the same commands on both.

Invariants: every write may be applied twice without harm (appends carry a seen mark in the stream's own slot, locks
accept their own token); what must be atomic is one Lua script whose keys are declared and share a slot, never MULTI;
each call ends within its deadline in a value or ``StoreUnavailable``. Blocking reads have a client of their own, so
that a waiting reader never holds up a lock. What was told shortly before a server died is told again (``recent``).

It knows nothing of what the records say.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, Final, TypeVar

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError, ResponseError

from chimera.adapters.redis import clients
from chimera.adapters.redis.patience import FOREIGN, Try, is_break, until
from chimera.adapters.redis.recent import KEEP_CLUSTER_S, KEEP_S, KEYS, Recent
from chimera.adapters.redis.slots import beside, by_slot, same_slot
from chimera.ports.streams import Entry, Latest, Record, Table, Task
from chimera.trading.money import Millis

DEADLINE_MS: Final = Millis(2000)
SEEN_MS: Final = 3_600_000  # how long a stream remembers an event id
STREAM_MAX: Final = 100_000  # records kept per stream, about
TOGETHER_MAX: Final = 16  # connections that one call for many keys may take at once
BLOCK_SLICE_MS: Final = 1000  # a longer wait is cut into these, so that a dead server is noticed

T = TypeVar("T")
Reader = tuple[str, str, str]  # stream, group, consumer


class _Script:
    """A Lua file beside this one, sent by its digest and in full where a server has not seen it."""

    def __init__(self, name: str) -> None:
        self.text = files(__package__).joinpath("lua", f"{name}.lua").read_text("ascii")
        self.digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: clients.Client, keys: Sequence[str], *arguments: str | int | bytes) -> Any:
        try:
            return await client.execute_command(*self.words(keys, *arguments))
        except NoScriptError:
            return await client.execute_command("EVAL", self.text, len(keys), *keys, *arguments)

    def words(self, keys: Sequence[str], *arguments: str | int | bytes) -> tuple[str | int | bytes, ...]:
        """The command that runs it where it has been seen."""
        return ("EVALSHA", self.digest, len(keys), *same_slot(keys), *arguments)


_PUBLISH_MANY: Final = _Script("publish_many_v2")
_OWN: Final = _Script("own_v1")
_RECLAIM: Final = _Script("reclaim_v1")
_RELEASE: Final = _Script("release_v1")
_CLAIM_DUE: Final = _Script("claim_due_v1")
_HAND_BACK: Final = _Script("hand_back_v1")
_LAY: Final = _Script("lay_v1")


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
    return RedisBus(
        clients.client(wanted, cluster=is_cluster, answer_s=clients.ANSWER_S, met=recent.met),
        clients.client(wanted, cluster=is_cluster, answer_s=patient_s, met=recent.met),
        recent,
        deadline_ms=deadline_ms,
        stream_max=stream_max,
    )


class RedisBus:
    """``chimera.ports.streams.Bus``; made by ``connect``."""

    def __init__(
        self, client: clients.Client, blocking: clients.Client, recent: Recent, *, deadline_ms: Millis, stream_max: int
    ) -> None:
        self._client = client
        self._blocking = blocking
        self._recent = recent
        self._deadline_s = deadline_ms / 1000
        self._stream_max = stream_max
        self._owed: dict[Reader, set[str]] = {}  # handed out and not acknowledged; absent = not known

    async def ping(self) -> None:
        await self._call("ping", lambda _: self._client.execute_command("PING"))

    async def close(self) -> None:
        await self._client.aclose()
        await self._blocking.aclose()

    # ── streams ──

    async def publish(self, stream: str, event_id: str, fields: Mapping[str, str]) -> None:
        await self._append("publish", [Record(stream=stream, event_id=event_id, fields=dict(fields))])

    async def read(self, stream: str, group: str, consumer: str, *, count: int, block_ms: int) -> Sequence[Entry]:
        reader = (stream, group, consumer)
        owed = [] if self._owed.get(reader) == set() else await self._own(reader, count)
        if len(owed) >= count:
            return owed
        self._owed.pop(reader, None)  # if this read is cut off, the server may have handed out what we never saw
        new, sure = await self._new(reader, count - len(owed), 0 if owed else block_ms)
        entries = owed + new
        if sure:
            self._owed[reader] = {entry.id for entry in entries}
        return entries

    async def reclaim(self, stream: str, group: str, consumer: str, *, idle_ms: int, count: int) -> Sequence[Entry]:
        self._owed.pop((stream, group, consumer), None)
        found = await self._call(
            "reclaim", lambda _: _RECLAIM.run(self._client, [stream], group, consumer, idle_ms, count)
        )
        return _delivered(found)

    async def ack(self, stream: str, group: str, ids: Sequence[str]) -> None:
        if not ids:
            return
        await self._call("ack", lambda _: self._client.xack(stream, group, *ids))
        for (its_stream, its_group, _), owed in self._owed.items():
            if (its_stream, its_group) == (stream, group):
                owed.difference_update(ids)

    async def tail(self, stream: str, *, after: str, count: int, block_ms: int) -> Sequence[Entry]:
        start = await self._end(stream) if after == "$" else after  # a retry from "$" would skip what came meanwhile

        async def look(slice_ms: int) -> list[Entry]:
            block = slice_ms or None
            return _records(
                await self._call(
                    "tail", lambda _: self._blocking.xread({stream: start}, count=count, block=block), slice_ms
                )
            )

        return await _until_some(look, block_ms)

    # ── snapshots ──

    async def put(self, key: str, document: bytes, *, ttl_ms: int | None = None) -> None:
        self._recent.showing([Latest(key=key, document=document, ttl_ms=ttl_ms)])
        await self._call("put", lambda _: self._client.set(key, document, px=ttl_ms), writing=(KEYS,))

    async def get(self, key: str) -> bytes | None:
        return _maybe_bytes(await self._call("get", lambda _: self._client.get(key)))

    async def get_many(self, keys: Sequence[str]) -> Sequence[bytes | None]:
        """One command for each slot; on one server, which has all of them, one for all."""
        found: dict[str, bytes | None] = {}

        async def together(group: Sequence[str]) -> None:
            values = await self._call("get_many", lambda _: self._client.execute_command("MGET", *group))
            found.update(zip(group, values, strict=True))

        wanted = list(dict.fromkeys(keys))
        if wanted and isinstance(self._client, Redis):
            await together(wanted)
            return [found[key] for key in keys]
        groups = by_slot(wanted)
        for start in range(0, len(groups), TOGETHER_MAX):
            await asyncio.gather(*map(together, groups[start : start + TOGETHER_MAX]))
        return [found[key] for key in keys]

    # ── both ──

    async def tell(self, news: Sequence[Record | Latest]) -> None:
        """One command for each stream and each key; on one server all of them in one round trip."""
        shown = {each.key: each for each in news if isinstance(each, Latest)}  # the newest of each key
        streams: dict[str, list[Record]] = {}
        for each in news:
            if isinstance(each, Record):
                streams.setdefault(each.stream, []).append(each)
        if len(shown) + len(streams) > 1 and isinstance(self._client, Redis):
            client, writing = self._client, (KEYS, *streams) if shown else tuple(streams)
            self._recent.showing(shown.values())
            await self._call("tell", lambda _: self._told_at_once(client, shown, streams), writing=writing)
            for records in streams.values():
                self._recent.told(records)
            return
        for key, latest in shown.items():
            await self.put(key, latest.document, ttl_ms=latest.ttl_ms)
        for records in streams.values():
            await self._append("tell", records)

    async def _told_at_once(
        self, client: clients.Client, shown: Mapping[str, Latest], streams: Mapping[str, list[Record]]
    ) -> None:
        async with client.pipeline(transaction=False) as line:
            for key, latest in shown.items():
                line.set(key, latest.document, px=latest.ttl_ms)
            for records in streams.values():
                line.execute_command(*_PUBLISH_MANY.words(*self._appending(records)))
            answers = await line.execute(raise_on_error=False)
        for records, answer in zip(streams.values(), answers[len(shown) :], strict=True):
            if isinstance(answer, NoScriptError):  # a server that has just begun
                await _PUBLISH_MANY.run(client, *self._appending(records))
        for answer in answers:
            if isinstance(answer, Exception) and not isinstance(answer, NoScriptError):
                raise answer

    async def _append(self, operation: str, records: Sequence[Record]) -> None:
        """To one stream."""
        await self._call(operation, lambda _: self._appended(records), writing=(records[0].stream,))
        self._recent.told(records)

    async def _appended(self, records: Sequence[Record]) -> int:
        """How many of them the stream had not."""
        return int(await _PUBLISH_MANY.run(self._client, *self._appending(records)))

    async def _show(self, news: Sequence[Latest]) -> None:
        """Once more; one after the other, for each may lie on another shard."""
        for each in news:
            await self._client.set(each.key, each.document, px=each.ttl_ms)

    def _appending(self, records: Sequence[Record]) -> tuple[Any, ...]:
        """Keys and arguments of the script. All records are one word: the client packs each word by itself, slowly."""
        stream = records[0].stream
        flat = [[word for pair in record.fields.items() for word in pair] for record in records]
        keys = [stream, *(beside(stream, f"seen:{record.event_id}") for record in records)]
        return keys, SEEN_MS, self._stream_max, msgspec.json.encode(flat)

    # ── locks ──

    async def acquire(self, key: str, token: str, ttl_ms: int) -> bool:
        there = await self._call("acquire", lambda _: self._set_absent(key, token, ttl_ms))
        return there is None or there == token.encode()

    async def release(self, key: str, token: str) -> None:
        await self._call("release", lambda _: _RELEASE.run(self._client, [key], token))

    async def remember(self, key: str, value: str, ttl_ms: int) -> str | None:
        async def once(tries: int) -> bytes | None:
            there = await self._set_absent(key, value, ttl_ms)
            return None if tries and there == value.encode() else there  # the lost try before this one was ours

        there = await self._call("remember", once)
        return None if there is None else there.decode()

    # ── queues ──

    async def schedule(self, queue: str, due_ms: Mapping[str, Millis]) -> None:
        if due_ms:
            await self._call("schedule", lambda _: self._client.zadd(queue, dict(due_ms)))

    async def drop(self, queue: str, tasks: Sequence[str]) -> None:
        if tasks:
            await self._call("drop", lambda _: self._client.zrem(queue, *tasks))

    async def claim(self, queue: str, *, now_ms: Millis, until_ms: Millis, count: int) -> Sequence[Task]:
        found = await self._call("claim", lambda _: _CLAIM_DUE.run(self._client, [queue], now_ms, until_ms, count))
        pairs = zip(found[::2], found[1::2], strict=True)  # a score is a double: whole milliseconds are exact in it
        return [Task(due_ms=Millis(int(float(due_ms))), name=name.decode()) for name, due_ms in pairs]

    async def hand_back(self, queue: str, due_ms: Mapping[str, Millis], *, claimed_until_ms: Millis) -> int:
        if not due_ms:
            return 0
        words = [word for pair in due_ms.items() for word in pair]
        told = await self._call("hand_back", lambda _: _HAND_BACK.run(self._client, [queue], claimed_until_ms, *words))
        return int(told)

    # ── tables ──

    async def lay(self, key: str, lines: Mapping[str, bytes], *, ttl_ms: int) -> Table:
        words = [word for pair in lines.items() for word in pair]
        keys = [beside(key, "lines"), key]
        snapshot, flat = await self._call("lay", lambda _: _LAY.run(self._client, keys, ttl_ms, *words))
        found = {name.decode(): bytes(line) for name, line in zip(flat[::2], flat[1::2], strict=True)}
        return Table(snapshot=_maybe_bytes(snapshot), lines=found)

    async def lift(self, key: str, lines: Sequence[str]) -> None:
        if lines:
            await self._call("lift", lambda _: self._client.hdel(beside(key, "lines"), *lines))

    async def table(self, key: str) -> Table:
        return await self.lay(key, {}, ttl_ms=0)

    # ── how ──

    async def _call(self, operation: str, once: Try[T], block_ms: int = 0, *, writing: Sequence[str] = ()) -> T:
        """Its answer, once all that is owed has been told again. ``writing``: the streams (or KEYS) it writes to."""
        recent = self._recent

        async def in_turn(tries: int) -> T:
            try:
                if recent.owes(writing):
                    await recent.retell(writing, self._appended, self._show)
                asked_s = recent.now_s()
                answer = await once(tries)
            except FOREIGN as error:
                if is_break(error):
                    recent.broken()
                raise
            recent.heard(asked_s)
            return answer

        return await until(self._deadline_s + block_ms / 1000, operation, in_turn)

    async def _set_absent(self, key: str, value: str, ttl_ms: int) -> bytes | None:
        """What was there, or None. Through ``set``: a raw SET .. GET has its answer turned into a truth value."""
        return _maybe_bytes(await self._client.set(key, value, px=ttl_ms, nx=True, get=True))

    async def _own(self, reader: Reader, count: int) -> list[Entry]:
        stream, group, consumer = reader
        return _delivered(await self._call("read", lambda _: _OWN.run(self._client, [stream], group, consumer, count)))

    async def _new(self, reader: Reader, count: int, block_ms: int) -> tuple[list[Entry], bool]:
        """Records nobody took; False when a try was lost, and records may have been handed to us unseen."""
        stream, group, consumer = reader
        sure = True

        async def look(slice_ms: int) -> list[Entry]:
            async def once(tries: int) -> Any:
                nonlocal sure
                sure = sure and tries == 0
                try:
                    return await self._blocking.xreadgroup(
                        group, consumer, {stream: ">"}, count=count, block=slice_ms or None
                    )
                except ResponseError as error:
                    if not str(error).startswith("NOGROUP"):
                        raise
                    await _OWN.run(self._client, [stream], group, consumer, 1)  # the stream was lost: make both again
                    return []

            return _records(await self._call("read", once, slice_ms))

        return await _until_some(look, block_ms), sure

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

        return await self._call("tail", once)


async def _until_some(look: Any, block_ms: int) -> list[Entry]:
    """Look in slices until something is there or ``block_ms`` have passed; 0 looks once and does not wait."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + block_ms / 1000
    while True:
        left_ms = round((end_s - loop.time()) * 1000)
        found: list[Entry] = await look(max(min(left_ms, BLOCK_SLICE_MS), 0))
        if found or loop.time() >= end_s:
            return found


def _delivered(found: Any) -> list[Entry]:
    """Answers of our scripts: id, deliveries, flat fields."""
    return [
        Entry(id=entry.decode(), deliveries=int(deliveries), fields=_fields(zip(flat[::2], flat[1::2], strict=True)))
        for entry, deliveries, flat in found
    ]


def _records(found: Any) -> list[Entry]:
    """Answers of XREAD and XREADGROUP in RESP2: one stream, its records."""
    if not found:
        return []
    [(_, records)] = found
    return [Entry(id=entry.decode(), fields=_fields(fields.items())) for entry, fields in records]


def _fields(pairs: Any) -> dict[str, str]:
    """Others write streams, too: bytes that are no text are kept as surrogates, and hold up no reader."""
    return {name.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape") for name, value in pairs}


def _maybe_bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
