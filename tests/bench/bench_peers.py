"""From a strategy's call to the order that the venue accepted, and to its accepted stop: Chimera beside other clients.

Each on a venue of its own, alike in everything, which stamps what it accepts by the clock that all processes share. A
strategy calls; ours is one `POST /orders` to S4, which makes the order durable, sends it, hears of the fill and
protects it; a peer is its library's order call and, once that has answered, its call for a stop: nothing kept,
checked or heard of in between. So it compares what a strategy waits for, and not like with like.

``ccxt``, Binance's own SDK and ``python-binance`` are called as ``tests/conformance`` does. NautilusTrader and
Freqtrade are engines with a strategy inside: each runs in a process and an environment of its own
(``peer_environments``), and keeps, checks and hears what it always does. Who cannot be had is left out, and what the
venue refuses; both by name.

Run: ``python tests/bench/bench_peers.py [ORDERS]``. Prints, asserts nothing; ``measure`` is for the table.
"""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))

from peer_environments import ENGINES, Engine, Unavailable, bare_environ, python_of

from proofs.bare import wired
from proofs.real import Stage, stage

ORDERS: Final = 200
PACE_S: Final = 0.05
PEERS: Final = {
    "ccxt": ("ccxt_usdm", "CcxtUsdm"),
    "Binance SDK": ("sdk_usdm", "SdkUsdm"),
    "python-binance": ("pb_usdm", "PythonBinanceUsdm"),
}
SYMBOL, QTY = "BTCUSDT", "0.002"
LOW: Final = "64000"
ENGINE_S: Final = 1_800.0
Called = list[tuple[int, str]]  # perf_counter_ns of a strategy's calls, and whose


class Found(NamedTuple):
    """``took``: milliseconds by client, P50 and P99. ``left_out``: who, or what of whom, and why."""

    took: dict[str, dict[str, float]]
    left_out: dict[str, str]
    versions: dict[str, str]  # of engines


def measure(orders: int = ORDERS) -> Found:
    found, left_out, versions = {"chimera": asyncio.run(_staged(None, orders))}, dict[str, str](), dict[str, str]()
    for name, (module, kind) in PEERS.items():
        try:
            client = getattr(import_module(module), kind)
        except ImportError as missing:
            left_out[name] = str(missing)
            continue
        found[name] = asyncio.run(_staged(client, orders))
    for name, engine in ENGINES.items():
        try:
            found[name], told = asyncio.run(_run(engine, python_of(engine), orders))
        except Unavailable as why:
            left_out[name] = str(why)
            continue
        versions[name] = told["version"]
        left_out |= {f"{name}, {what}": f"{count} times" for what, count in told["refused"].items()}
    return Found(found, left_out, versions)


async def _run(engine: Engine, python: Path, orders: int) -> tuple[dict[str, float], dict[str, Any]]:
    """What it took, and what the driver told."""
    with tempfile.TemporaryDirectory(prefix="chimera-peers-") as folder:
        async with stage(Path(folder), (SYMBOL,), limits=False, venue="proofs.stamped") as house:
            told = await asyncio.to_thread(driven, engine, python, house.venue_url, orders)
            lines = house.audit_path.read_text("utf-8").splitlines()
    stamps = [json.loads(line) for line in lines]
    return _told([(at, whose) for at, whose in told["called"]], stamps, set(told["refused"])), told


def driven(engine: Engine, python: Path, url: str, orders: int) -> dict[str, Any]:
    """What its driver told at the end. Raises ``Unavailable`` with its last words where it did not."""
    driver = Path(__file__).parent / engine.driver
    command = [str(python), str(driver), url, url.replace("http", "ws", 1), SYMBOL, QTY, LOW, str(orders)]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, timeout=ENGINE_S, check=False, env=bare_environ()
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"its driver was not done in {ENGINE_S} s") from None
    last = asked.stdout.strip().rpartition("\n")[2]
    if asked.returncode or not last.startswith('{"version"'):
        raise Unavailable(f"its driver failed: {' '.join((asked.stderr or asked.stdout).split())[-300:]}")
    told: dict[str, Any] = json.loads(last)
    return told


async def _staged(client: Any, orders: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="chimera-peers-") as folder:
        async with stage(Path(folder), (SYMBOL,), limits=False, venue="proofs.stamped") as house:
            if client is None:
                house.s4 = house.router(S4_MAX_ORDERS_PER_10S="100000")  # 75 turns in ten seconds are its limit
                for service in (house.feed, house.s4):
                    await (await service.start()).wait_ready()
                await house.until_open()
                called = await asyncio.to_thread(_ours, house, orders)
            else:
                called = await _theirs(house, client, orders)
            lines = house.audit_path.read_text("utf-8").splitlines()
    return _told(called, [json.loads(line) for line in lines])


def _ours(house: Stage, orders: int) -> Called:
    called: Called = []
    with contextlib.ExitStack() as open_:
        s4 = open_.enter_context(wired(house.s4_url))
        for number in range(orders):
            body = {"intent_id": f"peer-{number}", "market": "FUT", "symbol": SYMBOL, "side": "BUY", "qty": QTY}
            body |= {"exec_policy": {"type": "MARKET"}, "sl": {"price": LOW}}
            called.append((time.perf_counter_ns(), "entry"))
            status, answer = s4.ask("POST", "/orders", json.dumps(body).encode())
            assert status == 200, answer
            time.sleep(PACE_S)
            while s4.ask("POST", f"/positions/{SYMBOL}/close", b"{}")[0] == 202:
                time.sleep(PACE_S)
    return called


async def _theirs(house: Stage, client: Any, orders: int) -> Called:
    called: Called = []
    host = house.venue_url.removeprefix("http://")
    venue = SimpleNamespace(host=host, rest=house.venue_url, ws=f"ws://{host}")
    key = SimpleNamespace(api_key="chimera-sim-key", secret="chimera-sim-secret", private_key="")
    async with client.opened(venue, key) as peer:
        for number in range(orders):
            terms = {"symbol": SYMBOL, "type": "MARKET", "qty": QTY}
            called.append((time.perf_counter_ns(), "entry"))
            await peer.place(f"in-{number}", side="BUY", **terms)
            stop = await peer.place_stop(f"st-{number}", side="SELL", type="STOP_MARKET", trigger=LOW)
            await asyncio.sleep(PACE_S)
            await peer.cancel_stop(stop)
            await peer.place(f"out-{number}", side="SELL", **terms)
    return called


def _told(called: Called, stamps: list[dict[str, Any]], refused: Collection[str] = ()) -> dict[str, float]:
    """Of each call the first order and the first stop that were accepted after it, and before the next call.

    Of a kind that was ``refused`` ("stop: why") and never accepted, nothing.
    """
    accepted = [each for each in stamps if each["kind"] == "accept"]
    moments = [at for at, _ in called]
    took: dict[str, list[float]] = {"order": [], "stop": []}
    for began, ends in zip(moments, [*moments[1:], 2**63], strict=True):
        within = [each for each in accepted if began <= each["ns"] < ends]
        for name, kind in (("order", "MARKET"), ("stop", "STOP_MARKET")):
            took[name] += [(each["ns"] - began) / 1e6 for each in within if each["type"] == kind][:1]
    for name in {why.partition(":")[0] for why in refused}:
        if not took[name]:
            del took[name]
    assert all(len(each) == len(called) for each in took.values()), {name: len(each) for name, each in took.items()}
    return {
        f"{name}_{label}_ms": round(statistics.quantiles(each, n=100)[at], 3)
        for name, each in took.items()
        for label, at in (("p50", 49), ("p99", 98))
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)))
