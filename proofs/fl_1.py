"""FL-1: on a real capture, three positions are opened, protected and closed, and the audit alone says the same.

Needs the CLI (``chimera up``) and a capture: ``CHIMERA_CAPTURE``, or the one in ``../shared/data``.
"""

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from proofs.house import ROOT, fresh_clone, needs, running
from proofs.measured import Measured

sys.path.insert(0, str(ROOT / "tools"))

import audit_summary

BAR: Final = "exit 0; at least 3 closed, all protected, no violation; the summary equals the audit's"
TIMEOUT_S: Final = 900
ALIKE: Final = ("closed", "protected", "max_unprotected_ms", "fills_venue", "pnl_usdt")


def prove() -> Measured:
    needs("git", "make", "python3")
    shared = ROOT.parent / "shared" / "data" / "usdm-btcusdt_20240808.gz"
    capture = Path(os.environ.get("CHIMERA_CAPTURE", shared)).resolve()
    if not capture.exists():
        return Measured({"missing": str(capture)}, BAR, passed=False)
    with fresh_clone() as clone:
        args = f"--market {capture} --speed max --headless --exit-after 3 --audit a.jsonl"
        with running(["make", "run", f"ARGS={args}"], clone) as house:
            code = house.wait_exit(TIMEOUT_S)
            told = house.named("summary")
        recomputed = audit_summary.summary(audit_summary.read(clone / "a.jsonl"))
    return judge(code, told[-1] if told else {}, recomputed)


def judge(code: int, told: dict[str, Any], recomputed: dict[str, Any]) -> Measured:
    """Every figure that the audit can give must be the summary's, and the ledger's must be the venue's."""
    differ = {
        name: [told.get(name), recomputed[name]]
        for name in ALIKE
        if _number(told.get(name)) != _number(recomputed[name])
    }
    agreed = (
        told.get("fills_ledger") == recomputed["fills_venue"]
        and _number(told.get("qty_diff")) == 0
        and _number(told.get("fee_diff")) == 0
        and told.get("violations") in (0, [])
        and recomputed["entries_twice"] == 0
        and recomputed["open_qty"] == "0"
    )
    enough = recomputed["closed"] >= 3 and recomputed["protected"] == recomputed["closed"]
    measured = {"exit": code, "summary": told, "audit": recomputed, "differ": differ}
    return Measured(measured, BAR, passed=code == 0 and not differ and agreed and enough)


def _number(figure: object) -> Decimal | None:
    return None if figure is None else Decimal(str(figure))
