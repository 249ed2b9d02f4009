"""RT-1: every row of S4 about orders over real HTTP against the twin, spot and futures; the scenarios as named tests.

First the end-to-end tests that carry a row, each with its own router and exchange as they are served; a row counts
when all of its tests passed. Then intents of every kind on two captures of the real market, both markets at once, as
separate processes, judged as RT-5 is. Extremes (wide spread, thin book, refusals, silent streams) are in the tests.
Without ``../shared/data`` there are no captures, and this proof does not stand.
"""

import asyncio
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import pytest

from proofs.measured import Measured
from proofs.real import ROOT
from proofs.rt_5 import of_intents

sys.path.insert(0, str(ROOT / "tests" / "support"))

from requirement_rows import marked_rows

BAR: Final = (
    "S4-API-*, VAL, ROUTE-1..10, RULE, FUT, SPOT, XFER-1, PER-1, EVT-1, LED-1..3, ACC-3,4,5,7,8,10,11 over real HTTP:"
    " all covered, all passed; on captures: all placed, none bare, ledger equals exchange"
)
_COUNTS: Final = {"S4-API": 11, "S4-VAL": 5, "S4-ROUTE": 10, "S4-RULE": 2, "S4-FUT": 4, "S4-SPOT": 4, "LED": 3}
_ALONE: Final = ("S4-XFER-1", "S4-PER-1", "S4-EVT-1", *(f"ACC-{number}" for number in (3, 4, 5, 7, 8, 10, 11)))
ROWS: Final = (*(f"{name}-{number}" for name, most in _COUNTS.items() for number in range(1, most + 1)), *_ALONE)
DATA: Final = ROOT.parent / "shared" / "data"
CAPTURES: Final = ("20230405", "20240808")
INTENTS: Final = 40
BARE_MS: Final = 1_500


class _Rows:
    """Pytest plugin: keeps the tests that carry a row asked for, and what came of them."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, str]] = defaultdict(dict)  # by row and test
        self._rows: dict[str, list[str]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._rows = {item.nodeid: [row for row in marked_rows(item) if row in ROWS] for item in items}
        items[:] = [item for item in items if self._rows[item.nodeid]]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            for row in self._rows[report.nodeid]:
                self.outcomes[row][report.nodeid] = report.outcome


def prove(intents: int = INTENTS) -> Measured:
    told = _over_http()
    captures = {day: asyncio.run(_on_capture(day, intents)) for day in CAPTURES if _files(day)}
    missing = [day for day in CAPTURES if day not in captures]
    for day in missing:
        print(f"SKIPPED LOUDLY: the capture of {day} is not in {DATA}", file=sys.stderr)
    good = not (told["lacking"] or told["failed"] or missing) and all(map(_good, captures.values()))
    return Measured(told | {"captures": captures, "captures_missing": missing}, BAR, passed=good)


def _over_http() -> dict[str, Any]:
    rows = _Rows()
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        pytest.main(["-q", "--tb=short", "-p", "no:cacheprovider", "tests/e2e"], plugins=[rows])
    finally:
        os.chdir(here)
    tests = {node: outcome for found in rows.outcomes.values() for node, outcome in found.items()}
    return {
        "rows": len(ROWS),
        "covered": sum(all(each == "passed" for each in found.values()) for found in rows.outcomes.values()),
        "lacking": [row for row in ROWS if row not in rows.outcomes],
        "failed": sorted(node for node, outcome in tests.items() if outcome != "passed"),
        "tests": len(tests),
    }


def _files(day: str) -> list[Path]:
    paths = [DATA / f"{market}-btcusdt_{day}.gz" for market in ("usdm", "spot")]
    return paths if all(path.is_file() for path in paths) else []


async def _on_capture(day: str, intents: int) -> dict[str, Any]:
    market = ",".join(f"{name}:{path}" for name, path in zip(("fut", "spot"), _files(day), strict=True))
    with tempfile.TemporaryDirectory(prefix="chimera-rt1-") as folder:
        return await of_intents(Path(folder), intents, ("BTCUSDT",), more=("--market", market))


def _good(found: dict[str, Any]) -> bool:
    whole = found["placed"] == found["intents"] and found["longest_bare_ms"] <= BARE_MS
    return whole and not found["twice"] and not found["differences"]
