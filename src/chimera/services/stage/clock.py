"""The ``Clock`` port in virtual time: one instant for all, and for each machine its own wrong idea of it.

Invariants: ``monotonic_ms`` is the loop's time and never steps; only ``now_ms`` has an offset, and ``step`` moves it.
Both round down, so a moment is never told before it came.
"""

from typing import Final

from chimera.services.stage.loop import DetLoop
from chimera.trading.money import Millis

EPOCH_MS: Final = Millis(1_767_225_600_000)  # 2026-01-01T00:00:00Z, where the synthetic markets begin


class VirtualClock:
    """``chimera.ports.clock.Clock``. ``offset_ms`` is what this machine's wall clock is ahead of the venue's."""

    def __init__(self, loop: DetLoop, *, offset_ms: int = 0, epoch_ms: Millis = EPOCH_MS) -> None:
        self.offset_ms = offset_ms
        self._loop = loop
        self._epoch_ms = epoch_ms

    def now_ms(self) -> Millis:
        return Millis(self._epoch_ms + self._loop.now_us // 1000 + self.offset_ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self._loop.now_us // 1000)

    def step(self, by_ms: int) -> None:
        """The wall clock is set forward or back, as an operator or NTP does."""
        self.offset_ms += by_ms
