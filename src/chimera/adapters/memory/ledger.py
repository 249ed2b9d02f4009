"""The ledger of the virtual-time world: dictionaries that keep every promise of the port.

Invariants: each operation applies in one step, on one document; documents are kept as the bytes a real store would
keep, so nothing is shared by reference and every read goes through the codec. The object outlives a simulated process;
what was applied before the kill is there after it. It starts no task, and knows the time of leases alone.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from chimera.adapters.memory.faults import Faults, NoFaults, through
from chimera.ports.ledger import Claim, Row, Stored
from chimera.trading.errors import StaleWriter
from chimera.trading.holding import Holding
from chimera.trading.ids import PositionKey
from chimera.trading.lease import Holder, Lease
from chimera.trading.money import Millis
from chimera.wire import codec

DEADLINE_MS: Final = Millis(2000)
INDEXED: Final = ("intent_id", "client_order_id", "delivery")  # few documents share a value, so history costs nothing


@dataclass
class _Seat:
    """Who may write a position, and what was written last (None before the first save)."""

    fence: int = 0
    owner: str = ""
    rev: int = 0
    body: bytes | None = None


@dataclass
class _Let:
    """Who has a lease, and until when."""

    fence: int = 0
    owner: str = ""
    url: str = ""
    end_ms: int = 0


@dataclass
class _Collection:
    documents: dict[str, bytes] = field(default_factory=dict)  # in order of insertion; replacing keeps the place
    seqs: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)  # key -> its place in the order of insertion
    by_value: dict[tuple[str, object], set[str]] = field(default_factory=dict)  # of the ``INDEXED`` fields
    moments: list[tuple[int, int, str]] = field(default_factory=list)  # (at_ms, number, key), in order

    def write(self, key: str, document: Mapping[str, object], body: bytes) -> None:
        """Insert or replace, and keep the index."""
        former = self.documents.get(key)
        if former is None:
            self.numbers[key] = len(self.numbers)
        else:
            self._forget(key, codec.unseal(former, dict[str, object]))
        self.documents[key] = body
        for name in INDEXED:
            if name in document:
                self.by_value.setdefault((name, document[name]), set()).add(key)
        if isinstance(at_ms := document.get("at_ms"), int):
            insort(self.moments, (at_ms, self.numbers[key] + 1, key))

    def between(self, since_ms: int, until_ms: int, after: int, *, backwards: bool) -> Iterable[tuple[int, str]]:
        """Numbers and keys of the documents of that time, in its order."""
        first = bisect_left(self.moments, (since_ms, after + 1, ""))
        found = self.moments[first : bisect_left(self.moments, (until_ms, 0, ""))]
        return ((number, key) for _, number, key in (reversed(found) if backwards else found))

    def newest_first(self, where: Mapping[str, str | int]) -> Iterable[bytes]:
        """What may match: by the first indexed field asked for, else everything."""
        indexed = next((name for name in INDEXED if name in where), None)
        if indexed is None:
            return reversed(self.documents.values())
        found = self.by_value.get((indexed, where[indexed]), ())
        return [self.documents[key] for key in sorted(found, key=self.numbers.__getitem__, reverse=True)]

    def _forget(self, key: str, document: Mapping[str, object]) -> None:
        if isinstance(at_ms := document.get("at_ms"), int):
            moment = (at_ms, self.numbers[key] + 1, key)
            del self.moments[bisect_left(self.moments, moment)]
        for name in INDEXED:
            place = (name, document.get(name))
            if key in self.by_value.get(place, ()):
                self.by_value[place].discard(key)
                if not self.by_value[place]:
                    del self.by_value[place]


Snapshot = tuple[dict[PositionKey, _Seat], dict[str, _Collection], dict[str, bytes]]


class MemoryLedger:
    """``chimera.ports.ledger.Ledger`` in memory."""

    def __init__(
        self,
        *,
        faults: Faults | None = None,
        deadline_ms: Millis = DEADLINE_MS,
        monotonic_ms: Callable[[], int] | None = None,
    ) -> None:
        """``monotonic_ms``: by which leases end; None: they last until they are released."""
        self.faults: Faults = faults or NoFaults()
        self._monotonic_ms = monotonic_ms or (lambda: 0)
        self._lets: dict[str, _Let] = {}
        self._deadline_ms = deadline_ms
        self._seats: dict[PositionKey, _Seat] = {}
        self._collections: dict[str, _Collection] = {}
        self._claims: dict[str, bytes] = {}

    def snapshot(self) -> Snapshot:
        """All that is stored now; leases are of the processes, and are not in it."""
        return deepcopy((self._seats, self._collections, self._claims))

    def put_back(self, snapshot: Snapshot, collection: str, key: str, note: Mapping[str, object]) -> None:
        """As it was then, which no ledger does by itself: somebody restored a copy, and noted it in this row."""
        self._seats, self._collections, self._claims = deepcopy(snapshot)
        self._rows(collection).write(key, note, codec.seal(note))

    async def ping(self) -> None:
        await through(self.faults, self._deadline_ms, "ping", "", lambda: None)

    async def close(self) -> None:
        """Nothing to let go of: the content stays for the next process of the world."""

    # ── holdings ──

    async def fence(self, key: PositionKey, owner: str) -> int:
        def apply() -> int:
            seat = self._seats.setdefault(key, _Seat())
            seat.fence += 1
            seat.owner = owner
            return seat.fence

        return await through(self.faults, self._deadline_ms, "fence", str(key), apply)

    async def load(self, key: PositionKey) -> Stored | None:
        def apply() -> Stored | None:
            seat = self._seats.get(key)
            if seat is None or seat.body is None:
                return None
            return Stored(holding=codec.unseal(seat.body, Holding), rev=seat.rev)

        return await through(self.faults, self._deadline_ms, "load", str(key), apply)

    async def save(self, holding: Holding, *, rev: int, fence: int) -> int:
        body = codec.seal(holding)

        def apply() -> int:
            seat = self._seats.get(holding.key)
            if seat is None or seat.fence != fence:
                holder = f"{seat.owner!r} holds {seat.fence}" if seat else "none was ever issued"
                raise StaleWriter(f"{holding.key}: fence {fence} is not the newest, {holder}")
            if seat.rev == rev + 1 and seat.body == body:
                return seat.rev  # our own save, whose answer was lost
            if seat.rev != rev:
                raise StaleWriter(f"{holding.key}: rev {rev} is not the newest, {seat.rev} is")
            seat.rev, seat.body = rev + 1, body
            return seat.rev

        return await through(self.faults, self._deadline_ms, "save", str(holding.key), apply)

    async def keys(self) -> Sequence[PositionKey]:
        def apply() -> list[PositionKey]:
            return sorted((key for key, seat in self._seats.items() if seat.body is not None), key=codec.encode)

        return await through(self.faults, self._deadline_ms, "keys", "", apply)

    # ── rows ──

    async def put(self, collection: str, key: str, document: Mapping[str, object]) -> None:
        body = codec.seal(document)

        def apply() -> None:
            rows = self._rows(collection)
            rows.write(key, document, body)
            rows.seqs.pop(key, None)

        await through(self.faults, self._deadline_ms, "put", f"{collection}/{key}", apply)

    async def put_newer(self, collection: str, key: str, document: Mapping[str, object], seq: int) -> bool:
        body = codec.seal(document)

        def apply() -> bool:
            rows = self._rows(collection)
            if key in rows.seqs and rows.seqs[key] >= seq:
                return False
            rows.write(key, document, body)
            rows.seqs[key] = seq
            return True

        return await through(self.faults, self._deadline_ms, "put_newer", f"{collection}/{key}", apply)

    async def insert(self, collection: str, key: str, document: Mapping[str, object]) -> bool:
        body = codec.seal(document)

        def apply() -> bool:
            rows = self._rows(collection)
            if key in rows.documents:
                return False
            rows.write(key, document, body)
            return True

        return await through(self.faults, self._deadline_ms, "insert", f"{collection}/{key}", apply)

    async def get(self, collection: str, key: str) -> dict[str, object] | None:
        def apply() -> dict[str, object] | None:
            body = self._rows(collection).documents.get(key)
            return None if body is None else codec.unseal(body, dict[str, object])

        return await through(self.faults, self._deadline_ms, "get", f"{collection}/{key}", apply)

    async def find(
        self, collection: str, *, where: Mapping[str, str | int] | None = None, newest: int = 100
    ) -> Sequence[dict[str, object]]:
        wanted = dict(where or {})

        def apply() -> list[dict[str, object]]:
            found: list[dict[str, object]] = []
            for body in self._rows(collection).newest_first(wanted):
                if len(found) >= newest:
                    break
                document = codec.unseal(body, dict[str, object])
                if all(name in document and document[name] == value for name, value in wanted.items()):
                    found.append(document)
            return found

        codec.must_be_fields(wanted)
        return await through(self.faults, self._deadline_ms, "find", collection, apply)

    async def page(self, collection: str, *, after: int, limit: int) -> Sequence[Row]:
        def apply() -> list[Row]:
            documents = islice(self._rows(collection).documents.values(), after, after + limit)
            return [
                Row(number, codec.unseal(body, dict[str, object])) for number, body in enumerate(documents, after + 1)
            ]

        return await through(self.faults, self._deadline_ms, "page", collection, apply)

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
        wanted = dict(where or {})
        codec.must_be_fields((collection, *wanted))

        def apply() -> list[Row]:
            rows, found = self._rows(collection), list[Row]()
            for number, key in rows.between(since_ms, until_ms, after, backwards=backwards):
                if len(found) >= limit:
                    break
                document = codec.unseal(rows.documents[key], dict[str, object])
                if all(name in document and document[name] == value for name, value in wanted.items()):
                    found.append(Row(number, document))
            return found

        return await through(self.faults, self._deadline_ms, "span", collection, apply)

    # ── claims ──

    async def claim(self, claim: Claim, *, synced: bool = False) -> Claim:
        body = codec.seal(claim)

        def apply() -> Claim:
            return codec.unseal(self._claims.setdefault(claim.id, body), Claim)

        return await through(self.faults, self._deadline_ms, "claim", claim.id, apply)

    # ── leases ──

    async def take(self, name: str, owner: str, *, url: str, ttl_ms: Millis) -> Lease | Holder:
        def apply() -> Lease | Holder:
            now_ms, let = self._monotonic_ms(), self._lets.setdefault(name, _Let())
            runs = now_ms < let.end_ms
            if runs and let.owner != owner:
                return Holder(owner=let.owner, url=let.url, left_ms=Millis(let.end_ms - now_ms))
            let.fence += not runs
            let.owner, let.url, let.end_ms = owner, url, now_ms + ttl_ms
            return Lease(name=name, owner=owner, fence=let.fence, ttl_ms=ttl_ms)

        return await through(self.faults, self._deadline_ms, "take", name, apply)

    async def renew(self, lease: Lease) -> bool:
        def apply() -> bool:
            now_ms, let = self._monotonic_ms(), self._held(lease)
            if let is None or now_ms >= let.end_ms:
                return False
            let.end_ms = now_ms + lease.ttl_ms
            return True

        return await through(self.faults, self._deadline_ms, "renew", lease.name, apply)

    async def release(self, lease: Lease) -> None:
        def apply() -> None:
            if (let := self._held(lease)) is not None:
                let.end_ms = 0

        await through(self.faults, self._deadline_ms, "release", lease.name, apply)

    def _held(self, lease: Lease) -> _Let | None:
        let = self._lets.get(lease.name)
        return let if let is not None and (let.owner, let.fence) == (lease.owner, lease.fence) else None

    def _rows(self, collection: str) -> _Collection:
        return self._collections.setdefault(collection, _Collection())
