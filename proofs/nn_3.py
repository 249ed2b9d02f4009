"""NN-3: twenty days of virtual time break nothing, cost the same in their last hour, and do not grow.

``soak_part`` is that half of the claim; the sweep, S4 killed at every step, is the other.
"""

from chimera.services.world.soak import CPU_MOST, GROWTH_MOST, HOURS
from chimera.services.world.soaks import COUNT, soaks, summary
from proofs.measured import Measured

SOAK_BAR = (
    f"{COUNT} soaks of {HOURS} simulated hours: 0 violations; the last hour's CPU at most {CPU_MOST} x the second's; "
    f"what S4 holds at most {GROWTH_MOST} x what it held when warm"
)


def soak_part() -> Measured:
    """The soaks."""
    days = soaks(say=lambda line: print(line, flush=True))
    passed = len(days) == COUNT and all(each.good for each in days)
    return Measured(summary(days), SOAK_BAR, passed=passed, seed=1)


def prove() -> Measured:
    return soak_part()
