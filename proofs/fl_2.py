"""FL-2: on a bare machine, ``make run`` alone shows the first protected position in under a minute.

A fresh clone with empty download caches, so that the set-up is really done; the network speed is this machine's.
"""

import tempfile
from pathlib import Path
from typing import Final

from proofs.house import fresh_clone, needs, running
from proofs.measured import Measured

BAR: Final = "first protected position within 60 s of `make run` in a fresh clone, caches empty; Ctrl-C within 3 s"
LIMIT_S: Final = 60.0
STOP_LIMIT_S: Final = 3.0


def prove() -> Measured:
    needs("git", "make", "python3")
    with fresh_clone() as clone, tempfile.TemporaryDirectory(prefix="chimera-caches-") as caches:
        empty = {"UV_CACHE_DIR": str(Path(caches) / "uv"), "PIP_CACHE_DIR": str(Path(caches) / "pip")}
        with running(["make", "run", "ARGS=--headless"], clone, empty) as house:
            first_s = house.events[0][0] if house.events else None
            protected_s, event = house.wait_event("protected", 3 * LIMIT_S)
            first_s = house.events[0][0] if first_s is None else first_s
            stop_s = house.stop()
    measured = {
        "first_event_s": round(first_s, 1),
        "protected_s": round(protected_s, 1),
        "stop_s": round(stop_s, 2),
        "event": event,
    }
    return Measured(measured, BAR, passed=protected_s < LIMIT_S and stop_s < STOP_LIMIT_S)
