"""Curves of the maker wait by spread, from the same trials: where a wider or narrower market wants another wait.

Trials of a row that moves or stays are pooled over rows; each bin of spreads with enough of them gets the factor of its
own cheapest wait to that of all, within ``FACTOR_LEAST`` and ``FACTOR_MOST``. Fewer than two such bins: no curve.
"""

from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from chimera.learn.fit import Bounds, best_wait
from chimera.learn.trials import Trial
from chimera.learn.waiting import Rates, Waiting
from chimera.tca.resting import SPREADS
from chimera.trading.routes import Curves, Measures, Point, check
from chimera.trading.value import Value

FACTOR_LEAST: Final = Decimal("0.5")
FACTOR_MOST: Final = Decimal(2)
_EDGES: Final = [float(edge) for edge in SPREADS]


class SpreadFit(Value, tag=False):
    from_bps: Decimal
    trials: int
    best_ms: int
    factor: Decimal


def by_spread(trials: Sequence[Trial], rates: Rates, bounds: Bounds) -> tuple[SpreadFit, ...]:
    """One for each bin of spreads with enough trials, ascending."""
    whole = Waiting(trials, rates)
    usual = best_wait(whole, bounds) if whole.known else 0
    if not usual:
        return ()
    edges = (Decimal(0), *SPREADS)
    bins: dict[int, list[Trial]] = {}
    for trial in trials:
        if trial.spread_bps is not None:
            bins.setdefault(bisect_right(_EDGES, trial.spread_bps), []).append(trial)
    return tuple(
        _bin(edges[place], bins[place], usual, rates, bounds) for place in sorted(bins) if _enough(bins[place], bounds)
    )


def curves(found: Sequence[SpreadFit], rev: int, bounds: Bounds) -> Curves | None:
    """As ``router:{param}:curves`` takes them; each factor stands at its bin's lower edge."""
    if len(found) < 2:
        return None
    points = tuple(Point(at=each.from_bps, factor=each.factor) for each in found)
    return check(Curves(rev=rev, by=Measures(spread_bps=points), most_ms=bounds.most_ms))


def _enough(trials: Sequence[Trial], bounds: Bounds) -> bool:
    return len(trials) >= bounds.samples_min and sum(trial.filled for trial in trials) >= bounds.fills_min


def _bin(edge: Decimal, trials: Sequence[Trial], usual: int, rates: Rates, bounds: Bounds) -> SpreadFit:
    waiting = Waiting(trials, rates)
    best = best_wait(waiting, bounds) if waiting.known else usual
    factor = (Decimal(best) / usual).quantize(Decimal("0.01"))
    return SpreadFit(
        from_bps=edge, trials=len(trials), best_ms=best, factor=min(max(factor, FACTOR_LEAST), FACTOR_MOST)
    )
