"""Several S4 processes of one account: whoever acts dies, the heir protects, and callers lose and double nothing."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from chimera.adapters.embedded.looking_on import LookingOn
from chimera.client import RouterClient
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused
from chimera.wire import keys
from proofs.real import Stage, stage
from proofs.soak.run import soak
from world import oracle

pytestmark = pytest.mark.slow

LONG_MS: Final = 60_000
ENDS: Final = ("FILLED", "CANCELED", "REJECTED")


def an_order(name: str, **policy: Any) -> dict[str, Any]:
    body = {"intent_id": f"i-{name}", "client_order_id": name, "market": "FUT", "symbol": "BTCUSDT", "side": "BUY"}
    return body | {"qty": "0.002", "exec_policy": policy or {"type": "MARKET"}}


async def ended(client: RouterClient, order: dict[str, Any]) -> dict[str, Any]:
    """Asked as ``docs/wire.md`` has it, with the same ids until there is an answer: what became of it."""
    async with asyncio.timeout(LONG_MS / 1000):
        while True:
            with suppress(NotSent, OutcomeUnknown):
                with suppress(Refused):  # nothing of it filled: its time was over, or it was cancelled
                    await client.submit(order, wait_s=20)
                row = await client.order(order["client_order_id"])
                if row is not None and row["status"] in ENDS:
                    return row
            await asyncio.sleep(0.1)


async def begun(house: Stage) -> None:
    first, second = house.routers
    for services in ((house.feed, first), (second,)):
        for service in services:
            await service.start()
        for service in services:
            await service.wait_ready()
    await house.until_open()


async def sent(client: RouterClient, name: str) -> None:
    """A child of it has gone to the venue."""
    async with asyncio.timeout(LONG_MS / 1000):
        while not (await client.order(name) or {})["children"]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


def _trail(house: Stage) -> list[dict[str, Any]]:
    with LookingOn(house.ledger_path("s4")) as looking:
        return list(looking.documents(keys.AUDIT))


@pytest.mark.req("S4-ROUTE-6", "S4-REC-1", "S4-IDEM-1", "I1", "I4", "I6", "I19", "I31")
async def test_the_heir_of_a_killed_router_protects_and_who_was_given_both_addresses_loses_nothing(
    tmp_path: Path,
) -> None:
    """It holds a position, one order rests, another is between its maker and its taker, a third is on its way."""
    async with stage(tmp_path, routers=2) as house:
        await begun(house)
        addresses = ",".join(router.url for router in house.routers)
        async with RouterClient(addresses, timeout_ms=LONG_MS) as client:
            held = await ended(client, an_order("held"))
            rests = an_order("rests", type="MakerThenTaker", maker_wait_ms=600_000)
            works = an_order("works", type="MakerThenTaker", maker_wait_ms=10_000)
            for order in (rests, works):
                await client.submit(order)
                await sent(client, order["client_order_id"])
            coming = asyncio.create_task(ended(client, an_order("comes")))
            await house.routers[0].kill()
            rows = [held, await coming, await ended(client, works)]
            again = await client.submit(an_order("held"))
            with suppress(Refused):  # it may fill at any time
                await client.cancel(client_order_id="rests")
            rows.append(await ended(client, rests))
            (position,) = await client.positions()
            await house.routers[0].start()
            await house.routers[0].wait_ready()
            health = await client.health()
        codes = [await router.stop() for router in house.routers]
        audit = house.audit()
        lives = [row for row in _trail(house) if row["stage"] == "began"]

    assert [row["fence"] for row in lives] == sorted({row["fence"] for row in lives})
    assert len(lives) > 1
    assert len({row["build"] for row in lives}) == 1
    assert (held["status"], list(again.order_ids)) == ("FILLED", held["order_ids"])
    filled = sum(each.qty for each in audit if each.kind is Kind.FILL and each.qty is not None)
    assert position["qty"] == position["covered_qty"] == filled == sum(row["filled_qty"] for row in rows)
    assert oracle.entered_once(audit) == oracle.never_flips(audit) == []
    assert health["status"] != "standby"
    assert codes == [0, 0]


@pytest.mark.req("S4-ROUTE-6", "I1", "I4", "I6", "I19", "I22")
async def test_a_handful_of_take_overs_under_load_costs_nothing(tmp_path: Path) -> None:
    """How long a position was bare is the proof's to bound (MM-2): here others use the machine, too."""
    told = await soak(3, seed=4, callers=2, routers=3, s3=False, folder=tmp_path)

    assert [each for each in told["violations"] if not each.startswith("I10")] == []
    assert told["broken"] == []
    assert told["take_overs"] >= 3
    assert told["fills"] > 0
