"""How often a missing safeguard is noticed: the share of worlds that break without it, and what such a world needs.

A seed counts as broken only when the same seed holds with everything in place.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Final

from chimera.trading.value import Value
from world.cores import spread
from world.run import Verdict, run
from world.seeds import LIFE, options_without, shrink

ENOUGH: Final = 5  # failures, then no more seeds
MOST_SEEDS: Final = 2_000

Say = Callable[[str], None]


class Density(Value):
    """``failures`` of ``seeds``; ``invariants`` of all of them; ``needed``: faults of one failure after shrinking."""

    name: str
    scenario: str
    seeds: int
    failures: int
    first_seed: int | None
    invariants: dict[str, int]
    fired: int
    needed: int | None

    @property
    def share(self) -> float:
        return self.failures / self.seeds if self.seeds else 0.0


def density(
    name: str,
    *,
    most_seeds: int = MOST_SEEDS,
    enough: int = ENOUGH,
    shrunk: bool = True,
    processes: int | None = None,
    say: Say = print,
) -> Density:
    """Seeds from 0 on without this safeguard, until ``enough`` of them broke or ``most_seeds`` are run."""
    options = options_without(name)
    broken: list[Verdict] = []
    invariants: Counter[str] = Counter()
    seeds = 0
    for verdict in spread(partial(run, off=name, options=options), range(most_seeds), processes, life=LIFE):
        seeds += 1
        if not verdict.good and run(verdict.seed, options=options).good:
            broken.append(verdict)
            invariants.update({violation.invariant for violation in verdict.violations})
        if seeds % 100 == 0:
            say(f"  {name}: {len(broken)} of {seeds}")
        if len(broken) >= enough:
            break
    first = broken[0] if broken else None
    return Density(
        name=name,
        scenario=options.scenario or ("heirs" if options.heirs_share else "house" if options.house else "drawn"),
        seeds=seeds,
        failures=len(broken),
        first_seed=None if first is None else first.seed,
        invariants=dict(invariants.most_common()),
        fired=0 if first is None else len(first.fired),
        needed=len(shrink(first, options)) if first is not None and shrunk else None,
    )
