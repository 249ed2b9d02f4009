"""RT-3: from a fill at the venue to the stop that covers it, accepted there, by one clock: the venue's.

Real processes over loopback; 20 intents a second, each at its moment whether or not those before it are answered, on
five symbols in turn; what was opened is closed before the symbol's next turn. Of each fill that adds to a position the
first stop that is accepted for at least that position ends its time; one that none follows is counted as never.
"""

import asyncio
import json
import statistics
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from chimera.simulate.venue.audit import Kind
from proofs.measured import Measured
from proofs.real import Stage, stage

BAR: Final = "at 20 intents/s, twin sends fill -> twin accepts stop, by its clock: P50 <= 1.5 ms, P99 <= 10 ms"
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT")
PER_S: Final = 20
INTENTS: Final = 1_200
WARM: Final = 100
P50_MS, P99_MS = 1.5, 10.0
NOTIONAL: Final = Decimal(120)  # USDT of an intent
SETTLE_S: Final = 2.0


def prove(intents: int = INTENTS) -> Measured:
    measured = asyncio.run(_staged(intents))
    fast = measured["p50_ms"] <= P50_MS and measured["p99_ms"] <= P99_MS
    return Measured(measured, BAR, passed=fast and not measured["never"] and not measured["failed"])


async def _staged(intents: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="chimera-rt3-") as folder:
        async with stage(Path(folder), SYMBOLS, limits=False, venue="proofs.stamped") as house:
            s4 = house.router(S4_MAX_ORDERS_PER_10S="10000")
            try:
                for service in (house.feed, s4):
                    await (await service.start()).wait_ready()
                await house.until_open()
                failed = await _intents(house, WARM + intents)
                await asyncio.sleep(SETTLE_S)
            finally:
                await s4.stop()
            lines = house.audit_path.read_text("utf-8").splitlines()
    return told([json.loads(line) for line in lines]) | {"intents": intents, "failed": failed}


async def _intents(house: Stage, count: int) -> int:
    """How many were not filled."""
    _, state = await house.ask("GET", f"{house.venue_url}/sim/state")
    steps = await steps_of(house)
    qty = {}
    for symbol in SYMBOLS:
        mark, step = Decimal(str(state["marks"][symbol])), steps[symbol]
        qty[symbol] = str((NOTIONAL / mark / step).to_integral_value() * step)
    loop = asyncio.get_running_loop()
    began = loop.time()
    working: list[asyncio.Task[bool]] = []
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / PER_S - loop.time()))
        symbol = SYMBOLS[number % len(SYMBOLS)]
        working.append(asyncio.create_task(_in_and_out(house, f"bench-{number}", symbol, qty[symbol])))
    return sum(not good for good in await asyncio.gather(*working))


async def _in_and_out(house: Stage, name: str, symbol: str, qty: str) -> bool:
    body = {"intent_id": name, "market": "FUT", "symbol": symbol, "side": "BUY", "qty": qty}
    status, row = await house.ask("POST", f"{house.s4_url}/orders", body | {"exec_policy": {"type": "MARKET"}})
    await asyncio.sleep(len(SYMBOLS) / PER_S / 4)
    await house.ask("POST", f"{house.s4_url}/positions/{symbol}/close", {})
    return status == 200 and row["status"] == "FILLED"


async def steps_of(house: Stage) -> dict[str, Decimal]:
    """By symbol, of a market order."""
    _, info = await house.ask("GET", f"{house.venue_url}/fapi/v1/exchangeInfo")
    found = {}
    for row in info["symbols"]:
        lot = next(each for each in row["filters"] if each["filterType"] == "MARKET_LOT_SIZE")
        found[row["symbol"]] = Decimal(lot["stepSize"])
    return found


def told(records: list[dict[str, Any]]) -> dict[str, Any]:
    """From each fill to the stop that covers it, by the venue's stamps."""
    took, never = _times(records)
    steady = took[WARM:] if len(took) > 2 * WARM else took
    quantiles = statistics.quantiles(steady, n=100)
    return {
        "p50_ms": round(quantiles[49], 3),
        "p95_ms": round(quantiles[94], 3),
        "p99_ms": round(quantiles[98], 3),
        "worst_ms": round(max(steady), 3),
        "fills": len(steady),
        "never": never,
    }


def _times(records: list[dict[str, Any]]) -> tuple[list[float], int]:
    """Milliseconds of each fill that added, in their order; and how many were over before any stop covered them."""
    held: dict[str, Decimal] = {}
    bare: dict[str, list[tuple[int, Decimal]]] = {}
    took: list[float] = []
    never = 0
    for each in records:
        symbol, ns = each["symbol"], each["ns"]
        waiting = bare.setdefault(symbol, [])
        if each["kind"] == Kind.FILL:
            after = abs(Decimal(each["after"]))
            if after > held.get(symbol, Decimal(0)):
                waiting.append((ns, after))
            elif not after:
                never += len(waiting)
                waiting.clear()
            held[symbol] = after
        elif each["type"] == "STOP_MARKET" and (each["whole"] or each["reduces"]):
            covers = held.get(symbol, Decimal(0)) if each["whole"] else Decimal(each["qty"])
            took += [(ns - filled) / 1e6 for filled, after in waiting if after <= covers]
            bare[symbol] = [(filled, after) for filled, after in waiting if after > covers]
    return took, never + sum(map(len, bare.values()))
