"""Chance, decision by decision: each draw is a hash of the seed, what is decided, and how often it was before.

Invariants: a decision depends on nothing but (seed, label, count of that label), so adding, removing or silencing one
leaves every other as it was. Fired faults are on record under a name (``drop_reply:POST /fapi/v1/order#2``), and a
named one can be switched off for the next run: that is how a failing seed is shrunk.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Final, TypeVar

T = TypeVar("T")
_SPAN: Final = 1 << 53  # as many values as a float holds exactly between 0 and 1


class Tape:
    """The source of all chance in one run. ``disabled`` names faults that must not fire, ``only`` all that may."""

    def __init__(self, seed: int | str, disabled: Iterable[str] = (), only: Iterable[str] | None = None) -> None:
        self.seed = seed
        self.fired: list[str] = []
        self.draws = 0
        self.calm = False  # healed: nothing fires any more, but every decision is still counted
        self._disabled = frozenset(disabled)
        self._only = None if only is None else frozenset(only)
        self._counts: Counter[str] = Counter()
        self._key = str(seed).encode()

    def u(self, label: str) -> float:
        """The next draw under ``label``: uniform in [0, 1)."""
        return self._draw(label)[0]

    def fires(self, label: str, rate: float) -> bool:
        """Whether this fault happens now; if so it is on record."""
        if rate <= 0 or self.calm:  # not counted: in this run nothing under this label can fire any more
            return False
        drawn, count = self._draw(label)
        if drawn >= rate:
            return False
        return self._fire(f"{label}#{count}")

    def event(self, name: str) -> bool:
        """A fault placed by hand (``kill#1``): happens unless it is switched off, and is on record."""
        return self._fire(name)

    def between(self, label: str, low: float, high: float) -> float:
        return low + (high - low) * self.u(label)

    def whole(self, label: str, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + int(self.u(label) * (high - low + 1))

    def latency_us(self, label: str, typical_us: int) -> int:
        """A skewed wait: half to three times the typical, rarely ten times."""
        drawn = self.u(label)
        factor = 0.5 + 2.5 * drawn**3
        if drawn > 0.99:
            factor = 3 + 7 * (drawn - 0.99) * 100
        return max(1, round(typical_us * factor))

    def pick(self, label: str, choices: Sequence[T]) -> T:
        return choices[self.whole(label, 0, len(choices) - 1)]

    def _fire(self, name: str) -> bool:
        if name in self._disabled or (self._only is not None and name not in self._only):
            return False
        self.fired.append(name)
        return True

    def _draw(self, label: str) -> tuple[float, int]:
        self.draws += 1
        count = self._counts[label]
        self._counts[label] = count + 1
        digest = blake2b(b"%b|%b|%d" % (self._key, label.encode(), count), digest_size=8).digest()
        return (int.from_bytes(digest, "big") >> 11) / _SPAN, count
