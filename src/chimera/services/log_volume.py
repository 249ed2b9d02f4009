"""How much a process logs: so many lines of one name, so many of all; what is left out is counted and told.

Invariants: a line that repeats for ever cannot fill a disk, and crowds out neither the others nor any error; a value is
cut where it is long; the next line that is written says how many of which name were left out before it.
At its most a process writes ``ALL_PER_S`` lines a second: with three hundred bytes each 1.3 GB a day. It writes none.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog
from structlog.types import EventDict, WrappedLogger

EACH_PER_S: Final = 20  # of one name
ALL_PER_S: Final = 50  # of all names, errors apart
BURST_S: Final = 60  # quiet time that may be used at once: a start, a morning's reconnecting
NAMES_MOST: Final = 500  # ours are some two hundred; what comes beyond shares one
CHARS_MOST: Final = 8_192  # of one value: a traceback fits
OTHERS: Final = "others"
_ERRORS: Final = frozenset({"error", "critical", "exception"})


class Bucket:
    """``per_s`` tokens a second, ``BURST_S`` seconds of them at most."""

    def __init__(self, per_s: int, at_s: float) -> None:
        self._per_s, self._most = per_s, per_s * BURST_S
        self._has, self._at_s = float(self._most), at_s

    def take(self, at_s: float) -> bool:
        self._has = min(self._most, self._has + (at_s - self._at_s) * self._per_s)
        self._at_s = at_s
        if self._has < 1:
            return False
        self._has -= 1
        return True


class Volume:
    """One for each process; called in the order in which lines are written."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = monotonic_s
        self._each: dict[str, Bucket] = {}
        self._all = Bucket(ALL_PER_S, monotonic_s())
        self._left_out: Counter[str] = Counter()

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        """structlog's processor; raises ``DropEvent``."""
        if not self._lets(str(event.get("event")), is_error=event.get("level") in _ERRORS):
            raise structlog.DropEvent
        if self._left_out:
            event["left_out"] = dict(self._left_out)
            self._left_out.clear()
        return event

    def filter(self, record: logging.LogRecord) -> bool:
        """For the libraries' lines, which have no names: by their loggers."""
        return self._lets(record.name, is_error=record.levelno >= logging.ERROR)

    def _lets(self, name: str, *, is_error: bool) -> bool:
        at_s = self._now_s()
        if name not in self._each and len(self._each) >= NAMES_MOST:
            name = OTHERS
        bucket = self._each.get(name)
        if bucket is None:
            bucket = self._each[name] = Bucket(EACH_PER_S, at_s)
        if bucket.take(at_s) and (is_error or self._all.take(at_s)):
            return True
        self._left_out[name] += 1
        return False


def cut(text: str) -> str:
    """Its beginning and its end, where a traceback says what went wrong."""
    if len(text) <= CHARS_MOST:
        return text
    half = CHARS_MOST // 2
    return f"{text[:half]} ...{len(text) - CHARS_MOST} characters... {text[-half:]}"
