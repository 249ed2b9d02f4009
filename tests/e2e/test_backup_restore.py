"""Real processes: trade, copy, trade on, die, put the copy back: exits only, then open again, and no order twice."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from chimera.simulate.venue.audit import Kind
from proofs.real import ROOT, Stage, stage
from world import oracle
from world.put_back import named_once

pytestmark = pytest.mark.slow

UNTOLD = {"name": "unavailable_503", "id": "untold", "match": {"path": "/fapi/v1/allOrders", "method": "GET"}}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        await made.s4.start()
        await made.until_open()
        yield made


def an_order(name: str, **changes: Any) -> dict[str, Any]:
    body = {"intent_id": f"i-{name}", "client_order_id": name, "market": "FUT", "symbol": "BTCUSDT", "side": "BUY"}
    return body | {"qty": "0.003", "exec_policy": {"type": "MARKET"}} | changes


async def order(house: Stage, name: str, **changes: Any) -> tuple[int, Any]:
    return await house.ask("POST", f"{house.s4_url}/orders", an_order(name, **changes))


async def barriers(house: Stage) -> list[str]:
    return [each["code"] for each in (await house.ask("GET", f"{house.s4_url}/health"))[1]["barriers"]]


async def held(house: Stage) -> float:
    rows = (await house.ask("GET", f"{house.s4_url}/positions"))[1]["positions"]
    return sum(float(row["qty"]) for row in rows)


async def chimera(house: Stage, *words: str) -> tuple[int, Any]:
    """A verb as a user types it, with S4's settings."""
    settings = {"S4_FUT_URL": house.venue_url, "S4_LEDGER_PATH": str(house.ledger_path("s4"))}
    settings["S3_LEDGER_PATH"] = str(house.ledger_path("s3"))
    command = [sys.executable, "-m", "chimera.cli.main", *words, "--json"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env={**os.environ, **settings}
    )
    told, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(told.splitlines()[0]) if told else None


@pytest.mark.req("LED-4", "S4-REC-1", "S4-IDEM-1", "I1")
async def test_a_copy_put_back_takes_exits_only_and_opens_again_when_the_venues_trades_agree(house: Stage) -> None:
    file = str(house.folder / "backup.tar")
    await order(house, "a")
    copied = await chimera(house, "backup", file)
    await order(house, "b")
    await house.ask("POST", f"{house.s4_url}/positions/BTCUSDT/close", {"qty": "0.001"})
    await order(house, "c")
    async with asyncio.timeout(20):
        while abs(await held(house) - 0.008) > 1e-9:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    refused = await chimera(house, "restore", file, "--only", "s4")  # it runs
    await house.s4.kill()
    before_us = house.audit()[-1].at_us
    asked = await chimera(house, "restore", file, "--only", "s4")
    done = await chimera(house, "restore", file, "--only", "s4", "--confirm", str(asked[1]["accepted"]))

    assert (copied[0], refused[0], asked[0], asked[1]["code"], done[0]) == (0, 7, 4, "CONFIRM", 0)

    await house.ask("POST", f"{house.venue_url}/sim/faults", UNTOLD)
    await house.s4.start()
    async with asyncio.timeout(30):
        while await waits(house):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)
    entering = await order(house, "d")
    closing = await house.ask("POST", f"{house.s4_url}/positions/BTCUSDT/close", {"qty": "0.001"})

    assert entering[1]["code"] == "LEDGER_RESTORED"
    assert closing[0] in (200, 202)

    await house.ask("DELETE", f"{house.venue_url}/sim/faults?id=untold")
    await house.until_open()
    again = [await order(house, name) for name in ("b", "c")]
    new = await order(house, "e")
    audit = house.audit()

    assert [told[1]["code"] for told in again] == ["DUPLICATE_ID", "DUPLICATE_ID"]
    assert new[1]["status"] == "FILLED"
    assert oracle.entered_once(audit) == []
    assert named_once(audit, (), before_us + 1) == []
    assert sum(each.kind is Kind.FILL and oracle.is_entry(each) for each in audit) == 4
    async with asyncio.timeout(20):
        while abs(await held(house) - 0.010) > 1e-9:  # noqa: ASYNC110 - 0.012 bought, twice a part was closed
            await asyncio.sleep(0.05)


async def waits(house: Stage) -> bool:
    """S4 does not answer yet, or has not seen what its ledger is, or not yet heard its position."""
    if not await house.is_ready(house.s4_url):
        return True
    return await barriers(house) != ["LEDGER_RESTORED"]
