"""The mid at given moments, looked up in recorded markets in one pass over each.

A moment is answered with the touch that stood then: the last one told at or before it. It is answered only where the
recording covers it: an event of the same symbol came before and one after, not more than ``HOLE_US`` apart. Before
the first touch, after the last event and inside a hole nothing is known. Of several recordings the first that covers
a moment answers. It keeps the moments and their answers, not the tape.

The clock of a recording is its receive time (``chimera.tape.capture``), that of a fill the venue's: they differ by the
way from the venue, and by whatever the recording machine's clock is off.
"""

from collections.abc import Iterable
from typing import Final

from chimera.trading.market import Market, MarketEvent, TopOfBook
from chimera.trading.money import TWO, Millis, Price

HOLE_US: Final = 10_000_000  # the mark price of every future comes each second; a symbol silent for ten is not recorded

Place = tuple[Market, str]
Moment = tuple[Market, str, Millis]


class Quotes:
    """``ask`` for all moments first, then ``hear`` every recording, then read ``mid``."""

    def __init__(self) -> None:
        self._asked: dict[Place, set[Millis]] = {}
        self._mids: dict[Moment, Price] = {}

    def ask(self, market: Market, symbol: str, at_ms: Millis) -> None:
        self._asked.setdefault((market, symbol), set()).add(at_ms)

    def mid(self, market: Market, symbol: str, at_ms: Millis | None) -> Price | None:
        return None if at_ms is None else self._mids.get((market, symbol, at_ms))

    def hear(self, market: Market, events: Iterable[MarketEvent]) -> None:
        """One recording of one market, in time order."""
        open_by_symbol = {
            symbol: _Open(sorted(moments)) for (of, symbol), moments in self._asked.items() if of is market
        }
        for event in events:
            one = open_by_symbol.get(event.symbol)
            if one is None:
                continue
            for at_ms, mid in one.take(event):
                self._mids.setdefault((market, event.symbol, at_ms), mid)


class _Open:
    """One symbol's moments that a recording has not come to yet."""

    def __init__(self, moments: list[Millis]) -> None:
        self._moments = moments
        self._next = 0
        self._last_us: int | None = None
        self._mid: Price | None = None

    def take(self, event: MarketEvent) -> Iterable[tuple[Millis, Price]]:
        """Moments between the event before this one and this one: the touch of before stood then."""
        answered = self._passed(event.at_us) if self._due(event.at_us) else ()
        self._last_us = event.at_us
        if isinstance(event, TopOfBook):
            self._mid = Price((event.bid + event.ask) / TWO)
        return answered

    def _due(self, at_us: int) -> bool:
        return self._next < len(self._moments) and self._moments[self._next] * 1_000 < at_us

    def _passed(self, at_us: int) -> list[tuple[Millis, Price]]:
        covered = self._last_us is not None and at_us - self._last_us <= HOLE_US
        answered = []
        while self._due(at_us):
            moment = self._moments[self._next]
            self._next += 1
            if covered and self._mid is not None and self._last_us is not None and moment * 1_000 >= self._last_us:
                answered.append((moment, self._mid))
        return answered
