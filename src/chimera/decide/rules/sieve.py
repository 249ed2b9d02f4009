"""Which of a symbol's rules hold, by one look at each factor instead of one at each comparison.

The numbers that conditions compare a factor with cut its axis into cells: below the first number, at it, between it and
the second, and so on. Each cell has a mask, with a bit for every condition that a value there leaves possible. A
decision finds its values' cells by bisection, and what is possible in all of them is the AND of a few masks. A
condition that is a box (``reach.is_box``) then holds; any other is asked itself. Masks are made once per revision.

The oracle is ``fire.ask_each``, which asks every rule and writes every verdict. This module does not know which
factors are fresh, what a rule does, nor when it counts.
"""

from bisect import bisect_left
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate
from operator import xor
from typing import Final

from chimera.decide.rules.clause import Clause
from chimera.decide.rules.reach import HIGHEST, LOWEST, Cut, Region, bounding, is_box

BITS_MAX: Final = 500_000_000  # of one factor's masks, about 60 MB; a factor with more is not sifted by
_END: Final = HIGHEST[0]


@dataclass(frozen=True, slots=True)
class Axis:
    """One factor's cells. ``numbers`` ascend and end with infinity; cell ``2 i`` lies below ``numbers[i]``, the next at
    it."""

    factor: str
    numbers: tuple[Decimal, ...]
    masks: tuple[int, ...]

    def possible(self, value: Decimal) -> int:
        at = bisect_left(self.numbers, value)
        return self.masks[2 * at + (self.numbers[at] == value)]


@dataclass(frozen=True, slots=True)
class Sieve:
    """``factors``: all that the conditions name. Bit ``i`` of a mask is ``clauses[i]``'s."""

    clauses: tuple[Clause, ...]
    factors: tuple[str, ...]
    axes: tuple[Axis, ...]
    everyone: int
    unsure: int  # to be asked themselves: no box, or of a factor that is not sifted by

    def holding(self, values: Mapping[str, Decimal]) -> list[int]:
        """Positions of the clauses that hold, ascending; ``values`` has every factor."""
        left = self.everyone
        for axis in self.axes:
            left &= axis.possible(values[axis.factor])
        positions = _bits(left)
        if not left & self.unsure:
            return positions
        return [i for i in positions if not self.unsure >> i & 1 or self.clauses[i].holds(values)]


def sieving(clauses: Sequence[Clause]) -> Generator[None, None, Sieve]:
    """Made in small steps, so that whoever drives it may do other things between two of them."""
    spans: dict[str, dict[int, Region]] = {}
    unsure = 0
    for position, clause in enumerate(clauses):
        for factor, region in bounding(clause.condition).items():
            spans.setdefault(factor, {})[position] = region
        if not is_box(clause.condition):
            unsure |= 1 << position
        yield
    axes = []
    for factor, regions in spans.items():
        axis = yield from _axis(factor, regions, len(clauses))
        if axis is not None:
            axes.append(axis)
        else:
            unsure |= sum(1 << position for position in regions)
    return Sieve(
        clauses=tuple(clauses),
        factors=tuple(dict.fromkeys(factor for clause in clauses for factor in clause.factors)),
        axes=tuple(axes),
        everyone=(1 << len(clauses)) - 1,
        unsure=unsure,
    )


def _axis(factor: str, regions: Mapping[int, Region], size: int) -> Generator[None, None, Axis | None]:
    """None where its masks would be too large. A mask is the one before it, less and plus what ends and begins."""
    cuts = {cut[0] for region in regions.values() for span in region for cut in span}
    numbers = (*sorted(cuts - {LOWEST[0], _END}), _END)
    cells = 2 * len(numbers)
    if cells * size > BITS_MAX:
        return None
    cell_at = {number: 2 * i for i, number in enumerate(numbers)}
    changes = [0] * cells
    changes[0] = (1 << size) - 1 - sum(1 << position for position in regions)  # any value will do for these
    for position, region in regions.items():
        for span in region:
            for cut in span:
                changes[_first_cell(cut, cell_at)] ^= 1 << position
        yield
    return Axis(factor, numbers, tuple(accumulate(changes, xor)))


def _first_cell(cut: Cut, cell_at: Mapping[Decimal, int]) -> int:
    """The first cell above a cut: a cut stands just below its number, or just above it. Above the end there is none."""
    if cut == LOWEST:
        return 0
    return cell_at[cut[0]] + 1 + cut[1]


def _bits(mask: int) -> list[int]:
    """Positions of the bits that are set, ascending."""
    positions = []
    while mask:
        lowest = mask & -mask
        positions.append(lowest.bit_length() - 1)
        mask ^= lowest
    return positions
