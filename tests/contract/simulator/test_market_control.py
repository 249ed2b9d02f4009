"""``/sim/market`` over the wire: the market stops, steps, goes on, and feels a hand; what cannot be is refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from chimera.services.simulator.market import open_synthetic
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.trading.market import Market
from support.sim_client import SimClient

WAIT_S = 10


class Client(SimClient):
    async def market(self, **change: Any) -> Any:
        status, body = await self.send("POST" if change else "GET", "/sim/market", json=change or None)
        assert status == 200, body
        return body

    async def mark(self) -> Decimal:
        _, body = await self.send("GET", "/sim/state")
        return Decimal(body["marks"]["BTCUSDT"])


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    opened = open_synthetic(["BTCUSDT"], seed=3, markets=[Market.FUT])
    told = SimulatorSettings(port=0, spot_port=0, seed=3, speed=50, instruments=opened.instruments, spot=opened.spot)
    server = SimulatorServer(told, opened.events, hands=opened.hands)
    await server.start()
    async with aiohttp.ClientSession() as session:
        yield Client(session, server)
    await server.stop()


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if await found():
                return
            await asyncio.sleep(0.01)


async def until_past(client: Client, market_ms: int) -> int:
    async def past() -> bool:
        return ((await client.market())["market_ms"] or 0) > market_ms

    await until(past)
    return int((await client.market())["market_ms"])


async def test_it_stops_steps_and_goes_on(client: Client) -> None:
    begun = await until_past(client, 0)
    stopped = await client.market(stopped=True)
    stands = stopped["market_ms"]
    await client.market(step_ms=1_000)
    await until_past(client, stands + 799)
    stepped = await client.market()
    assert stands >= begun
    assert stands + 800 <= stepped["market_ms"] <= stands + 1_000
    assert (stepped["stopped"], stepped["seed"]) == (True, 3)

    gone_on = await client.market(speed="20")
    assert (gone_on["stopped"], gone_on["speed"]) == (False, 20)
    await until_past(client, stepped["market_ms"] + 1_000)


async def test_a_push_is_felt_and_knobs_stand(client: Client) -> None:
    await until_past(client, 0)
    told = await client.market(push_bps="-60", volatility_pct=0, spread_times=4, symbol="BTCUSDT")
    assert told["symbols"] == {"BTCUSDT": {"volatility_pct": 0, "spread_times": 4}}

    async def fallen() -> bool:
        return await client.mark() < Decimal(65_500)

    await until(fallen)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"speed": 0}, "speed"),
        ({"speed": "fast"}, "speed"),
        ({"step_ms": 0}, "step_ms"),
        ({"step_ms": 5, "stopped": False}, "step_ms"),
        ({"stopped": "yes"}, "stopped"),
        ({"push_bps": 1_001}, "push_bps"),
        ({"push_bps": True}, "push_bps"),
        ({"volatility_pct": 1.5}, "volatility_pct"),
        ({"spread_times": 101}, "spread_times"),
        ({"push_bps": 1, "symbol": "NOPE"}, "symbol"),
        ({"seed": 4}, "seed"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(client: Client, change: Any, field: str) -> None:
    status, body = await client.send("POST", "/sim/market", json={"volatility_pct": 7, **change})
    assert (status, body["field"]) == (400, field)
    assert (await client.market())["symbols"]["BTCUSDT"]["volatility_pct"] == 100


async def test_another_method_is_no_way(client: Client) -> None:
    status, _ = await client.send("DELETE", "/sim/market")
    assert status == 405
