"""NN-3: S4 killed at every step of 40 worlds; twenty days of virtual time. Nothing breaks, and nothing grows.

``sweep_part`` and ``soak_part`` are the halves of the claim.
"""

from typing import Final

from proofs.measured import Measured
from world import sweeps
from world.soak import CPU_MOST, GROWTH_MOST, HOURS
from world.soaks import COUNT, soaks, summary

SWEEP_FIRST: Final = 1
SWEEP_SEEDS: Final = 40
SWEEP_BAR = f"S4 killed at every scheduler step of {SWEEP_SEEDS} seeds: 0 violations"
SOAK_BAR = (
    f"{COUNT} soaks of {HOURS} simulated hours: 0 violations; the last hour's CPU at most {CPU_MOST} x the second's; "
    f"what S4 holds at most {GROWTH_MOST} x what it held when warm"
)


def soak_part() -> Measured:
    """The soaks."""
    days = soaks(say=lambda line: print(line, flush=True))
    passed = len(days) == COUNT and all(each.good for each in days)
    return Measured(summary(days), SOAK_BAR, passed=passed, seed=1)


def sweep_part() -> Measured:
    """The kills."""
    found = sweeps.play(SWEEP_FIRST, SWEEP_SEEDS, say=lambda line: print(line, flush=True))
    measured = {
        "seeds": found.seeds,
        "steps": found.steps,
        "kill_points": found.points,
        "double_kills": found.doubles,
        "failed": [list(each) for each in found.failed[:20]],
        "seconds": found.seconds,
    }
    passed = found.good and found.seeds == SWEEP_SEEDS
    return Measured(measured, SWEEP_BAR, passed=passed, seed=SWEEP_FIRST)


def prove() -> Measured:
    kills, days = sweep_part(), soak_part()
    measured = {"sweep": kills.measured, "soak": days.measured}
    return Measured(measured, f"{SWEEP_BAR}; {SOAK_BAR}", passed=kills.passed and days.passed, seed=SWEEP_FIRST)
