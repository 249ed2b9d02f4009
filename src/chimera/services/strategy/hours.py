"""Decisions counted by hour and by why they were skipped. Pure, over ``signals`` rows."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from chimera.trading.money import HOUR_MS


def by_hour(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The newest hour first. A skip counts once under each code among its reasons."""
    decisions: Counter[int] = Counter()
    skips: Counter[int] = Counter()
    codes: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in rows:
        hour_ms = int(row["t0"]) // HOUR_MS * HOUR_MS
        decisions[hour_ms] += 1
        if row["decision"] == "skip":
            skips[hour_ms] += 1
            codes[hour_ms].update({str(reason.get("code")) for reason in row.get("reasons") or ()})
    return [
        {
            "hour_ms": hour_ms,
            "decisions": decisions[hour_ms],
            "skips": skips[hour_ms],
            "codes": dict(sorted(codes[hour_ms].items(), key=lambda code: (-code[1], code[0]))),
        }
        for hour_ms in sorted(decisions, reverse=True)
    ]
