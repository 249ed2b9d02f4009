"""TW-4: the real captures replay without a crossed book, a size that is not above zero, or a lost sequence.

Each capture goes through the tape's book, the venue's book, and the whole simulated exchange with somebody listening to
its streams. The captures are ``*.gz`` of ``CHIMERA_CAPTURES``, or the four of ``../shared/data``.
"""

import os
import sys
from pathlib import Path
from typing import Final

from proofs.house import ROOT
from proofs.measured import Measured

sys.path.insert(0, str(ROOT / "tests" / "support"))

from capture_replay import FORBIDDEN, replay

BAR: Final = "4 captures; no crossed book, no size <= 0, no lost sequence: read, kept, and served again"
CAPTURES: Final = 4


def prove() -> Measured:
    folder = Path(os.environ.get("CHIMERA_CAPTURES", ROOT.parent / "shared" / "data"))
    paths = sorted(folder.glob("*.gz"))
    if len(paths) < CAPTURES:
        return Measured({"missing": f"{CAPTURES} captures in {folder}, found {len(paths)}"}, BAR, passed=False)
    found = {}
    for path in paths:
        found[path.name] = dict(replay(path))
        print(f"{path.name}: {found[path.name]}", file=sys.stderr, flush=True)
    clean = all(counts[what] == 0 for counts in found.values() for what in FORBIDDEN)
    alive = all(min(counts["diffs"], counts["frames"], counts["events"]) > 0 for counts in found.values())
    return Measured(found, BAR, passed=clean and alive)
