"""The circuit breaker: when the venue keeps failing, open nothing new until one attempt has gone well again.

A reducer, ``(breaker, outcome, now) -> breaker``, on a monotonic clock. It judges the calls about orders by how they
ended: a business refusal is a healthy answer; what failed, was throttled or stayed unanswered is not. It opens by the
share of failures in a window, or by three failed entries in a row; after a pause it lets exactly one entry through, and
that one decides. Exits, stops and cancels never ask it, and their failures count.
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from chimera.trading.money import Millis
from chimera.trading.value import Value

SLOTS: Final = 60  # of a window


class State(StrEnum):
    CLOSED = "CLOSED"  # all is well
    OPEN = "OPEN"  # no entry leaves
    HALF_OPEN = "HALF_OPEN"  # one may


class BreakerPolicy(Value):
    """``share``: failures among the calls of the last ``window_ms`` that open it, of at least ``least`` calls.

    ``pause_ms`` doubles with each attempt that fails, up to ``longest_pause_ms``.
    """

    window_ms: int = 60_000
    share: Decimal = Decimal("0.2")
    least: int = 10
    in_a_row: int = 3
    pause_ms: int = 5_000
    longest_pause_ms: int = 120_000
    attempt_ms: int = 15_000  # an attempt of which nothing was heard for so long makes room for the next


class Slot(Value, tag=False, array_like=True):
    """The calls about orders that ended in one sixtieth of the window: ``number`` counts such stretches of time."""

    number: int
    good: int = 0
    bad: int = 0

    def with_one(self, *, good: bool) -> "Slot":
        return self.but(good=self.good + 1) if good else self.but(bad=self.bad + 1)


class Breaker(Value):
    """Times are of a monotonic clock."""

    policy: BreakerPolicy = BreakerPolicy()
    state: State = State.CLOSED
    since_ms: Millis = Millis(0)
    why: str = ""
    slots: tuple[Slot, ...] = ()  # inside the window, oldest first: its cost does not grow with the traffic
    failed_entries: int = 0  # in a row
    openings: int = 0  # in a row, without a good attempt between
    attempt_at_ms: Millis | None = None  # HALF_OPEN: one is under way

    def at(self, now_ms: Millis) -> "Breaker":
        """With time passed: the pause may be over, an attempt may be forgotten."""
        if self.state is State.OPEN and now_ms >= self.until_ms:
            return self.but(state=State.HALF_OPEN, since_ms=now_ms, attempt_at_ms=None)
        if self.attempt_at_ms is not None and now_ms >= self.attempt_at_ms + self.policy.attempt_ms:
            return self.but(attempt_at_ms=None)
        return self

    @property
    def until_ms(self) -> Millis:
        """When the pause of an open breaker ends."""
        pause = self.policy.pause_ms * 2 ** max(self.openings - 1, 0)
        return Millis(self.since_ms + min(pause, self.policy.longest_pause_ms))

    def lets_enter(self) -> bool:
        """Whether an entry may leave now (after ``at``)."""
        if self.state is State.HALF_OPEN:
            return self.attempt_at_ms is None
        return self.state is State.CLOSED

    def retried(self, now_ms: Millis) -> "Breaker":
        """Somebody knows that the venue works: an open one waits no longer, and one entry may show it."""
        if self.state is not State.OPEN:
            return self
        return self.but(state=State.HALF_OPEN, since_ms=now_ms, attempt_at_ms=None)

    def entering(self, now_ms: Millis) -> "Breaker":
        """An entry leaves: half open, it is the attempt."""
        return self.but(attempt_at_ms=now_ms) if self.state is State.HALF_OPEN else self

    def held_back(self) -> "Breaker":
        """The entry that was to be the attempt never left, by our own will: the next one tries."""
        return self if self.attempt_at_ms is None else self.but(attempt_at_ms=None)

    def ended(self, *, entry: bool, good: bool, now_ms: Millis) -> "Breaker":
        """A call about an order ended; ``entry``: it was one that may add exposure."""
        row = (0 if good else self.failed_entries + 1) if entry else self.failed_entries
        after = self.but(slots=self._counting(now_ms, good=good), failed_entries=row)
        if entry and after.state is State.HALF_OPEN:
            return after._closed(now_ms) if good else after._opened(now_ms, "the attempt failed")
        if after.state is not State.CLOSED:
            return after
        if row >= self.policy.in_a_row:
            return after._opened(now_ms, f"{row} entries in a row failed")
        goods, failures = after.counted
        count = goods + failures
        if count >= self.policy.least and Decimal(failures) / count >= self.policy.share:
            return after._opened(now_ms, f"{failures} of {count} calls failed in {self.policy.window_ms // 1000} s")
        return after

    @property
    def counted(self) -> tuple[int, int]:
        """Good and bad calls about orders inside the window, as of the last that ended."""
        return sum(slot.good for slot in self.slots), sum(slot.bad for slot in self.slots)

    def _counting(self, now_ms: Millis, *, good: bool) -> tuple[Slot, ...]:
        number = now_ms * SLOTS // self.policy.window_ms
        kept = tuple(slot for slot in self.slots if number - SLOTS < slot.number < number)
        present = self.slots[-1] if self.slots and self.slots[-1].number == number else Slot(number=number)
        return (*kept, present.with_one(good=good))

    def _opened(self, now_ms: Millis, why: str) -> "Breaker":
        return self.but(state=State.OPEN, since_ms=now_ms, why=why, openings=self.openings + 1, attempt_at_ms=None)

    def _closed(self, now_ms: Millis) -> "Breaker":
        """What failed before has been answered for: counting begins anew."""
        return self.but(
            state=State.CLOSED, since_ms=now_ms, why="", openings=0, attempt_at_ms=None, slots=(), failed_entries=0
        )
