"""How sure a mean of dependent trials is: the moving-block bootstrap (H. R. Kuensch, Annals of Statistics 17, 1989).

Trials near in time share one market, so single trials are not drawn: spans of time are, as long as ``block_us`` and
beginning anywhere, until as much time is drawn as there was; all trials of a span come with it. Statistics are floats
and never become an order. The same seed gives the same spans for every statistic, so that two of them compare.
"""

import random
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from chimera.trading.value import Value

RESAMPLES = 2_000
LEVEL = 0.95
SHOWN = 4


class Estimate(Value, tag=False):
    """A mean and the bounds of its two-sided 95 % interval; None where there were too few blocks to tell.

    ``lower95`` is the one-sided bound: with 95 % it is more than that.
    """

    mean: float
    low: float | None = None
    high: float | None = None
    lower95: float | None = None


class Blocks:
    """Spans drawn over trials at ``times`` (ascending, us)."""

    def __init__(self, times: Sequence[int], *, block_us: int, seed: int, resamples: int = RESAMPLES) -> None:
        self._spans: list[list[tuple[int, int]]] = []
        first, last = times[0], times[-1] + 1
        count = -(-(last - first) // block_us)
        if count < 3:
            return
        chance, room = random.Random(seed), last - first - block_us  # noqa: S311  # seeded, to be drawn again
        for _ in range(resamples):
            begins = [first + int(chance.random() * room) for _ in range(count)]
            self._spans.append([(bisect_left(times, at), bisect_left(times, at + block_us)) for at in begins])

    def of_ratio(self, above: Sequence[float], below: Sequence[float]) -> Estimate:
        """Of sum over sum. ``below`` all 1: a mean."""
        tops, bottoms = list(accumulate(above, initial=0.0)), list(accumulate(below, initial=0.0))
        found = sorted(ratio for spans in self._spans if (ratio := _ratio(spans, tops, bottoms)) is not None)
        mean = tops[-1] / bottoms[-1]
        if not found:
            return Estimate(mean=round(mean, SHOWN))
        tail = (1 - LEVEL) / 2
        low, high, lower = (
            round(found[min(int(share * len(found)), len(found) - 1)], SHOWN) for share in (tail, 1 - tail, 1 - LEVEL)
        )
        return Estimate(mean=round(mean, SHOWN), low=low, high=high, lower95=lower)

    def of_mean(self, values: Sequence[float]) -> Estimate:
        return self.of_ratio(values, [1.0] * len(values))


def _ratio(spans: Sequence[tuple[int, int]], tops: Sequence[float], bottoms: Sequence[float]) -> float | None:
    below = sum(bottoms[end] - bottoms[begin] for begin, end in spans)
    return sum(tops[end] - tops[begin] for begin, end in spans) / below if below else None
