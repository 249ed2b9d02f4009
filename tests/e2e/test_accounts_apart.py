"""Two accounts beside each other on one machine: an S4 each, one exchange, one Redis server with a database each.

Each has what is its own by settings alone: key, database, ledger, receipts' key, port.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import pytest

from chimera.adapters.embedded.server import free_port
from chimera.adapters.redis.bus import connect
from chimera.services.claimed import WHY
from chimera.trading.market import Market
from chimera.wire import keys
from chimera.wire.budget import read_budget
from chimera.wire.intents import REFUSED
from proofs.real import Service, Stage, stage

pytestmark = pytest.mark.slow

NAMES: Final = ("mine", "yours", "theirs")
AN_ORDER: Final = {
    "intent_id": "i-a", "client_order_id": "a", "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.003",
    "exec_policy": {"type": "MARKET"},
}  # fmt: skip


class Account(NamedTuple):
    """One of them, and what it tells."""

    name: str
    house: Stage
    s4: Service
    redis: str

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        return (await self.house.ask(method, f"{self.s4.url}{path}", body))[1]

    async def barriers(self) -> list[str]:
        return [each["code"] for each in (await self.ask("GET", "/health"))["barriers"]]

    async def why_undecided(self, s3: Service) -> str:
        """Why it enters nothing; empty while it is starting."""
        wish = {"symbol": "BTCUSDT", "market": "FUT", "sideHint": "BUY"}
        with suppress(aiohttp.ClientError):
            answer: dict[str, Any] = (await self.house.ask("POST", f"{s3.url}/decide", wish))[1]
            assert answer.get("decision") != "open", answer
            return str(answer.get("reason", ""))
        return ""

    async def held(self) -> dict[str, Any]:
        """By the exchange."""
        _, state = await self.house.ask("GET", f"{self.house.venue_url}/sim/state")
        positions: dict[str, Any] = state["accounts"][self.name]["positions"]
        return positions

    async def told(self, stream: str) -> list[dict[str, str]]:
        bus = connect(self.redis)
        try:
            return [entry.fields for entry in await bus.tail(stream, after="0-0", count=1_000, block_ms=10)]
        finally:
            await bus.close()

    async def open_symbols(self, *, budgets: int) -> set[tuple[str, ...]]:
        """As each of so many budgets in a row says, whoever publishes them, from the first on that has any."""
        bus, said = connect(self.redis), dict[int, tuple[str, ...]]()
        try:
            async with asyncio.timeout(10):
                while len(said) < budgets:
                    document = await bus.get(keys.risk_budget_key("main"))
                    budget = None if document is None else read_budget(document)
                    if budget is not None and (said or budget.markets[Market.FUT].open_symbols):
                        said[budget.at_ms] = budget.markets[Market.FUT].open_symbols
        finally:
            await bus.close()
        return set(said.values())

    async def intend(self, order: dict[str, Any]) -> None:
        """By the stream."""
        bus = connect(self.redis)
        try:
            record = {"intent_id": order["intent_id"], "body": json.dumps(order)}
            await bus.publish(keys.ORDERS_INTENT, order["intent_id"], record)
        finally:
            await bus.close()


def key_of(name: str) -> str:
    """In the shape of the exchange's."""
    return name.ljust(64, "0")


@asynccontextmanager
async def accounts(folder: Path) -> AsyncIterator[list[Account]]:
    """The first two in a database each, the third in the first one's; ``start`` is for the test."""
    path = folder / "accounts.json"
    keyed = [{"name": name, "api_key": key_of(name), "secret": name, "balance": "10000"} for name in NAMES]
    path.write_text(json.dumps(keyed), encoding="utf-8")
    async with stage(folder, more=("--accounts", str(path))) as house:
        made = []
        for number, name in enumerate(NAMES):
            redis = f"redis://{house.redis.address}/{number % 2}"
            own = {
                "S4_BINANCE_KEY": key_of(name), "S4_BINANCE_SECRET": name, "S4_REDIS_ADDRESSES": redis,
                "S4_LEDGER_PATH": str(folder / f"{name}.sqlite"), "S4_RECEIPT_KEY_PATH": str(folder / f"{name}.key"),
                "PORT": str(free_port()),
            }  # fmt: skip
            made.append(Account(name, house, house.router(name, **own), redis))
        try:
            yield made
        finally:
            for account in made:
                await account.s4.stop()


@pytest.mark.req("S3-PER-2", "S4-IDEM-1", "S4-EVT-1", "S4-KILL-1")
async def test_two_accounts_on_one_redis_hear_nothing_of_each_other(tmp_path: Path) -> None:
    async with accounts(tmp_path) as (mine, yours, _):
        for account in (mine, yours):
            await account.s4.start()
        for account in (mine, yours):
            await account.house.until_ready(account.s4.url)

        # an intent on the one's stream is the one's alone
        await mine.intend(AN_ORDER)
        await until_filled(mine)
        assert (list(await mine.held()), await yours.held()) == (["BTCUSDT"], {})
        assert await yours.told(keys.ORDERS_INTENT) == []

        # the same ids are another order there, and its news go there
        before = [fields["event_id"] for fields in await mine.told(keys.ORDERS_EXECUTED)]
        assert (await yours.ask("POST", "/orders", AN_ORDER))["status"] == "FILLED"
        assert list(await yours.held()) == ["BTCUSDT"]
        assert [fields["event_id"] for fields in await mine.told(keys.ORDERS_EXECUTED)] == before

        # a kill stops the one
        await mine.ask("POST", "/kill", {"scope": "GLOBAL", "by": "me", "reason": "mine alone"})
        more = AN_ORDER | {"intent_id": "i-b", "client_order_id": "b"}
        assert (await mine.ask("POST", "/orders", more))["code"] == "KILL_SWITCH"
        assert (await yours.ask("POST", "/orders", more))["status"] == "FILLED"


@pytest.mark.req("S3-PER-2")
async def test_the_second_account_in_one_database_takes_no_entries(tmp_path: Path) -> None:
    async with accounts(tmp_path) as (mine, _, theirs):
        for account in (mine, theirs):
            await account.s4.start()
            await account.house.until_ready(account.s4.url)
        async with asyncio.timeout(10):
            while "REDIS_SHARED" not in await theirs.barriers():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

        await mine.intend(AN_ORDER)
        await until_filled(mine)
        assert (await theirs.ask("POST", "/orders", AN_ORDER))["code"] == "REDIS_SHARED"
        assert (list(await mine.held()), await theirs.held()) == (["BTCUSDT"], {})
        assert "REDIS_SHARED" not in await mine.barriers()

        # what S3 may promise is the first one's alone, and nobody but it has read or answered the stream
        assert await mine.open_symbols(budgets=6) == {("BTCUSDT",)}
        assert [fields for fields in await mine.told(keys.ROUTER_EVENTS) if fields["kind"] == REFUSED] == []
        assert "REDIS_SHARED" in {fields["code"] for fields in await mine.told(keys.ALERTS)}
        assert "BUS_AWAY" not in await theirs.barriers()

        # nor does its S3 decide by the other's figures, or write there
        s3 = theirs.house.strategy(
            S3_S4_URL=theirs.s4.url, S3_REDIS_ADDRESSES=theirs.redis, S3_LEDGER_PATH=str(tmp_path / "theirs-s3.sqlite")
        )
        await s3.start()
        try:
            async with asyncio.timeout(10):
                while WHY not in await theirs.why_undecided(s3):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.05)
            health = (await theirs.house.ask("GET", f"{s3.url}/health"))[1]
            assert health["checks"]["redis"] == {"status": "down", "reason": WHY}
        finally:
            await s3.stop()
        assert [fields["intent_id"] for fields in await mine.told(keys.ORDERS_INTENT)] == ["i-a"]


async def until_filled(account: Account) -> None:
    async with asyncio.timeout(10):
        while (await account.ask("GET", "/orders/a")).get("status") != "FILLED":  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
