"""What traded in public on one listing since the venue began: the last trades, and a candle of each minute.

Older ones are forgotten, and all of it with the process: a venue that carries on begins its history anew. Where the
venue's clock is put back, trades count in the newest minute.
"""

from bisect import bisect_left
from collections import deque
from decimal import Decimal
from typing import Final

from chimera.simulate.venue.candles import Candle, Interval, Print, flat, joined
from chimera.trading.money import MINUTE_MS

TRADES: Final = 1_000
MINUTES: Final = 1_500  # a day and an hour: the tickers' window, and as many candles as anybody may ask for at once


class Prints:
    """One listing's public past."""

    def __init__(self) -> None:
        self.trades: deque[Print] = deque(maxlen=TRADES)
        self._minutes: deque[Candle] = deque(maxlen=MINUTES)

    @property
    def last_id(self) -> int:
        """Of the newest trade; -1: there was none."""
        return self.trades[-1].number if self.trades else -1

    def add(self, trade: Print) -> None:
        """The newest trade."""
        self.trades.append(trade)
        minute_ms = trade.at_ms - trade.at_ms % MINUTE_MS
        if not self._minutes or minute_ms > self._minutes[-1].opening_ms:
            self._minutes.append(flat(minute_ms, trade.price))
        self._minutes[-1].add(trade)

    def candles(self, interval: Interval, now_ms: int) -> list[Candle]:
        """Oldest first, up to the one that lasts; a stretch without a trade has the price of the close before it."""
        found: list[Candle] = []
        for minute in self._minutes:
            opening_ms = interval.opening(minute.opening_ms)
            if found and opening_ms == found[-1].opening_ms:
                found[-1].join(minute)
                continue
            found += _between(found, interval, opening_ms)
            begun = flat(opening_ms, minute.open)
            begun.join(minute)
            found.append(begun)
        return found + _between(found, interval, now_ms + 1)

    def candle(self, interval: Interval, opening_ms: int) -> Candle | None:
        """The one that opened then; ``None`` before anything traded."""
        until_ms = interval.after(opening_ms)
        begin, end = (bisect_left(self._minutes, ms, key=_opening) for ms in (opening_ms, until_ms))
        whole = joined(opening_ms, (self._minutes[place] for place in range(begin, end)))
        if whole is None and begin:
            return flat(opening_ms, self._minutes[begin - 1].close)
        return whole

    def over(self, window_ms: int, now_ms: int) -> Candle | None:
        """The last ``window_ms`` as one candle, to the minute; ``None`` before anything traded."""
        since_ms = now_ms - window_ms
        within = (each for each in self._minutes if each.opening_ms + MINUTE_MS > since_ms)
        close = self.close
        return joined(since_ms, within) or (None if close is None else flat(since_ms, close))

    @property
    def close(self) -> Decimal | None:
        """The price of the newest trade."""
        return self._minutes[-1].close if self._minutes else None


def _opening(candle: Candle) -> int:
    return candle.opening_ms


def _between(found: list[Candle], interval: Interval, until_ms: int) -> list[Candle]:
    """Flat candles from the end of the last of ``found`` until ``until_ms``, the newest of them."""
    if not found:
        return []
    close, missing = found[-1].close, deque[Candle](maxlen=MINUTES)
    opening_ms = max(interval.after(found[-1].opening_ms), interval.opening(until_ms - MINUTES * MINUTE_MS))
    while opening_ms < until_ms:
        missing.append(flat(opening_ms, close))
        opening_ms = interval.after(opening_ms)
    return list(missing)
