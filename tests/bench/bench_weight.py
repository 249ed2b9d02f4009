"""What 10,000 intents and 10,000 guards weigh.

Memory is the process's own (``VmRSS``), before and after 10,000 holdings with an intent that is being worked, or with a
guard that stands watch; each kind in a process of its own, so that neither lies in what the other left. A holding is
read from what a ledger keeps, so that none shares anything with another.

Run: ``python tests/bench/bench_weight.py intents|guards``. Prints, asserts nothing.
"""

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, cast

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import bench_guards

from chimera.services.router.guarding import Guarding
from chimera.trading.execution import Maker, Plan, Slice
from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.wire.codec import seal, unseal
from support.desk import Desk, an_intent

ROOT: Final = Path(__file__).resolve().parents[2]
COUNT: Final = 10_000


def apart(kind: str) -> dict[str, float]:
    """``each_bytes`` and ``process_mb``, by a process of its own; ``kind``: intents or guards."""
    command = [sys.executable, __file__, kind]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    found: dict[str, float] = json.loads(asked.stdout)
    return found


def _weighed(kind: str) -> dict[str, float]:
    sealed = seal(_resting() if kind == "intents" else bench_guards._refused().holding)
    guarding = Guarding(cast("Any", {}), lambda _: cast("Any", None))
    kept: list[Holding] = []
    gc.collect()
    before = _rss()
    for number in range(COUNT):
        holding = bench_guards._at(unseal(sealed, Holding), number)
        kept.append(holding)
        if kind == "guards":
            guarding.keep(holding)
    gc.collect()
    after = _rss()
    return {"each_bytes": (after - before) // len(kept), "process_mb": round(after / 1e6, 1)}


def _resting() -> Holding:
    """With one intent whose maker rests."""
    desk, intent = Desk(), an_intent(qty="0.01")
    maker = Maker(wait_ms=3_000, reprices=20)
    desk.work(intent, Plan(slices=(Slice(qty=intent.qty),), deadline_ms=Millis(desk.now + 60_000), maker=maker))
    return desk.holding


def _rss() -> int:
    """Bytes."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024


if __name__ == "__main__":
    print(json.dumps(_weighed(sys.argv[1])))
