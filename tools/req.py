"""Print the table id -> tests -> status, and refuse what does not add up (``make req``).

Runs in ``.venv``: the tests are found by pytest's own collection, not by reading text. Exit 1 where a done row has no
test, a mark names no row, or the tests cannot be collected.
"""

import argparse
import contextlib
import io
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from requirement_rows import STATUSES, Row, faults, read_rows, tests_by_row  # noqa: E402  (found by the line above)


class Collector:
    """Keeps what pytest found."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = list(session.items)


def collect() -> dict[str, list[str]]:
    """Tests by row; raises ``SystemExit`` with pytest's own words where collection fails."""
    collector, told = Collector(), io.StringIO()
    with contextlib.redirect_stdout(told):
        code = pytest.main(["--collect-only", "-q", "--rootdir", str(ROOT), str(ROOT / "tests")], plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise SystemExit(f"{told.getvalue()[-4000:]}\nthe tests could not be collected")
    return tests_by_row(collector.items)


def table(rows: dict[str, Row], proofs: dict[str, list[str]], *, brief: bool) -> str:
    lines = []
    for row in rows.values():
        nodes = proofs.get(row.id, [])
        lines.append(f"{row.id:12} {row.status:8} {len(nodes):3} tests  {row.says}")
        if row.left:
            lines.append(f"{'':12} left: {row.left}")
        if not brief:
            lines += [f"{'':12} {node}" for node in nodes]
    counts = {status: sum(row.status == status for row in rows.values()) for status in STATUSES}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return "\n".join([*lines, f"{len(rows)} rows: {told}; {sum(map(len, proofs.values()))} proofs"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brief", action="store_true", help="rows without their tests")
    parser.add_argument("--check", action="store_true", help="print only what is wrong")
    asked = parser.parse_args()
    rows, proofs = read_rows(), collect()
    if not asked.check:
        print(table(rows, proofs, brief=asked.brief))
    wrong = faults(rows, proofs)
    for sentence in wrong:
        print(f"fault: {sentence}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
