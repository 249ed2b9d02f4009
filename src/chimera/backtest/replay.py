"""One pass over a tape, with every arrival traded in every way at once: they share the book and do not meet.

What is due between two events of the tape happens at its own time, before the second; what is due at one moment
happens in the order in which it was asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush

from chimera.backtest.desk import Desk
from chimera.backtest.floor import Floor
from chimera.backtest.trials import Arrival, Draw, Outcome, Way, qty_of
from chimera.route.probe import LastHour
from chimera.trading.instrument import Instrument
from chimera.trading.market import MarketEvent, Side
from chimera.trading.venue import FeeRates

LOOK_US = 1_000_000  # how often the usual spread and depth are read, as S4 does


class Replay:
    """``outcomes`` once ``run`` is done, in the order in which they ended."""

    def __init__(self, ways: Sequence[Way], instrument: Instrument, fees: FeeRates) -> None:
        self.outcomes: list[Outcome] = []
        self._ways, self._instrument, self._fees = ways, instrument, fees
        self._floor = Floor()
        self._hour = LastHour()
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._working: list[Desk] = []

    def run(self, events: Iterable[MarketEvent], arrivals: Sequence[Draw]) -> None:
        """All of it. An arrival before the tape's first touch is passed over."""
        for draw in arrivals:
            self._at(draw.at_us, lambda draw=draw: self._arrive(draw))  # type: ignore[misc]  # mypy: a default binds it
        looked_us = 0
        for event in events:
            if event.symbol != self._instrument.symbol:
                continue
            self._until(event.at_us)
            self._floor.take(event)
            if event.at_us - looked_us >= LOOK_US and (book := self._floor.book) is not None:
                looked_us = event.at_us
                self._hour.take(looked_us // 1_000, book)
        self._until(self._floor.at_us)
        for desk in self._working:
            desk.cut_short()

    @property
    def times(self) -> list[int]:
        """Of the arrivals, BUY and SELL each, us: what the bootstrap's blocks are over."""
        label = self._ways[0].label
        return sorted(outcome.arrival.at_us for outcome in self.outcomes if outcome.way == label)

    def _at(self, at_us: int, act: Callable[[], None]) -> None:
        self._count += 1
        heappush(self._due, (at_us, self._count, act))

    def _until(self, now_us: int) -> None:
        while self._due and self._due[0][0] < now_us:
            at_us, _, act = heappop(self._due)
            self._floor.at_us = max(self._floor.at_us, at_us)
            act()

    def _arrive(self, draw: Draw) -> None:
        touch = self._floor.touch
        if touch is None:
            return
        qty = qty_of(draw.notional, touch.mid, self._instrument)
        hour = self._hour.now(draw.at_us // 1_000)
        for side in Side:
            arrival = Arrival(number=draw.number, at_us=draw.at_us, side=side, qty=qty, touch=touch, hour=hour)
            for way in self._ways:
                desk = Desk(arrival, way, self._instrument, self._fees, self._floor, self._at, self.outcomes.append)
                self._working.append(desk)
                desk.begin()
