"""What an account's history holds, row by row as it came, and quickly from a moment on.

Invariant: rows are only ever appended. Their times mostly grow; where the venue's clock was put back they do not, and
no row is missed for it.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any


class Past(list[dict[str, Any]]):
    """Rows that have a ``time`` in ms. A year's rows cost nothing to whoever asks for the last minute's."""

    def __init__(self, rows: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__()
        self._latest: list[int] = []  # for each row the latest time until then, so that it never falls
        for row in rows:
            self.append(row)

    def append(self, row: dict[str, Any]) -> None:
        """The newest row."""
        super().append(row)
        self._latest.append(max(row["time"], self._latest[-1]) if self._latest else row["time"])

    def since(self, ms: int) -> list[dict[str, Any]]:
        """Every row of that moment or later, and where the clock went back a few older ones among them."""
        return self[bisect_left(self._latest, ms) :]
