"""The ledger on one machine: SQLite, one writer thread, group commit.

Invariants: every write is on the disk before it returns, except rows of ``RELAXED`` collections and claims: they
survive the death of the process, and may lose the last moments to a power cut, but nothing of before a durable write;
no write spans two rows; only the newest fence saves. Each call ends within ``deadline_ms`` or raises
``StoreUnavailable``, and then the outcome of a write is unknown.

It does not know what the documents mean. How they look is ``wire.codec``'s; how the file looks is ``schema``'s.
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import msgspec

from chimera.adapters.embedded import schema
from chimera.adapters.embedded.leases import LeaseFile
from chimera.adapters.embedded.lock import ProcessLock
from chimera.adapters.embedded.writer import Write, Writer
from chimera.ports.ledger import Claim, Row, Stored
from chimera.trading.errors import NewerSchema, StaleWriter, StoreUnavailable
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey
from chimera.trading.money import Millis
from chimera.wire import codec
from chimera.wire.keys import RELAXED

DEADLINE_MS: Final = Millis(2000)

T = TypeVar("T")


class SqliteLedger:
    """``chimera.ports.ledger.Ledger`` in a file. ``await SqliteLedger.open(path)``, ``await ledger.close()``."""

    def __init__(self, path: Path, lock: ProcessLock, writer: Writer, reader: sqlite3.Connection, deadline: Millis):
        self.path = path
        self._leases = LeaseFile(path.with_name(path.name + ".leases"))
        self.take, self.renew, self.release = self._leases.take, self._leases.renew, self._leases.release
        self._lock = lock
        self._writer = writer
        self._reader = reader
        self._reading = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-reader")
        self._deadline_ms = deadline
        self._closed = False

    @classmethod
    async def open(cls, path: Path, *, deadline_ms: Millis = DEADLINE_MS, shared: bool = False) -> Self:
        """Open or create the file. Raises ``StoreUnavailable`` (in use, damaged, not ours) or ``NewerSchema``.

        ``shared``: other processes of this machine open it so, too; who of them acts is a matter of leases.
        """
        lock = ProcessLock.take(path.with_name(path.name + ".lock"), guards=f"the ledger {path}", shared=shared)
        try:
            connection = await asyncio.to_thread(schema.connect_writer, path, shared=shared)
            reader = schema.connect_reader(path)
        except BaseException:  # cancelled, too: nobody else would release the lock
            lock.release()
            raise
        return cls(path, lock, Writer(connection, path), reader, deadline_ms)

    async def close(self) -> None:
        """Commit what waits and let go of the file. Raises ``StoreUnavailable`` if the disk does not come back."""
        if self._closed:
            return
        self._closed = True
        self._reading.shutdown(wait=False)
        for closing in (self._reader_closed(), self._writer.close(), self._leases.close()):
            await self._within(asyncio.ensure_future(closing), "close")
        self._lock.release()

    async def ping(self) -> None:
        beat = "INSERT INTO heartbeat VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET beats = beats + 1"
        await self._write("ping", lambda db: _changed(db, beat), durable=True)

    # ── holdings ──

    async def fence(self, key: PositionKey, owner: str) -> int:
        return await self._write("fence", lambda db: _fence(db, _key(key), owner), durable=True)

    async def load(self, key: PositionKey) -> Stored | None:
        select = "SELECT body, rev FROM holdings WHERE key = ? AND body IS NOT NULL"
        found = await self._read("load", select, (_key(key),))
        if not found:
            return None
        try:
            return Stored(holding=codec.unseal(found[0][0], Holding), rev=found[0][1])
        except msgspec.DecodeError as wrong:
            raise NewerSchema(
                f"{self.path}: the holding of {key.symbol} is not in the form that this version reads ({wrong});"
                " start the version that wrote it"
            ) from wrong

    async def save(self, holding: Holding, *, rev: int, fence: int) -> int:
        key, body = _key(holding.key), codec.seal_holding(holding).decode()
        return await self._write("save", lambda db: _save(db, key, body, rev, fence), durable=True)

    async def keys(self) -> Sequence[PositionKey]:
        found = await self._read("keys", "SELECT key FROM holdings WHERE body IS NOT NULL ORDER BY key")
        return [codec.decode(row[0], PositionKey) for row in found]

    # ── rows ──

    async def put(self, collection: str, key: str, document: Mapping[str, object]) -> None:
        upsert = (
            "INSERT INTO rows (collection, key, body) VALUES (?, ?, ?)"
            " ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body, seq = NULL"
        )
        values = (collection, key, codec.seal(document).decode())
        await self._write("put", lambda db: _changed(db, upsert, values), durable=collection not in RELAXED)

    async def put_newer(self, collection: str, key: str, document: Mapping[str, object], seq: int) -> bool:
        upsert = (
            "INSERT INTO rows (collection, key, body, seq) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body, seq = excluded.seq"
            " WHERE rows.seq IS NULL OR rows.seq < excluded.seq"
        )
        values = (collection, key, codec.seal(document).decode(), seq)
        return await self._write(
            "put_newer", lambda db: _changed(db, upsert, values), durable=collection not in RELAXED
        )

    async def insert(self, collection: str, key: str, document: Mapping[str, object]) -> bool:
        insert = "INSERT INTO rows (collection, key, body) VALUES (?, ?, ?) ON CONFLICT (collection, key) DO NOTHING"
        values = (collection, key, codec.seal(document).decode())
        return await self._write("insert", lambda db: _changed(db, insert, values), durable=collection not in RELAXED)

    async def get(self, collection: str, key: str) -> dict[str, object] | None:
        found = await self._read("get", "SELECT body FROM rows WHERE collection = ? AND key = ?", (collection, key))
        return codec.unseal(found[0][0], dict[str, object]) if found else None

    async def find(
        self, collection: str, *, where: Mapping[str, str | int] | None = None, newest: int = 100
    ) -> Sequence[dict[str, object]]:
        select, values = find_statement(collection, where or {}, newest)
        found = await self._read("find", select, values)
        return [codec.unseal(row[0], dict[str, object]) for row in found]

    async def page(self, collection: str, *, after: int, limit: int) -> Sequence[Row]:
        select = "SELECT number, body FROM rows WHERE collection = ? AND number > ? ORDER BY number LIMIT ?"
        return _rows(await self._read("page", select, (collection, after, limit)))

    async def span(
        self,
        collection: str,
        *,
        since_ms: Millis,
        until_ms: Millis,
        where: Mapping[str, str | int] | None = None,
        after: int = 0,
        limit: int,
        backwards: bool = False,
    ) -> Sequence[Row]:
        select, values = span_statement(collection, (since_ms, until_ms), where or {}, after, backwards)
        return _rows(await self._read("span", select, (*values, limit)))

    # ── claims ──

    async def claim(self, claim: Claim, *, synced: bool = False) -> Claim:
        """Mostly not synced by itself: what it is for is sent after a save, and a sync takes all before it along."""
        first = await self._write("claim", lambda db: _claim(db, claim), durable=synced)
        return claim if first is None else codec.unseal(first, Claim)

    # ── how ──

    async def _write(self, operation: str, write: Write[T], *, durable: bool) -> T:
        return await self._within(self._writer.hand_in(write, durable=durable), operation)

    async def _read(self, operation: str, select: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        if self._closed:
            raise StoreUnavailable(f"the ledger {self.path} is closed")
        reading = asyncio.get_running_loop().run_in_executor(
            self._reading, lambda: self._reader.execute(select, values).fetchall()
        )
        try:
            return await self._within(reading, operation)
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the ledger {self.path} cannot be read: {error}") from error

    async def _reader_closed(self) -> None:
        """Waits for reads under way: the executor runs one at a time and takes no more."""
        await asyncio.to_thread(self._reading.shutdown)
        self._reader.close()

    async def _within(self, answer: asyncio.Future[T], operation: str) -> T:
        try:
            async with asyncio.timeout(self._deadline_ms / 1000):
                return await answer
        except TimeoutError as error:
            if answer.done() and not answer.cancelled():
                return answer.result()  # it was there in time: the loop was late, or the whole process asleep
            raise StoreUnavailable(
                f"the ledger {self.path} did not finish {operation!r} in {self._deadline_ms} ms; outcome unknown"
            ) from error


def find_statement(collection: str, where: Mapping[str, str | int], newest: int) -> tuple[str, list[object]]:
    """The query of ``find``; field names become SQL, so only identifiers pass (``ValueError``)."""
    values: list[object] = [collection]
    terms = ["collection = ?"]
    codec.must_be_fields(where)
    for name, value in where.items():
        terms.append(f"{schema.field_expression(name)} = ?")
        values.append(value)
    values.append(newest)
    return f"SELECT body FROM rows WHERE {' AND '.join(terms)} ORDER BY number DESC LIMIT ?", values  # noqa: S608 - names checked above, values bound


def span_statement(
    collection: str, span: tuple[int, int], where: Mapping[str, str | int], after: int, backwards: bool
) -> tuple[str, list[object]]:
    """The query of ``span`` but for its limit. The collection's name stands in it, or its index would not serve."""
    codec.must_be_fields((collection, *where))
    at, order = schema.field_expression("at_ms"), "DESC" if backwards else "ASC"
    terms = [f"collection = '{collection}'", f"{at} >= ?", f"{at} < ?", f"({at} > ? OR number > ?)"]
    terms += [f"{schema.field_expression(name)} = ?" for name in where]
    values: list[object] = [*span, span[0], after, *where.values()]
    ordered = f"ORDER BY {at} {order}, number {order} LIMIT ?"
    by = f"INDEXED BY {schema.BY_TIME[collection]}" if collection in schema.BY_TIME else ""
    return f"SELECT number, body FROM rows {by} WHERE {' AND '.join(terms)} {ordered}", values  # noqa: S608 - names checked above, values bound


def _rows(found: Sequence[tuple[Any, ...]]) -> list[Row]:
    return [Row(row[0], codec.unseal(row[1], dict[str, object])) for row in found]


def _key(key: PositionKey) -> str:
    """Its JSON: unlike ``str(key)``, two keys never share it, and it can be read back."""
    return codec.encode(key).decode()


def _changed(db: sqlite3.Connection, statement: str, values: Sequence[object] = ()) -> bool:
    return db.execute(statement, values).rowcount > 0


def _fence(db: sqlite3.Connection, key: str, owner: str) -> int:
    row = db.execute(
        "INSERT INTO holdings (key, fence, owner, rev) VALUES (?, 1, ?, 0)"
        " ON CONFLICT (key) DO UPDATE SET fence = fence + 1, owner = excluded.owner RETURNING fence",
        (key, owner),
    ).fetchall()
    return int(row[0][0])


def _save(db: sqlite3.Connection, key: str, body: str, rev: int, fence: int) -> int:
    update = "UPDATE holdings SET body = ?, rev = rev + 1 WHERE key = ? AND rev = ? AND fence = ?"
    if _changed(db, update, (body, key, rev, fence)):
        return rev + 1
    found = db.execute("SELECT rev, fence, owner, body FROM holdings WHERE key = ?", (key,)).fetchone()
    if found is None:
        raise StaleWriter(f"{key}: no fence was ever issued, {fence} cannot be the newest")
    now_rev, now_fence, owner, now_body = found
    if now_fence != fence:
        raise StaleWriter(f"{key}: fence {fence} is not the newest, {owner!r} holds {now_fence}")
    if now_rev == rev + 1 and now_body == body:
        return rev + 1  # our own save, whose answer was lost
    raise StaleWriter(f"{key}: rev {rev} is not the newest, {now_rev} is")


def _claim(db: sqlite3.Connection, claim: Claim) -> str | None:
    """The document that was there first, or None when this claim is the first."""
    insert = "INSERT INTO claims (id, at_ms, body) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING"
    if _changed(db, insert, (claim.id, claim.at_ms, codec.seal(claim).decode())):
        return None
    return str(db.execute("SELECT body FROM claims WHERE id = ?", (claim.id,)).fetchone()[0])
