"""Rows of a ledger's file read by somebody else than its owner, who may be writing.

All reads between the opening and the closing see one moment. Nothing is written, and the owner is not held up; while it
is open the owner's write-ahead log is not folded into the file and grows. It does not know what rows mean.

A file that several routers share has no such log: there a read that goes on keeps every save waiting, and entries and
parts of closes with it. So each page of rows is read by itself, in milliseconds, and sees a moment of its own.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from chimera.adapters.embedded import schema
from chimera.trading.errors import NewerSchema, StoreUnavailable
from chimera.wire import codec

AT_A_TIME: Final = 500
_PAGE: Final = "SELECT number, body FROM rows WHERE collection = ? AND number > ? ORDER BY number LIMIT ?"


class LookingOn:
    """``with LookingOn(path) as ledger``. Raises ``StoreUnavailable`` (not there, not ours) or ``NewerSchema``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = schema.connect_reader(path)
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        try:
            self._check()
            if schema.has_log(self._db):
                self._db.execute("BEGIN")
        except sqlite3.Error as error:
            self._db.close()
            raise self._unreadable(error) from error
        except BaseException:  # NewerSchema, too: nobody else would close it
            self._db.close()
            raise

    def documents(self, collection: str) -> Iterator[dict[str, Any]]:
        """Every row of it in the order of insertion, brought to the present schema."""
        after = 0
        try:
            while rows := self._db.execute(_PAGE, (collection, after, AT_A_TIME)).fetchall():
                after = rows[-1][0]
                for _, body in rows:
                    yield codec.unseal(body, dict[str, Any])
        except sqlite3.Error as error:
            raise self._unreadable(error) from error

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _check(self) -> None:
        owner, layout = (
            int(self._db.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("application_id", "user_version")
        )
        if owner != schema.APPLICATION_ID:
            raise StoreUnavailable(f"{self.path} is not a Chimera ledger")
        if layout > len(schema.LAYOUTS):
            raise NewerSchema(
                f"{self.path} has layout {layout}, newer than {len(schema.LAYOUTS)}, which this build reads"
            )

    def _unreadable(self, error: sqlite3.Error) -> StoreUnavailable:
        return StoreUnavailable(f"the ledger {self.path} cannot be read: {error}")
