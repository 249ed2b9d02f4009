"""A leverage that its owner sets while a schedule is worked, or while S4 is down: nothing more is bought at it."""

import pytest
from test_routes_worked import a_market, an_order, submit

from chimera.adapters.binance.raw import SET_LEVERAGE
from chimera.trading.intent import MakerThenTaker
from support.incident_stage import SYMBOL, Stage, Story, Told, play, steps, without
from world.plan import Blow, KillAt

pytestmark = [pytest.mark.req("S4-RULE-2"), pytest.mark.fault("F13")]

BEGUN_S, SET_S = 6.0, 8.2
GAP_MS = 5_000


def worked(*blows: Blow) -> Told:
    """Three slices at 20; between the first and the second their owner sets 100, in the venue's app."""

    async def send(stage: Stage) -> None:
        await submit(stage, an_order(stage, MakerThenTaker(wait_ms=0, slices=3, gap_ms=GAP_MS), qty=steps(30)))

    async def raised(stage: Stage) -> None:
        await stage.raw.sync_clock()
        await stage.raw.call(SET_LEVERAGE, {"symbol": SYMBOL, "leverage": "100"})

    return play(Story(hands=((BEGUN_S, send), (SET_S, raised)), touch=a_market(), blows=blows))


@pytest.mark.parametrize("blows", [(), (KillAt(at_s=SET_S - 0.2),)], ids=["while it ran", "while it was down"])
def test_a_schedule_buys_nothing_more_at_a_leverage_that_another_has_set(blows: tuple[Blow, ...]) -> None:
    """Its stop was judged by 20: at 100 the venue liquidates before it."""
    told = worked(*blows)

    assert told.broken == []
    assert [each.at_us / 1e6 < SET_S for each in told.entries] == [True]


def test_without_the_question_it_goes_on() -> None:
    async def none(*_: object) -> None:
        return None

    with without(("chimera.services.router.preparing:Preparing", "differs", none)):
        told = worked()
    assert len(told.entries) == 3
