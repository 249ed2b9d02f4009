"""Which orders end by themselves, and when: GTD orders and conditional orders with a date."""

from heapq import heappop, heappush
from itertools import count
from typing import Protocol


class Dated(Protocol):
    """What ends at ``good_till_ms`` if it is still open then."""

    good_till_ms: int

    @property
    def is_open(self) -> bool: ...


class Deadlines:
    """Dated orders by their end. One that ended before is forgotten when its time comes."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Dated]] = []
        self._number = count()

    def add(self, dated: Dated) -> None:
        """Watch it, if it has a date."""
        if dated.good_till_ms:
            heappush(self._heap, (dated.good_till_ms, next(self._number), dated))

    def due(self, now_ms: int) -> list[Dated]:
        """Those still open whose time has come, earliest first; they are watched no more."""
        found: list[Dated] = []
        while self._heap and self._heap[0][0] <= now_ms:
            dated = heappop(self._heap)[2]
            if dated.is_open:
                found.append(dated)
        return found
