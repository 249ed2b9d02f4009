"""Capture files on disk, plain or gzip, in the form of ``chimera.tape.capture``.

Written so that a process killed at any moment leaves a file that replays to its last flushed line. It does not look
into the frames.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_GZIP_MAGIC: Final = b"\x1f\x8b"
_FLUSH_EVERY_NS: Final = 1_000_000_000
_LEVEL: Final = 5  # frames shrink tenfold; higher levels cost more than they save


def lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a capture, gzip told by its first bytes. A file cut off while being written ends early.

    Raises ``OSError`` (``gzip.BadGzipFile`` is one) where it is damaged, after what stands before the damage.
    """
    with path.open("rb") as probe:
        zipped = probe.read(2) == _GZIP_MAGIC
    with gzip.open(path) if zipped else path.open("rb") as capture:
        try:
            for line in capture:
                if line.endswith(b"\n"):
                    yield line
        except EOFError:
            return  # the writer was killed: what it flushed has been read
        except zlib.error as error:
            raise gzip.BadGzipFile(str(error)) from error


class CaptureFile:
    """One gzip capture being written: ``<receive ns> <frame>``, handed to the system about every second of frames."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.written = 0
        self._flushed_ns = 0
        self._file = gzip.GzipFile(path, "xb", compresslevel=_LEVEL)

    def write(self, received_ns: int, frame: bytes) -> None:
        """Add one frame; a frame is one line of JSON, so a line break inside it can only be white space."""
        self._file.write(b"%d %s\n" % (received_ns, frame.replace(b"\n", b" ")))
        self.written += 1
        if received_ns - self._flushed_ns >= _FLUSH_EVERY_NS:
            self._flushed_ns = received_ns
            self._file.flush(zlib.Z_SYNC_FLUSH)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
