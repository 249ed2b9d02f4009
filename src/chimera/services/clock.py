"""The machine's clock."""

import time

from chimera.trading.money import Millis


class SystemClock:
    """``ports.Clock``."""

    def now_ms(self) -> Millis:
        return Millis(time.time_ns() // 1_000_000)

    def monotonic_ms(self) -> Millis:
        return Millis(time.monotonic_ns() // 1_000_000)
