"""NN-4: each safeguard taken away is missed by some world within 2,000 seeds; those found redundant are named.

Stops at the first world that breaks without it and holds with it. How often each is missed, and what becomes of pairs
that stand in for each other, is measured by ``make sim-safeguards DENSITY=1`` (``docs/safeguards.md``).
"""

from typing import Any, Final

from proofs.measured import Measured
from world.densities import MOST_SEEDS, Density, density
from world.safeguards import REDUNDANT, SAFEGUARDS

LEAST: Final = 15
BAR: Final = f"at least {LEAST} safeguards; each one off is caught within {MOST_SEEDS} seeds; the redundant named"


def prove() -> Measured:
    return judge({name: _row(_first(name)) for name in SAFEGUARDS})


def judge(caught: dict[str, dict[str, Any] | None]) -> Measured:
    """``caught``: by safeguard, the first world that missed it; None: none did."""
    unseen = [name for name, row in caught.items() if row is None]
    measured = {
        "safeguards": len(caught),
        "unseen": unseen,
        "caught": caught,
        "redundant": {name: each.covered_by for name, each in REDUNDANT.items()},
    }
    return Measured(measured, BAR, passed=len(caught) >= LEAST and not unseen, seed=0)


def _first(name: str) -> Density:
    found = density(name, enough=1, shrunk=False, say=lambda line: print(line, flush=True))
    print(f"{name}: seed {found.first_seed} of class {found.scenario}: {', '.join(found.invariants)}", flush=True)
    return found


def _row(found: Density) -> dict[str, Any] | None:
    if found.first_seed is None:
        return None
    return {"seed": found.first_seed, "class": found.scenario, "breaks": list(found.invariants)}
