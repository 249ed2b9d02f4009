"""How long a position has been without a live stop at the venue, and how much of that time a guard watched it.

A guard is no cover: the time counts as unprotected all the same. It is told apart, since a price was being watched.
"""

from decimal import Decimal

from chimera.ports.clock import Clock
from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.order import Role


class Cover:
    """Of one position."""

    def __init__(self, clock: Clock) -> None:
        self.max_unprotected_ms = 0
        self.max_unwatched_ms = 0  # of a stretch without a live stop, the part that no guard watched
        self._clock = clock
        self._bare_since: Millis | None = None  # monotonic
        self._guarded_since: Millis | None = None
        self._guarded_ms = 0  # of this stretch, before ``_guarded_since``

    def look(self, holding: Holding, step: Decimal) -> None:
        """After each change. ``step``: of the symbol; less than one cannot be sold by a stop (spot, after fees)."""
        now_ms = self._clock.monotonic_ms()
        bare = abs(holding.exposure) - holding.covered_qty >= step
        if not bare:
            if self._bare_since is not None:
                self.max_unprotected_ms = max(self.max_unprotected_ms, self.unprotected_ms())
                self.max_unwatched_ms = max(self.max_unwatched_ms, self.unprotected_ms() - self.guarded_ms())
                self._bare_since, self._guarded_since, self._guarded_ms = None, None, 0
            return
        if self._bare_since is None:
            self._bare_since = now_ms
        guarded = any(guard.role is Role.STOP for guard in holding.guards)
        if guarded and self._guarded_since is None:
            self._guarded_since = now_ms
        elif not guarded and self._guarded_since is not None:
            self._guarded_ms = self.guarded_ms()
            self._guarded_since = None

    def unprotected_ms(self) -> int:
        """How long some of the position has been without a live stop; 0 when all of it has one."""
        return 0 if self._bare_since is None else self._clock.monotonic_ms() - self._bare_since

    def guarded_ms(self) -> int:
        """Of that time, how long a guard has watched its stop price."""
        running = 0 if self._guarded_since is None else self._clock.monotonic_ms() - self._guarded_since
        return self._guarded_ms + running
