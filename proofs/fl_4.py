"""FL-4: 2,000 worlds with kills and faults break no invariant; each safeguard taken away is missed by some world.

In each world S3, S4, the feed and the venue run on one loop; S3 and S4 are killed and started again. All cores are
used; the time it took is measured against a budget, because a campaign that nobody waits for is not run.
"""

import time
from typing import Any, Final

from proofs.measured import Measured
from world import seeds
from world.safeguards import SAFEGUARDS

BAR: Final = "2,000 seeds, 0 violations; with each safeguard off (at least 3) some seed fails; kills of S3 and of S4"
FIRST_SEED: Final = 1
SEEDS: Final = 2_000
MOST_SEEDS: Final = 400  # for a safeguard to be missed
BUDGET_S: Final = 1_800  # wall, two cores with other work on them; about 600 s where they are free


def prove() -> Measured:
    began = time.monotonic()
    whole = seeds.campaign(FIRST_SEED, SEEDS, say=_say)
    missed = {name: _first_to_miss(name) for name in SAFEGUARDS}
    seconds = round(time.monotonic() - began)
    _say(f"{seconds} s of {BUDGET_S} s")
    measured = {
        "seeds": whole.count,
        "failed": list(whole.failed)[:20],
        "invariants": whole.invariants,
        **{name: whole.counters.get(name, 0) for name in ("kills", "s3_kills", "s3_done", "venue_fill")},
        "longest_bare_ms": whole.counters.get("longest_bare_ms", 0),
        "seconds": seconds,
        "budget_s": BUDGET_S,
        "safeguards_off": missed,
    }
    enough = whole.count == SEEDS and all(whole.counters.get(name, 0) > 0 for name in ("kills", "s3_kills"))
    noticed = len(missed) >= 3 and None not in missed.values()
    return Measured(measured, BAR, passed=enough and not whole.failed and noticed, seed=FIRST_SEED)


def _first_to_miss(name: str) -> dict[str, Any] | None:
    """The first failing seed, what broke, and its replay."""
    found = seeds.first_to_miss(name, most_seeds=MOST_SEEDS)
    if found is None:
        _say(f"{name}: NO seed of {MOST_SEEDS} notices")
        return None
    broken = sorted({violation.invariant for violation in found.violations})
    again = seeds.replay(found.seed, name, seeds.options_without(name))
    _say(f"{name}: {', '.join(broken)}: {again}")
    return {"seed": found.seed, "breaks": broken, "replay": again}


def _say(line: str) -> None:
    print(line, flush=True)
