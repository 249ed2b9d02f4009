"""Where a process' lines go: a descriptor may be full, gone or held up, and no trade waits or fails for that.

Invariants: writing raises nothing, and while nobody reads (a terminal that is stopped, a pipe whose reader hangs) one
line waits ``WAITS_MS`` and the ones after it not at all; what was not written is counted, and the first line that gets
through again is preceded by one that says how many and why. A line goes straight to the kernel: none lies in a buffer
that would fail a second time, at the end, and change the exit code.

A regular file's disk that hangs holds a write up all the same: the kernel calls such a file always ready.
"""

import json
import os
import select
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, TextIO

WAITS_MS: Final = 50
NOBODY_READS: Final = "nobody reads them"


class Outlet:
    """A text file, as far as ``logging`` and ``structlog`` use one."""

    def __init__(self, descriptor: int, service: str) -> None:
        self._descriptor = descriptor
        self._service = service
        self._ready = select.poll()
        self._ready.register(descriptor, select.POLLOUT)
        self._lock = threading.Lock()
        self._held_up = False
        self._torn = False  # the last line was begun and not ended
        self._lost = 0
        self._why = ""

    def write(self, text: str) -> int:
        with self._lock:
            before = ("\n" if self._torn else "") + (self._told() if self._lost else "")
            try:
                self._put((before + text).encode("utf-8", "backslashreplace"))
                self._lost = 0
            except OSError as error:
                self._lost += 1
                self._why = error.strerror or str(error)
        return len(text)

    def flush(self) -> None:
        """Nothing waits."""

    def _put(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            self._held_up = not self._ready.poll(0 if self._held_up else WAITS_MS)
            if self._held_up:
                raise BlockingIOError(0, NOBODY_READS)
            done = os.write(self._descriptor, left[: select.PIPE_BUF])  # so much a pipe that is ready takes at once
            left, self._torn = left[done:], True
        self._torn = False

    def _told(self) -> str:
        stamp = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        about = {"lines": self._lost, "why": self._why, "service": self._service, "level": "error", "timestamp": stamp}
        return json.dumps({"event": "log_lost", **about}) + "\n"


def outlet(stream: TextIO | None, service: str = "") -> Outlet | TextIO:
    """To the descriptor behind it; to the stream itself where it has none; nowhere, where it is closed."""
    if stream is None:  # its descriptor is, or will be, another file's
        return Outlet(os.open(os.devnull, os.O_WRONLY), service)
    try:
        return Outlet(stream.fileno(), service)
    except (OSError, ValueError):
        return stream


def say(line: str, *, aloud: bool = False) -> None:
    """For whoever started us: on stderr or, ``aloud``, on stdout."""
    stream = sys.stdout if aloud else sys.stderr
    if stream is not None:
        with suppress(OSError, ValueError):
            stream.flush()  # what was printed before comes before
    out = outlet(stream)
    out.write(line + "\n")
    out.flush()
