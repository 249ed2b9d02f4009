"""Everything that is measured, as one table (``make bench``, ``make bench ARGS=--quick``).

Parts run one after another: the pure hot paths against ``tests/bench/baseline.json``, memory, the simulated world,
start and recovery, an order against its floor, load, other people's clients against the same venue, and the bars of
earlier proofs. Figures are of this machine at this moment; what can be compared between machines are the ratios, each
within one run. ``--draw`` writes ``docs/benchmarks.md``, ``--store`` a new baseline, ``--only PART`` runs one,
``--flame PART`` draws where its time went. Exit 1 where a hot path takes more than ``SLACK`` times its baseline on the
machine that the baseline names, or where a part could not be measured.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib import import_module, metadata
from pathlib import Path
from platform import python_version
from typing import Any, Final, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), *(str(ROOT / part) for part in ("tools", "tests", "tests/support", "tests/bench"))]

from desk import KEY, Desk, an_intent  # noqa: E402  (found by the line above)
from proof import commit, machine  # noqa: E402  (found by the line above)

from chimera.trading.facts import Ticked  # noqa: E402  (found by the line above)
from chimera.trading.holding import Holding  # noqa: E402  (found by the line above)
from chimera.trading.money import split  # noqa: E402  (found by the line above)
from chimera.wire.codec import seal, unseal  # noqa: E402  (found by the line above)

BASELINE = ROOT / "tests" / "bench" / "baseline.json"
PAGE = ROOT / "docs" / "benchmarks.md"
FLAMES = ROOT / "build" / "flame"
SLACK = 2.0
ROUNDS, LEAST_S = 7, 0.05
VERSIONS: Final = (
    "ccxt",
    "python-binance",
    "binance-sdk-derivatives-trading-usds-futures",
    "aiohttp",
    "fastapi",
    "msgspec",
)


class Row(NamedTuple):
    """``against``: what the figure is held against in the same run, or its bar; empty where there is nothing."""

    what: str
    value: float
    unit: str
    against: str = ""
    bad: bool = False


def cases() -> dict[str, Callable[[], object]]:
    quiet, busy = Desk(), Desk()
    busy.submit(an_intent())
    sealed = seal(busy.holding)
    weights = [Decimal(number).sqrt() for number in range(1, 21)]
    return {
        "advance, idle tick": lambda: quiet.hear(Ticked()),
        "advance, tick with an intent": lambda: busy.hear(Ticked()),
        "seal a holding": lambda: seal(busy.holding),
        "unseal a holding": lambda: unseal(sealed, Holding),
        "split in 20": lambda: split(Decimal("1.234"), weights, Decimal("0.001")),
        "an empty holding": lambda: Holding(key=KEY),
    }


def micros(case: Callable[[], object]) -> float:
    """Median over rounds of the mean microseconds of one call."""
    times, began = 1, time.perf_counter()
    case()
    once = max(time.perf_counter() - began, 1e-7)
    times = max(1, int(LEAST_S / once))
    rounds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            case()
        rounds.append((time.perf_counter() - began) / times * 1e6)
    return statistics.median(rounds)


# ── the parts ──


def hot_paths(_: bool) -> Iterator[Row]:
    stored = json.loads(BASELINE.read_text(encoding="utf-8"))
    same = stored["machine"] == machine()
    for name, case in cases().items():
        took, before = round(micros(case), 2), stored["micros"].get(name)
        past = same and before is not None and took > SLACK * before
        told = "" if before is None else f"{took / before:.2f} x the baseline{'' if same else ' of another machine'}"
        yield Row(name, took, "us", told, bad=past)


def memory(_: bool) -> Iterator[Row]:
    weight: Any = import_module("bench_weight")
    for kind, bar in (("intents", ""), ("guards", "150 MB (FC-2)")):
        found = weight.apart(kind)
        yield Row(f"memory of one of 10,000 {kind}, its holding with it", found["each_bytes"], "bytes")
        yield Row(f"a process with 10,000 {kind}", found["process_mb"], "MB", bar)


def world(quick: bool) -> Iterator[Row]:
    bench: Any = import_module("bench_world")
    yield Row(
        "an event of the simulated world", bench.event_us((1,)) if quick else bench.apart(), "us CPU", "300 (FC-2)"
    )


def life(_: bool) -> Iterator[Row]:
    bench: Any = import_module("bench_life")
    found = bench.measure()
    yield Row("S4, from its start to taking orders", found["start_s"], "s")
    again = f"{found['recovery_s'] / found['start_s']:.2f} x the start"
    yield Row("S4, from kill -9 with five positions to taking orders", found["recovery_s"], "s", again)


def order(quick: bool) -> Iterator[Row]:
    found: Any = import_module("proofs.fc_1").prove(20 if quick else 300).measured
    for name in ("orders", "venue", "fastapi", "commit", "claim", "added", "floor"):
        yield Row(f"one order, {name}, P50", found[f"{name}_p50_ms"], "ms")
    yield Row("what S4 adds to an order, P50", found["ratio_p50"], "x its floor", "1.5 (FC-1)")
    yield Row("what S4 adds to an order, P99", found["ratio_p99"], "x its floor", "3 (FC-1)")


def load(quick: bool) -> Iterator[Row]:
    proof: Any = import_module("proofs.fc_2")
    seconds = 5.0 if quick else proof.SECONDS
    found = {rate: asyncio.run(proof.loaded(rate, seconds)) for rate in (proof.SLOW, proof.FAST)}
    for rate, each in found.items():
        yield Row(f"fill to accepted stop at {rate} a second, P50", each["p50_ms"], "ms")
        ratio = f"{each['p99_ms'] / found[proof.SLOW]['p99_ms']:.2f} x at {proof.SLOW} a second"
        yield Row(f"fill to accepted stop at {rate} a second, P99", each["p99_ms"], "ms", ratio)
        for name in ("s4", "feed", "venue"):
            yield Row(f"an intent at {rate} a second, {name}", each[f"cpu_ms_per_intent_{name}"], "ms CPU")


def peers(quick: bool) -> Iterator[Row]:
    bench: Any = import_module("bench_peers")
    found = bench.measure(20 if quick else bench.ORDERS)
    LEFT_OUT.update(found.left_out)
    ENGINES.update(found.versions)
    ours = found.took["chimera"]
    for name, each in found.took.items():
        for what in ("order", "stop"):
            if f"{what}_p50_ms" not in each:
                continue
            took = each[f"{what}_p50_ms"]
            told = "" if name == "chimera" else f"{took / ours[f'{what}_p50_ms']:.2f} x chimera"
            yield Row(f"{name}: strategy's call to accepted {what}, P50", took, "ms", told)
            yield Row(f"{name}: strategy's call to accepted {what}, P99", each[f"{what}_p99_ms"], "ms")


def bars(quick: bool) -> Iterator[Row]:
    """Of earlier proofs; minutes, so not where it is to be quick."""
    if quick:
        LEFT_OUT["bars"] = "DE-2, RT-3, RT-4, TW-5 take minutes: without --quick"
        return
    for name in ("de_2", "rt_3", "rt_4", "tw_5"):
        proof: Any = import_module(f"proofs.{name}")
        found = proof.prove()
        for what, value in found.measured.items():
            if isinstance(value, int | float):
                yield Row(f"{name.upper().replace('_', '-')}, {what}", value, "", bad=False)


PARTS: Final[dict[str, Callable[[bool], Iterator[Row]]]] = {
    "hot_paths": hot_paths, "memory": memory, "world": world, "life": life, "order": order, "load": load,
    "peers": peers, "bars": bars,
}  # fmt: skip
LEFT_OUT: Final[dict[str, str]] = {}
ENGINES: Final[dict[str, str]] = {}  # that ran in an environment of their own: versions


# ── the table ──


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", action="store_true", help="write the baseline of the hot paths")
    parser.add_argument("--quick", action="store_true", help="small numbers: to see that it works")
    parser.add_argument("--draw", action="store_true", help="write docs/benchmarks.md")
    parser.add_argument("--json", action="store_true", help="the rows as one line at the end")
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--flame", choices=PARTS, help="where the time of one part went: build/flame/PART.svg")
    asked = parser.parse_args()
    if asked.store:
        measured = {name: round(micros(case), 2) for name, case in cases().items()}
        BASELINE.write_text(json.dumps({"machine": machine(), "micros": measured}, indent=2) + "\n", encoding="utf-8")
    if asked.flame:
        return _flame(asked.flame)
    rows: dict[str, list[Row]] = {}
    failed: list[str] = []
    for name, part in PARTS.items():
        if asked.only in (None, name):
            rows[name] = []
            try:
                for row in part(asked.quick):
                    rows[name].append(row)
                    print(
                        f"{row.what:58} {row.value:>12} {row.unit:12} {row.against}{'  SLOWER' * row.bad}", flush=True
                    )
            except Exception:  # noqa: BLE001  # told, and the rest goes on
                traceback.print_exc()
                failed.append(name)
    for name, why in LEFT_OUT.items():
        print(f"LEFT OUT LOUDLY: {name}: {why}", file=sys.stderr)
    if asked.draw:
        PAGE.write_text(page(rows), encoding="utf-8")
    if asked.json:
        every = [row._asdict() for found in rows.values() for row in found]
        print(json.dumps({"rows": every, "left_out": LEFT_OUT, "failed": failed, "machine": machine()}))
    return 1 if failed or any(row.bad for found in rows.values() for row in found) else 0


def page(rows: dict[str, list[Row]]) -> str:
    known = {each.metadata["Name"].lower().replace("_", "-"): each.version for each in metadata.distributions()}
    measured = {name: known[name] for name in VERSIONS if name in known} | ENGINES
    versions = ", ".join(f"{name} {version}" for name, version in ({"Python": python_version()} | measured).items())
    lines = [
        "# Benchmarks",
        "",
        "Drawn by `make bench ARGS=--draw`: figures of one machine at one moment. What says anything elsewhere are the",
        "ratios, each within one run.",
        "",
        f"- machine: {machine()}",
        f"- commit: {commit()}",
        f"- versions: {versions}",
        "",
    ]
    for name, found in rows.items():
        lines += [
            f"## {name.replace('_', ' ').capitalize()}",
            "",
            "| what | | | against |",
            "| --- | --- | --- | --- |",
        ]
        lines += [f"| {row.what} | {row.value} | {row.unit} | {row.against} |" for row in found]
        lines += [""]
    lines += [f"Left out: {name} ({why})." for name, why in LEFT_OUT.items()]
    return "\n".join(lines).rstrip() + "\n"


def _flame(name: str) -> int:
    """Looks 200 times a second at every process that the part starts, S4's among them; an SVG for a browser."""
    picture = FLAMES / f"{name}.svg"
    picture.parent.mkdir(parents=True, exist_ok=True)
    looking = [
        str(Path(sys.executable).with_name("py-spy")), "record", "--subprocesses", "--nonblocking", "--rate", "200",
        "--format", "flamegraph", "--output", str(picture), "--",
    ]  # fmt: skip
    measured = [sys.executable, __file__, "--quick", "--only", name]
    return subprocess.run([*looking, *measured], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
