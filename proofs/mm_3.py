"""MM-3: 5,000 worlds of three minutes in which two or three routers share an account; nothing breaks.

Whoever acts is killed, stopped and woken late, told to end, cut off from the ledger or Redis, by clocks that are wrong,
beside everything that befalls any world (``make sim-long HEIRS=1`` plays them, and goes on where it was stopped). The
venue takes no change but from the lease's holder, and while a router could act one does within five seconds. Then each
safeguard of the lease is taken away: some seed breaks without it that holds with it.
"""

from typing import Any, Final

from proofs.measured import Measured
from world import campaign
from world.densities import density
from world.heirs_plan import Kind
from world.run import HEIRS
from world.safeguards import SAFEGUARDS

FIRST: Final = 1
SEEDS: Final = 5_000
MOST_SEEDS: Final = 2_000
COUNTED: Final = (
    "take_overs", "hand_overs", "woke_late", "standbys_struck", "kills", "changes",
    *(f"fault_{kind}" for kind in Kind),
    *(f"fault_{name}" for name in ("away_ledger", "away_bus", "failover", "clock_step", "pause")),
)  # fmt: skip
BAR: Final = (
    f"{SEEDS} seeds of two or three routers: 0 violations, every fault met; "
    f"each safeguard of the lease, taken away, is caught within {MOST_SEEDS} seeds"
)


def prove() -> Measured:
    found = campaign.play(FIRST, SEEDS, options=HEIRS, place=campaign.HEIRS_PLACE, say=_say)
    caught = {name: _caught(name) for name, each in SAFEGUARDS.items() if each.heirs}
    measured = {
        "code": found.code,
        "seeds": found.seeds,
        "virtual_s": found.virtual_s,
        **found.sums,
        **{name: found.counters.get(name, 0) for name in COUNTED},
        "mean_take_over_ms": found.counters.get("take_overs_ms", 0) // max(found.counters.get("take_overs", 0), 1),
        "failed": [failure.seed for failure in found.failures][:20],
        "missing": list(found.missing),
        "longest_bare_ms": found.longest_bare_ms,
        "cpu_s": found.cpu_s,
        "safeguards_off": caught,
    }
    noticed = bool(caught) and None not in caught.values()
    return Measured(measured, BAR, passed=found.good and found.seeds == SEEDS and noticed, seed=FIRST)


def _caught(name: str) -> dict[str, Any] | None:
    """The first seed that breaks without it, and what breaks."""
    found = density(name, most_seeds=MOST_SEEDS, enough=1, shrunk=False, say=_say)
    return None if found.first_seed is None else {"seed": found.first_seed, "breaks": list(found.invariants)}


def _say(line: str) -> None:
    print(line, flush=True)
