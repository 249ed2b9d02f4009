"""Days of virtual time (``make sim-soak``): a line for each on stderr, one JSON line on stdout; 1 where one is bad."""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from world.days import DAYS  # noqa: E402  (found by the line above)
from world.soak import HOURS, Hour, Soaked, soak  # noqa: E402  (found by the line above)
from world.soaks import COUNT, soaks, summary, told  # noqa: E402  (found by the line above)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--hours", type=int, default=HOURS)
    parser.add_argument("--processes", type=int, help="at a time; all cores where nothing is said")
    parser.add_argument("--day", choices=DAYS, help="this kind alone, once, hour by hour")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    if asked.day:
        days: tuple[Soaked, ...] = (soak(asked.day, asked.seed, hours=asked.hours, tell=_hour),)
        _say(told(days[0]))
        for violation in days[0].violations[:20]:
            _say(f"  {violation.invariant} at {violation.at_us / 3.6e9:.3f} h: {violation.text}")
    else:
        days = soaks(asked.count, hours=asked.hours, processes=asked.processes, say=_say)
    print(json.dumps(summary(days)), flush=True)
    return 0 if all(each.good for each in days) else 1


def _hour(name: str, hour: Hour) -> None:
    _say(f"{name}: {hour.cpu_s:.2f} s CPU, {hour.steps} steps, {hour.rss_mb} MB in all; S4 {hour.weight}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
