"""The audit as a file: JSON lines, one per record (``docs/wire.md``).

A new venue begins a new file; one that carries on appends, and its numbers go on after the file's last. A last line
that a power failure cut short is no record and is removed.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.errors import Refused

_LOOK: Final = 1 << 16  # bytes from the end: far more than one line


class _Numbered(msgspec.Struct):
    seq: int


class AuditFile:
    """JSON lines, each written before the request that caused it is answered. ``last_seq`` is 0 in a new file."""

    def __init__(self, path: Path, *, append: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.last_seq = _mend(path) if append else 0
        self._file = path.open("ab" if append else "wb", buffering=0)
        self._encode = msgspec.json.Encoder(decimal_format="string").encode

    def write(self, record: AuditRecord) -> None:
        """Append one line."""
        self._file.write(self._encode(record) + b"\n")

    def close(self) -> None:
        """No more lines."""
        self._file.close()


def _mend(path: Path) -> int:
    """Cut a torn last line off; the number of the last whole one. Raises ``Refused`` where that is no audit record."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - _LOOK)
        file.seek(start)
        tail = file.read()
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) < len(tail):
            file.truncate(start + len(whole))
    lines = whole.splitlines()
    try:
        return msgspec.json.decode(lines[-1], type=_Numbered).seq if lines else 0
    except msgspec.DecodeError as error:
        raise Refused(
            "AUDIT_FILE",
            f"{path} is no audit of a simulator, so this venue's cannot go on in it ({error}). Name another file.",
            field="--audit",
        ) from error
