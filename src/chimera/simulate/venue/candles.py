"""Candles, and the stretches of time that Binance cuts trading into.

A stretch is known by its opening, UTC ms. Weeks begin on Monday, months with the calendar; the rest counts from 1970.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from chimera.simulate.door.refusals import Refusal
from chimera.trading.market import Side
from chimera.trading.money import DAY_MS, HOUR_MS, MINUTE_MS, ZERO
from chimera.trading.value import Value

_MONDAY_MS: Final = 4 * DAY_MS  # 1970 began on a Thursday
_LONGEST_MONTH: Final = timedelta(days=31)


class Interval(Value):
    """``span_ms`` long, counted from ``from_ms``; 0: a calendar month."""

    name: str
    span_ms: int
    from_ms: int = 0

    def opening(self, at_ms: int) -> int:
        """When the stretch that ``at_ms`` is in began."""
        if self.span_ms:
            return at_ms - (at_ms - self.from_ms) % self.span_ms
        return _ms(_month(at_ms))

    def after(self, opening_ms: int) -> int:
        """When the next one begins."""
        if self.span_ms:
            return opening_ms + self.span_ms
        return _ms((_month(opening_ms) + _LONGEST_MONTH).replace(day=1))


def _month(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1_000, UTC).replace(day=1, hour=0, minute=0, second=0)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000


INTERVALS: Final = {
    each.name: each
    for each in (
        *(Interval(name=f"{count}m", span_ms=count * MINUTE_MS) for count in (1, 3, 5, 15, 30)),
        *(Interval(name=f"{count}h", span_ms=count * HOUR_MS) for count in (1, 2, 4, 6, 8, 12)),
        *(Interval(name=f"{count}d", span_ms=count * DAY_MS) for count in (1, 3)),
        Interval(name="1w", span_ms=7 * DAY_MS, from_ms=_MONDAY_MS),
        Interval(name="1M", span_ms=0),
    )
}


def interval_named(name: str) -> Interval:
    """The interval, or -1120."""
    found = INTERVALS.get(name)
    if found is None:
        raise Refusal(-1120)
    return found


@dataclass(slots=True, frozen=True)
class Print:
    """One public trade."""

    number: int
    price: Decimal
    qty: Decimal
    taker: Side
    at_ms: int


@dataclass(slots=True)
class Candle:
    """What traded from ``opening_ms`` on. ``bought_*``: by takers who bought. Ids are -1 where nothing traded."""

    opening_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    base: Decimal = ZERO
    quote: Decimal = ZERO
    bought_base: Decimal = ZERO
    bought_quote: Decimal = ZERO
    count: int = 0
    first: int = -1
    last: int = -1

    def add(self, trade: Print) -> None:
        """One more trade."""
        quote = trade.price * trade.qty
        self.high = max(self.high, trade.price)
        self.low = min(self.low, trade.price)
        self.close = trade.price
        self.base += trade.qty
        self.quote += quote
        if trade.taker is Side.BUY:
            self.bought_base += trade.qty
            self.bought_quote += quote
        self.count += 1
        self.first = trade.number if self.first < 0 else self.first
        self.last = trade.number

    def join(self, later: "Candle") -> None:
        """What traded after it belongs to it, too."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.base += later.base
        self.quote += later.quote
        self.bought_base += later.bought_base
        self.bought_quote += later.bought_quote
        self.count += later.count
        self.first = later.first if self.first < 0 else self.first
        self.last = max(self.last, later.last)


def flat(opening_ms: int, price: Decimal) -> Candle:
    """A stretch in which nothing traded."""
    return Candle(opening_ms, price, price, price, price)


def joined(opening_ms: int, candles: Iterable[Candle]) -> Candle | None:
    """Candles, oldest first, as one; ``None`` of none."""
    whole: Candle | None = None
    for each in candles:
        if whole is None:
            whole = flat(opening_ms, each.open)
        whole.join(each)
    return whole
