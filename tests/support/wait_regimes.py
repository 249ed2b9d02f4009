"""Markets of which the cheapest wait is known, as makers' waits taken back after whatever wait was in force."""

import math
import random
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from chimera.learn.trials import Trial
from chimera.trading.money import Millis
from chimera.trading.venue import FeeRates

FUTURES = FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
EQUAL = FeeRates(maker=Decimal("0.001"), taker=Decimal("0.001"))
SPREAD_BPS = 0.02
STEP_MS = 10
LONGEST_MS = 10_000


class Regime(NamedTuple):
    """``hazard`` per second and ``markout`` bps, both of a fill after so many ms."""

    name: str
    hazard: Callable[[float], float]
    markout: Callable[[float], float]
    fees: FeeRates = FUTURES
    urgency_bps_per_s: float = 0.0

    def costs(self, most_ms: int) -> list[float]:
        """Expected cost of each wait, by summation over steps of ``STEP_MS``."""
        taken = float(self.fees.taker) * 1e4 + SPREAD_BPS / 2
        survival, paid, area, told = 1.0, 0.0, 0.0, []
        for at in range(0, most_ms + 1, STEP_MS):
            told.append(paid + survival * taken + self.urgency_bps_per_s * area)
            share = survival * (1 - math.exp(-self.hazard(at) * STEP_MS / 1_000))
            paid += share * (float(self.fees.maker) * 1e4 + self.markout(at))
            area += survival * STEP_MS / 1_000
            survival -= share
        return told

    def best_ms(self, most_ms: int) -> int:
        costs = self.costs(most_ms)
        return costs.index(min(costs)) * STEP_MS

    def day(self, seed: int, wait_ms: int, count: int = 600, *, from_ms: int = 0) -> list[Trial]:
        """So many waits, a second apart, each given up after ``wait_ms``, or a little before."""
        chance, found = random.Random(seed), []
        for number in range(count):
            ends = int(wait_ms * (1 - 0.02 * chance.random()))
            fills = self._fills(chance)
            filled = fills <= ends
            noise = chance.gauss(0, 2)  # bps: single markouts are mostly noise
            found.append(
                Trial(
                    at_ms=Millis(from_ms + number * 1_000),
                    notional=Decimal(150),
                    waited_ms=fills if filled else ends,
                    filled=filled,
                    markout_bps=self.markout(fills) + noise if filled else None,
                    spread_bps=SPREAD_BPS,
                )
            )
        return found

    def _fills(self, chance: random.Random) -> int:
        for at in range(0, LONGEST_MS, STEP_MS):
            if chance.random() < 1 - math.exp(-self.hazard(at) * STEP_MS / 1_000):
                return at + STEP_MS // 2
        return LONGEST_MS * 10


KEEN = Regime("fills are worth their fee", lambda _: 0.3, lambda _: 0.8)
POISONED = Regime("every fill loses more than it saves", lambda _: 0.5, lambda _: 4.0)
EVEN = Regime("maker and taker cost the same", lambda _: 0.5, lambda _: 0.3, EQUAL)
STALE = Regime("late fills are toxic", lambda _: 0.5, lambda at: 0.2 + 3.0 * at / 1_000)
FADING = Regime(
    "who is not filled soon is not filled", lambda at: 1.2 if at < 800 else 0.05, lambda _: 0.5, urgency_bps_per_s=0.6
)
ALL = (KEEN, POISONED, EVEN, STALE, FADING)
