"""When each market event is due: market time against wall time, at a speed, and stopped or stepped by hand.

Wall times are of a monotonic clock, seconds; market times are the events' own, microseconds. It waits for nobody:
whoever releases events asks it, and is woken when somebody has changed it.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final

SPEED_LEAST: Final = 0.01
SPEED_MOST: Final = 1_000.0
STEP_MOST_MS: Final = 3_600_000


class Pace:
    """``speed``: market seconds per wall second; infinite: as fast as it goes."""

    def __init__(self, speed: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self.speed = speed
        self.stopped = False
        self.market_us: int | None = None  # of the newest event that was released
        self._now_s = now_s
        self._from_s = 0.0
        self._from_us: int | None = None
        self._until_us: int | None = None  # stopped: events before this may still go
        self._changed = asyncio.Event()

    def wait_s(self, at_us: int) -> float | None:
        """How long an event has to wait, 0 or less: it is due; None: until somebody lets it go."""
        if self.stopped:
            return None if self._until_us is None or at_us > self._until_us else 0.0
        if math.isinf(self.speed):
            return 0.0
        if self._from_us is None:
            self._from_s, self._from_us = self._now_s(), at_us
        return self._from_s + (at_us - self._from_us) / 1e6 / self.speed - self._now_s()

    async def due(self, at_us: int) -> None:
        """Until it is; any change on the way is heard."""
        while (left_s := self.wait_s(at_us)) is None or left_s > 0:
            self._changed.clear()
            try:
                async with asyncio.timeout(left_s):
                    await self._changed.wait()
            except TimeoutError:
                return
        return

    def released(self, at_us: int) -> None:
        self.market_us = at_us

    # ── by hand ──

    def stop(self) -> None:
        """Market time stands still."""
        self.stopped, self._until_us = True, None
        self._changed.set()

    def go(self, speed: float | None = None) -> None:
        """It runs on from where it is, at another speed perhaps."""
        self.speed = self.speed if speed is None else speed
        self.stopped, self._until_us, self._from_us = False, None, None
        self._changed.set()

    def step(self, ms: int) -> None:
        """It stands still once so much market time has passed."""
        begin_us = self._until_us if self.stopped and self._until_us is not None else self.market_us or 0
        self.stopped, self._until_us = True, max(begin_us, self.market_us or 0) + ms * 1_000
        self._changed.set()
