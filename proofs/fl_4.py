"""FL-4: 2,000 worlds with kills and faults break no invariant; each safeguard taken away is missed by some world."""

from typing import Final

from chimera.services.world import main as world
from chimera.services.world.safeguards import SAFEGUARDS
from proofs.measured import Measured

BAR: Final = "2,000 seeds, 0 violations; with each safeguard off (at least 3) some seed fails"
FIRST_SEED: Final = 1
SEEDS: Final = 2_000
MOST_SEEDS: Final = 400  # for a safeguard to be missed


def prove() -> Measured:
    told: list[str] = []

    def say(line: str) -> None:
        told.append(line)
        print(line, flush=True)

    whole = world.campaign(FIRST_SEED, SEEDS, say=say)
    unnoticed = world.safeguards(most_seeds=MOST_SEEDS, say=say)
    measured = {
        "seeds": whole.count,
        "failed": list(whole.failed)[:20],
        "invariants": whole.invariants,
        "kills": whole.counters.get("kills", 0),
        "seconds": whole.seconds,
        "safeguards": len(SAFEGUARDS),
        "safeguards_unnoticed": [line.split(":")[0] for line in told if " NO seed of " in line],
    }
    enough = whole.count == SEEDS and whole.counters.get("kills", 0) > 0 and len(SAFEGUARDS) >= 3
    return Measured(measured, BAR, passed=enough and not whole.failed and unnoticed == 0, seed=FIRST_SEED)
