"""After a crash at any point S4 finds by the intent's id what happened: asked by that id, it tells the truth."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from chimera.services.world.composed import World
from chimera.services.world.sweep import QTY, STORIES, killed_at, steps_of
from chimera.simulate.venue.audit import Kind
from chimera.trading.errors import ChimeraError

ASKED_S = 20.0  # the story is over, its position closed
STRIDE = 83  # steps of S4 between two crashes; ``make sim-sweep`` takes every one, and judges by the venue's log


class Asking:
    """``run``'s script: one question to whatever incarnation lives then."""

    def __init__(self) -> None:
        self.row: dict[str, Any] | None = None
        self.filled = Decimal(0)

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
        fills = [each for each in world.twin.audit if each.kind is Kind.FILL and not each.reduce_only]
        self.filled = sum((each.qty or Decimal(0) for each in fills), Decimal(0))


@pytest.mark.req("S4-REC-1", "I26")
@pytest.mark.parametrize("story", STORIES)
def test_killed_at_any_step_it_finds_the_intent_by_its_id(story: str) -> None:
    for step in range(1, steps_of(story), STRIDE):
        asking = Asking()
        verdict = killed_at(step, story, asking)
        row = asking.row
        assert verdict.counters["kills"] == 1, step
        assert row is not None, step
        assert (row["intent_id"], row["status"]) == ("w-0", "FILLED"), step
        assert Decimal(str(row["filled_qty"])) == asking.filled == QTY, step
        assert verdict.answers == {"w-0": "FILLED"}, step
