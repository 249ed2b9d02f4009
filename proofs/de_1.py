"""DE-1: what holds of every decision, by property tests: those marked ``DE-1``, run here and their examples counted.

Clamps, the venue's filters, ``max_loss``, net profit at the target, rules that do not fire, short as the mirror of
long; and that the quick paths (the sieve, "all gates open?") say what the slow ones do.
"""

import re
import subprocess
import sys
from typing import Final

from proofs.house import ROOT
from proofs.measured import Measured

BAR: Final = "every property marked DE-1 holds in all its examples, 2,000 or more together"
FOLDER: Final = "tests/unit/decide"
EXAMPLES: Final = 2_000
PROPERTIES: Final = 8
LIMIT_S: Final = 300
_TOLD: Final = re.compile(r"(\d+) passing(?: examples?)?, (\d+) failing")


def prove() -> Measured:
    nodes = _marked()
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--hypothesis-show-statistics", *nodes)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    told = [(int(passing), int(failing)) for passing, failing in _TOLD.findall(done.stdout)]
    examples, failing = sum(each for each, _ in told), sum(each for _, each in told)
    failed = [line.partition(" ")[2][:160] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    measured = {"properties": len(nodes), "examples": examples, "failing": failing, "failed": failed}
    enough = len(nodes) >= PROPERTIES and examples >= EXAMPLES
    return Measured(measured, BAR, passed=done.returncode == 0 and not failed and not failing and enough)


def _marked() -> list[str]:
    """Node ids of the tests marked so, as the table of requirements has them."""
    collect = (
        "import sys, pytest; sys.path.insert(0, 'tests/support'); from requirement_rows import tests_by_row\n"
        "class Kept:\n"
        "    def pytest_collection_finish(self, session):\n"
        "        print('NODES', *tests_by_row(session.items).get('DE-1', []))\n"
        f"sys.exit(pytest.main(['-qq', '--collect-only', '-p', 'no:cacheprovider', '{FOLDER}'], plugins=[Kept()]))"
    )
    done = subprocess.run((sys.executable, "-c", collect), cwd=ROOT, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("NODES"))
    return line.split()[1:]
