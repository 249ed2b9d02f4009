"""From a strategy's call to the order that the venue accepted, and to its accepted stop: Chimera beside other clients.

Each on a venue of its own, alike in everything, which stamps what it accepts by the clock that all processes share. A
strategy calls; ours is one `POST /orders` to S4, which makes the order durable, sends it, hears of the fill and
protects it; a peer is its library's order call and, once that has answered, its call for a stop: nothing kept,
checked or heard of in between. So it compares what a strategy waits for, and not like with like.

``ccxt``, Binance's own SDK and ``python-binance`` are called as ``tests/conformance`` does. NautilusTrader and
Freqtrade are not driven: there a strategy runs inside an engine. A peer that is not installed is left out, by name.

Run: ``python tests/bench/bench_peers.py [ORDERS]``. Prints, asserts nothing; ``measure`` is for the table.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "conformance"))

from proofs.bare import wired
from proofs.real import Stage, stage

ORDERS: Final = 200
PACE_S: Final = 0.05
PEERS: Final = {
    "ccxt": ("ccxt_usdm", "CcxtUsdm"),
    "Binance SDK": ("sdk_usdm", "SdkUsdm"),
    "python-binance": ("pb_usdm", "PythonBinanceUsdm"),
}
NOT_DRIVEN: Final = dict.fromkeys(("NautilusTrader", "Freqtrade"), "no driver: a strategy runs inside its engine")
SYMBOL, QTY = "BTCUSDT", "0.002"
LOW: Final = "64000"
Called = list[tuple[int, str]]  # perf_counter_ns of a strategy's calls, and whose


def measure(orders: int = ORDERS) -> tuple[dict[str, dict[str, float]], dict[str, str]]:
    """Milliseconds by client, P50 and P99; and who was left out, and why."""
    found, left_out = {"chimera": asyncio.run(_staged(None, orders))}, dict(NOT_DRIVEN)
    for name, (module, kind) in PEERS.items():
        try:
            client = getattr(import_module(module), kind)
        except ImportError as missing:
            left_out[name] = str(missing)
            continue
        found[name] = asyncio.run(_staged(client, orders))
    return found, left_out


async def _staged(client: Any, orders: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="chimera-peers-") as folder:
        async with stage(Path(folder), (SYMBOL,), limits=False, venue="proofs.stamped") as house:
            if client is None:
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


def _told(called: Called, stamps: list[dict[str, Any]]) -> dict[str, float]:
    """Of each call the first order and the first stop that were accepted after it, and before the next call."""
    accepted = [each for each in stamps if each["kind"] == "accept"]
    moments = [at for at, _ in called]
    order, stop = [], []
    for began, ends in zip(moments, [*moments[1:], 2**63], strict=True):
        within = [each for each in accepted if began <= each["ns"] < ends]
        order += [(each["ns"] - began) / 1e6 for each in within if each["type"] == "MARKET"][:1]
        stop += [(each["ns"] - began) / 1e6 for each in within if each["type"] == "STOP_MARKET"][:1]
    assert len(order) == len(stop) == len(called), (len(order), len(stop), len(called))
    return {
        f"{name}_{label}_ms": round(statistics.quantiles(took, n=100)[at], 3)
        for name, took in (("order", order), ("stop", stop))
        for label, at in (("p50", 49), ("p99", 98))
    }


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)))
