"""FC-1: what S4 adds to an order is little more than an honest order cannot do without, at the median and the tail.

Measured as RT-2 is (``rt_2.terms``): real processes, one caller, all terms in turns. ``added`` is an order by `POST
/orders` less the same order signed and sent to the venue by the caller, round by round; ``floor`` is one POST to an
application that does nothing, two rows committed with a sync, one claim. Each term is told.
"""

import asyncio
import statistics
from typing import Any, Final

from proofs.measured import Measured
from proofs.rt_2 import ROUNDS, TIMES, terms

BAR: Final = (
    "(/orders MARKET - bare signed call) <= 1.5 x (bare FastAPI POST + 2 durable commits + 1 Redis claim), P50, all"
    " power-safe; its P99 <= 3 x the P99 of that floor"
)
P50_MOST: Final = 1.5
P99_MOST: Final = 3.0


def prove(rounds: int = ROUNDS) -> Measured:
    took, size = asyncio.run(terms(rounds))
    measured = _told(took) | {"commit_bytes": size, "rounds": rounds}
    passed = measured["ratio_p50"] <= P50_MOST and measured["ratio_p99"] <= P99_MOST
    return Measured(measured, BAR, passed=passed)


def _told(took: dict[str, list[float]]) -> dict[str, Any]:
    """Milliseconds. Each round has one order and ``TIMES`` of every bare term."""
    bare = [statistics.median(took["venue"][at : at + TIMES]) for at in range(0, len(took["venue"]), TIMES)]
    added = [order - alone for order, alone in zip(took["orders"], bare, strict=True)]
    commits = took["commit"]
    floor = [
        post + commits[at] + commits[at - 1] + claim
        for at, (post, claim) in enumerate(zip(took["fastapi"], took["claim"], strict=True))
    ]
    found: dict[str, Any] = {}
    for name, seconds in ({"added": added, "floor": floor} | took).items():
        hundredths = statistics.quantiles(seconds, n=100)
        found[f"{name}_p50_ms"], found[f"{name}_p99_ms"] = (round(hundredths[at] * 1_000, 3) for at in (49, 98))
    return {
        "ratio_p50": round(found["added_p50_ms"] / found["floor_p50_ms"], 3),
        "ratio_p99": round(found["added_p99_ms"] / found["floor_p99_ms"], 3),
        **found,
    }
