"""What grows and never changes, on its way to the disk: each row is encoded once, and the newest are kept.

Shared by the keepings of both markets.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from chimera.trading.value import Value

HISTORY: Final = 2_000  # of each kind at least this many are kept, at most a page more; Binance answers 1,000 at most
PAGE: Final = 250  # rows
LEAP: Final = 100_000  # ids passed over after a crash: far above what the time between two keepings can use up

Row = dict[str, str | int | bool]  # a row of trades or income as the wire writes it
V = TypeVar("V", bound=Value)


class History:
    """The newest rows of a list that only grows, as a JSON array. A row that is ``None`` is left out."""

    def __init__(self, row: Callable[[Any], object | None]) -> None:
        self._row = row
        self._encode = msgspec.json.Encoder(decimal_format="string").encode
        self._read = 0
        self._pages: deque[bytes] = deque()
        self._page: list[bytes] = []

    def array(self, source: Sequence[Any]) -> msgspec.Raw:
        """All that is kept of ``source``, which holds what it held the last time and perhaps more."""
        for each in source[self._read :]:
            row = self._row(each)
            if row is not None:
                self._add(self._encode(row))
        self._read = len(source)
        return msgspec.Raw(b"[%b]" % b",".join([*self._pages, *self._page]))

    def _add(self, row: bytes) -> None:
        self._page.append(row)
        if len(self._page) == PAGE:
            self._pages.append(b",".join(self._page))
            self._page.clear()
            if (len(self._pages) - 1) * PAGE >= HISTORY:
                self._pages.popleft()


def history_of(histories: dict[str, History], name: str) -> History:
    """The owner's history of ready-made rows, empty at first."""
    found = histories.get(name)
    if found is None:
        found = histories[name] = History(lambda row: row)
    return found


def same(kind: type[V], source: object, **other: Any) -> V:
    """A value of ``kind`` whose fields are those of ``source``, but for ``other``."""
    fields = [name for name in kind.__struct_fields__ if name not in other]
    return kind(**{name: getattr(source, name) for name in fields}, **other)
