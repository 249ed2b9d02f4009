"""FC-3: what the default routing saves against market orders on the captures, by S4's own plan and reducer.

``table`` is what S4 does where nobody says otherwise: the built-in route table, by which the account's fees decide
(``chimera.route.by_fees``), with ``S4_MAKER_MAX_WAIT_MS`` as it is, 3000. ``fees:30000`` is the same with that setting
at 30000. Each is told under the queue of the bar, a stricter one and a kinder one. The captures are ``*.gz`` of
``CHIMERA_CAPTURES``, or the four of ``../shared/data``.
"""

import os
import sys
from pathlib import Path
from typing import Any, Final

from chimera.backtest.ways import BASE, VARIED
from chimera.cli.replay_routes import replayed
from chimera.cli.told import left_out
from chimera.services.simulator.market import files_named
from chimera.wire.route_table import DEFAULT
from proofs.house import ROOT
from proofs.measured import Measured

BAR: Final = (
    "default routing, 10 ms, all ahead at our price trades first, one-sided lower 95 % bound, blocks of 30 s: futures "
    "at VIP 0 save >= 15 % with <= 3 s of waiting and >= 33 % with <= 30 s; spot at equal fees is <= 0.05 bps dearer "
    "than market; on each capture"
)
DATA: Final = Path(os.environ.get("CHIMERA_CAPTURES", ROOT.parent / "shared" / "data"))
INTENTS: Final = 1_000
SEED: Final = 9
SHORT, LONG = "table", "fees:30000"
SHORT_BAR: Final = 0.15
LONG_BAR: Final = 0.33
SPOT_BAR_BPS: Final = 0.05


def prove() -> Measured:
    captures = sorted(DATA.glob("*.gz"))
    if not captures:
        print(f"no captures in {DATA}", file=sys.stderr)
        return Measured({"captures": 0}, BAR, passed=False, seed=SEED)
    told = {path.name.removesuffix(".gz"): _one(str(path)) for path in captures}
    passed = all(each["stands"] for each in told.values())
    return Measured({"intents": INTENTS, **told}, BAR, passed=passed, seed=SEED)


def _one(path: str) -> dict[str, Any]:
    """Verdict and figures of one capture."""
    file = files_named(path)[0]
    told = replayed(
        file, [SHORT, LONG, "maker:3000"], VARIED[:3], DEFAULT, (None, None),
        intents=INTENTS, seed=SEED, block_s=30, tell=left_out,
    )  # fmt: skip
    rows = {(row.way, row.queue): row for row in told["ways"] if row.way != "market"}
    spot = told["market"] == "SPOT"
    found: dict[str, Any] = {"stands": _stands(rows[SHORT, BASE.queue], rows[LONG, BASE.queue], spot=spot)}
    for (way, queue), row in rows.items():
        share, saved = row.saving_share, row.saving_bps
        found[f"{way} {queue}"] = (
            {"saved_bps": saved.mean, "between": [saved.low, saved.high]}
            if spot
            else {
                "saved": share.mean,
                "lower95": share.lower95,
                "between": [share.low, share.high],
                "of_possible": row.of_possible,
            }
        )
    return found


def _stands(short: Any, long: Any, *, spot: bool) -> bool:
    """By the lower bounds: on futures of the share saved, on spot of the bps, where being dearer is below 0."""
    if spot:
        return all(row.saving_bps.lower95 >= -SPOT_BAR_BPS for row in (short, long))
    return bool(short.saving_share.lower95 >= SHORT_BAR and long.saving_share.lower95 >= LONG_BAR)
