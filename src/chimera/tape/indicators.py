"""Incremental indicators: each takes one observation at a time in constant time and space.

Pure: no clock, no I/O; times are arguments. Prices and means are exact decimals, statistics of returns are floats.
A value that is not known yet is None, never a default.
"""

import math
from collections import deque
from decimal import Decimal

from chimera.trading.money import ZERO
from chimera.trading.value import Value

YEAR_MS = 365 * 86_400_000  # this market never closes


class Bar(Value):
    """Prices within [start, start + bar length)."""

    start_ms: int
    high: Decimal
    low: Decimal
    close: Decimal


class Bars:
    """Cuts prices into bars on the clock's grid. A span without a price makes no bar."""

    def __init__(self, bar_ms: int) -> None:
        self.bar_ms = bar_ms
        self._bar: Bar | None = None

    def take(self, at_ms: int, price: Decimal) -> Bar | None:
        """The bar that this price closed, if any. Times do not run backwards."""
        start_ms = at_ms // self.bar_ms * self.bar_ms
        bar = self._bar
        if bar is None or start_ms > bar.start_ms:
            self._bar = Bar(start_ms=start_ms, high=price, low=price, close=price)
            return bar
        if price != bar.close:
            self._bar = bar.but(high=max(bar.high, price), low=min(bar.low, price), close=price)
        return None


class WilderAtr:
    """Average true range by Wilder: the mean of the first ``period`` true ranges, then 1/``period`` of each new one.

    From ``warmup`` bars on, and until ``period`` of them are there, it is the mean of those seen.
    """

    def __init__(self, period: int, warmup: int | None = None) -> None:
        self.bars = 0
        self._period = period
        self._warmup = period if warmup is None else min(warmup, period)
        self._close: Decimal | None = None
        self._sum = ZERO
        self._atr = ZERO

    def take(self, bar: Bar) -> None:
        close = bar.close if self._close is None else self._close
        true_range = max(bar.high, close) - min(bar.low, close)
        self._close = bar.close
        self.bars += 1
        if self.bars <= self._period:
            self._sum += true_range
            self._atr = self._sum / self.bars
        else:
            self._atr += (true_range - self._atr) / self._period

    @property
    def value(self) -> Decimal | None:
        """In the price's unit."""
        return self._atr if self.bars >= self._warmup else None


class RealisedVolatility:
    """Root mean square of the last ``window`` log returns between bar closes, as a fraction per year."""

    def __init__(self, window: int, bar_ms: int, least: int = 3) -> None:
        self._squares: deque[float] = deque(maxlen=window)
        self._bars_per_year = YEAR_MS / bar_ms
        self._least = least
        self._close: float | None = None

    def take(self, close: Decimal) -> None:
        now = float(close)
        if self._close is not None:
            self._squares.append(math.log(now / self._close) ** 2)
        self._close = now

    @property
    def value(self) -> float | None:
        if len(self._squares) < self._least:
            return None
        return math.sqrt(math.fsum(self._squares) / len(self._squares) * self._bars_per_year)


class TimeMean:
    """Mean over a sliding window of a value that holds until the next one, weighted by how long it held.

    The window slides by buckets: it covers the present bucket and the ``buckets - 1`` before it. After ``hold_ms``
    without news a value counts no longer.
    """

    def __init__(self, window_ms: int, buckets: int = 60, hold_ms: int = 60_000) -> None:
        self._span_ms = max(1, window_ms // buckets)
        self._buckets = buckets
        self._hold_ms = hold_ms
        self._ring: deque[tuple[int, int, Decimal]] = deque()  # (bucket number, ms, value x ms), closed buckets
        self._number = 0
        self._weight_ms, self._total = 0, ZERO  # of the present bucket
        self._past_ms, self._past_total = 0, ZERO  # of the ring
        self._value: Decimal | None = None
        self._at_ms = 0

    def take(self, at_ms: int, value: Decimal) -> None:
        """From ``at_ms`` on it is ``value``."""
        self._advance(at_ms)
        self._value = value

    def mean(self, at_ms: int) -> Decimal | None:
        """Over the window that ends now; None while nothing has held for a millisecond."""
        self._advance(at_ms)
        weight_ms = self._past_ms + self._weight_ms
        return (self._past_total + self._total) / weight_ms if weight_ms else None

    def _advance(self, at_ms: int) -> None:
        value, start_ms = self._value, self._at_ms
        until_ms = min(at_ms, start_ms + self._hold_ms)
        while value is not None and start_ms < until_ms:
            self._turn_to(start_ms // self._span_ms)
            end_ms = min(until_ms, (self._number + 1) * self._span_ms)
            self._weight_ms += end_ms - start_ms
            self._total += value * (end_ms - start_ms)
            start_ms = end_ms
        self._turn_to(at_ms // self._span_ms)
        self._at_ms = max(self._at_ms, at_ms)

    def _turn_to(self, number: int) -> None:
        if number <= self._number:
            return
        if self._weight_ms:
            self._ring.append((self._number, self._weight_ms, self._total))
            self._past_ms += self._weight_ms
            self._past_total += self._total
            self._weight_ms, self._total = 0, ZERO
        self._number = number
        while self._ring and self._ring[0][0] <= number - self._buckets:
            _, weight_ms, total = self._ring.popleft()
            self._past_ms -= weight_ms
            self._past_total -= total
