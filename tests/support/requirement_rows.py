"""Which tests prove which requirement row, and whether they passed.

Rows live in ``docs/requirements.toml``; a test names its rows with ``@pytest.mark.req("S4-VAL-1")``. Two rules hold:
a mark names only known rows, and a *done* row has a test. ``tools/req.py`` prints the table from a collection alone;
``--rows`` adds it to the end of a test run with passes and failures, ``--rows-gate`` also fails the run where a done
row has no test that passed.
"""

import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROWS_FILE = Path(__file__).resolve().parents[2] / "docs" / "requirements.toml"
STATUSES = ("done", "partial", "open")


@dataclass(frozen=True)
class Row:
    """One promise: its id, how far it is kept, and a sentence."""

    id: str
    section: str
    status: str
    says: str
    left: str = ""


def read_rows(path: Path = ROWS_FILE) -> dict[str, Row]:
    """All rows in file order; raises ``ValueError`` where a row is misshapen or twice there."""
    rows: dict[str, Row] = {}
    for section, members in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for row_id, row in members.items():
            if row_id in rows:
                raise ValueError(f"{row_id} is there twice")
            if row.get("status") not in STATUSES or not row.get("says") or set(row) - {"status", "says", "left"}:
                raise ValueError(f"{row_id}: needs says and a status of {', '.join(STATUSES)}")
            if row["status"] == "partial" and not row.get("left"):
                raise ValueError(f"{row_id}: a partial row says what is left")
            rows[row_id] = Row(row_id, section, row["status"], row["says"], row.get("left", ""))
    return rows


def marked_rows(item: pytest.Item) -> Iterator[str]:
    """The row ids on a test, its class and its module."""
    for mark in item.iter_markers("req"):
        yield from (str(row_id) for row_id in mark.args)


def tests_by_row(items: Iterable[pytest.Item]) -> dict[str, list[str]]:
    """Node ids without parameters, each once, in order."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for item in items:
        for row_id in marked_rows(item):
            found[row_id][item.nodeid.split("[")[0]] = None
    return {row_id: list(nodes) for row_id, nodes in found.items()}


def faults(rows: dict[str, Row], proofs: dict[str, list[str]]) -> list[str]:
    """What breaks the two rules, one sentence each."""
    unknown = [f"{row_id} is no row, but {nodes[0]} names it" for row_id, nodes in proofs.items() if row_id not in rows]
    bare = [
        f"{row.id} is done, but no test names it"
        for row in rows.values()
        if row.status == "done" and row.id not in proofs
    ]
    return unknown + bare


class RowReport:
    """Pytest plugin: outcomes by row. Each report carries its test's rows, so that it is the same from many workers."""

    def __init__(self, gate: bool) -> None:
        self._gate = gate
        self._rows = read_rows()
        self._outcomes: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self.broken: list[str] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.user_properties += [("row", row_id) for row_id in marked_rows(item)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            for row_id in (str(value) for name, value in report.user_properties if name == "row"):
                self._outcomes[row_id][report.outcome].add(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if hasattr(session.config, "workerinput"):
            return  # a worker has seen a part only
        self.broken = [
            f"{row_id} is no row in docs/requirements.toml" for row_id in self._outcomes if row_id not in self._rows
        ]
        for row in self._rows.values():
            if row.status == "done" and not self._outcomes[row.id]["passed"]:
                self.broken.append(f"{row.id} is done, but no test of it passed")
        if self._gate and self.broken and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        terminalreporter.section("requirement rows")
        for row in self._rows.values():
            counts = {outcome: len(nodes) for outcome, nodes in self._outcomes[row.id].items() if nodes}
            told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "no test"
            if counts or row.status != "open":
                terminalreporter.write_line(f"{row.id:12} {row.status:8} {told}")
        for sentence in self.broken if self._gate else ():
            terminalreporter.write_line(f"ROW FAULT: {sentence}", red=True)
