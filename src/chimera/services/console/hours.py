"""Skips by hour, gathered from S3 page by page: an hour that is over is asked for once, the present one again."""

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from chimera.services.console.deciding import HOURS
from chimera.trading.money import HOUR_MS

if TYPE_CHECKING:
    from chimera.services.console.others import ExplainSource

PAGE: Final = 500
PAGES_MOST: Final = 40  # a day of a decision every four seconds; more is told as not counted


class SkipHours:
    """Of one console; bounded by the hours that are shown."""

    def __init__(self) -> None:
        self._over: dict[int, dict[str, Any]] = {}

    async def read(self, explain: "ExplainSource", now_ms: int) -> dict[int, dict[str, Any]]:
        """By their beginnings. Raises ``ChimeraError``; what was counted before is kept."""
        present = now_ms // HOUR_MS * HOUR_MS
        oldest = present - HOUR_MS * (HOURS - 1)
        self._over = {hour: told for hour, told in self._over.items() if hour >= oldest}
        known = [hour for hour in range(oldest, present, HOUR_MS) if hour in self._over]
        since = max(known) + HOUR_MS if known else oldest
        found = await _counted(explain, since)
        for hour in range(since, present, HOUR_MS):
            self._over[hour] = found.get(hour, {"decisions": 0, "skips": 0, "codes": {}})
        return {**self._over, **found}


async def _counted(explain: "ExplainSource", since_ms: int) -> dict[int, dict[str, Any]]:
    decisions: Counter[int] = Counter()
    skips: Counter[int] = Counter()
    codes: dict[int, Counter[str]] = {}
    cursor: str | None = None
    for _ in range(PAGES_MOST):
        page = await explain.skips({"since": since_ms, "limit": PAGE, "cursor": cursor})
        for hour in page["hours"]:
            at_ms = int(hour["hour_ms"])
            decisions[at_ms] += int(hour["decisions"])
            skips[at_ms] += int(hour["skips"])
            codes.setdefault(at_ms, Counter()).update({code: int(count) for code, count in hour["codes"].items()})
        cursor = page["cursor"]
        if cursor is None:
            break
    return {
        at_ms: {"decisions": decisions[at_ms], "skips": skips[at_ms], "codes": dict(codes[at_ms])}
        for at_ms in decisions
    }
