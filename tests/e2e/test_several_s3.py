"""Two S3 of one account, each a process with a face of its own, over one ledger and one Redis: who decides, and when.

The ledger is ArangoDB's stub (``arango_stub``), which both reach by the production adapter; Redis is a real server. One
of them has a model that answers when the test says so: while it is asked, its S3 holds the symbol's lock.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

pytest.importorskip("arangoasync", reason="ArangoDB's driver is not installed (chimera[arango])")


from arango_homes import stub_with_layout
from arango_stub import PASSWORD, USER
from redis.asyncio import Redis

from chimera.adapters.embedded.server import free_port
from chimera.services.strategy.turns import LOCK_MS
from chimera.trading.market import Market
from chimera.wire.keys import position_lock_key
from proofs.real import Service
from support.whole_house import SYMBOL, WholeHouse, whole_house

pytestmark = pytest.mark.slow

KEY: Final = position_lock_key(SYMBOL)
AT_ONCE: Final = 12  # questions to each of the two
SETTINGS: Final = {
    "S3_ATR_MULT": "10000",  # the stop is as far as the loss allows, however quiet the market
    "S3_SCORE_TIMEOUT_MS": "60000",
    "S3_DB_ARANGO_USER": USER,
    "S3_DB_ARANGO_PASS": PASSWORD,
}


class Model:
    """Answers at once, or once it may."""

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.may_answer.set()

    def hold(self) -> None:
        self.asked.clear()
        self.may_answer.clear()

    async def answer(self, _: web.Request) -> web.Response:
        self.asked.set()
        await self.may_answer.wait()
        return web.json_response({"p": 0.7, "size_mult_ml": 1})

    @asynccontextmanager
    async def served(self) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/", self.answer)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
        finally:
            self.may_answer.set()
            await runner.cleanup()


class Two:
    """``one`` is killed and has the model; ``other`` lives beside S4."""

    def __init__(self, house: WholeHouse, one: Service, model: Model, redis: Redis) -> None:
        self.house, self.one, self.model, self.redis = house, one, model, redis
        self.urls = (one.url, house.s3)

    async def decide(self, url: str, **wishes: Any) -> dict[str, Any]:
        status, told = await self.house.ask("POST", "/decide", {"symbol": SYMBOL, **wishes}, at=url)
        assert status == 200, told
        return dict(told)

    async def active(self) -> list[Any]:
        return [(await self.house.ask("GET", "/health", at=url))[1]["config_rev"] for url in self.urls]

    async def race(self) -> list[dict[str, Any]]:
        told = await asyncio.gather(*(self.decide(url) for _ in range(AT_ONCE) for url in self.urls))
        return [each for each in told if each["decision"] == "open"]


@asynccontextmanager
async def two_s3(folder: Path) -> AsyncIterator[Two]:
    model = Model()
    async with stub_with_layout() as stub, model.served() as url:
        s3 = {**SETTINGS, "S3_DB_ARANGO_URI": f"{stub.url}/chimera"}
        async with whole_house(folder, s3={**s3, "S3_NAME": "other"}, rv_pctile_30d=Decimal("0.5")) as house:
            house.market.wobble = Decimal("0.5")  # an ATR needs a range
            own = {
                "S3_NAME": "one", "S3_SCORE_URL": url, "S3_S4_URL": house.s4, "PORT": str(free_port()),
                "S3_REDIS_ADDRESSES": house.redis.unix_address, "S3_LEDGER_PATH": str(folder / "unused.sqlite"),
            }  # fmt: skip
            one = Service(["s3"], {**s3, **own}, folder / "one.log")
            redis = Redis(unix_socket_path=house.redis.unix_address.removeprefix("unix:"))
            try:
                await (await one.start()).wait_ready()
                yield Two(house, one, model, redis)
            finally:
                await redis.aclose()
                await one.stop()


def codes(told: dict[str, Any]) -> set[str]:
    return {reason["code"] for reason in told["reasons"]}


@pytest.mark.req("S3-LOCK-1", "S3-L0-3", "S3-CFG-1", "S3-PER-2", "I1")
async def test_two_that_decide_at_once_open_once_and_one_outlives_the_other(tmp_path: Path) -> None:
    async with two_s3(tmp_path) as two:
        house, (one, other) = two.house, two.urls

        # whichever is told, both decide by it
        _, config = await house.ask("GET", "/config", at=other)
        body = {"bundle_id": config["active"]["bundle_id"], "who": "me", "why": "again"}
        before = max(await house.until(two.active, lambda revs: None not in revs))
        told = await asyncio.gather(*(house.ask("POST", "/config/activate", body, at=url) for url in two.urls))
        assert [status for status, _ in told] == [200, 200]
        await house.until(two.active, lambda revs: revs == [before + 2] * 2)

        # under load, on one symbol: one entry, and no more than was decided is held
        for url in two.urls:
            await house.until(lambda url=url: two.decide(url, dry_run=True), lambda told: told["decision"] == "open")
        [opened] = await house.until(two.race, bool)
        assert opened["config_rev"] == before + 2
        name, qty = opened["intent"]["client_order_id"], Decimal(str(opened["intent"]["qty"]))
        await house.until(lambda: house.order(name), lambda row: row.get("status") == "FILLED")
        assert await two.race() == []
        assert Decimal(str((await house.row(Market.FUT))["qty"])) == qty

        # a lock that was lost has two holders; the one that comes second finds the first's promise in the table
        two.model.hold()
        late = asyncio.create_task(two.decide(one, market="SPOT"))
        await two.model.asked.wait()
        assert codes(await two.decide(other, market="SPOT")) == {"LOCKED"}
        await two.redis.delete(KEY)
        assert (await two.decide(other, market="SPOT"))["decision"] == "open"
        two.model.may_answer.set()
        assert codes(await late) & {"LOCKED", "CONCURRENT_ENTRIES"}

        # killed while it holds the lock: nobody waits longer than that lives
        two.model.hold()
        dying = asyncio.create_task(two.decide(one))
        await two.model.asked.wait()
        assert 0 < await two.redis.pttl(KEY) <= LOCK_MS
        await two.one.kill()
        await asyncio.gather(dying, return_exceptions=True)
        assert codes(await two.decide(other)) == {"LOCKED"}
        await house.until(lambda: two.redis.exists(KEY), lambda there: not there)
        assert "LOCKED" not in codes(await two.decide(other))
