"""The one thread that writes: it gathers what waits, commits it together, and answers everybody at once.

Invariants: writes are applied in the order they were handed in; a batch that holds one durable write is synced to the
disk before anyone in it is answered; a batch that cannot be committed is rolled back whole and every caller in it
hears ``StoreUnavailable``. A write whose caller gave up before it was begun is dropped, never applied late. Each write
changes at most one row, so it needs no savepoint of its own: SQLite undoes a failed statement by itself. A file that is
no longer found by its name takes nothing: SQLite would go on, and no restart would ever see it.

It does not know what is written.
"""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from chimera.trading.errors import ChimeraError, StoreUnavailable

BATCH_MAX: Final = 256
WAITING_MAX: Final = 10_000  # beyond this the disk is not keeping up, and waiting longer would only hide it

T = TypeVar("T")
Write = Callable[[sqlite3.Connection], T]


@dataclass(slots=True)
class _Job:
    write: Write[Any]
    durable: bool
    answer: asyncio.Future[Any]


@dataclass(slots=True)
class _Outcome:
    answer: asyncio.Future[Any]
    value: Any = None
    error: Exception | None = None


class Writer:
    """Owns the writing connection from birth to close."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._name = f"the ledger {path}"
        self._file = _file_at(path)
        self._loop = asyncio.get_running_loop()
        self._waiting: SimpleQueue[_Job | None] = SimpleQueue()
        self._closing = False
        self._broken: str | None = None  # why nothing is believed any more
        self._synchronous = "FULL"
        self._ended = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, name=f"ledger-writer {path}", daemon=True)
        self._thread.start()

    def hand_in(self, write: Write[T], *, durable: bool) -> asyncio.Future[T]:
        """What ``write`` will have returned, once it is committed (and on the disk, if ``durable``)."""
        if self._broken is not None:
            raise StoreUnavailable(self._broken)
        if self._closing:
            raise StoreUnavailable(f"{self._name} is closed")
        if self._waiting.qsize() >= WAITING_MAX:
            raise StoreUnavailable(f"{self._name}: {WAITING_MAX} writes are waiting already")
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.put(_Job(write, durable, answer))
        return answer

    async def close(self) -> None:
        """Commit what waits, then close the connection. May be awaited more than once."""
        if not self._closing:
            self._closing = True
            self._waiting.put(None)
        await asyncio.shield(self._ended)

    # ── below runs in the thread ──

    def _serve(self) -> None:
        ending = False
        while not ending:
            batch, ending = self._gather()
            if batch:
                outcomes = self._commit(batch)
                self._call(_deliver, outcomes)
        self._connection.close()
        self._call(_finish, self._ended)

    def _gather(self) -> tuple[list[_Job], bool]:
        """Everything that waits now, at least one; True when the last of it was the word to end."""
        batch: list[_Job] = []
        job = self._waiting.get()
        while job is not None:
            if not job.answer.cancelled():
                batch.append(job)
            if len(batch) >= BATCH_MAX:
                return batch, False
            try:
                job = self._waiting.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[_Job]) -> list[_Outcome]:
        why = self._broken or self._misplaced()
        if why is not None:
            return [_Outcome(job.answer, error=StoreUnavailable(why)) for job in batch]
        try:
            self._sync("FULL" if any(job.durable for job in batch) else "NORMAL")
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(job) for job in batch]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            self._judge(error)
            return [_Outcome(job.answer, error=self._failure(error)) for job in batch]
        return outcomes

    def _misplaced(self) -> str | None:
        try:
            found = _file_at(self._path)
        except FileNotFoundError:
            return f"{self._name} was removed or renamed while it is in use: put that very file back"
        except OSError:
            return None  # it may be there: SQLite will say
        if found == self._file:
            return None
        return f"{self._name} was replaced by another file while it is in use: put the first one back"

    def _attempt(self, job: _Job) -> _Outcome:
        try:
            return _Outcome(job.answer, job.write(self._connection))
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - the thread outlives a caller's mistake; the caller gets it back
            return _Outcome(job.answer, error=error)

    def _sync(self, level: str) -> None:
        if level != self._synchronous:
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._synchronous = level

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                self._broken = f"{self._name} cannot undo a failed write and must be reopened: {error}"

    def _judge(self, error: sqlite3.Error) -> None:
        """After a failed sync the kernel may have dropped pages and call the next one a success: believe nothing."""
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_IOERR_FSYNC:
            self._broken = f"{self._name}: the disk failed to sync; reopen the ledger once it is sound"

    def _failure(self, error: sqlite3.Error) -> ChimeraError:
        failure = StoreUnavailable(f"{self._name} could not commit: {error}")
        failure.__cause__ = error
        return failure

    def _call(self, function: Callable[[Any], None], argument: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, argument)
        except RuntimeError:
            return  # the loop is closed: nobody is left to hear it


def _file_at(path: Path) -> tuple[int, int]:
    """Which file that is, by whatever name."""
    found = os.stat(path)
    return found.st_dev, found.st_ino


def _deliver(outcomes: list[_Outcome]) -> None:
    for outcome in outcomes:
        if outcome.answer.done():  # its caller gave up meanwhile
            continue
        if outcome.error is not None:
            outcome.answer.set_exception(outcome.error)
        else:
            outcome.answer.set_result(outcome.value)


def _finish(ended: asyncio.Future[None]) -> None:
    if not ended.done():
        ended.set_result(None)
