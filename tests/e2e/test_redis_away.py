"""Redis away for long under S4 as a process of its own: what it had to tell waits in the ledger and is told in order.

What is to be on the streams is read from the ledger alone: the outboxes of the holdings, and the rows of which each
carries the id of its event.
"""

import asyncio
import os
import shutil
import signal
import sqlite3
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from chimera.adapters.redis.bus import connect
from chimera.trading.holding import Holding
from chimera.wire import keys
from chimera.wire.codec import unseal
from chimera.wire.events import Publish, event_id, writes
from proofs.real import Stage, stage

pytestmark = pytest.mark.slow

AWAY_S: Final = 12.0
PATIENCE_S: Final = 60.0
STREAMS: Final = (
    keys.ORDERS_EXECUTED, keys.ROUTER_EVENTS, keys.ORDER_RESULTS, keys.RISK_SL_ARM, keys.SPOT_OCO_ARMED,
    keys.GUARD_SPOT_ARM, keys.ALERTS,
)  # fmt: skip
Told = dict[str, list[str]]  # ids by stream, as they were told


def an_order(name: str, **changes: Any) -> dict[str, Any]:
    body = {"intent_id": f"i-{name}", "client_order_id": name, "market": "FUT", "symbol": "BTCUSDT", "side": "BUY"}
    return body | {"qty": "0.003", "exec_policy": {"type": "MARKET"}} | changes


def an_oco(name: str, mid: float) -> dict[str, Any]:
    policy = {"type": "OCO", "tp_price": round(mid * 1.01), "sl_price": round(mid * 0.99)}
    return an_order(name, market="SPOT", exec_policy=policy)


async def until(ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(PATIENCE_S):
        while not good(told := await ask()):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    return told


def holdings(house: Stage) -> list[Holding]:
    """As they stand on disk."""
    with sqlite3.connect(f"{house.ledger_path('s4').as_uri()}?mode=ro", uri=True, timeout=10) as ledger:
        bodies = [body for (body,) in ledger.execute("SELECT body FROM holdings WHERE body IS NOT NULL")]
    ledger.close()
    return [unseal(body, Holding) for body in bodies]


def owed(house: Stage) -> Told:
    """What the outboxes on disk are to put on each stream."""
    told: Told = defaultdict(list)
    for holding in holdings(house):
        for event in holding.outbox:
            for write in writes(holding.key, event):
                if isinstance(write, Publish):
                    told[write.stream].append(event_id(holding.key, event))
    return told


def recorded(house: Stage) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows that are inserted once, each with the id of its event."""
    once = keys.FILLS, keys.STRATEGY_EVENTS, keys.POSITIONS_SNAPSHOTS
    with sqlite3.connect(f"{house.ledger_path('s4').as_uri()}?mode=ro", uri=True, timeout=10) as ledger:
        rows = ledger.execute("SELECT collection, body FROM rows WHERE collection IN (?, ?, ?)", once).fetchall()
    ledger.close()
    for collection, body in rows:
        yield collection, msgspec.json.decode(body)["body"]


async def streams(house: Stage) -> Told:
    bus = connect(house.redis_address)
    try:
        return {
            name: [each.fields["event_id"] for each in await bus.tail(name, after="0-0", count=10_000, block_ms=10)]
            for name in STREAMS
        }
    finally:
        await bus.close()


def out_of_order(told: Told) -> list[str]:
    """Ids of a position that do not come after the one before them on their stream; one that is told twice, too."""
    wrong = []
    for ids in told.values():
        newest: dict[str, int] = {}
        for name in ids:
            whose, _, seq = name.rpartition(":")
            if whose.startswith("router:"):  # an alert of no position
                continue
            if int(seq) <= newest.get(whose, 0):
                wrong.append(name)
            newest[whose] = int(seq)
    return wrong


async def post(house: Stage, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    return await house.ask("POST", house.s4_url + path, body, headers={"prefer": "wait=3"})


async def lived(house: Stage) -> None:
    """A position on each market with all of its protection, and an order that rests."""
    await house.s4.start()
    await house.until_ready(house.s4_url)
    await until(lambda: house.ask("GET", f"{house.s4_url}/health"), lambda told: not told[1]["barriers"])
    first = (await post(house, "/orders", an_order("f1")))[1]
    assert first["status"] == "FILLED", first
    await post(house, "/orders", an_oco("o1", first["avg_price"]))
    policy = {"type": "MakerThenTaker", "maker_wait_ms": 120_000}
    await house.ask("POST", f"{house.s4_url}/orders", an_order("r1", exec_policy=policy), headers={"prefer": "wait=0"})


async def told_nobody(house: Stage, price: float) -> None:
    """While Redis does not answer: entered on both markets, cancelled, closed."""
    await asyncio.gather(
        post(house, "/orders", an_order("f2")),
        post(house, "/orders", an_oco("o2", price)),
        post(house, "/cancel", {"client_order_id": "r1"}),
    )
    await post(house, "/positions/BTCUSDT/close", {"market": "FUT"})
    await post(house, "/positions/BTCUSDT/close", {"market": "SPOT"})
    flat = lambda told: told[0] == 200 and not any(float(row["qty"]) for row in told[1]["positions"])  # noqa: E731
    await until(lambda: house.ask("GET", f"{house.s4_url}/positions"), flat)


@pytest.mark.req("S4-EVT-1", "S4-PER-1")
@pytest.mark.parametrize(
    "data_lost", [False, True], ids=["stopped", "begun anew without its data, S4 killed meanwhile"]
)
async def test_nothing_is_lost_while_redis_is_away(data_lost: bool, tmp_path: Path) -> None:
    async with stage(tmp_path, spot=("BTCUSDT",)) as house:
        await lived(house)
        pid = house.redis.pid
        assert pid is not None
        began = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            price = (await house.ask("GET", f"{house.s4_url}/orders/f1"))[1]["avg_price"]
            await told_nobody(house, price)
            if data_lost:
                await house.s4.kill()
                await house.s4.start()
                shutil.rmtree(tmp_path / "redis" / "appendonlydir")
            await asyncio.sleep(max(AWAY_S - (time.monotonic() - began), 0))
            waiting = owed(house)
        finally:
            os.kill(pid, signal.SIGKILL if data_lost else signal.SIGCONT)
        await until(lambda: asyncio.to_thread(holdings, house), lambda all_: not any(each.outbox for each in all_))
        rows = list(recorded(house))  # before the streams: what is written afterwards is told afterwards
        first_seq = {}
        for name in (each for ids in waiting.values() for each in ids):
            whose, _, seq = name.rpartition(":")
            first_seq[whose] = min(first_seq.get(whose, int(seq)), int(seq))

        def due(name: str) -> bool:
            """Of the whole story, or of what was not told when the data were lost."""
            whose, _, seq = name.rpartition(":")
            return not data_lost or (whose in first_seq and int(seq) >= first_seq[whose])

        awaited = {name for ids in waiting.values() for name in ids}
        awaited |= {row["event_id"] for _, row in rows if due(row["event_id"])}
        told = await until(
            lambda: streams(house), lambda now: awaited <= {name for ids in now.values() for name in ids}
        )

    assert len(first_seq) == 2, "both markets had something to tell"
    assert {name for name, ids in waiting.items() if ids} >= {
        keys.ORDERS_EXECUTED,
        keys.ROUTER_EVENTS,
        keys.ORDER_RESULTS,
    }
    assert waiting[keys.RISK_SL_ARM]
    assert out_of_order(told) == []
    assert all(set(ids) <= set(told[name]) for name, ids in waiting.items()), "each on its own stream"
    assert {row["market"] for collection, row in rows if collection == keys.FILLS} == {"FUT", "SPOT"}
    assert {row["kind"] for collection, row in rows if collection == keys.STRATEGY_EVENTS} >= {
        "TP_SL_PLACED", "OCO_ARMED", "CANCEL",
    }  # fmt: skip
