"""The machine's clock."""

import time

from chimera.ports.clock import Clock
from chimera.trading.money import Millis


class SystemClock:
    """``ports.Clock``."""

    def now_ms(self) -> Millis:
        return Millis(time.time_ns() // 1_000_000)

    def monotonic_ms(self) -> Millis:
        return Millis(time.monotonic_ns() // 1_000_000)


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


class WakingClock(SystemClock):
    """Its second hand goes on while the machine sleeps, as that of whoever waits for us elsewhere does."""

    def monotonic_ms(self) -> Millis:
        return Millis(time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000)
