"""Changes that were asked of the venue and may yet be done: whoever gives up a lease must know of each.

A change is over when its answer says what became of it. Where there is no such answer (it timed out, was cancelled, or
the venue itself does not know, Binance error -1007) the venue may take it until its receive window has closed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from chimera.ports.clock import Clock
from chimera.trading.errors import NotSent, VenueRejected
from chimera.trading.money import Millis


class InFlight:
    """Of one account. ``clock``: its steady hand alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._unanswered = 0  # requests under way
        self._until_ms = Millis(0)  # the venue may take something that ended without a word

    @contextmanager
    def until(self, window_ms: int) -> Iterator[None]:
        """Around one request that changes something; ``window_ms``: for how long after its stamp the venue may take it.

        Counted from its end, which no pause of the process puts before the stamp.
        """
        self._unanswered += 1
        known = False
        try:
            yield
            known = True
        except (NotSent, VenueRejected):
            known = True
            raise
        finally:
            self._unanswered -= 1
            if not known:
                self._until_ms = Millis(max(self._until_ms, self._clock.monotonic_ms() + window_ms))

    def any(self) -> bool:
        return self._unanswered > 0 or self._clock.monotonic_ms() <= self._until_ms
