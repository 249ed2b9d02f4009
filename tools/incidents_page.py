"""Draw ``docs/incidents.md`` from ``docs/incidents.toml`` and the tests marked with an incident (``make docs``)."""

import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from marks import tests_by_mark  # noqa: E402  (found by the line above)

PAGE = ROOT / "docs" / "incidents.md"
SOURCE = ROOT / "docs" / "incidents.toml"
HEAD = """# Incidents

What went wrong in other people's routers, in our words, and what Chimera does instead. Each is played, most of them as
a story in the virtual-time world (`tests/simulation/incidents/`): the production S4 over the simulated exchange, told
once as it is and once with the safeguard taken away, which must show. `make proof ID=NN-1` plays all of them. The
words are those of `docs/incidents.toml`; the tests are found by their marks.

"""


def read_rows() -> dict[int, dict[str, str]]:
    """By number."""
    return {int(number): row for number, row in tomllib.loads(SOURCE.read_text(encoding="utf-8")).items()}


def faults() -> list[str]:
    """What does not add up, one sentence each."""
    rows, tests = read_rows(), tests_by_mark("incident")
    wrong = [
        f"{number} is no incident, but {nodes[0]} names it"
        for number, nodes in tests.items()
        if int(number) not in rows
    ]
    wrong += [
        f"incident {number} is neither played nor open"
        for number, row in rows.items()
        if str(number) not in tests and "open" not in row
    ]
    return wrong


def page() -> str:
    rows, tests = read_rows(), tests_by_mark("incident")
    played = sum(str(number) in tests for number in rows)
    lines = [f"{len(rows)} incidents, {played} played.", ""]
    lines += ["| # | What happened | What Chimera does | Tests |", "| --- | --- | --- | --- |"]
    for number, row in rows.items():
        told = [f"`{_short(node)}`" for node in tests.get(str(number), [])]
        if "open" in row:
            told.append(f"open: {row['open']}")
        lines.append(f"| {number} | {row['happened']} | {row['does']} | {'<br>'.join(told)} |")
    return HEAD + "\n".join(lines) + "\n"


def _short(node: str) -> str:
    path, _, name = node.partition("::")
    return f"{Path(path).stem}::{name}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    for sentence in faults():
        print(sentence, file=sys.stderr)
    sys.exit(1 if faults() else 0)
