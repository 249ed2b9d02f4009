"""The route table's file, as S4 reads it, and the log of its revisions beside it (``FILE.log.json``).

The table is written before the log: after a crash between them the table counts, and the log takes it for changed by
hand. Each is written whole or not at all.
"""

import os
import tempfile
from pathlib import Path

from chimera.learn.revisions import Log, WrongRevision, begun, seen
from chimera.trading.errors import Refused
from chimera.trading.money import Millis
from chimera.wire.codec import decode, encode
from chimera.wire.route_table import DEFAULT, read_route_table


def read(path: Path, now_ms: Millis) -> Log:
    """With what is in force now; the built-in table where there is no file. Raises ``Refused``."""
    table = read_route_table(path.read_bytes()) if path.is_file() else DEFAULT
    beside = log_of(path)
    if not beside.is_file():
        return begun(table, now_ms)
    try:
        return seen(decode(beside.read_bytes(), Log), table, now_ms)
    except WrongRevision as wrong:
        raise refused(str(path), str(wrong), "a table with a new rev, or one of the log's") from wrong


def write(path: Path, log: Log, before: Log) -> None:
    """What changed. Raises ``Refused`` where it cannot be written."""
    try:
        if log.in_force != before.in_force:
            _put(path, encode(log.in_force))
        _put(log_of(path), encode(log))
    except OSError as error:
        raise refused(str(path), error.strerror or str(error), "a file in a folder that can be written") from error


def log_of(path: Path) -> Path:
    return path.with_name(path.name + ".log.json")


def refused(value: str, message: str, accepted: str, field: str = "--table") -> Refused:
    return Refused("ROUTE", message, field=field, value=value, accepted=accepted)


def _put(path: Path, document: bytes) -> None:
    """Readable as the file before it, or by its owner and group."""
    mode = path.stat().st_mode & 0o777 if path.is_file() else 0o640
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as made:
        made.write(document + b"\n")
        made.flush()
        os.fsync(made.fileno())
    os.chmod(made.name, mode)
    Path(made.name).replace(path)
