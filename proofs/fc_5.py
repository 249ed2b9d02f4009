"""FC-5: the benchmark table stands in the docs as one command draws it (``make bench ARGS=--draw``).

The command is run here with small numbers, and its table compared with the page by rows: nothing was measured that is
not told, and nothing is told that is not measured. What a peer needs and is not here is left out, and named.
"""

import json
import subprocess
import sys
from typing import Any, Final

from proofs.house import ROOT
from proofs.measured import Measured

BAR: Final = "the page has the rows that the command draws, its commit, machine and versions; each part measured"
PAGE: Final = ROOT / "docs" / "benchmarks.md"
WITHIN_S: Final = 1_800


def prove() -> Measured:
    command = [sys.executable, "tools/bench.py", "--quick", "--json"]
    asked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    told: dict[str, Any] = json.loads(asked.stdout.splitlines()[-1])
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    lacking = [row["what"] for row in told["rows"] if f"| {row['what']} |" not in page]
    heads = [head for head in ("machine:", "commit:", "versions:") if head not in page]
    measured = {
        "rows": len(told["rows"]),
        "not_on_the_page": lacking,
        "page_lacks": heads,
        "left_out": told["left_out"],
        "page": PAGE.exists(),
    }
    return Measured(measured, BAR, passed=not lacking and not heads and not told["failed"])
