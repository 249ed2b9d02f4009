"""No test is skipped in silence: at the end of a run each skip is listed with its reason, and counted."""

from collections import Counter
from typing import Any


class LoudSkips:
    """Pytest plugin."""

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        reports = terminalreporter.stats.get("skipped", ())
        reasons = Counter(_reason(report) for report in reports)
        terminalreporter.section(f"skipped loudly: {sum(reasons.values())}")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:4} x {reason}", yellow=True)


def _reason(report: Any) -> str:
    longrepr = report.longrepr
    told = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return str(told).removeprefix("Skipped: ")
