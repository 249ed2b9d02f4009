"""A loop whose time is the processor time that this process has used, and the waits that it skipped.

What waits costs nothing and what works costs what it costs, so a lateness by this time is the code's own: neither what
else the machine does nor a pause of it is in it. A whole minute of slices takes the seconds that they work.
"""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from chimera.trading.money import Millis

T = TypeVar("T")
EPOCH_MS: Final = 1_800_000_000_000


class OwnTime(asyncio.SelectorEventLoop):
    """Also a ``ports.Clock``. Nothing may come from outside: no thread, no socket."""

    def __init__(self) -> None:
        self._skipped_s = 0.0
        super().__init__(_Skipping(self.skip))

    def skip(self, seconds: float) -> None:
        self._skipped_s += seconds

    def time(self) -> float:
        return time.process_time() + self._skipped_s

    def now_ms(self) -> Millis:
        return Millis(EPOCH_MS + self.monotonic_ms())

    def exactly_ms(self) -> float:
        """``now_ms`` with its fractions."""
        return EPOCH_MS + self.time() * 1_000

    def monotonic_ms(self) -> Millis:
        return Millis(int(self.time() * 1_000))


class _Skipping(selectors.DefaultSelector):
    """Does not wait for the time at which the loop wants to go on: it lets that time come."""

    def __init__(self, skip: Any) -> None:
        super().__init__()
        self._skip = skip

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout:
            self._skip(timeout)
        return found


def run_in_own_time(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=OwnTime) as runner:
        return runner.run(main)
