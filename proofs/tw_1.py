"""TW-1: independent Binance clients drive the simulated exchange through whole order lives, only base URLs changed.

The official SDKs, ccxt with its WebSocket side, and python-binance; each cell of ``docs/conformance.md`` is a test that
holds what the library was told against the venue's own state.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from proofs.house import ROOT
from proofs.measured import Measured

BAR: Final = (
    "every operation of every client: works, refused with Binance's code, or no such method; the page is current"
)
LIMIT_S: Final = 240


def prove() -> Measured:
    with tempfile.TemporaryDirectory(prefix="chimera-proof-") as folder:
        results = Path(folder) / "verdicts.json"
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/conformance"],
            cwd=ROOT,
            env=os.environ | {"CONFORMANCE_RESULTS": str(results)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        took_s = round(time.monotonic() - began, 1)
        rows = json.loads(results.read_text(encoding="utf-8")) if results.exists() else []
    failed = [line.partition(" ")[2][:160] for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    skipped = "skipped loudly: 0" not in done.stdout
    clients: dict[str, Counter[str]] = {}
    for row in rows:
        clients.setdefault(row["client"], Counter())[row["verdict"]] += 1
    measured = {"clients": clients, "failed": failed, "took_s": took_s}
    return Measured(measured, BAR, passed=done.returncode == 0 and bool(rows) and not failed and not skipped)
