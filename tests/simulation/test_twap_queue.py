"""Slices of real plans and the queue in the bus: told, woken by it, on time without it. S4 and the twin are real."""

import asyncio
from itertools import pairwise

import pytest
from test_routes_worked import a_market, an_order, submit

from chimera.trading.errors import StoreUnavailable
from chimera.trading.intent import MakerThenTaker
from chimera.trading.money import Millis
from chimera.wire import keys
from support.incident_stage import SYMBOL, Stage, Story, Told, play, steps, without
from world.plan import KillAt

pytestmark = pytest.mark.req("S4-ROUTE-6", "I16")

GAP_MS = 1_500
SLICES = 4
TASK = f"binance:main:FUT:{SYMBOL}#r"
BEGIN_S = 5.0


async def send(stage: Stage) -> None:
    await submit(stage, an_order(stage, MakerThenTaker(wait_ms=0, slices=SLICES, gap_ms=GAP_MS), qty=steps(40)))


def in_queue(stage: Stage) -> dict[str, int]:
    tasks = stage.world.bus._content.queues.due(keys.TWAP_QUEUE, Millis(2**52), 100)
    return {task.name: task.due_ms for task in tasks}


def gaps_ms(told: Told) -> list[float]:
    return [(later.at_us - sooner.at_us) / 1_000 for sooner, later in pairwise(told.entries)]


def test_the_queue_holds_the_next_slice_and_nothing_once_the_plan_is_over() -> None:
    seen: list[dict[str, int]] = []

    async def look(stage: Stage) -> None:
        for _ in range(14):
            seen.append(in_queue(stage))
            await asyncio.sleep(0.5)

    told = play(Story(hands=((BEGIN_S, send), (BEGIN_S, look)), touch=a_market()))

    assert told.broken == []
    assert told.bought == steps(40)
    assert {name for queue in seen for name in queue} == {TASK}
    assert sum(TASK in queue for queue in seen) >= 2 * GAP_MS * (SLICES - 1) / 1_000 - 3
    assert seen[-1] == {}


def test_the_queue_alone_brings_every_slice_where_an_owner_has_lost_his_timer() -> None:
    """And without both the later slices never go: nothing else would bring them."""
    timer = ("chimera.services.router.owner:Owner", "_set_timer", lambda _: None)
    tick = ("chimera.services.router.waking:Waking", "_wake", _nobody)
    with without(timer):
        woken = play(Story(hands=((BEGIN_S, send),), touch=a_market()))
    with without(timer, tick):
        asleep = play(Story(hands=((BEGIN_S, send),), touch=a_market()))

    assert woken.bought == steps(40)
    assert len(woken.entries) == SLICES
    assert all(GAP_MS <= gap <= GAP_MS + 3_200 for gap in gaps_ms(woken))
    assert len(asleep.entries) < SLICES


async def _nobody(*_: object) -> None:
    return


async def _away(*_: object, **__: object) -> None:
    raise StoreUnavailable("the queue is away")


@pytest.mark.fault("D1")
def test_with_the_queue_away_every_slice_goes_when_it_goes_with_it() -> None:
    """By its owner's own timer, to the millisecond."""
    broken = [("chimera.adapters.memory.bus:MemoryBus", name, _away) for name in ("schedule", "claim", "drop")]
    with without(*broken):
        without_it = play(Story(hands=((BEGIN_S, send),), touch=a_market()))
    with_it = play(Story(hands=((BEGIN_S, send),), touch=a_market()))

    assert without_it.broken == []
    assert without_it.bought == steps(40)
    assert gaps_ms(without_it) == pytest.approx(gaps_ms(with_it), abs=20)


@pytest.mark.fault("D2")
def test_a_fail_over_that_loses_the_queue_and_stale_tasks_change_nothing() -> None:
    async def spoil(stage: Stage) -> None:
        bus = stage.world.bus
        for _ in range(8):
            bus._content.queues.drop(keys.TWAP_QUEUE, [TASK])
            await bus.schedule(keys.TWAP_QUEUE, {f"{TASK}-never-there": Millis(0), "of#nobody": Millis(0)})
            await asyncio.sleep(0.7)

    told = play(Story(hands=((BEGIN_S, send), (BEGIN_S + 0.3, spoil)), touch=a_market()))

    assert told.broken == []
    assert told.bought == steps(40)
    assert gaps_ms(told) == pytest.approx(gaps_ms(play(Story(hands=((BEGIN_S, send),), touch=a_market()))), abs=20)
    assert in_queue(told.stage) == {"of#nobody": 0}


@pytest.mark.fault("A7")
@pytest.mark.parametrize("down_s", [0.4, 6, 90])
def test_after_an_outage_no_slice_comes_in_a_burst_and_none_twice(down_s: float) -> None:
    """Whichever of the two alarms wakes the plan first; what the deadline has overtaken is left out."""
    blow = KillAt(at_s=BEGIN_S + 1.9)
    told = play(Story(hands=((BEGIN_S, send),), touch=a_market(), blows=(blow,), down_ms=round(down_s * 1_000),
                      rough_s=24 + down_s))  # fmt: skip

    assert told.broken == []
    assert told.bought <= steps(40)
    assert len(told.entries) == len({each.client_order_id for each in told.entries}) <= SLICES
    assert all(gap >= GAP_MS - 250 for gap in gaps_ms(told))
    assert down_s > 6 or told.bought == steps(40)
    assert in_queue(told.stage) == {}
