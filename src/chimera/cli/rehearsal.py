"""What ``chimera conform`` does: the rehearsal, its rows as a file and as a sentence."""

import json
import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from chimera.cli.codes import Exit, Stop
from chimera.services import logs, serving
from chimera.services.clock import SystemClock
from chimera.services.conform.run import own_simulator, rehearse, unasked
from chimera.services.conform.target import CODE, ENVIRONMENTS, Target, demo, simulator
from chimera.trading.errors import Refused

_TAG_BYTES: Final = 3  # of the client ids of one run, so that a second run does not meet the first one's


def conform(env: str, base: str | None, symbol: str, out: Path | None, as_json: bool) -> None:
    """Exit 1 where an answer is not the expected one."""
    if env not in ENVIRONMENTS:
        raise Refused(
            CODE,
            "a rehearsal never runs against production",
            field="--env",
            value=env,
            accepted=", ".join(ENVIRONMENTS),
        )
    targets = demo(os.environ, base) if env == "demo" else None  # refused before anything is started
    logs.to_stderr("conform")
    rows = serving.run(lambda: _rows(base, targets, symbol))
    document = {"environment": env, "symbol": symbol, "at": datetime.now(UTC).date().isoformat(), "rows": rows}
    if out is not None:
        out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    _tell(rows, out, as_json, document)


async def _rows(base: str | None, targets: dict[str, Target] | None, symbol: str) -> list[dict[str, Any]]:
    tag, clock = secrets.token_hex(_TAG_BYTES), SystemClock()
    if targets is not None:
        rows = await rehearse(targets, clock, symbol=symbol, tag=tag, against_twin=True, say=_say)
    elif base is not None:
        rows = await rehearse(simulator(base), clock, symbol=symbol, tag=tag, against_twin=False, say=_say)
    else:
        async with own_simulator(symbol) as address:
            rows = await rehearse(simulator(address), clock, symbol=symbol, tag=tag, against_twin=False, say=_say)
    return rows + unasked()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _tell(rows: list[dict[str, Any]], out: Path | None, as_json: bool, document: dict[str, Any]) -> None:
    other = [row for row in rows if row["same"] is False]
    if as_json:
        print(json.dumps(document))
    else:
        same, unknown = sum(row["same"] is True for row in rows), sum(row["same"] is None for row in rows)
        print(f"{len(rows)} checks: {same} as expected, {len(other)} otherwise, {unknown} without an expectation")
        for row in other:
            print(f"  {row['market']} {row['check']}: expected {row['expected']}, got {row['got']}")
        if out is not None:
            print(f"written to {out}")
    if other:
        raise Stop(Exit.FAILED, f"{len(other)} of {len(rows)} answers are not the expected ones")
