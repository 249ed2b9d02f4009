"""The leverage of a symbol: the venue keeps one for all that stands there, and each change of it costs requests.

So it changes only while nothing stands at another leverage, and only so often: each change is a few requests in the
entries' lane (ADR 12), and a caller who alternates could starve all others. Moments are of the monotonic clock.
"""

from collections import deque
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.holding import Holding
from chimera.trading.ids import Symbol
from chimera.trading.intent import Intent
from chimera.trading.money import MINUTE_MS, Millis

OF_SYMBOL: Final = 4  # changes in a minute
OF_ACCOUNT: Final = 60  # ... of all symbols together: about 360 of the 1,440 request weight that entries may take

IN_USE: Final = "LEVERAGE_IN_USE"
TOO_OFTEN: Final = "LEVERAGE_TOO_OFTEN"


def in_use(intent: Intent, holding: Holding, set_to: int | None) -> Refused | None:
    """Why the entry may not trade at its leverage now. ``set_to``: what the venue was last told; None: not known."""
    if not (holding.exposure or holding.entering):
        return None
    opened = {work.intent.leverage for key in holding.engaged if not (work := holding.intents[key]).intent.reduce_only}
    standing = opened or ({set_to} if set_to is not None else set())
    return None if standing <= {intent.leverage} else refused(intent, standing)


def refused(intent: Intent, standing: set[int]) -> Refused:
    """What stands there is traded at these."""
    known = ", ".join(str(each) for each in sorted(standing))
    return Refused(
        IN_USE, f"{intent.symbol} is traded at leverage {known}; it changes only while nothing stands there",
        field="leverage", value=intent.leverage, accepted=f"{known}; or another once flat",
    )  # fmt: skip


class Changes:
    """Attempts to change it in the last minute, on one account; one that the venue refuses costs as much."""

    def __init__(self) -> None:
        self._made: deque[tuple[Millis, Symbol]] = deque()

    def count(self, symbol: Symbol, now_ms: Millis) -> None:
        self._made.append((now_ms, symbol))

    def too_many(self, symbol: Symbol, now_ms: Millis) -> Refused | None:
        """Why there may be no further one now."""
        while self._made and self._made[0][0] <= now_ms - MINUTE_MS:
            self._made.popleft()
        here = sum(each == symbol for _, each in self._made)
        if here < OF_SYMBOL and len(self._made) < OF_ACCOUNT:
            return None
        told = f"the leverage was set {here} times for {symbol} in the last minute, {len(self._made)} times in all"
        return Refused(TOO_OFTEN, told, field="leverage", accepted="the leverage of before; or later")
