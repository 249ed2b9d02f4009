"""Capture files on disk, plain or gzip, in the form of ``chimera.tape.capture``.

Written so that a process killed at any moment leaves a file that replays to its last flushed line. It does not look
into the frames.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_GZIP_MAGIC: Final = b"\x1f\x8b"
_OTHERS: Final = {b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}
_MARK: Final = b"\xef\xbb\xbf"  # of byte order: some editors begin a text with it
_FLUSH_EVERY_NS: Final = 1_000_000_000
_LEVEL: Final = 5  # frames shrink tenfold; higher levels cost more than they save


def lines(path: Path, cut_off: Callable[[], None] = lambda: None) -> Iterator[bytes]:
    """The lines of a capture, gzip told by its first bytes. A file cut off while being written ends early, with what is
    there of its last line; a gzip then calls ``cut_off``.

    Raises ``OSError`` (``gzip.BadGzipFile`` is one) where it is damaged, after what stands before the damage; at once
    for one that is packed in another way.
    """
    with path.open("rb") as probe:
        head = probe.read(8)
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            raise OSError(f"it is packed as {name}; gzip and plain text are read, so unpack it first")
    with gzip.open(path) if head.startswith(_GZIP_MAGIC) else path.open("rb") as capture:
        try:
            for first in capture:
                yield first.removeprefix(_MARK)
                break
            yield from capture
        except EOFError:
            cut_off()  # the writer was killed, or the copy is not whole: what was flushed has been read
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
