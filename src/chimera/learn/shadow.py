"""A proposal against what is in force, on orders that it was not fitted on.

Time is cut into blocks; every second block is held out. The held-out blocks are drawn with replacement, whole, and the
two waits' costs compared each time. ``better`` says that even the bad end of the differences is a gain. A wait beyond
the longest one that was seen cannot be compared: then the question is whether the last part of the present wait paid.
"""

import random
from collections.abc import Sequence
from itertools import groupby

from chimera.learn.trials import Trial
from chimera.learn.waiting import Rates, Waiting
from chimera.trading.value import Value

BLOCKS_MIN = 8
TAIL = 0.05
LAST_PART = 0.7  # of the present wait: what came after it is its last part


class Compared(Value, tag=False):
    """Bps, proposed less present: below 0 is cheaper. ``high`` is the one-sided 95 % bound."""

    better: bool
    why: str
    mean: float | None = None
    high: float | None = None


def apart(trials: Sequence[Trial], block_ms: int) -> tuple[tuple[Trial, ...], tuple[Trial, ...]]:
    """To fit on, and held out: blocks of time in turns."""
    even = tuple(trial for trial in trials if trial.at_ms // block_ms % 2 == 0)
    return even, tuple(trial for trial in trials if trial.at_ms // block_ms % 2)


def compared(
    held_out: Sequence[Trial], rates: Rates, wait_ms: int, proposed_ms: int, *, block_ms: int, resamples: int, seed: int
) -> Compared:
    """The same seed draws the same blocks."""
    blocks = [tuple(group) for _, group in groupby(held_out, key=lambda trial: trial.at_ms // block_ms)]
    if len(blocks) < BLOCKS_MIN:
        return Compared(
            better=False, why=f"not compared: {len(blocks)} blocks of time held out, {BLOCKS_MIN} are needed"
        )
    whole = Waiting(held_out, rates)
    shorter, longer = min(wait_ms, proposed_ms), max(wait_ms, proposed_ms)
    new, old, what = proposed_ms, wait_ms, "it"
    if longer > whole.support_ms:
        if proposed_ms < wait_ms:
            new, old = min(shorter, whole.support_ms), whole.support_ms
        else:
            new, old, what = whole.support_ms, int(LAST_PART * whole.support_ms), "the last part of the present wait"
    chance = random.Random(seed)  # noqa: S311  # seeded, to be drawn again
    found = []
    for _ in range(resamples):
        drawn = [trial for _ in blocks for trial in blocks[int(chance.random() * len(blocks))]]
        waiting = Waiting(drawn, rates)
        found.append(waiting.cost(new) - waiting.cost(old))
    found.sort()
    mean, high = whole.cost(new) - whole.cost(old), found[min(int((1 - TAIL) * len(found)), len(found) - 1)]
    told = f"on orders held out {what} costs {mean:+.3f} bps, at most {high:+.3f} with 95 %"
    return Compared(better=high < 0, why=told, mean=round(mean, 4), high=round(high, 4))
