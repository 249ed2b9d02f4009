"""A proposal against what is in force, on orders that it was not fitted on.

Time is cut into blocks; every second block is held out. The held-out blocks are drawn with replacement, whole, and the
two waits' costs compared each time. ``better`` says that even the bad end of the differences is a gain. A wait beyond
the longest one that was seen cannot be compared: then the question is whether the last part of the present wait paid.
"""

import random
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Protocol, TypeVar

from chimera.learn.trials import Trial
from chimera.learn.waiting import Rates, Waiting
from chimera.trading.money import Millis
from chimera.trading.value import Value

BLOCKS_MIN = 8
TAIL = 0.05
LAST_PART = 0.7  # of the present wait: what came after it is its last part


class Timed(Protocol):
    @property
    def at_ms(self) -> Millis: ...


T = TypeVar("T", bound=Timed)


class Compared(Value, tag=False):
    """Bps, proposed less present: below 0 is cheaper. ``high`` is the one-sided 95 % bound."""

    better: bool
    why: str
    mean: float | None = None
    high: float | None = None


def apart(samples: Sequence[T], block_ms: int) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """To fit on, and held out: blocks of time in turns."""
    even = tuple(sample for sample in samples if sample.at_ms // block_ms % 2 == 0)
    return even, tuple(sample for sample in samples if sample.at_ms // block_ms % 2)


def drawn_over(
    held_out: Sequence[T],
    dearer: Callable[[Sequence[T]], float],
    *,
    block_ms: int,
    resamples: int,
    seed: int,
    what: str = "it",
) -> Compared:
    """``dearer``: of a draw, bps, proposed less present. The same seed draws the same blocks."""
    blocks = [tuple(group) for _, group in groupby(held_out, key=lambda sample: sample.at_ms // block_ms)]
    if len(blocks) < BLOCKS_MIN:
        told = f"not compared: {len(blocks)} blocks of time held out, {BLOCKS_MIN} are needed"
        return Compared(better=False, why=told)
    chance = random.Random(seed)  # noqa: S311  # seeded, to be drawn again
    found = sorted(
        dearer([sample for _ in blocks for sample in blocks[int(chance.random() * len(blocks))]])
        for _ in range(resamples)
    )
    mean, high = dearer(held_out), found[min(int((1 - TAIL) * len(found)), len(found) - 1)]
    told = f"on orders held out {what} costs {mean:+.3f} bps, at most {high:+.3f} with 95 %"
    return Compared(better=high < 0, why=told, mean=round(mean, 4), high=round(high, 4))


def compared(
    held_out: Sequence[Trial], rates: Rates, wait_ms: int, proposed_ms: int, *, block_ms: int, resamples: int, seed: int
) -> Compared:
    """Two waits. The same seed draws the same blocks."""
    whole = Waiting(held_out, rates)
    shorter, longer = min(wait_ms, proposed_ms), max(wait_ms, proposed_ms)
    new, old, what = proposed_ms, wait_ms, "it"
    if longer > whole.support_ms:
        if proposed_ms < wait_ms:
            new, old = min(shorter, whole.support_ms), whole.support_ms
        else:
            new, old, what = whole.support_ms, int(LAST_PART * whole.support_ms), "the last part of the present wait"

    def dearer(drawn: Sequence[Trial]) -> float:
        waiting = Waiting(drawn, rates)
        return waiting.cost(new) - waiting.cost(old)

    return drawn_over(held_out, dearer, block_ms=block_ms, resamples=resamples, seed=seed, what=what)
