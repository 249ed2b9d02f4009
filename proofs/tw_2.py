"""TW-2: every documented payload shape goes round field by field; parameters missing or unknown get Binance's codes.

Shapes: lives of orders on both markets, each payload decoded into a strict struct of its documented fields and encoded
again. Parameters: at every endpoint of the twin each documented mandatory parameter is left out in turn (those that an
order's type makes mandatory, too), and an unknown one is added; nothing may happen.
"""

import sys
from collections import Counter
from typing import Any, Final

from proofs.house import ROOT
from proofs.measured import Measured

sys.path.insert(0, str(ROOT / "tests" / "support"))

from parameters import MANDATORY, TABLES, a_twin, trials, tried
from shapes import SHAPES, fault, shown

BAR: Final = "every shape shown and the same after a round trip; -1102 and -1104 at every endpoint, nothing done"
MOST_TOLD: Final = 20


def prove() -> Measured:
    seen: Counter[str] = Counter()
    wrong: list[Any] = []
    for name, payload in shown():
        seen[name] += 1
        found = fault(name, payload)
        if found is not None:
            wrong.append({"shape": name, "fault": found})
    never = sorted(SHAPES.keys() - seen.keys())
    twin, refused = a_twin(), 0
    for trial in trials():
        told = tried(twin, trial)
        refused += 1
        if (told["status"], told.get("code")) != (400, trial.code) or told["done"]:
            wrong.append({"request": trial.label, "told": told})
    untold = sorted(
        f"{method} {path}"
        for (method, path), found in TABLES.items()
        if found.mandatory and (method, path) not in MANDATORY
    )
    measured = {
        "shapes": len(SHAPES),
        "payloads": seen.total(),
        "never_shown": never,
        "endpoints": len(TABLES),
        "refusals": refused,
        "undocumented": untold,
        "wrong": wrong[:MOST_TOLD],
    }
    return Measured(measured, BAR, passed=not (wrong or never or untold))
