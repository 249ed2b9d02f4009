"""Counts over the whole account that somebody should hear of (S4-ALR-1): makers, lack of margin, orders that fail.

Each ``low``, ``often`` or ``failing`` is a sentence with the numbers, or None. Counts live in memory: a restart begins
anew. Moments are of the monotonic clock.
"""

from collections import OrderedDict, deque
from decimal import Decimal
from typing import Final

from chimera.trading.money import HOUR_MS, ZERO, Millis

MAKERS_MIN: Final = 20  # fewer say nothing
MAKERS_MAX: Final = 200
SLICES_MAX: Final = 2_000

BALANCE_TIMES: Final = 3
BALANCE_MS: Final = 600_000

FAILURES: Final = 3  # in a row


class Shares:
    """How much filled of what ended in the last hour, of no more than ``most``."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ended: OrderedDict[str, tuple[Millis, Decimal]] = OrderedDict()

    def ended(self, ref: str, share: Decimal, now_ms: Millis) -> None:
        """``share`` of its quantity that filled; told again (a trade after the end) it is the newer that counts."""
        began = self._ended[ref][0] if ref in self._ended else now_ms
        self._ended[ref] = (began, share)
        while len(self._ended) > self._most:
            self._ended.popitem(last=False)
        self._forget(now_ms)

    def ratio(self, now_ms: Millis) -> tuple[int, Decimal]:
        """How many ended in the last hour, and the mean of their filled shares."""
        self._forget(now_ms)
        count = len(self._ended)
        return count, sum((share for _, share in self._ended.values()), ZERO) / count if count else ZERO

    def _forget(self, now_ms: Millis) -> None:
        """What is older than an hour, whether anybody asks or not."""
        while self._ended and next(iter(self._ended.values()))[0] <= now_ms - HOUR_MS:
            self._ended.popitem(last=False)


class Makers(Shares):
    """How much of the resting orders filled."""

    def __init__(self) -> None:
        super().__init__(MAKERS_MAX)

    def low(self, least: Decimal, now_ms: Millis) -> str | None:
        count, ratio = self.ratio(now_ms)
        if count < MAKERS_MIN or ratio >= least:
            return None
        return f"{ratio:.3f} of the last {count} maker orders filled; S4_MAKER_FILL_RATIO_MIN is {least}"


class Shortages:
    """Refusals for lack of balance or margin."""

    def __init__(self) -> None:
        self._at_ms: deque[Millis] = deque(maxlen=100)

    def count(self, now_ms: Millis) -> None:
        self._at_ms.append(now_ms)

    def often(self, now_ms: Millis) -> str | None:
        while self._at_ms and self._at_ms[0] <= now_ms - BALANCE_MS:
            self._at_ms.popleft()
        if len(self._at_ms) < BALANCE_TIMES:
            return None
        return f"{len(self._at_ms)} orders refused for lack of balance in {BALANCE_MS // 60_000} min"


class Failures:
    """Orders that failed one after the other, for no reason of the caller's."""

    def __init__(self) -> None:
        self._row = 0
        self._last = ""

    def bad(self, why: str) -> None:
        self._row += 1
        self._last = why

    def good(self) -> None:
        self._row = 0

    @property
    def failing(self) -> str | None:
        if self._row < FAILURES:
            return None
        return f"{self._row} orders failed in a row, the last: {self._last}"
