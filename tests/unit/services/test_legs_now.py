"""A settled order's stops and targets are shown as they are now, not as they were when it was done."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.clock import Clock
from chimera.ports.streams import Bus
from chimera.services.router.intake import Intake
from chimera.services.router.owner import Owner
from chimera.services.router.relay import Relay
from chimera.trading.errors import StoreUnavailable
from chimera.trading.facts import Published, Ticked
from chimera.trading.ids import IntentId, PositionKey
from chimera.trading.order import Role, Status
from support.desk import KEY, Desk, a_long

pytestmark = pytest.mark.req("S4-API-5")


class Nowhere:
    """Streams and snapshots that take everything."""

    async def put(self, *told: object, **more: object) -> None: ...


class Away(MemoryLedger):
    """Answers nothing any more, once told so."""

    away = False

    async def get(self, collection: str, key: str) -> dict[str, Any] | None:
        if self.away:
            raise StoreUnavailable("away")
        return await super().get(collection, key)


class House:
    """One position, its rows, and who asks for its orders."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.ledger = desk, Away()
        self.relay = Relay(self.ledger, cast("Bus", Nowhere()))
        self.owner = cast("Owner", desk)
        owners: Mapping[PositionKey, Owner] = {KEY: self.owner}
        self.intake = Intake(dict(owners), self.ledger, cast("Clock", None))

    async def relayed(self) -> None:
        outbox = self.desk.holding.outbox
        for event in outbox:
            await self.relay.keep(KEY, event, None)
        self.desk.hear(Published(through=outbox[-1].seq))

    async def legs(self) -> list[tuple[str, str, bool]]:
        row = await self.intake.shown("s3-btc-i1")
        assert row is not None
        return [(leg["leg"], leg["status"], leg["in_doubt"]) for leg in row["legs"]]


async def a_house() -> House:
    """Filled, and its stop stands; the row says so."""
    house = House(a_long())
    await house.relayed()
    return house


def sold_by_its_stop(desk: Desk) -> None:
    stop = desk.placed(Role.STOP)
    desk.fill(stop, "0.01", "64000")
    for _ in range(3):
        desk.later(130_000).survey()
        desk.hear(Ticked())
    assert IntentId("i1") not in desk.holding.intents
    assert stop.ref not in desk.holding.orders


async def test_a_stop_that_has_fired_since_is_not_shown_as_standing() -> None:
    house = await a_house()
    assert await house.legs() == [("STOP", "NEW", False)]
    sold_by_its_stop(house.desk)
    await house.relayed()

    assert await house.legs() == [("STOP", "FILLED", False)]


async def test_nor_while_its_news_are_on_no_disk_yet() -> None:
    house = await a_house()
    sold_by_its_stop(house.desk)

    assert await house.legs() == [("STOP", "FILLED", False)]


async def test_where_nobody_can_say_what_became_of_it_that_is_said() -> None:
    house = await a_house()
    row = await house.intake.shown("s3-btc-i1")
    assert row is not None
    sold_by_its_stop(house.desk)
    await house.relayed()
    house.intake._recent[IntentId("i1")] = row
    house.intake._of_order["s3-btc-i1"] = IntentId("i1")
    house.ledger.away = True

    assert await house.legs() == [("STOP", "NEW", True)]


async def test_one_that_still_stands_for_others_says_so() -> None:
    house = await a_house()
    stop = house.desk.placed(Role.STOP)
    row = await house.intake.shown("s3-btc-i1")
    house.desk.holding = house.desk.holding.but(intents={})
    assert house.desk.holding.orders[stop.ref].status is Status.NEW
    assert row is not None
    house.intake._recent[IntentId("i1")] = row
    house.intake._of_order["s3-btc-i1"] = IntentId("i1")

    assert await house.legs() == [("STOP", "NEW", False)]
