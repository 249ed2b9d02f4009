"""Draw ``docs/fault-matrix.md``: each row, what must happen, which tests and which faults of the world say so.

The rows are ``docs/fault-matrix.toml``'s, the tests those marked ``@pytest.mark.fault("A4")``, the world's faults
``world/rows.py``'s (``make docs``). ``faults`` says what does not add up; a test asks for both.
"""

import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools")]

from marks import tests_by_mark  # noqa: E402  (found by the line above)

from world.rows import ROWS  # noqa: E402  (found by the line above)

PAGE = ROOT / "docs" / "fault-matrix.md"
SOURCE = ROOT / "docs" / "fault-matrix.toml"
GROUPS = {
    "A": "Processes, crashes, time",
    "B": "The exchange over REST",
    "C": "Streams",
    "D": "Redis",
    "E": "The ledger and its disk",
    "F": "Bad inputs",
    "G": "Logic, concurrency, configuration",
}
HEAD = """# The fault matrix

What can go wrong around Chimera, what must happen then, and what proves it. Drawn by `tools/fault_matrix.py` from
`docs/fault-matrix.toml`, the tests that name a row, and the faults that the virtual-time world draws by chance
(`world/rows.py`; `make sim`). A row is *proved* when a test plays it and fails without what it is
about, or when the world plays it in every campaign under the oracle's invariants; *partly* says what is left.

"""


def read_rows() -> dict[str, dict[str, Any]]:
    """By id, in the order of the file."""
    return tomllib.loads(SOURCE.read_text(encoding="utf-8"))


def worlds() -> dict[str, list[str]]:
    """Faults of the world by row."""
    found: dict[str, list[str]] = {}
    for fault, rows in ROWS.items():
        for row in rows:
            found.setdefault(row, []).append(fault)
    return found


def faults() -> list[str]:
    """What does not add up, one sentence each."""
    rows, tests, played = read_rows(), tests_by_mark("fault"), worlds()
    wrong = [f"{row} is no row, but {nodes[0]} names it" for row, nodes in tests.items() if row not in rows]
    wrong += [
        f"{row} is no row, but the world's {names[0]} names it" for row, names in played.items() if row not in rows
    ]
    for name, row in rows.items():
        status, seen = row["status"], name in tests or name in played
        if not (status in ("proved", "partly", "not here") or status.startswith("issue ")):
            wrong.append(f"{name}: {status} is no status")
        if status in ("partly", "not here") and not row.get("left"):
            wrong.append(f"{name} is {status} and does not say why")
        if status in ("proved", "partly") and not seen:
            wrong.append(f"{name} is {status}, but nothing plays it")
    return wrong


def page() -> str:
    rows, tests, played = read_rows(), tests_by_mark("fault"), worlds()
    parts = [HEAD + _sums(rows)]
    for letter, title in GROUPS.items():
        lines = ["| Row | Fault | What must happen | Proved by | Status |", "| --- | --- | --- | --- | --- |"]
        lines += [
            f"| {name} | {row['fault']} | {row['expected']} | {_by(tests.get(name, []), played.get(name, []))} "
            f"| {_status(row)} |"
            for name, row in rows.items()
            if name.startswith(letter)
        ]
        parts.append(f"## {letter}. {title}\n\n" + "\n".join(lines) + "\n")
    return "\n".join(parts)


def _sums(rows: dict[str, dict[str, Any]]) -> str:
    kinds = ("proved", "partly", "issue", "not here")
    counts = {kind: sum(str(row["status"]).startswith(kind) for row in rows.values()) for kind in kinds}
    return (
        f"{len(rows)} rows: "
        + ", ".join(
            (f"{count} with a later issue" if kind == "issue" else f"{count} {kind}") for kind, count in counts.items()
        )
        + ".\n"
    )


def _by(nodes: list[str], names: list[str]) -> str:
    told = [f"`{_short(node)}`" for node in nodes[:4]]
    if len(nodes) > 4:
        told.append(f"and {len(nodes) - 4} more")
    if names:
        told.append("world: " + ", ".join(names))
    return "<br>".join(told) or "—"


def _short(node: str) -> str:
    path, _, name = node.partition("::")
    return f"{Path(path).stem}::{name}"


def _status(row: dict[str, Any]) -> str:
    left = row.get("left")
    return f"{row['status']}: {left}" if left else str(row["status"])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    for sentence in faults():
        print(sentence, file=sys.stderr)
    sys.exit(1 if faults() else 0)
