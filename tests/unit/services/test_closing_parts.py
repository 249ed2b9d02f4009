"""A close of a part by hand: what cannot be done is refused, not answered as if it were under way."""

from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.ledger import Rows
from chimera.services.router.closing import Closing
from chimera.services.router.standing_in import StandingIn
from chimera.trading.errors import Refused
from chimera.trading.facts import Fact
from chimera.trading.holding import Holding
from chimera.trading.scene import Scene
from chimera.wire import closes
from support.desk import SYMBOL, Desk, a_long
from support.grounds import a_ground
from support.spot_desk import a_spot_long


class DeskOwner:
    """Hears by the reducer itself."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.ledger_is_there = True

    @property
    def holding(self) -> Holding:
        return self.desk.holding

    def hear(self, fact: Fact) -> None:
        self.desk.hear(fact)

    async def saved_soon(self) -> bool:
        return self.ledger_is_there


def closing(desk: Desk, rows: Rows, owner: DeskOwner | None = None) -> Closing:
    """As a process has it that has just begun."""

    def scene(holding: Holding) -> Scene:
        return desk.scene

    market = desk.holding.key.market
    ground = a_ground({desk.holding.key: owner or DeskOwner(desk)}, scene=scene)._replace(
        market=market, instruments={SYMBOL: desk.rules}
    )
    nobody = cast("StandingIn", SimpleNamespace(at=lambda key: False))
    return Closing(ground, nobody, rows)


async def closed(desk: Desk, qty: str | None) -> dict[str, object]:
    asked = None if qty is None else Decimal(qty)
    return await closing(desk, MemoryLedger()).close(desk.holding.key.market, SYMBOL, asked, "CALLER")


async def refused(desk: Desk, qty: str) -> Refused:
    with pytest.raises(Refused) as raised:
        await closed(desk, qty)
    return raised.value


@pytest.mark.req("S4-EXIT-1")
async def test_a_second_part_beside_the_first_is_refused_not_forgotten() -> None:
    """It was answered CLOSING, and nobody ever closed it."""
    desk = a_long("0.03")
    assert (await closed(desk, "0.01"))["status"] == "CLOSING"
    assert (await refused(desk, "0.005")).code == "CLOSING"
    assert (await closed(desk, "0.01"))["status"] == "CLOSING", "asked again it changes nothing"
    assert desk.holding.exit is not None
    assert desk.holding.exit.left_qty == Decimal("0.01")


@pytest.mark.req("S4-EXIT-1")
async def test_all_of_it_goes_beside_a_part() -> None:
    desk = a_long("0.03")
    await closed(desk, "0.01")
    assert (await closed(desk, None))["status"] == "CLOSING"
    assert desk.holding.flattening
    assert (await closed(desk, "0.01"))["status"] == "CLOSING", "it goes with all of it"


@pytest.mark.req("S4-EXIT-1")
async def test_a_part_below_one_step_is_refused() -> None:
    desk = a_long("0.03")
    assert (await refused(desk, "0.0004")).code == "BELOW_STEP"
    assert desk.holding.exit is None


@pytest.mark.req("S4-EXIT-1", "S4-SPOT-1")
async def test_a_part_worth_too_little_on_spot_is_refused() -> None:
    desk = a_spot_long()
    assert (await refused(desk, "0.00005")).code == "MIN_NOTIONAL"
    assert (await closed(desk, "0.005"))["status"] == "CLOSING"


@pytest.mark.req("S4-EXIT-1")
@pytest.mark.parametrize("qty", [Decimal("0.01"), None])
async def test_a_close_that_is_not_on_disk_is_in_doubt_until_it_is(qty: Decimal | None) -> None:
    """It was answered as if nothing could forget it; so was the same asked again while the ledger was still away."""
    desk = a_long("0.03")
    owner = DeskOwner(desk)
    shop = closing(desk, MemoryLedger(), owner)
    name = closes.named("p1", market="FUT", symbol=SYMBOL, qty=qty, reason="CALLER")

    async def asked() -> dict[str, object]:
        return await shop.close(desk.holding.key.market, SYMBOL, qty, "CALLER", name)

    owner.ledger_is_there = False
    for answer in (await asked(), await asked()):
        assert (answer["status"], answer["in_doubt"]) == ("CLOSING", True)
    owner.ledger_is_there = True
    assert (await asked())["in_doubt"] is False
