"""S4's ledger in ArangoDB by settings alone: the same answers over its deaths, a server that is away at a start, and
routers that share nothing but the server (and Redis).

The server is our stub (``arango_stub``): what it cannot prove stands in docs/arango.md.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytest.importorskip("arangoasync", reason="ArangoDB's driver is not installed (chimera[arango])")


from arango_homes import stub_with_layout
from arango_stub import PASSWORD, USER, ArangoStub

from chimera.adapters.embedded.server import free_port
from chimera.wire import keys
from proofs.real import Stage, stage
from world import oracle

pytestmark = pytest.mark.slow

QUICK = aiohttp.ClientTimeout(total=1)
AN_ORDER = {
    "intent_id": "i-a", "client_order_id": "a", "market": "FUT", "symbol": "BTCUSDT", "side": "BUY", "qty": "0.003",
    "exec_policy": {"type": "MARKET"},
}  # fmt: skip


@pytest.fixture
async def stub() -> AsyncIterator[ArangoStub]:
    async with stub_with_layout() as made:
        yield made


@pytest.fixture
async def house(tmp_path: Path, stub: ArangoStub) -> AsyncIterator[Stage]:
    """S4 runs on the stub, its password in a file; no file of SQLite is made."""
    async with stage(tmp_path) as made:
        made.s4 = made.router(**reaching(stub, tmp_path))
        await made.s4.start()
        await made.until_open()
        yield made


def reaching(stub: ArangoStub, folder: Path) -> dict[str, str]:
    secret = folder / "password"
    if not secret.exists():
        secret.write_text(PASSWORD, encoding="utf-8")
        secret.chmod(0o600)
    uri = f"{stub.url}/chimera"
    return {"S4_DB_ARANGO_URI": uri, "S4_DB_ARANGO_USER": USER, "S4_DB_ARANGO_PASS_FILE": str(secret)}


async def order(house: Stage, url: str = "") -> tuple[int, Any]:
    return await house.ask("POST", f"{url or house.s4_url}/orders", AN_ORDER)


@pytest.mark.req("DB-1", "DB-2", "CONF-1", "S4-IDEM-1")
async def test_an_order_is_one_order_over_the_deaths_of_its_router(house: Stage, stub: ArangoStub) -> None:
    first = await order(house)
    await house.s4.kill()
    await house.s4.start()
    await house.until_open()
    again = await order(house)

    assert (first[0], first[1]["status"]) == (200, "FILLED")
    assert (again[0], again[1]["order_id"], again[1]["status"]) == (200, first[1]["order_id"], "FILLED")
    assert oracle.entered_once(house.audit()) == []
    assert not house.ledger_path("s4").exists()
    async with asyncio.timeout(10):
        while not stub.databases["chimera"][keys.FILLS].documents:  # noqa: ASYNC110 - another process relays
            await asyncio.sleep(0.05)


@pytest.mark.req("DB-1", "S4-REC-1")
async def test_a_server_that_is_away_at_a_start_is_stood_in_for(house: Stage, stub: ArangoStub) -> None:
    """The position keeps its stop, entries wait, and all is as before once the server answers."""
    await order(house)
    await house.s4.kill()
    url, port = stub.url, int(stub.url.rpartition(":")[2])
    await stub.stop()
    await house.s4.start()
    await house.s4.wait_ready()
    async with asyncio.timeout(30):
        while "LEDGER_AWAY_AT_BOOT" not in await barriers(house):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    await stub.start(port=port)  # the hosts of a URI stay
    await house.until_open()

    assert stub.url == url
    assert (await order(house))[1]["status"] == "FILLED"
    assert oracle.entered_once(house.audit()) == []


@pytest.mark.req("S4-ROUTE-6", "I1", "I19")
@pytest.mark.fault("A11")
async def test_routers_with_no_file_in_common_share_an_account(tmp_path: Path, stub: ArangoStub) -> None:
    """The one that acts is frozen beyond its lease: the other has its position and its orders; woken, it stands by."""
    async with stage(tmp_path) as house:
        first, second = (
            house.router(
                name,
                **reaching(stub, tmp_path),
                S4_LEASES="on",
                S4_OWNER_NAME=name,
                S4_LEDGER_PATH=str(tmp_path / name / "s4.sqlite"),
                S4_RECEIPT_KEY_PATH=str(tmp_path / name / "receipt.key"),
                PORT=str(free_port()),
            )
            for name in ("one", "two")
        )
        house.routers, house.s4_url = (first, second), first.url
        await first.start()
        await house.until_open()
        await second.start()
        await until_said(house, second.url, "standby")
        before = await order(house, first.url)
        refused = await order(house, second.url)
        first.signal(signal.SIGSTOP)
        await house.until_ready(second.url)
        after = await order(house, second.url)
        first.signal(signal.SIGCONT)
        await until_said(house, first.url, "standby")
        late = await order(house, first.url)
        held = (await house.ask("GET", f"{second.url}/positions"))[1]["positions"][0]
        owner = stub.databases["chimera"]["leases"].documents["account:main"]

    assert (before[0], before[1]["status"]) == (200, "FILLED")
    assert (refused[0], refused[1]["code"], refused[1]["accepted"]) == (503, "STANDBY", first.url)
    assert (after[0], after[1]["order_id"]) == (200, before[1]["order_id"])
    assert (late[0], late[1]["code"]) == (503, "STANDBY")
    assert held["covered_qty"] == held["qty"] == 0.003
    assert owner["fence"] >= 2
    assert oracle.entered_once(house.audit()) == []


async def until_said(house: Stage, url: str, word: str) -> None:
    async with asyncio.timeout(30):
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):  # not listening yet, or just woken
                if (await house.ask("GET", f"{url}/health", timeout=QUICK))[1]["status"] == word:
                    return
            await asyncio.sleep(0.05)


async def barriers(house: Stage) -> list[str]:
    return [each["code"] for each in (await house.ask("GET", f"{house.s4_url}/health"))[1]["barriers"]]
