"""Tables of the memory bus: lines beside a snapshot, each with the moment it goes. Each change can be undone."""

from collections.abc import Callable, Mapping, Sequence

from chimera.trading.money import Millis

Line = tuple[Millis, bytes]  # when it goes, and what it says


class Tables:
    """All tables of one bus; ``changed`` is handed what takes a change back."""

    def __init__(self, changed: Callable[[Callable[[], None]], None]) -> None:
        self._changed = changed
        self._tables: dict[str, dict[str, Line]] = {}

    def standing(self, key: str, now_ms: Millis) -> dict[str, bytes]:
        return {name: says for name, (gone_ms, says) in self._tables.get(key, {}).items() if gone_ms > now_ms}

    def lay(self, key: str, lines: Mapping[str, bytes], gone_ms: Millis) -> None:
        self._set(key, {name: (gone_ms, says) for name, says in lines.items()})

    def lift(self, key: str, names: Sequence[str]) -> None:
        self._set(key, dict.fromkeys(names))

    def _set(self, key: str, lines: Mapping[str, Line | None]) -> None:
        table = self._tables.setdefault(key, {})
        former = {name: table.get(name) for name in lines}
        _put(table, lines)
        self._changed(lambda: _put(table, former))


def _put(table: dict[str, Line], lines: Mapping[str, Line | None]) -> None:
    for name, line in lines.items():
        if line is None:
            table.pop(name, None)
        else:
            table[name] = line
