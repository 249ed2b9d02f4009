"""The feed, S3 and S4 as processes on a Redis Cluster of six: a decision becomes a protected position while a master
dies, and what came of it is told once the replica has taken over.
"""

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest

from chimera.adapters.redis.bus import connect
from chimera.simulate.venue.audit import Kind
from chimera.trading.money import Millis
from chimera.trading.order import Role
from chimera.wire import keys
from proofs.real import Stage, stage
from proofs.shards import shards
from world import oracle

PATIENCE_S: Final = 60.0
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT")


async def decided(house: Stage) -> dict[str, Any]:
    """The next decision to open something."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for symbol in house.symbols:
                for side in ("LONG", "SHORT"):
                    body = {"symbol": symbol, "sideHint": side}
                    _, told = await house.ask("POST", f"{house.s3_url}/decide", body)
                    if told.get("decision") == "open":
                        return dict(told["intent"])
            await asyncio.sleep(0.2)


async def protected(house: Stage, intent: dict[str, Any]) -> None:
    """The venue has filled it, and has taken its stop."""
    name = intent["client_order_id"]
    async with asyncio.timeout(PATIENCE_S):
        while True:
            ours = [each for each in house.audit() if each.client_order_id.startswith(f"{name}-")]
            stops = [each for each in ours if each.client_order_id.startswith(f"{name}-{Role.STOP.value}")]
            if any(each.kind is Kind.FILL for each in ours) and any(each.kind is Kind.ACCEPT for each in stops):
                return
            await asyncio.sleep(0.2)


async def told_of(addresses: str, intent: dict[str, Any]) -> int:
    """How often the end of the intent was told."""
    bus = connect(addresses, deadline_ms=Millis(60_000))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                entries = await bus.tail(keys.ORDERS_EXECUTED, after="0", count=10_000, block_ms=0)
                found = [each for each in entries if each.fields.get("intent_id") == intent["intent_id"]]
                if found:
                    return len(found)
                await asyncio.sleep(0.1)
    finally:
        await bus.close()


@pytest.mark.slow
@pytest.mark.req("RD-1", "S4-NET-2", "S4-EVT-1")
async def test_a_decision_becomes_a_protected_position_while_a_master_dies(tmp_path: Path) -> None:
    with shards(tmp_path / "six") as six:
        async with stage(tmp_path, SYMBOLS, redis=six.addresses) as house:
            for service in (house.feed, house.s4, house.s3):
                await service.start()
            for service in (house.feed, house.s4, house.s3):
                await service.wait_ready()
            await house.until_open()
            first = await decided(house)
            master = six.master_of(keys.ORDERS_EXECUTED)
            master.kill()
            await protected(house, first)
            await six.until_given_way(keys.ORDERS_EXECUTED, master)
            assert await told_of(six.addresses, first) == 1
            await protected(house, second := await decided(house))
            assert await told_of(six.addresses, second) == 1
        audit = house.audit()
    assert oracle.entered_once(audit) == []
    assert {first["client_order_id"], second["client_order_id"]} <= {
        each.client_order_id.rpartition("-")[0] for each in audit if oracle.is_entry(each)
    }
