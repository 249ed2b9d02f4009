"""``GET /health`` and ``GET /ready`` of the composed service while what it depends on is away: a Redis server that is
frozen, then killed; a ledger file that somebody else has locked; a model that is killed.
"""

import asyncio
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from chimera.adapters.embedded.server import dying_with_us, find_server, free_port
from chimera.client import StrategyClient
from chimera.services.strategy.main import serve
from chimera.services.strategy.settings import read_settings
from support.model_server import model_at_work

pytestmark = [pytest.mark.req("S3-API-1"), pytest.mark.slow]

WAIT_S = 60  # for whatever must come about; nothing is measured by it


@contextmanager
def redis_at_work(port: int, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = (str(find_server()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", "")
    with subprocess.Popen(dying_with_us(command), stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()


@asynccontextmanager
async def s3_at_work(ledger: Path, redis_port: int, score_url: str) -> AsyncIterator[StrategyClient]:
    settings = read_settings(
        {
            "PORT": "0",
            "S3_LEDGER_PATH": str(ledger),
            "S3_REDIS_ADDRESSES": f"127.0.0.1:{redis_port}",
            "S3_SCORE_URL": score_url,
            "S3_SCORE_TIMEOUT_MS": "5000",
        }
    )
    stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(settings, stop=stop, ready=address.set_result))
    try:
        async with asyncio.timeout(WAIT_S):
            url = await address
        async with StrategyClient(url) as client:
            yield client
    finally:
        stop.set()
        await serving


async def told(client: StrategyClient, **wanted: str) -> dict[str, Any]:
    """The first answer in which these checks stand as wanted, and all others well."""
    async with asyncio.timeout(WAIT_S):
        while True:
            health: dict[str, Any] = await client.health()
            states = {name: check["status"] for name, check in health["checks"].items()}
            if states == dict.fromkeys(states, "ok") | wanted:
                return health


async def readiness(client: StrategyClient, wanted: bool) -> None:
    """Until it is so: on a busy machine a store may miss its second."""
    async with asyncio.timeout(WAIT_S):
        while await client.ready() is not wanted:
            pass


async def test_each_dependency_that_is_away_is_named_and_comes_back(tmp_path: Path) -> None:
    port, ledger = free_port(), tmp_path / "s3.sqlite"
    with model_at_work() as model:
        async with s3_at_work(ledger, port, model.url("good")) as client:
            nobody = await told(client, redis="down")
            await readiness(client, False)

            with redis_at_work(port, tmp_path) as redis:
                well = await told(client)
                await readiness(client, True)
                redis.send_signal(signal.SIGSTOP)
                frozen = await told(client, redis="down")
                await readiness(client, False)
                answer = await client.decide("BTCUSDT")
                assert [reason["code"] for reason in answer.reasons] == ["BUS_AWAY"]
                redis.send_signal(signal.SIGCONT)
                await told(client)

            with redis_at_work(port, tmp_path):
                await told(client)
                with closing(sqlite3.connect(ledger, isolation_level=None)) as somebody:
                    somebody.execute("BEGIN IMMEDIATE")
                    locked = await told(client, document_store="down")
                    await readiness(client, False)
                    somebody.execute("ROLLBACK")
                await told(client)
                await readiness(client, True)

    assert (well["status"], well["rules_loaded"], well["config_rev"]) == ("ok", 4, 1)
    assert [each["status"] for each in (nobody, frozen, locked)] == ["degraded"] * 3
    assert all(each["checks"]["redis"]["reason"] for each in (nobody, frozen))
    assert locked["checks"]["document_store"]["reason"]
    assert [each["rules_loaded"] for each in (nobody, frozen, locked)] == [4, 4, 4]
