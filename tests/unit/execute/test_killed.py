"""A kill ends what would add exposure and touches nothing else."""

import pytest
from desk import KEY, Desk, an_intent

from chimera.admit.admission import objections
from chimera.trading.commands import Cancel, Place
from chimera.trading.events import IntentChanged
from chimera.trading.facts import Found, Ticked
from chimera.trading.intent import MakerThenTaker
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.trading.order import Role, Status
from chimera.trading.standstill import Kill, Scope, Standstill
from chimera.wire.codec import decode

KILLED = Standstill().killed(Kill(scope=Scope.GLOBAL, by="me", reason="fire", at_ms=Millis(1)))


@pytest.mark.req("S4-KILL-1")
def test_a_resting_entry_is_cancelled_and_its_intent_ends() -> None:
    desk = Desk()
    desk.submit(an_intent(policy=MakerThenTaker(wait_ms=3_000, slices=1, gap_ms=0)), wait_ms=3_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.standstill = KILLED
    told = desk.hear(Ticked())
    assert [command.role for command in told if isinstance(command, Cancel)] == [Role.MAKER]
    desk.hear(Found(order=desk.word(maker, Status.CANCELED)))
    assert not desk.holding.entering
    rows = [event.body for event in desk.holding.outbox if isinstance(event.body, IntentChanged)]
    row = decode(rows[-1].row, dict)
    assert (rows[-1].done, row["code"], row["message"]) == (
        True,
        "KILL_SWITCH",
        "KILL_SWITCH: killed (GLOBAL) by me: fire",
    )


@pytest.mark.req("S4-KILL-1")
def test_what_is_held_stays_protected_and_may_leave() -> None:
    desk = Desk()
    desk.submit(an_intent())
    desk.standstill = KILLED
    told = desk.fill(desk.placed(Role.TAKER), "0.01")
    assert [command.role for command in told if isinstance(command, Place)] == [Role.STOP]
    exit_ = an_intent("x", side=Side.SELL, reduce_only=True, stop=None)
    assert [each.code for each in objections(exit_, desk.holding, desk.scene)] == []


@pytest.mark.req("S4-KILL-1")
@pytest.mark.fault("F20")
@pytest.mark.incident(25)
def test_a_new_entry_is_refused_with_who_and_why() -> None:
    desk = Desk()
    desk.standstill = KILLED
    refused = objections(an_intent(), desk.holding, desk.scene)[0]
    assert (refused.code, refused.message) == ("KILL_SWITCH", "killed (GLOBAL) by me: fire")
    assert desk.holding.key == KEY
