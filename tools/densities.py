"""How often each missing safeguard is noticed: measured into ``docs/safeguards.json``, told in ``docs/safeguards.md``.

Restartable: what is measured stays until ``--fresh``; each safeguard is written as soon as it is done. ``--page`` only
writes the page again.
"""

import argparse
import datetime
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from world.densities import ENOUGH, MOST_SEEDS, Density, density  # noqa: E402  (found by the line above)
from world.safeguards import PAIRS, REDUNDANT, SAFEGUARDS  # noqa: E402  (found by the line above)

DATA: Final = ROOT / "docs" / "safeguards.json"
PAGE: Final = ROOT / "docs" / "safeguards.md"
HEAD: Final = """# Safeguards

What S4 keeps against losing money, each taken away in the virtual-time world to see that it is missed. This page is
made by `make sim-safeguards DENSITY=1`, which measures row by row, for half an hour, and goes on where it was stopped:
`not measured yet` is a row that it has not come to. A seed counts where it breaks without the safeguard and holds with
it; {enough} are enough, and a row with fewer says how many were tried. *Needed*: faults left of the first failure after
shrinking, of those that fired. `make sim SEED=n OFF=name SCENARIO=class` replays one.

| safeguard: without it | class | seeds | broke | share | first | what broke | needed |
| --- | --- | ---: | ---: | ---: | ---: | --- | ---: |
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", help="these safeguards")
    parser.add_argument("--fresh", action="store_true", help="measure again what is measured")
    parser.add_argument("--seeds", type=int, default=MOST_SEEDS)
    parser.add_argument("--enough", type=int, default=ENOUGH)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--page", action="store_true", help="only write the page again")
    asked = parser.parse_args()
    known = read()
    names = asked.only or [*SAFEGUARDS, *PAIRS]
    for name in [] if asked.page else names:
        if name in known and not asked.fresh:
            print(f"{name}: measured at {known[name]['commit'][:8]}", flush=True)
            continue
        found = density(name, most_seeds=asked.seeds, enough=asked.enough, processes=asked.processes)
        known[name] = row(found)
        print(f"{name}: {found.failures} of {found.seeds}, {found.invariants}", flush=True)
        DATA.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(known), encoding="utf-8")
    return 0


def read() -> dict[str, Any]:
    """What has been measured."""
    return dict(json.loads(DATA.read_text(encoding="utf-8"))) if DATA.exists() else {}


def row(found: Density) -> dict[str, Any]:
    """One measurement, with where and when it was made."""
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {
        "scenario": found.scenario,
        "seeds": found.seeds,
        "failures": found.failures,
        "first_seed": found.first_seed,
        "invariants": found.invariants,
        "fired": found.fired,
        "needed": found.needed,
        "commit": head.strip(),
        "day": day,
    }


def page(known: dict[str, Any]) -> str:
    """The table, the redundant ones with the reason, and where the numbers are from."""
    lines = [HEAD.format(enough=ENOUGH).rstrip("\n")]
    for name, safeguard in (SAFEGUARDS | PAIRS).items():
        found = known.get(name)
        story = f"`{name}`: {safeguard.sentence}"
        lines.append(f"| {story} | {cells(found) if found else '| | | | not measured yet | '} |")
    lines += [
        "",
        "## Redundant",
        "",
        "Nothing breaks when one of these alone is gone; the pair together is in the table, where one that never broke",
        "says that the worlds tried do not show what it guards.",
        "",
    ]
    lines += [f"- `{name}`: {each.safeguard.sentence} {each.covered_by}" for name, each in REDUNDANT.items()]
    made = sorted({(found["day"], found["commit"][:8]) for found in known.values()})
    lines += ["", "Measured " + ", ".join(f"{day} at {commit}" for day, commit in made) + "." if made else ""]
    return "\n".join(lines) + "\n"


def cells(found: dict[str, Any]) -> str:
    share = found["failures"] / found["seeds"] if found["seeds"] else 0
    first = "never" if found["first_seed"] is None else found["first_seed"]
    needed = "" if found["needed"] is None else f"{found['needed']} of {found['fired']}"
    broke = ", ".join(found["invariants"])
    return f"{found['scenario']} | {found['seeds']} | {found['failures']} | {share:.1%} | {first} | {broke} | {needed}"


if __name__ == "__main__":
    sys.exit(main())
