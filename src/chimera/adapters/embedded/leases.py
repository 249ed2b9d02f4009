"""The leases of the processes that share one ledger on one machine: a small file of its own beside the ledger's.

Invariants: each call is one transaction of its own; ends are by the machine's own count of time since it was booted
(sleep included), together with the name of that boot, so no step of the wall clock moves one, and none outlives the
processes that could hold it; fences never fall. Its own file, because a process that was frozen within a commit of
the ledger keeps every other from writing there: who may act must not wait for it.

A process that was frozen within a commit of *this* file (two a second, of a millisecond) keeps everyone from it until
it wakes or dies: then nobody acts.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from chimera.trading.errors import NewerSchema, StoreUnavailable
from chimera.trading.lease import Holder, Lease
from chimera.trading.money import Millis

BUSY_MS: Final = 400  # another process commits: a few milliseconds
LAYOUT: Final = 1
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, url TEXT NOT NULL,"
    " fence INTEGER NOT NULL, boot TEXT NOT NULL, end_ms INTEGER NOT NULL) STRICT"
)

T = TypeVar("T")


class Uptime(NamedTuple):
    """A moment of one boot of this machine."""

    boot: str
    ms: int


def uptime() -> Uptime:
    """Now."""
    return Uptime(_BOOT_ID.read_text(encoding="ascii").strip(), time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)


class LeaseFile:
    """``chimera.ports.ledger.Leases`` of one machine. Opened by the first call."""

    def __init__(self, path: Path, now: Callable[[], Uptime] = uptime) -> None:
        self.path = path
        self._now = now
        self._db: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="leases")

    async def take(self, name: str, owner: str, *, url: str, ttl_ms: Millis) -> Lease | Holder:
        return await self._run(lambda db: self._take(db, name, owner, url, ttl_ms))

    async def renew(self, lease: Lease) -> bool:
        return await self._run(lambda db: self._until(db, lease, lease.ttl_ms))

    async def release(self, lease: Lease) -> None:
        await self._run(lambda db: self._until(db, lease, 0))

    async def close(self) -> None:
        """Waits for what is under way."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._db is not None:
            self._db.close()
            self._db = None

    # ── below runs in the thread ──

    def _take(self, db: sqlite3.Connection, name: str, owner: str, url: str, ttl_ms: int) -> Lease | Holder:
        select = "SELECT owner, url, fence, boot, end_ms FROM leases WHERE name = ?"
        found = db.execute(select, (name,)).fetchone()
        boot, ms = self._now()
        if found is not None and found[3] == boot and ms < found[4] and found[0] != owner:
            return Holder(owner=found[0], url=found[1], left_ms=Millis(found[4] - ms))
        upsert = (
            "INSERT INTO leases VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT (name) DO UPDATE SET"
            " fence = fence + (boot <> excluded.boot OR end_ms <= ?), owner = excluded.owner, url = excluded.url,"
            " boot = excluded.boot, end_ms = excluded.end_ms RETURNING fence"
        )
        granted = db.execute(upsert, (name, owner, url, boot, ms + ttl_ms, ms)).fetchall()
        return Lease(name=name, owner=owner, fence=int(granted[0][0]), ttl_ms=Millis(ttl_ms))

    def _until(self, db: sqlite3.Connection, lease: Lease, ttl_ms: int) -> bool:
        boot, ms = self._now()
        update = "UPDATE leases SET end_ms = ? WHERE name = ? AND owner = ? AND fence = ? AND boot = ? AND end_ms > ?"
        end_ms = ms + ttl_ms if ttl_ms else 0
        return db.execute(update, (end_ms, lease.name, lease.owner, lease.fence, boot, ms)).rowcount > 0

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def transaction() -> T:
            db = self._opened()
            db.execute("BEGIN IMMEDIATE")  # the clock is read behind it: whoever waits for its turn has grown older
            try:
                answer = work(db)
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")
            return answer

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, transaction)
        except (sqlite3.Error, OSError) as error:
            raise StoreUnavailable(f"the leases {self.path}: {error}") from error
        except RuntimeError as error:
            raise StoreUnavailable(f"the leases {self.path} are closed") from error

    def _opened(self) -> sqlite3.Connection:
        """A failed commit leaves the connection in a transaction: the next call begins with another."""
        if self._db is not None and self._db.in_transaction:
            self._db.close()
            self._db = None
        if self._db is None:
            db = sqlite3.connect(self.path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
            layout = db.execute("PRAGMA user_version").fetchone()[0]
            if layout > LAYOUT:
                db.close()
                raise NewerSchema(f"{self.path} has layout {layout}, newer than {LAYOUT}, the newest this build reads")
            if layout < LAYOUT:
                db.execute(_TABLE)
                db.execute(f"PRAGMA user_version = {LAYOUT}")
            self._db = db
        return self._db
