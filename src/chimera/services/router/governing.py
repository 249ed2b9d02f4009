"""What the rate governor keeps back, as the router tells it: a barrier once entries have been waiting, and the levels.

The governor itself holds back every request that there is no room for (ADR 12); this only tells callers early,
wakes somebody when the venue has banned us, and tells the governor what it cannot see: a maker may fill long after the
booking of its entry has left the window, and its stop must find room all the same.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from chimera.ports.clock import Clock
from chimera.ports.rates import Rates
from chimera.services.router.barriers import Barriers
from chimera.trading.events import Severity
from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.rates import Lane, RateUse

CODE: Final = "RATE_GOVERNOR"
BAN_CODE: Final = "VENUE_BAN"
LOOK_S: Final = 0.5
FULL_MS: Final = 3_000  # entries have had no room for so long
CALM_MS: Final = 3_000  # and have had it again for so long: a level does not flap


class Unlimited:
    """``Rates`` of a venue that sets no limits."""

    def uses(self) -> Sequence[RateUse]:
        return ()

    def entries_held(self) -> str | None:
        return None

    def expect(self, stops: int) -> None:
        return None

    def banned_ms(self) -> Millis:
        return Millis(0)


class Governing:
    """Of one router, whose positions ``holdings`` gives."""

    def __init__(
        self,
        rates: Rates | None,
        barriers: Barriers,
        clock: Clock,
        holdings: Callable[[], Iterable[Holding]] = tuple,
    ) -> None:
        self._rates: Rates = rates or Unlimited()
        self._holdings = holdings
        self._barriers = barriers
        self._clock = clock
        self._held_since: int | None = None
        self._free_since: int | None = None
        self._why = ""

    async def run(self) -> None:
        """For ever."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Both levels as they stand now, and how many stops may be needed."""
        self._rates.expect(sum(_may_need_a_stop(holding) for holding in self._holdings()))
        banned_ms = self._rates.banned_ms()
        told = f"the venue has banned this address: nothing leaves for {banned_ms} ms, no stop either"
        self._barriers.level(BAN_CODE, told if banned_ms else None, severity=Severity.FATAL)
        self._barriers.level(CODE, self._entries_wait(), severity=Severity.WARN)

    def shown(self) -> list[dict[str, object]]:
        """For ``GET /health``: each limit, what is used of it, and by lane what it sent and where it stops."""
        return [
            {
                "counts": str(use.limit.counts),
                "span_ms": use.limit.span_ms,
                "limit": use.limit.most,
                "used": use.used,
                "lanes": {str(lane): {"ours": use.ours[lane], "ceiling": use.ceiling[lane]} for lane in Lane},
            }
            for use in self._rates.uses()
        ]

    def _entries_wait(self) -> str | None:
        now_ms, why = self._clock.monotonic_ms(), self._rates.entries_held()
        if why is None:
            self._free_since = now_ms if self._free_since is None else self._free_since
            if now_ms - self._free_since >= CALM_MS:
                self._held_since = None
        else:
            self._free_since, self._why = None, why
            self._held_since = now_ms if self._held_since is None else self._held_since
        if self._held_since is None or now_ms - self._held_since < FULL_MS:
            return None
        return f"entries wait: {self._why}"


def _may_need_a_stop(holding: Holding) -> bool:
    """An entry of it may fill at any moment, or has filled and is not guarded yet."""
    return holding.resting or holding.covered_qty < abs(holding.exposure)
