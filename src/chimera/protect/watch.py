"""The guards of one symbol, by price: which of them a tick touches.

Invariants: a tick that touches none compares two prices and no more, however many are armed; a guard is handed out once
per arming; a jump over several prices hands out all of them, in order of arming. Arming costs O(log n), and disarming
too, taken over all of them. It knows nothing of positions: whoever arms them keeps them in step with the holdings.
"""

from decimal import Decimal
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

from chimera.trading.guard import Gauge, Guard, GuardRef
from chimera.trading.money import Price

SLACK: Final = 64  # entries of guards that are armed no more, beside as many as are armed, before they are swept out


class _Ladder:
    """Trigger prices of one direction, nearest first; the head of the heap is always armed, or there is none.

    A falling ladder keeps prices negated (exactly), so that both are heaps of the least.
    """

    __slots__ = ("_falling", "_heap", "armed", "nearest")

    def __init__(self, *, falling: bool) -> None:
        self._falling = falling
        self._heap: list[tuple[Decimal, int]] = []
        self.armed: dict[int, Guard] = {}  # by number of arming
        self.nearest: Price | None = None  # the first that the market would reach

    def add(self, number: int, guard: Guard) -> None:
        self.armed[number] = guard
        heappush(self._heap, (self._height(guard.price), number))
        self._clear_head()

    def drop(self, number: int) -> None:
        del self.armed[number]
        if len(self._heap) > 2 * len(self.armed) + SLACK:
            self._heap = [entry for entry in self._heap if entry[1] in self.armed]
            heapify(self._heap)
        self._clear_head()

    def take(self, price: Price) -> list[tuple[int, Guard]]:
        """Those that this price touches, taken off."""
        height, taken = self._height(price), list[tuple[int, Guard]]()
        while self._heap and self._heap[0][0] <= height:
            number = heappop(self._heap)[1]
            guard = self.armed.pop(number, None)
            if guard is not None:
                taken.append((number, guard))
        self._clear_head()
        return taken

    def _height(self, price: Price) -> Decimal:
        return price.copy_negate() if self._falling else price

    def _clear_head(self) -> None:
        while self._heap and self._heap[0][1] not in self.armed:
            heappop(self._heap)
        self.nearest = self.armed[self._heap[0][1]].price if self._heap else None


class _Ladders(NamedTuple):
    """Of one gauge."""

    falling: _Ladder
    rising: _Ladder


class GuardBook:
    """The armed guards of one symbol on one market."""

    __slots__ = ("_last", "_mark", "_mid", "_numbers")

    def __init__(self) -> None:
        self._last = 0
        self._numbers: dict[GuardRef, tuple[int, _Ladder]] = {}
        self._mark = _Ladders(_Ladder(falling=True), _Ladder(falling=False))
        self._mid = _Ladders(_Ladder(falling=True), _Ladder(falling=False))

    def __len__(self) -> int:
        return len(self._numbers)

    def arm(self, guard: Guard) -> None:
        """From the next tick on. The same again changes nothing; another of its name replaces it, as the newest."""
        standing = self.get(guard.ref)
        if standing == guard:
            return
        if standing is not None:
            self.disarm(guard.ref)
        self._last += 1
        falling, rising = self._by(guard.gauge)
        ladder = falling if guard.falling else rising
        ladder.add(self._last, guard)
        self._numbers[guard.ref] = (self._last, ladder)

    def disarm(self, ref: GuardRef) -> bool:
        """Whether it was armed."""
        place = self._numbers.pop(ref, None)
        if place is None:
            return False
        number, ladder = place
        ladder.drop(number)
        return True

    def get(self, ref: GuardRef) -> Guard | None:
        """The guard armed under this name."""
        place = self._numbers.get(ref)
        return None if place is None else place[1].armed[place[0]]

    def goes_by(self, gauge: Gauge) -> bool:
        """Whether any goes by it: its price need not be reckoned otherwise."""
        falling, rising = self._by(gauge)
        return falling.nearest is not None or rising.nearest is not None

    def tick(self, gauge: Gauge, price: Price) -> tuple[Guard, ...]:
        """Those that this price touches, in order of arming; they are armed no more."""
        falling, rising = self._by(gauge)
        low, high = falling.nearest, rising.nearest
        if (low is None or price > low) and (high is None or price < high):
            return ()
        taken = sorted(falling.take(price) + rising.take(price), key=lambda entry: entry[0])
        for _, guard in taken:
            del self._numbers[guard.ref]
        return tuple(guard for _, guard in taken)

    def _by(self, gauge: Gauge) -> _Ladders:
        return self._mid if gauge is Gauge.MID else self._mark
