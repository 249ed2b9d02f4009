"""The ledger on ArangoDB, a single server or a cluster.

Invariants: every write is one statement on one document, on the disk of its leader (and of as many followers as the
collection's write concern says) before it returns, except rows of ``RELAXED`` collections; only the newest fence saves.
A write whose answer was lost is asked after before it is repeated: what it wrote carries its token. A request that was
given up and arrives late changes nothing, for what it would replace has a newer revision, fence, ``seq`` or stamp.

Rows have a stamp: greater than that of every document this process has seen, so that the late one always loses. The
clock it begins with saves a question, and decides nothing: who is behind is told so, and goes on from there.
It does not know what documents mean, and it makes no collection: ``layout`` does, by ``chimera init``.
"""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Self, TypeVar

import msgspec
from msgspec import Raw

from chimera.adapters.arango import aql, layout
from chimera.adapters.arango.address import Address
from chimera.adapters.arango.leases import ArangoLeases
from chimera.adapters.arango.link import DEADLINE_MS, Away, Exists, Link, Passing
from chimera.ports.ledger import Claim, Row, Stored
from chimera.trading.errors import NewerSchema, StaleWriter
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey
from chimera.trading.money import Millis
from chimera.wire import codec
from chimera.wire.keys import RELAXED

MOST: Final = 1_000_000_000  # a limit that is none

T = TypeVar("T")


class _Seat(msgspec.Struct, frozen=True):
    """A position's document but for its body."""

    fence: int
    owner: str
    by: str  # whose call issued the fence
    rev: int  # 0 before the first save


class _Mark(msgspec.Struct, frozen=True):
    """A row's document but for its body."""

    number: int
    stamp: int
    by: str  # whose call wrote it last
    born_by: str  # whose call inserted it
    seq: int | None = None


class ArangoLedger:
    """``chimera.ports.ledger.Ledger`` in ArangoDB. ``await ArangoLedger.open(address)``, ``await ledger.close()``."""

    def __init__(self, link: Link, *, looked: bool = True) -> None:
        """``looked``: the layout is known to be ours."""
        self._link = link
        self._looked = looked
        self._me = os.urandom(8).hex()
        self._stamp = time.time_ns() // 1000
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # our own calls do not collide
        leases = ArangoLeases(link, self._do)
        self.take, self.renew, self.release = leases.take, leases.renew, leases.release

    @classmethod
    async def open(cls, address: Address, *, deadline_ms: Millis = DEADLINE_MS, waits: bool = False) -> Self:
        """Raises ``StoreUnavailable`` (away, not made, made by an older build) or ``NewerSchema``.

        ``waits``: one that is away is opened all the same, and its first call that is answered looks at the layout.
        """
        link = Link(address, deadline_ms=deadline_ms)
        try:
            await layout.must_be_ours(link)
        except Away:
            if waits:
                return cls(link, looked=False)
            await link.close()
            raise
        except BaseException:  # cancelled, too: nobody else would close it
            await link.close()
            raise
        return cls(link)

    async def close(self) -> None:
        await self._link.close()

    async def ping(self) -> None:
        await self._do("ping", lambda: self._link.run(aql.PING, me=self._me))

    # ── holdings ──

    async def fence(self, key: PositionKey, owner: str) -> int:
        at, by = aql.seat_key(key), self._token()
        position = Raw(codec.encode(key))

        async def work() -> int:
            async with self._turns[at]:
                seat = await self._seat(at)
                if seat is not None and seat.by == by:
                    return seat.fence
                if seat is None:
                    made = await self._link.run(aql.NEW_SEAT, key=at, position=position, owner=owner, by=by)
                else:
                    made = await self._link.run(aql.NEXT_FENCE, key=at, was=seat.fence, owner=owner, by=by)
            if not made:
                raise Passing(f"{at}: another fence was issued meanwhile")
            return msgspec.json.decode(made[0], type=int)

        return await self._do("fence", work)

    async def load(self, key: PositionKey) -> Stored | None:
        found = await self._do("load", lambda: self._link.run(aql.SEAT, key=aql.seat_key(key)))
        return _stored(found[0]) if found else None

    async def save(self, holding: Holding, *, rev: int, fence: int) -> int:
        at, sealed = aql.seat_key(holding.key), Raw(codec.seal_holding(holding))

        async def work() -> int:
            async with self._turns[at]:
                saved = await self._link.run(aql.SAVE, key=at, rev=rev, fence=fence, sealed=sealed)
                return rev + 1 if saved else await self._why_not(at, holding, rev, fence)

        return await self._do("save", work)

    async def _why_not(self, at: str, holding: Holding, rev: int, fence: int) -> int:
        """Our own save, whose answer was lost, or that we may no longer save."""
        found = await self._link.run(aql.SEAT, key=at)
        if not found:
            raise StaleWriter(f"{at}: no fence was ever issued, {fence} cannot be the newest")
        seat = msgspec.json.decode(found[0], type=_Seat)
        if seat.fence != fence:
            raise StaleWriter(f"{at}: fence {fence} is not the newest, {seat.owner!r} holds {seat.fence}")
        if seat.rev == rev:
            raise Passing(f"{at}: nothing stood in the way a moment later")
        if seat.rev == rev + 1 and (stored := _stored(found[0])) is not None and stored.holding == holding:
            return seat.rev
        raise StaleWriter(f"{at}: rev {rev} is not the newest, {seat.rev} is")

    async def keys(self) -> Sequence[PositionKey]:
        found = await self._do("keys", lambda: self._link.run(aql.KEYS))
        return sorted((codec.decode(bytes(raw), PositionKey) for raw in found), key=codec.encode)

    async def _seat(self, at: str) -> _Seat | None:
        found = await self._link.run(aql.SEAT, key=at)
        return msgspec.json.decode(found[0], type=_Seat) if found else None

    # ── rows ──

    async def put(self, collection: str, key: str, document: Mapping[str, object]) -> None:
        await self._put("put", collection, key, document, None)

    async def put_newer(self, collection: str, key: str, document: Mapping[str, object], seq: int) -> bool:
        return await self._put("put_newer", collection, key, document, seq)

    async def _put(
        self, operation: str, collection: str, key: str, document: Mapping[str, object], seq: int | None
    ) -> bool:
        write = _Write(collection, key, document, self._next_stamp(), self._me, seq)

        async def work() -> bool:
            if await self._link.run(write.newer_row, **write.values):
                return True
            mark = await self._mark_after_insert(write)
            if mark is None or mark.by == write.by:
                return True
            if seq is not None and mark.seq is not None and mark.seq >= seq:
                return False
            self._stamp = max(self._stamp, mark.stamp)
            write.values["stamp"] = self._next_stamp()  # the other process' clock is ahead
            raise Passing(f"{collection} {key}: changed meanwhile")

        return await self._do(operation, work)

    async def insert(self, collection: str, key: str, document: Mapping[str, object]) -> bool:
        write = _Write(collection, key, document, self._next_stamp(), self._me, None)

        async def work() -> bool:
            mark = await self._mark_after_insert(write)
            return mark is None or mark.born_by == write.by

        return await self._do("insert", work)

    async def _mark_after_insert(self, write: "_Write") -> _Mark | None:
        """None when it was inserted, else what is there. Raises ``Passing`` when another row took the number."""
        try:
            async with self._turns[write.rows]:
                await self._link.run(write.new_row, part=write.part, **write.values)
        except Exists as taken:
            found = await self._link.run(aql.ROW, rows=write.rows, key=write.key)
            if not found:
                raise Passing("another row was inserted at the same time") from taken
            return msgspec.json.decode(found[0], type=_Mark)
        return None

    async def get(self, collection: str, key: str) -> dict[str, object] | None:
        rows, part = aql.place_of(collection)
        at = aql.row_key(part, key)
        found = await self._do("get", lambda: self._link.run(aql.ROW, rows=rows, key=at))
        return codec.unseal(bytes(found[0]), dict[str, object]) if found else None

    async def find(
        self, collection: str, *, where: Mapping[str, str | int] | None = None, newest: int = 100
    ) -> Sequence[dict[str, object]]:
        found = await self._rows("find", aql.find(where or {}), collection, newest, aql.where_values(where or {}))
        return [row.document for row in found]

    async def page(self, collection: str, *, after: int, limit: int) -> Sequence[Row]:
        return await self._rows("page", aql.PAGE, collection, limit, {"after": after})

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
        values = {"since": since_ms, "until": until_ms, "after": after} | aql.where_values(where or {})
        return await self._rows("span", aql.span(where or {}, backwards=backwards), collection, limit, values)

    async def _rows(
        self, operation: str, statement: str, collection: str, limit: int, values: Mapping[str, object]
    ) -> list[Row]:
        rows, part = aql.place_of(collection)
        limit = min(limit, MOST)
        found = await self._do(
            operation, lambda: self._link.run(statement, rows=rows, part=part, limit=limit, **values)
        )
        return [_row(raw) for raw in found]

    # ── claims ──

    async def claim(self, claim: Claim, *, synced: bool = False) -> Claim:
        """Always synced by itself: in a cluster no later save syncs it along, for their leaders may be two machines."""
        at, sealed = aql.key_of(claim.id), Raw(codec.seal(claim))

        async def work() -> Claim:
            try:
                await self._link.run(aql.NEW_CLAIM, key=at, sealed=sealed)
            except Exists:
                found = await self._link.run(aql.CLAIM, key=at)
                return codec.unseal(bytes(found[0]), Claim)
            return claim

        return await self._do("claim", work)

    # ── how ──

    async def _do(self, operation: str, work: Callable[[], Awaitable[T]]) -> T:
        if not self._looked:
            await layout.must_be_ours(self._link)
            self._looked = True
        return await self._link.until_done(operation, work)

    def _next_stamp(self) -> int:
        self._stamp += 1
        return self._stamp

    def _token(self) -> str:
        return f"{self._me}.{self._next_stamp()}"


class _Write:
    """One row on its way: the two statements that may take it and what both are told."""

    def __init__(
        self, collection: str, key: str, document: Mapping[str, object], stamp: int, me: str, seq: int | None
    ) -> None:
        self.rows, self.part = aql.place_of(collection)
        self.key, self.by = aql.row_key(self.part, key), f"{me}.{stamp}"
        synced = self.rows not in RELAXED
        self.new_row, self.newer_row = aql.new_row(synced=synced), aql.newer_row(synced=synced)
        told = {"rows": self.rows, "key": self.key, "seq": seq, "stamp": stamp, "by": self.by}
        self.values: dict[str, object] = told | {"sealed": Raw(codec.seal(document))}


def _stored(document: Raw) -> Stored | None:
    """None before the first save."""
    seat = msgspec.json.decode(document, type=_Seat)
    if seat.rev == 0:
        return None
    try:
        return Stored(holding=codec.unseal(bytes(document), Holding), rev=seat.rev)
    except msgspec.DecodeError as wrong:
        raise NewerSchema(
            f"a holding is not in the form that this version reads ({wrong}); start the version that wrote it"
        ) from wrong


def _row(document: Raw) -> Row:
    mark = msgspec.json.decode(document, type=_Mark)
    return Row(mark.number, codec.unseal(bytes(document), dict[str, object]))
