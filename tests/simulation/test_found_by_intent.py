"""After a crash at any point S4 finds by the intent's id what happened: asked by that id, it tells the truth."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import ChimeraError
from world.composed import World
from world.sweep import QTY, STORIES, killed_at, steps_of

ASKED_S = 28.0  # the story is over, its position closed, and what was in doubt proved dead
STRIDE = 83  # steps of S4 between two crashes; ``make sim-sweep`` takes every one, and judges by the venue's log


class Asking:
    """``run``'s script: one question to whatever incarnation lives then."""

    def __init__(self) -> None:
        self.row: dict[str, Any] | None = None
        self.filled = Decimal(0)
        self.taken: set[str] = set()  # ids of the orders that the venue took

    def begin(self, world: World) -> None:
        world.loop.outside(self._ask(world), name="who asks")

    async def _ask(self, world: World) -> None:
        await asyncio.sleep(ASKED_S)
        while self.row is None:
            try:
                self.row = await world.link.call(None, lambda router: router.order("w-0"), timeout_ms=3_000)
            except ChimeraError:
                await asyncio.sleep(0.5)

    async def end(self, world: World) -> None:
        self.taken = {each.client_order_id for each in world.twin.audit if each.kind is Kind.ACCEPT}
        fills = [each for each in world.twin.audit if each.kind is Kind.FILL and not each.reduce_only]
        self.filled = sum((each.qty or Decimal(0) for each in fills), Decimal(0))


@pytest.mark.req("S4-REC-1", "I26")
@pytest.mark.parametrize("story", STORIES)
def test_killed_at_any_step_it_finds_the_intent_by_its_id(story: str) -> None:
    found = asked = 0
    for step in range(1, steps_of(story), STRIDE):
        asking = Asking()
        verdict = killed_at(step, story, asking)
        row = asking.row
        assert verdict.counters["kills"] == 1, step
        assert row is not None, step
        assert row["intent_id"] == "w-0", step
        assert Decimal(str(row["filled_qty"])) == asking.filled, step
        assert verdict.answers == {"w-0": row["status"]}, step
        if row["status"] == "FILLED":
            assert asking.filled == QTY, step
            found += 1
        else:  # killed between disk and wire: that the order never left is proved when the position was to be closed
            assert row["status"] == "CANCELED", step
            assert [each for each in row["children"] if each["client_order_id"] not in asking.taken], step
        asked += 1
    assert found > asked * 0.7
