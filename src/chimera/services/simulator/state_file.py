"""The file in which a simulated venue outlives its process: one document, always whole.

Invariants: the file is replaced in one step and only by what is safely on the disk, so after any crash it is the old or
the new one; it holds secrets (of imaginary accounts) and is readable by its owner only. What cannot be read is refused
by name with what to do, never overwritten and never taken for an empty venue.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from chimera.simulate.keeping.whole import Kept, Written
from chimera.trading.errors import NewerSchema, Refused
from chimera.wire import codec

CODE: Final = "STATE_FILE"
_FIELD: Final = "--state"
_OWNER_ONLY: Final = 0o600


class StateFile:
    """Reads and replaces the file at ``path``. Calls block; one at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Kept | None:
        """What was kept; ``None`` where there is no file. Raises ``Refused`` for one of no use."""
        try:
            document = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(CODE, f"{self.path} cannot be read: {error.strerror or error}", field=_FIELD) from error
        try:
            return codec.unseal(document, Kept)
        except NewerSchema as error:
            raise Refused(
                CODE,
                f"{self.path} was written by a newer Chimera ({error}). Start that version, or begin with a new venue:"
                f" {_aside(self.path)}",
                field=_FIELD,
            ) from error
        except (msgspec.DecodeError, ValueError) as error:  # ValueError: bytes that are no UTF-8
            raise self.unusable(error) from error

    def unusable(self, error: Exception) -> Refused:
        """The refusal of a file that is damaged."""
        return Refused(
            CODE,
            f"{self.path} is damaged and the simulated venue cannot carry on from it ({error}). Put a copy back in its"
            f" place, or begin with a new venue: {_aside(self.path)}",
            field=_FIELD,
        )

    def replace(self, written: Written) -> None:
        """Keep ``written`` in place of what was kept before. Raises ``OSError`` with the old file untouched."""
        document = codec.seal(written)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".new")
        opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
        with open(opened, "wb", buffering=0) as file:
            view = memoryview(document)
            while view:
                view = view[file.write(view) :]
            os.fsync(file.fileno())
        beside.replace(self.path)
        _sync(self.path.parent)


def _aside(path: Path) -> str:
    return f"mv {path} {path}.bad"


def _sync(folder: Path) -> None:
    """A rename is safe only once its folder is."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
