"""Recordings of the same symbols that follow each other as one tape: a recorder begins a new file every hour.

Invariants: ``at_us`` of the whole never runs backwards. Where two overlap, the later one joins where the earlier ends:
both showed the same market. A pause of more than ``TOGETHER_US`` is told as one of ``PAUSE_US``, and what was recorded
side by side stays so: parts that begin within that time of each other, on whatever tape, are moved by the same amount.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from chimera.tape.beside import TOGETHER_US
from chimera.trading.market import MarketEvent
from chimera.trading.value import Value

PAUSE_US: Final = 5_000_000  # recorders of two markets do not stop in the same moment


class Part(Value):
    """``begun_us``: of its first event. ``joins_late`` hears once that its beginning was shown before."""

    begun_us: int
    events: Iterable[MarketEvent]
    joins_late: Callable[[], None] = lambda: None


class Pauses:
    """How far what was recorded in one go is moved. One for all the tapes of a market; asked as they are read."""

    def __init__(self, begun_us: Iterable[int]) -> None:
        self._go_of: dict[int, int] = {}
        self._moved: dict[int, int] = {}
        go = before = 0
        for at_us in sorted(begun_us):
            go = at_us if at_us - before > TOGETHER_US else go
            self._go_of[at_us] = go
            before = at_us

    def moved_us(self, part: Part, otherwise_us: int) -> int:
        """By how much earlier this part is told; who asks first for its recording decides."""
        return self._moved.setdefault(self._go_of[part.begun_us], otherwise_us)


def one_after_another(parts: Sequence[Part], pauses: Pauses) -> Iterator[MarketEvent]:
    """All of them as one, oldest first."""
    told_us = ended_us = moved_us = 0
    for part in sorted(parts, key=lambda part: part.begun_us):
        before_us, is_late = ended_us, False
        if ended_us and part.begun_us - ended_us > TOGETHER_US:
            moved_us = pauses.moved_us(part, moved_us + part.begun_us - ended_us - PAUSE_US)
        for event in part.events:
            if event.at_us <= before_us:
                if not is_late:
                    part.joins_late()
                is_late = True
                continue
            ended_us, told_us = event.at_us, max(event.at_us - moved_us, told_us)
            yield event if told_us == event.at_us else event.but(at_us=told_us)
