"""NN-1: the incidents of other routers are survived, and the fault matrix holds what its rows say.

The tests that name an incident are run; one is survived when it has tests and all of them passed. The matrix is read
from the marks: no row may claim a proof that nothing plays.
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path
from typing import Final

from proofs.measured import Measured

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import fault_matrix  # noqa: E402  (found by the line above)
import incidents_page  # noqa: E402
from marks import tests_by_mark  # noqa: E402

FEWEST: Final = 28
BAR: Final = (
    "at least 28 of the thirty incidents played and survived, none played and lost, the others open by name; "
    "no row of the fault matrix claims what nothing plays"
)


def prove() -> Measured:
    tests = tests_by_mark("incident")
    nodes = sorted({node for found in tests.values() for node in found})
    outcomes, seconds = _run(nodes)
    rows = incidents_page.read_rows()
    survived = [number for number in rows if _good(tests.get(str(number), []), outcomes)]
    still_open = {number: row["open"] for number, row in rows.items() if "open" in row}
    statuses = Counter(str(row["status"]).split(" ")[0] for row in fault_matrix.read_rows().values())
    wrong = fault_matrix.faults() + incidents_page.faults()
    lost = [number for number in rows if number not in survived and number not in still_open]
    measured = {
        "incidents": len(rows),
        "survived": len(survived),
        "lost": lost,
        "open": still_open,
        "tests": len(nodes),
        "seconds": round(seconds, 1),
        "fault_matrix": dict(statuses),
        "wrong": wrong,
    }
    return Measured(measured, BAR, passed=len(survived) >= FEWEST and not lost and not wrong)


def _good(nodes: list[str], outcomes: dict[str, bool]) -> bool:
    return bool(nodes) and all(outcomes.get(node, False) for node in nodes)


def _run(nodes: list[str]) -> tuple[dict[str, bool], float]:
    """Whether every case of a test passed, by node id; and how long all took."""
    with tempfile.TemporaryDirectory(prefix="chimera-proof-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", f"--junitxml={report}", *nodes]
        subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
        root = ET.parse(report).getroot()  # noqa: S314  # our own file of a moment ago
    outcomes: dict[str, bool] = {}
    seconds = 0.0
    for case in root.iter("testcase"):
        node = _node(case.get("classname", ""), case.get("name", ""))
        passed = not any(child.tag in ("failure", "error", "skipped") for child in case)
        outcomes[node] = outcomes.get(node, True) and passed
        seconds += float(case.get("time", "0"))
    return outcomes, seconds


def _node(dotted: str, name: str) -> str:
    """As the marks name it: the file, then a class where there is one."""
    parts = dotted.split(".")
    files = [count for count in range(1, len(parts) + 1) if (ROOT / ("/".join(parts[:count]) + ".py")).is_file()]
    count = files[0] if files else len(parts)
    return "::".join(["/".join(parts[:count]) + ".py", *parts[count:], name.split("[", maxsplit=1)[0]])
