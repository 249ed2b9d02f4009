"""What a save costs: ``python tests/bench/bench_stores.py [DIRECTORY]``. Prints, asserts nothing.

The floor is an append and fdatasync of 4 KiB on the same disk; on a busy machine it rises with the scheduler.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.server import EmbeddedRedis
from chimera.adapters.redis.bus import connect
from chimera.trading.holding import Holding
from chimera.trading.ids import AccountId, IntentId, PositionKey, Symbol
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Qty, Quote
from chimera.trading.position import Lot, Position

ORDER = {"symbol": "BTCUSDT", "status": "NEW", "intent_id": "i-1", "client_order_id": "c-1", "text": "x" * 450}


def row(name: str, times_s: list[float], total_s: float) -> None:
    micros = sorted(one * 1e6 for one in times_s)
    p50, p99 = statistics.median(micros), micros[int(len(micros) * 0.99)]
    print(f"{name:<44}{len(micros) / total_s:>10,.0f} /s   p50 {p50:>8,.0f} us   p99 {p99:>8,.0f} us")


def floor(directory: Path, count: int) -> None:
    times, begun = [], time.perf_counter()
    with (directory / "floor").open("wb", buffering=0) as file:
        for _ in range(count):
            at = time.perf_counter()
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - at)
    row("floor: 4 KiB append + fdatasync", times, time.perf_counter() - begun)


async def measure(name: str, tasks: int, each: int, act: Callable[[int, int], Awaitable[object]]) -> None:
    times: list[float] = []

    async def one(task: int) -> None:
        for number in range(each):
            at = time.perf_counter()
            await act(task, number)
            times.append(time.perf_counter() - at)

    begun = time.perf_counter()
    await asyncio.gather(*map(one, range(tasks)))
    row(f"{name}, {tasks} task{'s' * (tasks > 1)}", times, time.perf_counter() - begun)


async def ledger(directory: Path) -> None:
    store = await SqliteLedger.open(directory / "ledger.db")
    lot = Lot(
        intent_id=IntentId("i"),
        side=Side.BUY,
        qty=Qty(Decimal("0.01")),
        cost=Quote(Decimal(658)),
        opened_ms=Millis(1),
    )
    keys = [
        PositionKey(venue="binance", account=AccountId("main"), market=Market.FUT, symbol=Symbol(f"S{n}"))
        for n in range(32)
    ]
    fences = {key: await store.fence(key, "bench") for key in keys}
    revs = dict.fromkeys(keys, 0)

    async def save(task: int, number: int) -> None:
        key = keys[task]
        holding = Holding(key=key, position=Position(lots=(lot,)), event_seq=revs[key])
        revs[key] = await store.save(holding, rev=revs[key], fence=fences[key])

    for tasks in (1, 8, 32):
        await measure(
            "upsert an order, synced", tasks, 2000 // tasks, lambda t, n: store.put("orders", f"{t}-{n}", ORDER)
        )
        await measure("save a holding, synced", tasks, 2000 // tasks, save)
    await measure("put an event, not synced", 1, 2000, lambda t, n: store.put("strategy_events", f"{t}-{n}", ORDER))
    await measure("get", 1, 2000, lambda t, n: store.get("orders", f"0-{n}"))
    await measure(
        "find 50 by symbol", 1, 300, lambda t, n: store.find("orders", where={"symbol": "BTCUSDT"}, newest=50)
    )
    await store.close()


async def bus(directory: Path) -> None:
    server = await EmbeddedRedis.start(directory / "redis")
    store = connect(server.unix_address)
    for tasks in (1, 16):
        await measure(
            "publish", tasks, 2000 // tasks, lambda t, n: store.publish(f"s{t}", f"e{n}", {"body": "x" * 200})
        )
        await measure("acquire", tasks, 2000 // tasks, lambda t, n: store.acquire(f"lock:{t}-{n}", "t", 3000))
    await store.close()
    await server.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as name:
        floor(Path(name), 1000)
        asyncio.run(ledger(Path(name)))
        asyncio.run(bus(Path(name)))
