"""DE-3: 2,000 examples of every operation of S3 and S4, on a fixed and on a fresh seed, against the real house.

schemathesis makes them from the schemas that the running services publish; they go over HTTP, one after the other, to
processes with the simulated venue behind them (``fuzz``). What the venue was asked is held against what was answered
2xx (``leaks``).
"""

import asyncio
import json
import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from chimera.simulate.venue.audit import AuditRecord, Kind
from proofs.fuzz import Fuzz
from proofs.fuzz_house import SYMBOLS, House
from proofs.leaks import Deed, leaks, moved
from proofs.measured import Measured
from proofs.real import Stage, stage

BAR: Final = (
    "schemathesis, 2000 examples per operation of S3 and S4 on a fixed and a fresh seed: no 5xx, every answer within"
    " its schema, nothing in the twin's audit for a 4xx"
)
EXAMPLES: Final = 2_000
FIXED: Final = 20_261_121
SHOWN: Final = 20
_ROOMY: Final = {
    "S4_TRANSFER_ENABLED": "true",
    "S4_TRANSFER_MAX_DAY": "1000000",
    "S4_MAKER_MAX_WAIT_MS": "60000",
    "S4_MAX_DAILY_LOSS_USDT": "100000",
    "S4_MAX_ORDERS_PER_10S": "100000",  # nobody but us waits between two requests
}


def prove(examples: int = EXAMPLES, fresh: int | None = None, only: Sequence[str] = ()) -> Measured:
    """``fresh``: the second seed, where not a new one; ``only``: operations by their ids. Each seed has a house."""
    seeds = (FIXED, secrets.randbits(32) if fresh is None else fresh)
    with ProcessPoolExecutor(len(seeds), mp_context=get_context("spawn")) as pool:  # hypothesis knows one thread
        runs = list(pool.map(_alone, repeat(examples), seeds, repeat(only)))
    measured = {str(number): told for number, told in zip(seeds, runs, strict=True)}
    return Measured(measured, BAR, passed=all(stands(told, examples) for told in runs), seed=seeds[1])


def stands(measured: Mapping[str, Any], examples: int) -> bool:
    """``examples``: of each operation."""
    clean = not any(measured[name] for name in ("found", "leaks", "unforeseen"))
    return clean and bool(measured["fewest_examples"] >= examples)


def _alone(examples: int, number: int, only: Sequence[str]) -> dict[str, Any]:
    return asyncio.run(fuzzed(examples, number, only))


async def fuzzed(examples: int, number: int, only: Sequence[str] = ()) -> dict[str, Any]:
    """One seed in a house of its own."""
    with tempfile.TemporaryDirectory(prefix="chimera-de3-") as folder:
        async with stage(Path(folder), SYMBOLS, spot=SYMBOLS, limits=False) as house:
            house.s4 = house.router(**_ROOMY)
            await _open(house)
            began = time.monotonic()
            runs = await asyncio.to_thread(_fuzzed, house, examples, number, only)
            seconds = time.monotonic() - began
            await house.s4.stop()
            told = _told(runs, house.audit()) | {"seconds": round(seconds, 1)}
            return told | {"unforeseen": [line for name in ("s4", "s3") for line in _unforeseen(house, name)][:SHOWN]}


async def _open(house: Stage) -> None:
    for service in (house.feed, house.s4):
        await (await service.start()).wait_ready()
    await house.until_open()
    await (await house.s3.start()).wait_ready()
    await house.until_ready(house.s3_url)


def _fuzzed(house: Stage, examples: int, number: int, only: Sequence[str]) -> dict[str, Fuzz]:
    known = House(house.s4_url, house.s3_url, house.venue_url)
    runs = {"s4": Fuzz(known, house.s4_url), "s3": Fuzz(known, house.s3_url)}
    quiet = Deed(0, time.time_ns() // 1_000_000 * 1_000, "start")
    known.come_home([])
    for run in runs.values():
        run.deeds.append(quiet)
        run.run(examples, number, only)
    return runs


def _told(runs: Mapping[str, Fuzz], audit: Sequence[AuditRecord]) -> dict[str, Any]:
    deeds = sorted(deed for run in runs.values() for deed in run.deeds)
    counts = {f"{name} {operation}": tally for name, run in runs.items() for operation, tally in run.tally.items()}
    answers: Counter[str] = Counter()
    for tally in counts.values():
        for status, times in tally.items():
            answers[f"{status // 100}xx"] += times
    leaked = [*leaks(audit, deeds), *(line for run in runs.values() for line in _stirred(audit, run))]
    return {
        "requests": sum(answers.values()),
        "operations": len(counts),
        "fewest_examples": min(sum(tally.values()) for tally in counts.values()),
        "answers": dict(sorted(answers.items())),
        "by_operation": {name: dict(sorted(tally.items())) for name, tally in counts.items()},
        "refused_as": dict(sum((run.codes for run in runs.values()), Counter[str]()).most_common()),
        "deeds": len(deeds) - len(runs),
        "entries_taken": sum(record.kind is Kind.ACCEPT and not record.reduce_only for record in audit),
        "asked_later": dict(next(iter(runs.values())).house.later),
        "found": [f"{what}: {shown}" for run in runs.values() for what, shown in run.found.items()][:SHOWN],
        "leaks": leaked[:SHOWN],
        "slowest_s": dict(sorted(_seconds(runs).items(), key=lambda item: -item[1])[:5]),
    }


def _unforeseen(house: Stage, service: str) -> list[str]:
    """The errors that a service's log knows more of than the caller was told."""
    lines = (house.folder / f"{service}.log").read_text("utf-8", "replace").splitlines()
    rows = [json.loads(line) for line in lines if '"unforeseen_error"' in line]
    return [f"{row['path']}: {str(row.get('exception', ''))[-700:]}" for row in rows]


def _stirred(audit: Sequence[AuditRecord], run: Fuzz) -> list[str]:
    """What happened while a request was refused that met an order of ours at work."""
    return [f"{line} under {what}" for begun, ended, what in run.stirred for line in moved(audit, begun, ended)]


def _seconds(runs: Mapping[str, Fuzz]) -> dict[str, float]:
    return {f"{name} {operation}": took for name, run in runs.items() for operation, took in run.seconds.items()}
