"""FC-2: S4 under load, and what it weighs.

Intents with a stop and a target, entered at market and closed again, at 10 and then at 100 a second on as many symbols
as they need, each at its moment; from each fill to the accepted stop that covers it, by the venue's clock, as RT-3
measures it. Processor time of each process by the kernel's own count. Then what 10,000 guards weigh in a process of
their own, and what an event of the simulated world costs: what the market does there, and what the venue writes down.
"""

import asyncio
import json
import os
import sys
import tempfile
from collections import Counter
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from proofs.house import ROOT
from proofs.measured import Measured
from proofs.real import Service, Stage, stage
from proofs.rt_3 import steps_of, told

sys.path.insert(0, str(ROOT / "tests" / "bench"))

BAR: Final = (
    "100 intents/s (entry, stop, target) for 60 s, rate limits off: all filled, fill -> stop P99 <= 2 x its value at"
    " 10/s; 10,000 guards <= 150 MB; <= 300 us CPU per event of the simulated world"
)
SECONDS: Final = 60.0
SLOW, FAST = 10, 100  # a second
SYMBOLS: Final = tuple(f"C{number:02}USDT" for number in range(20))
TURN_S: Final = len(SYMBOLS) / FAST  # until a symbol's next turn at 100 a second
NOTIONAL: Final = Decimal(120)  # USDT of an intent
AWAY: Final = Decimal("0.02")  # stop and target, of the price
SETTLE_S: Final = 2.0
OPEN_S: Final = 300.0  # twenty symbols on a machine that may be busy
P99_MOST: Final = 2.0
GUARDS_MB: Final = 150.0
EVENT_US: Final = 300.0
_TICKS_S: Final = os.sysconf("SC_CLK_TCK")


def prove(seconds: float = SECONDS) -> Measured:
    slow, fast = (asyncio.run(loaded(rate, seconds)) for rate in (SLOW, FAST))
    weight: Any = import_module("bench_weight")
    world: Any = import_module("bench_world")
    weighed, event_us = weight.apart("guards"), world.apart()
    ratio = fast["p99_ms"] / slow["p99_ms"]
    measured = {
        "p99_ratio": round(ratio, 2),
        f"at_{SLOW}": slow,
        f"at_{FAST}": fast,
        "guards_process_mb": weighed["process_mb"],
        "event_us": event_us,
    }
    good = not any(each["failed"] or each["never"] for each in (slow, fast)) and ratio <= P99_MOST
    passed = good and weighed["process_mb"] <= GUARDS_MB and event_us <= EVENT_US
    return Measured(measured, BAR, passed=passed)


async def loaded(per_s: int, seconds: float) -> dict[str, Any]:
    count = int(per_s * seconds)
    with tempfile.TemporaryDirectory(prefix="chimera-fc2-") as folder:
        async with stage(Path(folder), SYMBOLS, limits=False, venue="proofs.stamped") as house:
            s4 = house.router(S4_MAX_ORDERS_PER_10S="100000")
            try:
                for service in (house.feed, s4):
                    await (await service.start()).wait_ready()
                await house.until_open(OPEN_S)
                services = {"s4": s4, "feed": house.feed, "venue": house.venue}
                before = {name: _cpu_s(service) for name, service in services.items()}
                failed = await _intents(house, count, per_s)
                cpu = {name: _cpu_s(service) - before[name] for name, service in services.items()}
                await asyncio.sleep(SETTLE_S)
            finally:
                await s4.stop()
            lines = house.audit_path.read_text("utf-8").splitlines()
    each = {f"cpu_ms_per_intent_{name}": round(used * 1_000 / count, 2) for name, used in cpu.items()}
    return told([json.loads(line) for line in lines]) | {"intents": count, "failed": failed} | each


async def _intents(house: Stage, count: int, per_s: int) -> dict[str, int]:
    """How many were not filled, by what was answered."""
    _, state = await house.ask("GET", f"{house.venue_url}/sim/state")
    marks = {symbol: Decimal(str(state["marks"][symbol])) for symbol in SYMBOLS}
    steps = await steps_of(house)
    loop = asyncio.get_running_loop()
    began = loop.time()
    working: list[asyncio.Task[str]] = []
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / per_s - loop.time()))
        symbol = SYMBOLS[number % len(SYMBOLS)]
        body = _body(f"load-{number}", symbol, marks[symbol], steps[symbol])
        working.append(asyncio.create_task(_in_and_out(house, symbol, body)))
    return dict(Counter(answer for answer in await asyncio.gather(*working) if answer != "FILLED"))


def _body(name: str, symbol: str, mark: Decimal, step: Decimal) -> dict[str, Any]:
    qty = (NOTIONAL / mark / step).to_integral_value() * step
    below, above = (str(round(mark * (1 + way * AWAY), 1)) for way in (-1, 1))
    return {
        "intent_id": name, "market": "FUT", "symbol": symbol, "side": "BUY", "qty": str(qty),
        "exec_policy": {"type": "MARKET"}, "sl": {"price": below},
        "tp": {"price": above},
    }  # fmt: skip


async def _in_and_out(house: Stage, symbol: str, body: dict[str, Any]) -> str:
    """Its status, or why not."""
    _, row = await house.ask("POST", f"{house.s4_url}/orders", body)
    await asyncio.sleep(TURN_S / 4)
    await house.ask("POST", f"{house.s4_url}/positions/{symbol}/close", {})
    return str(row.get("code") or row["status"])


def _cpu_s(service: Service) -> float:
    """Of the process so far, its own and the kernel's for it (``proc(5)``, fields 14 and 15)."""
    words = Path(f"/proc/{service.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS_S
