"""How long an answer waits for the end of its intent: never longer than the router was told."""

import asyncio
from typing import Any, cast

import pytest
from desk import KEY, Desk, an_intent

from chimera.ports.ledger import Ledger
from chimera.services.clock import SystemClock
from chimera.services.router.intake import Intake
from chimera.services.router.owner import Owner
from chimera.trading.standstill import Kill, Scope, Standstill


class StubOwner:
    """A holding that is on disk, or not."""

    def __init__(self, desk: Desk, *, saved: bool = True) -> None:
        self.holding = desk.holding
        self.saved = saved

    async def saved_soon(self) -> bool:
        return self.saved

    def untold(self, intent_id: str) -> bool:
        return not self.saved


def an_intake(owner: Owner, longest_wait_ms: int) -> Intake:
    nobody = cast("Any", None)  # neither is asked while the intent lives
    return Intake({KEY: owner}, cast("Ledger", nobody), SystemClock(), longest_wait_ms=longest_wait_ms)


def at_work() -> Owner:
    desk = Desk()
    desk.submit(an_intent(), wait_ms=3_000)
    return cast("Owner", StubOwner(desk))


async def test_the_setting_bounds_the_wait() -> None:
    owner, name = at_work(), an_intent().intent_id
    intake = an_intake(owner, 0)

    outcome = await asyncio.wait_for(intake.await_end(owner, name, intake.row(name, {}), None), 1)

    assert (outcome.done, outcome.row["status"]) == (False, "ACCEPTED")


async def test_without_a_bound_it_waits_for_the_end() -> None:
    owner, name = at_work(), an_intent().intent_id
    intake = an_intake(owner, 10_000)

    waiting = asyncio.create_task(intake.await_end(owner, name, intake.row(name, {}), None))
    await asyncio.sleep(0)

    assert not waiting.done()
    waiting.cancel()


@pytest.mark.req("S4-API-5", "I2")
async def test_what_ended_at_once_is_answered_when_it_is_on_disk() -> None:
    """Seed 972: accepted into a close that was just beginning, over in the same step, answered, and lost in a crash."""
    desk = Desk()
    desk.standstill = Standstill().killed(Kill(scope=Scope.GLOBAL, by="me", reason="fire", at_ms=desk.now))
    desk.submit(an_intent())
    assert desk.holding.intents == {}, "over before anybody could wait for it"
    name = an_intent().intent_id
    for saved in (False, True):
        owner = cast("Owner", StubOwner(desk, saved=saved))
        intake = an_intake(owner, 0)
        intake.heard(desk.holding.outbox)
        outcome = await intake.await_end(owner, name, intake.row(name, {}), None)
        assert (outcome.done, outcome.in_doubt, outcome.row["status"]) == (saved, not saved, "REJECTED")
