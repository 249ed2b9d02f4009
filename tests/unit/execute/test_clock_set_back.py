"""The wall clock is set back while S4 is dead: moments on disk are then far ahead."""

import pytest

from chimera.execute.setback import rebased
from chimera.trading.commands import Ask
from chimera.trading.facts import PlaceUnanswered, Restarted, Ticked
from chimera.trading.ids import IntentId
from chimera.trading.money import Millis
from chimera.trading.order import Role, Status
from support.desk import Desk, a_long, an_intent
from support.refusals import said_no

HOUR_MS = 3_600_000


@pytest.mark.req("S4-CLOCK-1", "I29")
def test_an_order_in_doubt_is_asked_for_at_once() -> None:
    """World seed 53123: asked for an hour later, by a clock that had been set back in between."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.hear(PlaceUnanswered(ref=entry.ref, dead_after_ms=Millis(desk.now + 5_000)))
    desk.hear(Ticked())
    assert desk.holding.orders[entry.ref].status is Status.IN_DOUBT

    asked = [*desk.later(-HOUR_MS).hear(Restarted()), *desk.hear(Ticked())]

    assert any(isinstance(command, Ask) and command.order.ref == entry.ref for command in asked)


@pytest.mark.req("I10", "I29")
def test_a_refused_stop_is_placed_again_at_once() -> None:
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.fill(entry, str(entry.qty))
    desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=-4045, message="Reach max stop order limit."))
    assert desk.holding.stop_retry_at_ms is not None
    stops = desk.count(Role.STOP)

    desk.later(-HOUR_MS).hear(Restarted())
    desk.hear(Ticked())

    assert desk.count(Role.STOP) > stops or desk.holding.exit is not None


def test_a_plan_and_a_hold_last_no_longer_than_they_were_meant_to() -> None:
    """World seed 74015: an intent was still worked on an hour after its deadline."""
    desk = Desk()
    desk.submit(an_intent(qty="0.02", max_hold_s=60), "0.01", "0.01", gap_ms=5_000)
    entry = desk.placed(Role.TAKER)
    desk.fill(entry, "0.01")
    desk.ack(desk.placed(Role.STOP))
    left_ms = desk.holding.intents[IntentId("i1")].plan.deadline_ms - desk.now

    desk.later(-HOUR_MS).hear(Restarted())

    [work] = desk.holding.intents.values()
    assert work.plan.deadline_ms - desk.now == left_ms
    [lot] = desk.holding.position.lots
    assert lot.close_at_ms == desk.now + 60_000
    assert work.begun[0].at_ms == desk.now, "else the next slice would keep an hour's distance"


@pytest.mark.req("S4-REC-1")
def test_a_stop_that_vanished_is_noticed_by_the_next_survey() -> None:
    """What was placed and counted "in the future" would have outranked every survey for an hour."""
    desk = a_long("0.01")
    desk.survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.01")
    desk.later(-HOUR_MS).hear(Restarted())

    desk.later(10).survey(qty="0.01")
    desk.hear(Ticked())

    [stop] = desk.holding.in_role(Role.STOP)
    assert stop.status is Status.NEW
    assert stop.ask_at_ms is not None, "asked for: the listing lacks it"


def test_a_clock_that_goes_right_changes_nothing() -> None:
    desk = a_long("0.01")
    before = desk.holding
    desk.later(5)
    assert rebased(before, desk.now) is before


def test_an_entry_in_doubt_is_not_in_doubt_for_as_long_as_the_clock_was_wrong() -> None:
    """Its last moment to leave was by the clock of then: the proof of its death would have come an hour later."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)

    desk.later(-HOUR_MS).hear(Restarted())

    dead_after_ms = desk.holding.orders[entry.ref].dead_after_ms
    assert dead_after_ms is not None
    assert dead_after_ms - desk.now < 60_000
