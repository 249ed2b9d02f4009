"""From start to taking orders, and from a kill with positions open to taking orders again: real processes.

Run: ``python tests/bench/bench_life.py``. Prints, asserts nothing.
"""

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from proofs.real import Stage, stage

SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "DOGEUSDT")


def measure() -> dict[str, float]:
    """Seconds."""
    return asyncio.run(_measure())


async def _measure() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="chimera-life-") as folder:
        async with stage(Path(folder), SYMBOLS, limits=False) as house:
            await (await house.feed.start()).wait_ready()
            started = await _until_open(house)
            for number, symbol in enumerate(SYMBOLS):
                await _open(house, f"life-{number}", symbol)
            await house.s4.kill()
            recovered = await _until_open(house)
    return {"start_s": round(started, 2), "recovery_s": round(recovered, 2)}


async def _until_open(house: Stage) -> float:
    began = time.monotonic()
    await (await house.s4.start()).wait_ready()
    await house.until_open()
    return time.monotonic() - began


async def _open(house: Stage, name: str, symbol: str) -> None:
    _, state = await house.ask("GET", f"{house.venue_url}/sim/state")
    qty = {"BTCUSDT": "0.002", "ETHUSDT": "0.04", "SOLUSDT": "1", "XRPUSDT": "60", "DOGEUSDT": "600"}[symbol]
    body: dict[str, Any] = {"intent_id": name, "market": "FUT", "symbol": symbol, "side": "BUY", "qty": qty}
    status, row = await house.ask("POST", f"{house.s4_url}/orders", body | {"exec_policy": {"type": "MARKET"}})
    assert (status, row["status"]) == (200, "FILLED"), (row, state["marks"][symbol])


if __name__ == "__main__":
    print(json.dumps(measure()))
