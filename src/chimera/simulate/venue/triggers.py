"""What waits for one price to rise to it, or to fall to it."""

from bisect import bisect_left, insort
from decimal import Decimal
from typing import Generic, Protocol, TypeVar


class Waiting(Protocol):
    """A condition: ``rises`` when the price must come up to ``trigger_price``. ``number`` ascends with age."""

    @property
    def trigger_price(self) -> Decimal: ...

    @property
    def number(self) -> int: ...

    @property
    def rises(self) -> bool: ...


W = TypeVar("W", bound=Waiting)


class Triggers(Generic[W]):
    """Conditions waiting for one price to rise to, or fall to, their trigger."""

    __slots__ = ("falling", "rising")

    def __init__(self) -> None:
        self.rising: list[tuple[Decimal, int, W]] = []
        self.falling: list[tuple[Decimal, int, W]] = []

    def add(self, waiting: W) -> None:
        """Wait."""
        line, entry = self._entry(waiting)
        insort(line, entry)

    def remove(self, waiting: W) -> None:
        """Stop waiting."""
        line, entry = self._entry(waiting)
        del line[bisect_left(line, entry)]

    def pop_due(self, price: Decimal) -> list[W]:
        """Those that ``price`` triggers, nearest trigger first, oldest first."""
        due: list[W] = []
        while self.rising and self.rising[0][0] <= price:
            due.append(self.rising.pop(0)[2])
        while self.falling and self.falling[-1][0] >= price:
            due.append(self.falling.pop()[2])
        return due

    def _entry(self, waiting: W) -> tuple[list[tuple[Decimal, int, W]], tuple[Decimal, int, W]]:
        if waiting.rises:
            return self.rising, (waiting.trigger_price, waiting.number, waiting)
        return self.falling, (waiting.trigger_price, -waiting.number, waiting)
