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
from chimera.trading.liquidity import Hour
from chimera.trading.market import MarketEvent, Side
from chimera.trading.venue import FeeRates

LOOK_US = 1_000_000  # how often the usual spread and depth are read, as S4 does


def _all_of_it() -> bool:
    return False


class Pass:
    """The floor, the last hour as S4 would know it, and what is due at which moment of one symbol's tape."""

    def __init__(self, symbol: str) -> None:
        self.floor = Floor()
        self.gap_us = 0  # between the event before this moment and the one after it
        self._symbol = symbol
        self._hour = LastHour()
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, at_us: int, act: Callable[[], None]) -> None:
        """Do it then."""
        self._count += 1
        heappush(self._due, (at_us, self._count, act))

    def hour(self, at_us: int) -> Hour | None:
        return self._hour.now(at_us // 1_000)

    def over(self, events: Iterable[MarketEvent], enough: Callable[[], bool] = _all_of_it) -> None:
        """The tape, as far as it is needed."""
        looked_us = heard_us = 0
        for event in events:
            if event.symbol != self._symbol:
                continue
            self.gap_us, heard_us = event.at_us - heard_us, event.at_us
            self._until(event.at_us)
            if enough():
                return
            self.floor.take(event)
            if event.at_us - looked_us >= LOOK_US and (book := self.floor.book) is not None:
                looked_us = event.at_us
                self._hour.take(looked_us // 1_000, book)
        self._until(self.floor.at_us)

    def _until(self, now_us: int) -> None:
        while self._due and self._due[0][0] < now_us:
            at_us, _, act = heappop(self._due)
            self.floor.at_us = max(self.floor.at_us, at_us)
            act()


class Replay:
    """``outcomes`` once ``run`` is done, in the order in which they ended."""

    def __init__(self, ways: Sequence[Way], instrument: Instrument, fees: FeeRates) -> None:
        self.outcomes: list[Outcome] = []
        self._ways, self._instrument, self._fees = ways, instrument, fees
        self._pass = Pass(instrument.symbol)
        self._working: list[Desk] = []

    def run(self, events: Iterable[MarketEvent], arrivals: Sequence[Draw]) -> None:
        """All of it. An arrival before the tape's first touch is passed over."""
        for draw in arrivals:
            self._pass.at(draw.at_us, lambda draw=draw: self._arrive(draw))  # type: ignore[misc]  # mypy: a default binds it
        self._pass.over(events)
        for desk in self._working:
            desk.cut_short()

    @property
    def times(self) -> list[int]:
        """Of the arrivals, BUY and SELL each, us: what the bootstrap's blocks are over."""
        label = self._ways[0].label
        return sorted(outcome.arrival.at_us for outcome in self.outcomes if outcome.way == label)

    def _arrive(self, draw: Draw) -> None:
        floor = self._pass.floor
        touch = floor.touch
        if touch is None:
            return
        qty = qty_of(draw.notional, touch.mid, self._instrument)
        hour = self._pass.hour(draw.at_us)
        for side in Side:
            arrival = Arrival(number=draw.number, at_us=draw.at_us, side=side, qty=qty, touch=touch, hour=hour)
            for way in self._ways:
                desk = Desk(arrival, way, self._instrument, self._fees, floor, self._pass.at, self.outcomes.append)
                self._working.append(desk)
                desk.begin()
