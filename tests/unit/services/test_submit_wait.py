"""How long an answer waits for the end of its intent: never longer than the router was told."""

import asyncio
from typing import Any, cast

from desk import KEY, Desk, an_intent

from chimera.ports.clock import Clock
from chimera.ports.ledger import Ledger
from chimera.services.router.intake import Intake
from chimera.services.router.owner import Owner


class StubOwner:
    """A holding that is always on disk."""

    def __init__(self, desk: Desk) -> None:
        self.holding = desk.holding

    async def saved_soon(self) -> bool:
        return True


def an_intake(longest_wait_ms: int) -> Intake:
    desk = Desk()
    desk.submit(an_intent(), wait_ms=3_000)
    owner = cast("Owner", StubOwner(desk))
    nobody = cast("Any", None)  # neither is asked while the intent lives
    return Intake({KEY: owner}, cast("Ledger", nobody), cast("Clock", nobody), longest_wait_ms=longest_wait_ms)


async def test_the_setting_bounds_the_wait() -> None:
    intake, name = an_intake(0), an_intent().intent_id

    outcome = await asyncio.wait_for(intake.await_end(name, intake.row(name, {}), None), 1)

    assert (outcome.done, outcome.row["status"]) == (False, "ACCEPTED")


async def test_without_a_bound_it_waits_for_the_end() -> None:
    intake, name = an_intake(10_000), an_intent().intent_id

    waiting = asyncio.create_task(intake.await_end(name, intake.row(name, {}), None))
    await asyncio.sleep(0)

    assert not waiting.done()
    waiting.cancel()
