"""Time budgets against a stored baseline (``make bench``).

Measures the pure hot paths alone: no disk, no socket. ``tests/bench/baseline.json`` holds the medians of one machine,
with its name; on another machine look at the ratios between the cases. ``--store`` writes a new baseline. Exit 1 where
a case takes more than ``SLACK`` times its baseline on the machine that the baseline names.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests" / "support")]

from desk import KEY, Desk, an_intent  # noqa: E402  (found by the line above)
from proof import machine  # noqa: E402  (found by the line above)

from chimera.trading.facts import Ticked  # noqa: E402  (found by the line above)
from chimera.trading.holding import Holding  # noqa: E402  (found by the line above)
from chimera.trading.money import split  # noqa: E402  (found by the line above)
from chimera.wire.codec import seal, unseal  # noqa: E402  (found by the line above)

BASELINE = ROOT / "tests" / "bench" / "baseline.json"
SLACK = 2.0
ROUNDS, LEAST_S = 7, 0.05


def cases() -> dict[str, Callable[[], object]]:
    quiet, busy = Desk(), Desk()
    busy.submit(an_intent())
    sealed = seal(busy.holding)
    weights = [Decimal(number).sqrt() for number in range(1, 21)]
    return {
        "advance, idle tick": lambda: quiet.hear(Ticked()),
        "advance, tick with an intent": lambda: busy.hear(Ticked()),
        "seal a holding": lambda: seal(busy.holding),
        "unseal a holding": lambda: unseal(sealed, Holding),
        "split in 20": lambda: split(Decimal("1.234"), weights, Decimal("0.001")),
        "an empty holding": lambda: Holding(key=KEY),
    }


def micros(case: Callable[[], object]) -> float:
    """Median over rounds of the mean microseconds of one call."""
    times, began = 1, time.perf_counter()
    case()
    once = max(time.perf_counter() - began, 1e-7)
    times = max(1, int(LEAST_S / once))
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            case()
        rounds.append((time.perf_counter() - began) / times * 1e6)
    return statistics.median(rounds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", action="store_true", help="write the baseline")
    asked = parser.parse_args()
    measured = {name: round(micros(case), 2) for name, case in cases().items()}
    here = machine()
    if asked.store:
        BASELINE.write_text(json.dumps({"machine": here, "micros": measured}, indent=2) + "\n", encoding="utf-8")
    stored = json.loads(BASELINE.read_text(encoding="utf-8"))
    same, slow = stored["machine"] == here, False
    for name, took in measured.items():
        before = stored["micros"].get(name)
        past = before is not None and took > SLACK * before
        slow |= past
        print(f"{name:32} {took:10.2f} us  baseline {before if before is not None else '-':>8}{'  SLOWER' * past}")
    print(f"here: {here}" if same else f"here: {here}\nbaseline from another machine: {stored['machine']}")
    return 1 if slow and same else 0


if __name__ == "__main__":
    sys.exit(main())
