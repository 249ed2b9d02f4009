"""A close under its caller's name is made once: asked again in flight, later, after a restart, with another body."""

import asyncio
from decimal import Decimal

import pytest
from test_closing_parts import closing

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router.relay import Relay
from chimera.trading.commands import Command
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.events import CloseTaken
from chimera.trading.execution import CloseName
from chimera.trading.facts import CloseAsked, Fact, Published
from chimera.trading.market import Market
from chimera.trading.order import Role
from chimera.wire import closes
from chimera.wire.codec import seal, unseal
from support.desk import SYMBOL, Desk, a_long
from support.standing import CLOCK

pytestmark = pytest.mark.req("S4-IDEM-1")
PART, ALL = Decimal("0.01"), None


def name(close_id: str = "p1", qty: Decimal | None = PART) -> CloseName:
    return closes.named(close_id, market="FUT", symbol=SYMBOL, qty=qty, reason="CALLER")


class House:
    """One process after another over the same ledger."""

    def __init__(self, desk: Desk, ledger: MemoryLedger | None = None) -> None:
        self.desk, self.ledger = desk, ledger or MemoryLedger()
        self.closing = closing(desk, self.ledger)

    async def ask(self, close_id: str = "p1", qty: Decimal | None = PART) -> dict[str, object]:
        return await self.closing.close(Market.FUT, SYMBOL, qty, "CALLER", name(close_id, qty))

    def killed(self) -> "House":
        """What is left is the document on disk, and rows."""
        self.desk.holding = unseal(seal(self.desk.holding), type(self.desk.holding))
        return House(self.desk, self.ledger)

    async def told(self) -> None:
        """The relay has done its work."""
        relay, holding = Relay(self.ledger, MemoryBus(CLOCK)), self.desk.holding
        for event in holding.outbox:
            await relay.keep(holding.key, event)
        self.desk.hear(Published(through=holding.event_seq))

    def filled(self) -> None:
        order = self.desk.placed(Role.EXIT)
        self.desk.ack(order)
        self.desk.fill(order, str(order.qty))

    @property
    def exits(self) -> int:
        return int(self.desk.count(Role.EXIT))


@pytest.mark.parametrize("relayed", [False, True])
@pytest.mark.parametrize("killed", [False, True])
async def test_a_part_asked_again_after_it_was_closed_closes_no_other(relayed: bool, killed: bool) -> None:
    """A caller's retry after the first part had finished closed another part."""
    house = House(a_long("0.03"))
    first = await house.ask()
    during = await house.ask()
    house.filled()
    if relayed:
        await house.told()
    if killed:
        house = house.killed()
    again = await house.ask()

    assert first == during == again | {"status": "CLOSING", "message": "closing"}
    assert again["status"] == "CLOSED"
    assert house.desk.holding.position.qty == Decimal("0.02")
    assert (house.exits, house.desk.holding.exit) == (1, None)
    await house.ask("p2")
    assert house.exits == 2, "another name is another part"


async def test_all_of_it_by_a_name_leaves_what_was_opened_later() -> None:
    house = House(a_long("0.03"))
    await house.ask("all", ALL)
    house.filled()
    await house.told()
    reopened = House(a_long("0.02"), house.ledger)
    assert (await reopened.ask("all", ALL))["status"] == "CLOSED"
    assert (reopened.exits, reopened.desk.holding.exit) == (0, None)


async def test_so_does_one_that_found_nothing_to_close() -> None:
    house = House(Desk())
    assert (await house.ask("all", ALL))["status"] == "FLAT"
    await house.told()
    opened = House(a_long("0.02"), house.ledger)
    assert (await opened.ask("all", ALL))["status"] == "CLOSED"
    assert opened.exits == 0


@pytest.mark.parametrize("killed", [False, True])
async def test_another_body_by_a_used_name_is_refused(killed: bool) -> None:
    house = House(a_long("0.03"))
    await house.ask()
    house = house.killed() if killed else house
    for other in (Decimal("0.02"), ALL):
        with pytest.raises(Refused) as no:
            await house.ask(qty=other)
        assert (no.value.code, no.value.field) == ("DUPLICATE_ID", "close_id")
    assert house.exits == 1


async def test_a_part_by_another_name_waits_for_the_first() -> None:
    """The same quantity, and still another close: answered CLOSING it would never have been made."""
    house = House(a_long("0.03"))
    await house.ask("p1")
    with pytest.raises(Refused) as no:
        await house.ask("p2")
    assert no.value.code == "CLOSING"
    assert (await house.ask("p1"))["status"] == "CLOSING"


class Slow(MemoryLedger):
    async def get(self, collection: str, key: str) -> dict[str, object] | None:
        found = await super().get(collection, key)
        await asyncio.sleep(0)
        return found


async def test_two_who_ask_at_once_by_one_name_close_it_once() -> None:
    """The second had looked before the first began, and it found nothing; the first was over before it heard so."""
    house = House(a_long("0.03"), Slow())
    hear = house.desk.hear

    def at_once(fact: Fact) -> tuple[Command, ...]:
        commands = hear(fact)
        if isinstance(fact, CloseAsked) and house.exits == 1:
            house.filled()
        return commands

    house.desk.hear = at_once  # type: ignore[method-assign]  # it answers before anybody else runs
    await asyncio.gather(house.ask(), house.ask())
    assert (house.exits, house.desk.holding.position.qty) == (1, Decimal("0.02"))


class Away(MemoryLedger):
    async def get(self, collection: str, key: str) -> dict[str, object] | None:
        raise StoreUnavailable("away")


async def test_while_the_ledger_is_away_all_goes_and_a_part_is_refused() -> None:
    """Nobody knows whether the part was closed by this name before; all of it, closed twice, is closed."""
    house = House(a_long("0.03"), Away())
    with pytest.raises(StoreUnavailable):
        await house.ask()
    assert house.exits == 0
    assert (await house.ask("all", ALL))["status"] == "CLOSING"
    assert house.desk.holding.flattening


def test_the_event_and_the_close_are_one_document() -> None:
    desk = a_long("0.03")
    assert not any(isinstance(event.body, CloseTaken) for event in desk.holding.outbox)
    house = House(desk)
    asyncio.run(house.ask())
    taken = [event.body for event in house.desk.holding.outbox if isinstance(event.body, CloseTaken)]
    assert [(each.name, each.held) for each in taken] == [(name(), Decimal("0.03"))]
    assert desk.holding.exit is not None
    assert desk.holding.exit.name == name()
    assert desk.holding.closes == ()
