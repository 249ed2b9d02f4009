"""An entry against the position at the simulated exchange, where S4_ON_OPPOSITE is net: reduced first, then opened."""

import asyncio
from contextlib import suppress
from decimal import Decimal

import pytest
from test_routes_worked import a_market, an_order, row_of, submit

from chimera.trading.errors import OutcomeUnknown
from chimera.trading.intent import Intent, MakerThenTaker, MarketNow, StopSpec
from chimera.trading.market import Side
from chimera.trading.money import Price, Qty
from support.incident_stage import Stage, Story, Told, play, role_of, steps
from world.plan import KillAt
from world.run import CALLERS, Options, run

pytestmark = pytest.mark.req("S4-POS-1")

SLICED = MakerThenTaker(wait_ms=0, slices=4, gap_ms=700)


def net(stage: Stage) -> None:
    stage.world.plan = stage.world.plan.but(nets=True)


def a_sell(stage: Stage, qty: Qty, policy: object = None) -> Intent:
    order = an_order(stage, policy or MarketNow(), qty=qty, name="x")  # type: ignore[arg-type]
    return order.but(side=Side.SELL, stop=StopSpec(price=Price(Decimal(66_400))))


def sells(told: Told) -> list[tuple[Decimal, bool]]:
    """What the second intent's orders asked for, and whether they could only reduce."""
    return [
        (each.qty or Decimal(0), each.reduce_only)
        for each in told.audit
        if each.kind == "accept" and each.client_order_id.startswith("s3-x-") and role_of(each) in ("m", "t")
    ]


def a_flip(qty: Qty, policy: object = None, *, kill_s: float | None = None) -> Told:
    async def long(stage: Stage) -> None:
        await submit(stage, an_order(stage, MarketNow(), qty=steps(20)), wait_ms=3_000)

    async def against(stage: Stage) -> None:
        order = a_sell(stage, qty, policy)
        for _ in range(2):  # as who calls must: until there is an answer
            with suppress(OutcomeUnknown):
                await submit(stage, order, wait_ms=0)
            await asyncio.sleep(4)
        await row_of(stage, "x")

    blows = () if kill_s is None else (KillAt(at_s=kill_s),)
    hands = ((5.0, long), (8.0, against))
    return play(Story(hands=hands, touch=a_market(), extra=(net,), blows=blows, down_ms=1_500, rough_s=30))


@pytest.mark.parametrize("policy", [None, SLICED])
def test_a_flip_is_a_close_and_then_an_entry_with_its_own_stop(policy: object) -> None:
    told = a_flip(steps(50), policy)

    assert told.broken == []
    assert sum(qty for qty, reduces in sells(told) if reduces) == steps(20)
    assert sum(qty for qty, reduces in sells(told) if not reduces) == steps(30)
    only_reduce = [reduces for _, reduces in sells(told)]
    assert only_reduce == sorted(only_reduce, reverse=True)
    assert told.position(13.5) == -steps(30)
    [stop] = told.live(13.5, "s")
    assert stop.startswith("s3-x-")
    assert told.longest_bare_ms < 500


def test_less_than_is_held_only_reduces() -> None:
    told = a_flip(steps(15))
    assert told.broken == []
    assert sells(told) == [(steps(15), True)]
    assert told.position(12.0) == steps(5)


@pytest.mark.parametrize("kill_s", [8.005, 8.02, 8.04, 8.06, 8.1, 8.2])
def test_a_death_in_the_middle_of_a_flip_ends_in_the_same_position(kill_s: float) -> None:
    told = a_flip(steps(50), kill_s=kill_s)
    assert told.broken == []
    assert told.position(16.5) == -steps(30)
    assert sum(qty for qty, reduces in sells(told) if not reduces) == steps(30)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(88_200, 88_206))
def test_drawn_worlds_with_netting_keep_every_invariant(seed: int) -> None:
    assert run(seed, None, Options(nets=True, who=CALLERS)).violations == ()
