"""A capture replayed: lines of local receive time, one space, the raw combined-stream message.

Times are milliseconds, microseconds or nanoseconds since the epoch, told apart by magnitude. ``at_us`` of every event
is the local *receive* time: it is one clock for all streams and never runs backwards, while Binance's ``E`` and ``T``
jitter by seconds between streams, and spot ``bookTicker`` has neither. In a capture the two clocks may differ by a
constant; only ``next_funding_ms`` is the exchange's.
It opens no file: the shell hands it lines (``chimera.adapters.binance.capture_file``).
"""

from collections.abc import Iterable, Iterator
from typing import Final

from chimera.tape.reader import FrameRefused, MarketReader
from chimera.trading.market import MarketEvent

_MILLISECONDS_FROM: Final = 10**11  # 1973 in ms
_MICROSECONDS_FROM: Final = 10**14
_NANOSECONDS_FROM: Final = 10**17  # µs get there in the year 5138
_SHOWN: Final = 40  # characters of what is no time


class CaptureRefused(ValueError):
    """Line ``number`` (from 1) is not of a capture."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"line {number}: {reason}")
        self.number = number
        self.reason = reason


class Capture:
    """One reading of a capture. ``lenient`` counts bad lines in ``refused`` and goes on; else the first one raises."""

    def __init__(self, *, lenient: bool = False) -> None:
        self.reader = MarketReader()
        self.lines = 0
        self.refused = 0
        self.first_refused: CaptureRefused | None = None
        self._lenient = lenient

    def events(self, lines: Iterable[str | bytes]) -> Iterator[MarketEvent]:
        """Market events in time order. Raises CaptureRefused."""
        for line in lines:
            self.lines += 1
            stripped = line.strip()
            if not stripped:
                continue
            try:
                at_us, frame = split_line(stripped)
                found = self.reader.take(at_us, frame)
            except FrameRefused as bad:
                self._refuse(str(bad), bad)
                continue
            yield from found

    def _refuse(self, reason: str, cause: FrameRefused) -> None:
        refusal = CaptureRefused(self.lines, reason)
        self.refused += 1
        self.first_refused = self.first_refused or refusal
        if not self._lenient:
            raise refusal from cause


def split_line(line: str | bytes) -> tuple[int, bytes]:
    """Receive time in µs and the raw frame. Raises FrameRefused."""
    raw = line.encode() if isinstance(line, str) else line
    stamp, _, frame = raw.partition(b" ")
    at = int(stamp) if stamp.isdigit() and len(stamp) < _SHOWN else 0
    if at < _MILLISECONDS_FROM or not frame:
        shown = raw[:_SHOWN].decode(errors="replace")
        raise FrameRefused(
            f"it begins {shown!r}, not with a receive time (ms, µs or ns since 1970), one space and Binance's message"
        )
    if at >= _NANOSECONDS_FROM:
        return at // 1_000, frame
    return (at, frame) if at >= _MICROSECONDS_FROM else (at * 1_000, frame)
