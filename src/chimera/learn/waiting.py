"""What a maker's wait costs, by its length, from orders that were mostly taken back before they filled.

Survival S(w), the share still unfilled after w, is the product-limit estimate (Kaplan and Meier, JASA 53, 1958): who
was taken back counts as waiting until then and as unknown afterwards. With f the maker's and t the taker's fee, h half
the spread, m the markout of the fills that come at each moment, and u what a second is worth, all in bps,

    cost(w) = sum over fills until w of their share x (f + m)  +  S(w) (t + h)  +  u x integral of S from 0 to w

since a price without a known drift moves against who waits, on average, by what it moves against who is filled: the
drift of the unfilled and the markout of the filled are one cost, told once. So a wait goes on while the next fill is
worth more than it costs: m < t + h - f. Where no markout is known, the drift of the unfilled gives their mean.
"""

from bisect import bisect_right
from collections.abc import Sequence

from chimera.learn.trials import Trial
from chimera.trading.value import Value

AT_RISK = 20  # orders that must have waited so long; fewer tell nothing


class Rates(Value, tag=False):
    """Bps: both fees, and what a second of waiting is worth to whoever trades (0: nothing)."""

    maker: float
    taker: float
    urgency_per_s: float = 0.0


class Waiting:
    """The estimate of one sample; costs are against the mid at the arrival."""

    def __init__(self, trials: Sequence[Trial], rates: Rates) -> None:
        ordered = sorted(trials, key=lambda trial: (trial.waited_ms, not trial.filled))
        self.trials, self.fills = len(ordered), sum(trial.filled for trial in ordered)
        self.support_ms = ordered[-AT_RISK].waited_ms if len(ordered) >= AT_RISK else 0
        spreads = [trial.spread_bps for trial in ordered if trial.spread_bps is not None]
        self.half = sum(spreads) / len(spreads) / 2 if spreads else 0.0
        self.rates = rates
        self.markout = _mean([trial.markout_bps for trial in ordered if trial.filled])
        self._times, self._survival, self._paid, self._area = [0], [1.0], [0.0], [0.0]
        if self.markout is None:
            self.markout = self._implied(ordered)
        self._estimate(ordered)

    @property
    def known(self) -> bool:
        """Whether what a fill loses is known at all."""
        return self.markout is not None

    def cost(self, wait_ms: int) -> float:
        """Expected, bps, up to ``support_ms``; beyond it as if nothing filled any more."""
        at = bisect_right(self._times, wait_ms) - 1
        left = self._survival[at]
        seconds = self._area[at] + left * (wait_ms - self._times[at]) / 1_000
        return self._paid[at] + left * (self.rates.taker + self.half) + self.rates.urgency_per_s * seconds

    def _estimate(self, ordered: Sequence[Trial]) -> None:
        usual = self.markout or 0.0
        for number, trial in enumerate(ordered):
            if not trial.filled:
                continue
            before, last_ms = self._survival[-1], self._times[-1]
            share = before / (len(ordered) - number)
            markout = usual if trial.markout_bps is None else trial.markout_bps
            self._times.append(trial.waited_ms)
            self._survival.append(before - share)
            self._paid.append(self._paid[-1] + share * (self.rates.maker + markout))
            self._area.append(self._area[-1] + before * (trial.waited_ms - last_ms) / 1_000)

    def _implied(self, ordered: Sequence[Trial]) -> float | None:
        """The mean markout at which what the unfilled lost is what the filled lost; less h, which they earned."""
        drift = _mean([trial.drift_bps for trial in ordered if not trial.filled])
        if drift is None or not self.fills:
            return None
        return drift * (len(ordered) - self.fills) / self.fills - self.half


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
