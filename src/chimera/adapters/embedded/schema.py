"""The file of the embedded ledger: its tables, its connections, and the checks before anything is believed.

Invariants: a file that is not ours, is damaged, or was laid out by a newer build is refused with a sentence that says
so; an older layout is carried up one step at a time, each step in its own transaction. Only one connection of a file
writes and checkpoints (the write-ahead log of SQLite before 3.51.3 may be damaged by two); the other is read-only.
A file that several processes share has no write-ahead log, but SQLite's older journal, which locks out all but one.

A layout version counts tables and indexes; the ``schema_version`` inside each document is ``wire.codec``'s.
"""

import os
import sqlite3
from pathlib import Path
from typing import Final

from chimera.trading.errors import NewerSchema, StoreUnavailable
from chimera.wire import keys

APPLICATION_ID: Final = 0x4368_4C67  # "ChLg", so that no other program's file is taken for a ledger
BUSY_MS: Final = 5000
INDEXED: Final = ("symbol", "status", "intent_id", "client_order_id")  # what ``find`` is asked for on the hot paths
BY_TIME: Final = {  # collections that are read by time, and the index of each
    keys.CASH: "cash_by_time",
    keys.SIGNALS: "signals_by_time",
}


def field_expression(name: str) -> str:
    """SQL for a top-level field of a stored row; ``name`` must be an identifier."""
    return f"json_extract(body, '$.body.{name}')"


_LAYOUT_1: Final = (
    # fence and document share one row, because no port method may span two; body is null until the first save
    "CREATE TABLE holdings (key TEXT PRIMARY KEY, fence INTEGER NOT NULL, owner TEXT NOT NULL, rev INTEGER NOT NULL,"
    " body TEXT) STRICT",
    "CREATE TABLE rows (number INTEGER PRIMARY KEY, collection TEXT NOT NULL, key TEXT NOT NULL, seq INTEGER,"
    " body TEXT NOT NULL, UNIQUE (collection, key)) STRICT",
    "CREATE TABLE claims (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, at_ms INTEGER NOT NULL,"
    " body TEXT NOT NULL) STRICT",
    "CREATE TABLE heartbeat (id INTEGER PRIMARY KEY CHECK (id = 1), beats INTEGER NOT NULL) STRICT",
    "CREATE INDEX rows_by_collection ON rows (collection)",  # newest first without a sort
    *(
        f"CREATE INDEX rows_by_{name} ON rows (collection, {field_expression(name)})"
        f" WHERE {field_expression(name)} IS NOT NULL"
        for name in INDEXED
    ),
)
_LAYOUT_2: Final = (
    # the cash ledger is read by moment and kept for ever; the other collections are not, and pay nothing for it
    f"CREATE INDEX cash_by_time ON rows ({field_expression('at_ms')}) WHERE collection = '{keys.CASH}'",
)
_LAYOUT_3: Final = (
    # decisions are read by moment, and by what is in the index without reading a row; those made before rows had their
    # moment by this name are not in it
    f"CREATE INDEX signals_by_time ON rows"
    f" ({field_expression('at_ms')}, {field_expression('symbol')}, {field_expression('decision')})"
    f" WHERE collection = '{keys.SIGNALS}' AND {field_expression('at_ms')} IS NOT NULL",
)
LAYOUTS: Final[tuple[tuple[str, ...], ...]] = (_LAYOUT_1, _LAYOUT_2, _LAYOUT_3)  # entry n carries layout n to n + 1


def connect_writer(path: Path, *, shared: bool = False) -> sqlite3.Connection:
    """The one writing connection, on a file that was checked and brought to the present layout.

    ``shared``: the one of this process, beside others'.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise StoreUnavailable(f"the ledger {path} cannot be opened: {error}") from error
    try:
        _check(connection, path)
        connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if shared else 'WAL'}")
        connection.execute("PRAGMA synchronous = FULL")
        _bring_up(connection)
    except sqlite3.Error as error:
        connection.close()
        raise StoreUnavailable(f"the ledger {path} is damaged or unreadable: {error}") from error
    except BaseException:  # NewerSchema, too: nobody else would close it
        connection.close()
        raise
    make_name_durable(path.parent)
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, and so never checkpoints."""
    uri = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA query_only = 1")
    return connection


def has_log(connection: sqlite3.Connection) -> bool:
    """Whether the file has a write-ahead log, so that who reads keeps no writer waiting."""
    return bool(connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    owner = _pragma(connection, "application_id")
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if owner != APPLICATION_ID and (owner or tables):
        raise StoreUnavailable(f"{path} is a database of another program, not a Chimera ledger")
    layout = _pragma(connection, "user_version")
    if layout > len(LAYOUTS):
        raise NewerSchema(f"{path} has layout {layout}, newer than {len(LAYOUTS)}, the newest this build reads")
    complaint = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if complaint != "ok":
        raise StoreUnavailable(f"the ledger {path} is damaged: {complaint}; restore it from a backup")


def _bring_up(connection: sqlite3.Connection) -> None:
    for version in range(_pragma(connection, "user_version"), len(LAYOUTS)):
        connection.execute("BEGIN IMMEDIATE")
        if _pragma(connection, "user_version") > version:  # another process was quicker
            connection.execute("ROLLBACK")
            continue
        for statement in LAYOUTS[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version + 1}")
        connection.execute("COMMIT")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def make_name_durable(directory: Path) -> None:
    """What is synced of a new file is its content; that it has a name at all is the directory's to remember."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
