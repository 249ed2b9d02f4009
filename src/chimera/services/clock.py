"""The machine's clock."""

import time
from typing import Final

from chimera.ports.clock import Clock
from chimera.trading.money import Millis

# macOS has no BOOTTIME: there MONOTONIC counts sleep.
_SECOND_HAND: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """``ports.Clock``. Its second hand goes on while the machine sleeps, as the venue's does: what was to be done by
    then is late when it wakes, and what was seen is old. The event loop's timers stand still meanwhile.
    """

    def now_ms(self) -> Millis:
        return Millis(time.time_ns() // 1_000_000)

    def monotonic_ms(self) -> Millis:
        return Millis(time.clock_gettime_ns(_SECOND_HAND) // 1_000_000)


class SteadyClock:
    """Wall time at the start plus monotonic time since: what deadlines are kept by, so that no step moves them.

    It may drift from the wall; the venue's clock is measured against it every few seconds, and stamps follow that.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._apart_ms = clock.now_ms() - clock.monotonic_ms()

    def now_ms(self) -> Millis:
        return Millis(self._clock.monotonic_ms() + self._apart_ms)

    def monotonic_ms(self) -> Millis:
        return self._clock.monotonic_ms()

    def off_ms(self) -> int:
        """How far the wall is ahead of it: by so much the machine's clock was set since the start."""
        return self._clock.now_ms() - self.now_ms()
