"""Time, with two hands. Waiting itself is the event loop's (``asyncio.sleep``), which the world makes virtual."""

from typing import Protocol

from chimera.trading.money import Millis


class Clock(Protocol):
    def now_ms(self) -> Millis:
        """UTC, for records and for the venue; it may step."""
        ...

    def monotonic_ms(self) -> Millis:
        """For measuring and waiting; it never steps."""
        ...
