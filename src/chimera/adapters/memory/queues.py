"""Queues of the memory bus: names by the moment at which they are due. Each change leaves its undo behind."""

from collections.abc import Callable, Mapping, Sequence
from heapq import nsmallest

from chimera.ports.streams import Task
from chimera.trading.money import Millis


class Queues:
    """All queues of one bus; ``changed`` is handed what takes a change back."""

    def __init__(self, changed: Callable[[Callable[[], None]], None]) -> None:
        self._changed = changed
        self._moments: dict[str, dict[str, Millis]] = {}

    def moment(self, queue: str, name: str) -> Millis | None:
        return self._moments.get(queue, {}).get(name)

    def due(self, queue: str, now_ms: Millis, count: int) -> list[Task]:
        """Earliest first, then by name, as a sorted set has them."""
        found = ((due_ms, name) for name, due_ms in self._moments.get(queue, {}).items() if due_ms <= now_ms)
        return [Task(due_ms=due_ms, name=name) for due_ms, name in nsmallest(count, found)]

    def move(self, queue: str, due_ms: Mapping[str, Millis]) -> None:
        held = self._moments.setdefault(queue, {})
        former = {name: held.get(name) for name in due_ms}
        held.update(due_ms)
        self._changed(lambda: self._take_back(queue, former))

    def drop(self, queue: str, names: Sequence[str]) -> None:
        held = self._moments.setdefault(queue, {})
        former = {name: held.pop(name, None) for name in dict.fromkeys(names)}
        self._changed(lambda: self._take_back(queue, former))

    def _take_back(self, queue: str, former: Mapping[str, Millis | None]) -> None:
        held = self._moments.setdefault(queue, {})
        for name, due_ms in former.items():
            held.pop(name, None)
            if due_ms is not None:
                held[name] = due_ms
