"""What must survive: aggregates, rows, claims and signals. Every write outlives the process; holdings, orders, fills
and signals are power-safe before they return, and with them every claim that was answered before they were asked for.

The only atomic unit is one document; no method spans two, so that SQLite and ArangoDB can keep the same promise.
Every method may raise ``StoreUnavailable``; reads of a newer schema raise ``NewerSchema``.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from chimera.trading.holding import Holding
from chimera.trading.ids import IntentId, PositionKey
from chimera.trading.lease import Holder, Lease
from chimera.trading.money import Millis
from chimera.trading.value import Value


class Stored(Value):
    """A holding as saved, with the revision that the next save must name."""

    holding: Holding
    rev: int


class Claim(Value):
    """Who first used an id, and for what body. Permanent."""

    id: str  # namespaced by the caller: "intent:..." or "order:..."
    intent_id: IntentId
    body_hash: str
    at_ms: Millis
    body: bytes = b""  # what was asked, so that a claim can be carried on after a crash


class Row(NamedTuple):
    """A document with its place in the order of insertion."""

    number: int
    document: dict[str, object]


class Holdings(Protocol):
    """The aggregates, written by compare-and-set on ``rev`` by the holder of the newest fence."""

    async def fence(self, key: PositionKey, owner: str) -> int:
        """A new fencing token, greater than every one before; older tokens can no longer save."""
        ...

    async def load(self, key: PositionKey) -> Stored | None: ...

    async def save(self, holding: Holding, *, rev: int, fence: int) -> int:
        """The new revision. ``rev`` 0 inserts. Raises ``StaleWriter`` when rev or fence is not the newest.

        After ``StoreUnavailable`` the outcome is unknown: saving the same holding at the same rev again is safe,
        because a document that already equals it counts as saved.
        """
        ...

    async def keys(self) -> Sequence[PositionKey]: ...


class Rows(Protocol):
    """Collections of plain documents: ``orders``, ``fills``, ``signals``, ``strategy_events`` and so on."""

    async def put(self, collection: str, key: str, document: Mapping[str, object]) -> None:
        """Insert or replace."""
        ...

    async def put_newer(self, collection: str, key: str, document: Mapping[str, object], seq: int) -> bool:
        """Insert, or replace a document with a smaller ``seq``; False when it was not newer."""
        ...

    async def insert(self, collection: str, key: str, document: Mapping[str, object]) -> bool:
        """Insert once; False when the key exists, and then nothing changes."""
        ...

    async def get(self, collection: str, key: str) -> dict[str, object] | None: ...

    async def find(
        self, collection: str, *, where: Mapping[str, str | int] | None = None, newest: int = 100
    ) -> Sequence[dict[str, object]]:
        """The newest documents (by insertion) whose top-level fields equal ``where``."""
        ...

    async def page(self, collection: str, *, after: int, limit: int) -> Sequence[Row]:
        """Up to ``limit`` documents in the order in which they were inserted, from the first after that number on.

        Numbers begin above 0 and never change; whoever has read up to one has missed nothing that comes later.
        """
        ...

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
        """Up to ``limit`` documents by their field ``at_ms``, then by number, with ``since_ms <= at_ms < until_ms``.

        ``after``: of those at ``since_ms`` only greater numbers, to go on where a page ended. ``backwards``: newest
        first (``after`` is then of no use). Without an index of the adapter's own it reads the whole collection.
        """
        ...


class Claims(Protocol):
    """Ids that may be used once, for ever."""

    async def claim(self, claim: Claim, *, synced: bool = False) -> Claim:
        """Insert it, or answer the one that was there first: the caller compares ``body_hash``.

        ``synced``: power-safe by itself when it returns, for one that no save follows.
        """
        ...


class Leases(Protocol):
    """Who may act under a name just now: one owner at a time.

    A lease ends ``ttl_ms`` after it was asked for last, by a clock that never steps. A ledger of one machine has that
    clock. Where machines share one it is the asker's own: another is granted the lease when it has watched it for
    longer than that without a sign of life. Nobody is granted it before the holder's own count is over.

    After ``StoreUnavailable`` the outcome is unknown; each call may be repeated, whatever became of it.
    """

    async def take(self, name: str, owner: str, *, url: str, ttl_ms: Millis) -> Lease | Holder:
        """Granted where nobody holds it, or ``owner`` does (for ``ttl_ms`` anew, under the same fence)."""
        ...

    async def renew(self, lease: Lease) -> bool:
        """For its ``ttl_ms`` anew; False where it has ended, though nobody has taken it since."""
        ...

    async def release(self, lease: Lease) -> None:
        """Nobody holds it from now on; nothing where it has ended already or is another's."""
        ...


class Ledger(Holdings, Rows, Claims, Leases, Protocol):
    """All of it, one store."""

    async def ping(self) -> None:
        """Raises ``StoreUnavailable`` when it cannot write now."""
        ...

    async def close(self) -> None: ...
