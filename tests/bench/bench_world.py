"""What an event of the simulated world costs in processor time: routers, feed, exchange and stores together.

Run: ``python tests/bench/bench_world.py``. Prints, asserts nothing.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from chimera.simulate.twin import Twin  # noqa: E402  (found by the line above)
from world.run import run  # noqa: E402  (found by the line above)

SEEDS: Final = (1, 2, 3)


def apart() -> float:
    """``event_us``, by a process of its own, as worlds are played: not beside what another benchmark has left."""
    command = [sys.executable, __file__]
    return float(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600).stdout)


def event_us(seeds: tuple[int, ...] = SEEDS) -> float:
    """Processor time by event: a move of the market at the venue, or a line of its record of what came of it."""
    moves = 0
    whole = Twin.market

    def counted(twin: Twin, *told: Any) -> None:
        nonlocal moves
        moves += 1
        whole(twin, *told)

    Twin.market = counted  # type: ignore[method-assign]  # counts, and changes nothing
    try:
        began = time.process_time()
        records = sum(len(run(seed, keep_audit=True).audit) for seed in seeds)
        used = time.process_time() - began
    finally:
        Twin.market = whole  # type: ignore[method-assign]
    return round(used * 1e6 / (moves + records), 1)


if __name__ == "__main__":
    print(event_us())
