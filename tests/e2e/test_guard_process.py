"""A guard on spot and the death of its process: armed where no stop is taken, back after a kill -9, fired once."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.embedded.server import EmbeddedRedis, free_port
from chimera.adapters.redis.bus import connect
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.trading.market import Market
from chimera.wire import keys
from proofs.real import Service
from support.whole_house import SYMBOL, HandMarket

pytestmark = [pytest.mark.slow, pytest.mark.req("S4-SPOT-4")]

D = Decimal
PATIENCE_S: Final = 40.0
STOP, BELOW = D("65600.00"), D("65500.00")
ENTRY: Final = {
    "intent_id": "g-1", "client_order_id": "g-1", "market": "SPOT", "symbol": SYMBOL, "side": "BUY", "qty": 0.003,
    "exec_policy": {"type": "MARKET"}, "sl": {"price": str(STOP)},
}  # fmt: skip
NO_STOPS: Final = {"code": -1013, "msg": "Stop loss orders are not supported for this symbol."}


class Stage:
    """The exchange here, on a market that moves by hand; S4 a process of its own, spot beside futures."""

    def __init__(self, folder: Path, redis: EmbeddedRedis) -> None:
        self.market = HandMarket()
        self.redis = redis
        self.folder = folder
        self.simulator = SimulatorServer(SimulatorSettings(port=0, spot_port=0, speed=math.inf), self.market.events())
        self.http = aiohttp.ClientSession()
        self.url = f"http://127.0.0.1:{free_port()}"

    async def open(self) -> None:
        await self.simulator.start()
        futures, spot = (
            f"http://127.0.0.1:{each[1]}" for each in (self.simulator.address, self.simulator.spot_address)
        )
        settings = {
            "S4_FUT_URL": futures,
            "S4_SPOT_URL": spot,
            "S4_SPOT_SYMBOLS": SYMBOL,
            "S4_REDIS_ADDRESSES": self.redis.unix_address,
            "S4_LEDGER_PATH": str(self.folder / "s4.sqlite"),
            "S4_RECEIPT_KEY_PATH": str(self.folder / "receipt.key"),
            "S4_GUARD": "10m",
            "PORT": self.url.rpartition(":")[2],
        }
        self.s4 = Service(["s4"], settings, self.folder / "s4.log")
        for match in ({"path": "/api/v3/orderList/oco"}, {"path": "/api/v3/order", "client_id": "g-1-s"}):
            fault = {"name": "refused", "params": NO_STOPS, "match": {"method": "POST", **match}}
            status, told = await self.ask("POST", "/sim/faults", fault, at=futures)
            assert status == 200, told

    async def begin(self) -> None:
        await (await self.s4.start()).wait_ready()
        await self.until(lambda: self.ask("GET", "/ready"), lambda told: told[0] == 200)
        await self.until(lambda: self.ask("GET", "/health"), lambda told: not told[1]["barriers"])

    async def close(self) -> None:
        await self.s4.stop()
        await self.http.close()
        await self.simulator.stop()

    async def ask(self, method: str, path: str, body: object = None, *, at: str | None = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        head = {"content-type": "application/json"}
        async with self.http.request(method, (at or self.url) + path, data=data, headers=head) as answer:
            return answer.status, json.loads(await answer.read() or b"null")

    async def until(self, ask: Callable[[], Any], good: Callable[[Any], bool]) -> Any:
        told: Any = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not good(told := await ask()):  # noqa: ASYNC110 - another process, over HTTP
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise TimeoutError(f"not in {PATIENCE_S:g} s; the last was {told}") from None
        return told

    async def row(self) -> dict[str, Any]:
        """Of the position."""
        status, told = await self.ask("GET", "/positions")
        assert status == 200, told
        return next(row for row in told["positions"] if row["market"] == "SPOT")

    async def mirror(self) -> dict[str, Any]:
        """What anybody may read of the guard."""
        bus = connect(self.redis.unix_address)
        try:
            document = await bus.get(keys.guard_key(SYMBOL, "g-1"))
        finally:
            await bus.close()
        return {} if document is None else dict(json.loads(document))

    async def armings(self) -> list[dict[str, Any]]:
        bus = connect(self.redis.unix_address)
        try:
            entries = await bus.tail(keys.GUARD_SPOT_ARM, after="0-0", count=100, block_ms=10)
        finally:
            await bus.close()
        return [json.loads(entry.fields["data"]) for entry in entries]

    async def kept(self, collection: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of the ledger; only while S4 is down."""
        ledger = await SqliteLedger.open(self.folder / "s4.sqlite")
        try:
            return [dict(row) for row in await ledger.find(collection, where=where, newest=1_000)]
        finally:
            await ledger.close()


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    redis = await EmbeddedRedis.start(folder / "redis")
    made = Stage(folder, redis)
    try:
        await made.open()
        await made.begin()
        yield made
    finally:
        await made.close()
        await redis.stop()


@pytest.mark.parametrize("passes", ["while S4 is dead", "once it is back"])
async def test_a_guard_on_spot_outlives_its_process_and_sells_once(passes: str, tmp_path: Path) -> None:
    async with stage(tmp_path) as house:
        status, bought = await house.ask("POST", "/orders", ENTRY)
        assert (status, bought.get("status")) == (200, "FILLED"), bought
        held = await house.until(house.row, lambda row: bool(row["guards"]))
        before = await house.until(house.mirror, bool)

        await house.s4.kill()
        if passes == "while S4 is dead":
            house.market.bids[Market.SPOT] = BELOW
        await house.begin()
        if passes == "once it is back":
            again = await house.until(house.row, lambda row: bool(row["guards"]))
            house.market.bids[Market.SPOT] = BELOW
        else:
            again = held
        flat = await house.until(house.row, lambda row: not row["qty"] and row["exit"] is None)
        after = await house.until(house.mirror, lambda told: not told.get("armed"))
        armings = await house.armings()
        await house.s4.stop()
        sales = [fill for fill in await house.kept("fills", market="SPOT") if fill["side"] == "SELL"]
        closes = [row for row in await house.kept("orders", kind="CHILD") if row["role"] == "EXIT"]

    assert [(guard["kind"], D(str(guard["price"]))) for guard in held["guards"]] == [("STOP", STOP)]
    assert again["guards"] == held["guards"], "the same arming, not another"
    assert (before["armed"], before["role"], D(str(before["price"]))) == (True, "STOP", STOP)
    assert (after["armed"], after["armed_at"]) == (False, before["armed_at"])
    assert {(each["intent_id"], each["role"]) for each in armings} == {("g-1", "STOP")}
    assert flat["closed_count"] == 1
    assert sum(D(str(fill["qty"])) for fill in sales) == D("0.00299"), "what the fee had left, once"
    assert len({row["client_order_id"] for row in closes}) == 1
