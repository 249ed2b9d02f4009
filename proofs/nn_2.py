"""NN-2: 10,000 worlds of 180 s, each with at least 3 intents, 3 fired faults and 1 kill; nothing breaks.

``make sim-long`` plays them; a record of the same code is read, what is missing in it is played. Everything that a
campaign must have met happened at least once (``world.sometimes``). The time is CPU time over two
cores, so that a record made in several goes counts as one made in one.
"""

from typing import Final

from proofs.measured import Measured
from world import campaign

BAR: Final = "10,000 seeds x 180 s, each 3 intents, 3 faults, 1 kill; 0 violations; all counters > 0; <= 90 min"
FIRST: Final = 1
SEEDS: Final = 10_000
BUDGET_S: Final = 5_400
CORES: Final = 2


def prove() -> Measured:
    found = campaign.play(FIRST, SEEDS, say=lambda line: print(line, flush=True))
    wall_s = round(found.cpu_s / CORES)
    measured = {
        "code": found.code,
        "seeds": found.seeds,
        "virtual_s": found.virtual_s,
        **found.sums,
        "failed": [failure.seed for failure in found.failures][:20],
        "missing": list(found.missing),
        "longest_bare_ms": found.longest_bare_ms,
        "seconds_on_two_cores": wall_s,
        "budget_s": BUDGET_S,
    }
    enough = found.seeds == SEEDS and wall_s <= BUDGET_S
    return Measured(measured, BAR, passed=found.good and enough, seed=FIRST)
