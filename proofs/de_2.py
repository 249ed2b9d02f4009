"""DE-2: the pure decision beside other engines, and `/decide` over HTTP, durable, beside what it cannot do without.

The decision: ``proofs.pure``. Its explanation is not in it, and stands beside it: `/decide` pays for it once for row
and answer. `/decide`: real processes, one caller, all terms in turns so that whatever else runs here hits them alike.
The floor is a POST to a FastAPI application that does nothing and one durable commit of a row as large as the signal's,
added up turn by turn; half of the rounds run while one bundle after the other is activated.
"""

import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from chimera.adapters.embedded.server import EmbeddedRedis
from proofs import pure
from proofs.alone import s3_alone
from proofs.bare import Commits, Wire, bare_fastapi, seconds, wired
from proofs.measured import Measured

BAR: Final = (
    "pure decision <= 20 us P50 with 100 rules (quietest turn); durable /decide P50 <= 2 x (bare FastAPI POST + 1"
    " commit), P99 <= 3 x the floor's P99, also while bundles are swapped; power-safe"
)
PURE_US: Final = 20.0
P50_TIMES, P99_TIMES = 2.0, 3.0
ROUNDS: Final = 1_000
WARM: Final = 100
PROMISES: Final = 100  # that stand while decisions are timed once more, beside the bar: few accounts ever have ten
PACE_S: Final = 0.005  # for what follows an answer: delivery, and the row that says so
BODY: Final = json.dumps({"symbol": "BTCUSDT", "sideHint": "BUY"}).encode()


def prove(rounds: int = ROUNDS) -> Measured:
    decision = pure.beside_others() | {"by_size": pure.by_size()}
    http = asyncio.run(_staged(rounds))
    kept = [http[part][name] for part in ("quiet", "swapping") for name in ("p50_ratio", "p99_ratio")]
    within = all(ratio <= most for ratio, most in zip(kept, (P50_TIMES, P99_TIMES) * 2, strict=True))
    quick = decision["decide_quietest_p50_us"] <= PURE_US
    return Measured({"decision": decision, "http": http}, BAR, passed=quick and within and http["swaps"] > 0)


async def _staged(rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="chimera-de2-") as temporary:
        folder = Path(temporary)
        redis = await EmbeddedRedis.start(folder / "redis")
        try:
            async with s3_alone(folder, redis.unix_address) as s3, bare_fastapi() as fastapi:
                return await asyncio.to_thread(_measured, folder, s3, fastapi, rounds)
        finally:
            await redis.stop()


def _measured(folder: Path, s3: str, fastapi: str, rounds: int) -> dict[str, Any]:
    with ExitStack() as open_:
        deciding, floor = (open_.enter_context(wired(each)) for each in (s3, fastapi))
        until = time.monotonic() + 30
        while deciding.ask("POST", "/decide", BODY)[0] != 200:
            assert time.monotonic() < until, "S3 does not decide"
            time.sleep(0.1)
        size = _row_size(folder / "s3.sqlite")
        commits = open_.enter_context(closing(Commits(folder / "bare.sqlite", size)))
        parts: dict[str, Any] = {}
        for part in ("quiet", "swapping"):
            if part == "swapping":
                (folder / "swap").touch()
            parts[part] = _told(*_turns(deciding, floor, commits, rounds // 2))
        (folder / "swap").unlink()
        swaps = int((folder / "swapped").read_text(encoding="ascii"))
        (folder / "take").touch()
        for _ in range(PROMISES):
            _open(deciding)
        parts[f"beside_{PROMISES}_promises_and_more"] = _told(*_turns(deciding, floor, commits, rounds // 10))
    return parts | {"swaps": swaps, "commit_bytes": size, "rounds": rounds}


def _turns(deciding: Wire, floor: Wire, commits: Commits, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of each decision, and of the floor in the same turn."""
    decided, least = [], []
    for number in range(WARM + rounds):
        time.sleep(PACE_S)
        took = seconds(lambda: _open(deciding))
        time.sleep(PACE_S)
        bare = seconds(lambda: floor.ask("POST", "/orders", BODY)) + seconds(commits.commit)
        if number >= WARM:
            decided.append(took)
            least.append(bare)
    return decided, least


def _open(deciding: Wire) -> None:
    status, answer = deciding.ask("POST", "/decide", BODY)
    assert status == 200, answer
    assert b'"decision":"open"' in answer, answer[:400]


def _row_size(ledger: Path) -> int:
    """Bytes of the largest signal."""
    with closing(sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=10)) as db:
        return int(db.execute("SELECT max(length(body)) FROM rows WHERE collection = 'signals'").fetchone()[0])


def _told(decided: list[float], least: list[float]) -> dict[str, float]:
    """Milliseconds, and how many floors a decision is."""
    ours_50, ours_99 = _percentiles(decided)
    floor_50, floor_99 = _percentiles(least)
    return {
        "p50_ratio": round(ours_50 / floor_50, 3),
        "p99_ratio": round(ours_99 / floor_99, 3),
        "decide_p50_ms": round(ours_50, 3),
        "floor_p50_ms": round(floor_50, 3),
        "decide_p99_ms": round(ours_99, 3),
        "floor_p99_ms": round(floor_99, 3),
    }


def _percentiles(took: list[float]) -> tuple[float, float]:
    """P50 and P99, milliseconds."""
    return statistics.median(took) * 1_000, statistics.quantiles(took, n=100)[98] * 1_000
