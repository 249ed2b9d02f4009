"""A ledger's file copied while its owner writes, and a copy noted in before anybody owns it.

A copy is of one moment: SQLite copies all pages within one read, which keeps no writer of a write-ahead log waiting. A
file that several routers share has none: there a commit waits until the copy is made.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from chimera.adapters.embedded import schema
from chimera.adapters.embedded.looking_on import LookingOn
from chimera.trading.errors import StoreUnavailable
from chimera.wire import codec


def copy_live(path: Path, to: Path) -> None:
    """All of it as it is now; ``to`` must not be there. Raises ``StoreUnavailable`` or ``NewerSchema``."""
    with LookingOn(path):
        pass  # it is ours, and we can read it
    try:
        with closing(schema.connect_reader(path)) as source, closing(sqlite3.connect(to)) as copy:
            source.backup(copy)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the ledger {path} cannot be copied to {to}: {error}") from error


def layout_of(copy: Path) -> int:
    """Of a copy that nobody owns, looked through page by page. Raises as ``copy_live``, and where it is damaged."""
    with LookingOn(copy):
        pass
    try:
        with closing(sqlite3.connect(copy)) as db:
            complaint = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
            layout = int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the copy {copy} cannot be read: {error}") from error
    if complaint != "ok":
        raise StoreUnavailable(f"the copy {copy} is damaged: {complaint}")
    return layout


def note(copy: Path, collection: str, key: str, document: Mapping[str, object]) -> None:
    """One row into a copy that nobody owns, on disk when this returns; brings it to the present layout."""
    row = (collection, key, codec.seal(document).decode())
    with closing(schema.connect_writer(copy)) as db:
        db.execute(
            "INSERT INTO rows (collection, key, body) VALUES (?, ?, ?)"
            " ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body, seq = NULL",
            row,
        )
