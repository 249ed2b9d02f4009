"""One process at a time over a directory or file of ours.

A second process would corrupt what the first one writes (SQLite before 3.51.3 can lose a checkpoint race; two servers
on one append-only file interleave), so it is refused with the holder's pid. The kernel releases the lock when its
holder dies, however it dies; the lock file itself stays, because removing it would race with the next holder.
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from chimera.trading.errors import StoreUnavailable


class ProcessLock:
    """An advisory lock on ``path``, held until ``release`` or until this process ends."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, path: Path, *, guards: str, shared: bool = False) -> Self:
        """Take it now or raise ``StoreUnavailable`` naming who holds it; ``guards`` says what, for that message.

        ``shared``: beside others who take it so, and beside nobody else.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            named = f"process {holder}" if holder else "another process (its pid is not known)"
            raise StoreUnavailable(f"{guards} is in use by {named}; lock file {path}") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        return cls(path, descriptor)

    def release(self) -> None:
        """Let go; harmless when already done."""
        if self._descriptor is None:
            return
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
        self._descriptor = None
