"""Surveys: the venue's whole word wins, but only once it stays and only over older news."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from chimera.trading.commands import Ask, Survey
from chimera.trading.facts import Ticked
from chimera.trading.holding import Holding
from chimera.trading.ids import derived_id
from chimera.trading.money import Millis
from chimera.trading.order import Role, Status
from chimera.wire.codec import decode, encode
from support.desk import KEY, Desk, a_long, an_intent
from support.refusals import said_no


@pytest.mark.fault("C4", "G15", "C14")
@pytest.mark.incident(20)
def test_trades_missed_by_the_stream_are_counted_once() -> None:
    """A gap of the stream: the survey brings the trade, then the stream repeats it."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    trade = desk.a_fill(entry, "0.01", "65000.1", "7")
    desk.survey(qty="0.01", trades=(trade,))
    desk.survey(qty="0.01", trades=(trade,))

    assert desk.holding.position.qty == Decimal("0.01")
    assert desk.count(Role.STOP) == 1


def test_an_order_we_think_rests_and_the_venue_does_not_list_is_asked_for() -> None:
    desk = a_long()
    stop = desk.placed(Role.STOP)
    commands = desk.later(10).survey(qty="0.01")
    assert [c.order.ref for c in commands if isinstance(c, Ask)] == [stop.ref]


@pytest.mark.fault("B26")
def test_one_zero_reading_never_takes_protection_away() -> None:
    """B26: the venue shows a flat position while its trades say otherwise (10 October 2025)."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    for _ in range(10):
        desk.later(3_000).survey(desk.word(stop, Status.NEW), qty="0")

    assert desk.holding.position.qty == Decimal("0.01")
    assert stop.ref not in desk.canceled()


def test_a_larger_position_is_believed_after_three_surveys_and_protected() -> None:
    desk = a_long()
    stop = desk.placed(Role.STOP)
    for _ in range(3):
        desk.later(200).survey(desk.word(stop, Status.NEW), qty="0.03")

    assert desk.holding.position.qty == Decimal("0.03")
    assert desk.placed(Role.STOP).qty == Decimal("0.03")


@pytest.mark.fault("G16")
def test_a_survey_older_than_our_news_is_no_strike() -> None:
    """Seed 106: answers that took seconds showed a position that three later trades had changed."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    late = Desk()
    late.holding, late.now = desk.holding, Millis(desk.now - 500)  # asked half a second before the fill was heard
    for _ in range(5):
        late.survey(late.word(stop, Status.NEW), qty="0.03")

    assert late.holding.position.qty == Decimal("0.01")
    assert late.holding.strikes == 0


@pytest.mark.incident(26)
def test_with_the_ledger_lost_the_stop_that_stands_stays_and_serves() -> None:
    """Nothing is cancelled while the venue shows a position that we cannot explain yet."""
    before = a_long()
    stop = before.placed(Role.STOP)
    reborn = Desk()
    for _ in range(3):
        reborn.later(200).survey(reborn.word(stop, Status.NEW), qty="0.01")

    assert reborn.canceled() == []
    assert reborn.count(Role.STOP) == 0
    assert reborn.holding.covered_qty == reborn.holding.position.qty == Decimal("0.01")


def test_with_the_ledger_lost_no_new_id_can_meet_one_of_the_earlier_life() -> None:
    """Ids count from one again; they hang under what was seen, not under the key, and are the same if seen again."""
    first, again = Desk(), Desk()
    for desk in (first, again):
        for _ in range(3):
            desk.later(200).survey(qty="0.01")
    stop = first.placed(Role.STOP)
    assert stop.ref == again.placed(Role.STOP).ref
    assert not stop.ref.startswith(derived_id("cx", str(KEY)))


@pytest.mark.incident(19)
def test_inferred_trades_have_ids_that_repeat() -> None:
    """Incident 19: the same observation makes the same state, so a replay adds nothing."""
    first, second = Desk(), Desk()
    for desk in (first, second):
        for _ in range(3):
            desk.later(200).survey(qty="0.02")
    assert first.holding == second.holding


@pytest.mark.fault("B26")
def test_two_zero_readings_do_not_speak_for_a_larger_one() -> None:
    """Each is a strike against our position, but not for the same other one."""
    desk = a_long()
    for qty in ("0", "0", "0.03", "0", "0.03", "0.03"):
        desk.later(3_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty=qty)
    assert desk.holding.position.qty == Decimal("0.01")
    assert (desk.holding.strikes, desk.holding.suspected) == (2, Decimal("0.02"))

    desk.later(200).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.03")
    assert desk.holding.position.qty == Decimal("0.03")
    assert (desk.holding.strikes, desk.holding.suspected) == (0, Decimal(0))


@pytest.mark.fault("B26")
def test_only_what_every_reading_showed_is_believed() -> None:
    """The third is ten times the other two: it was seen once."""
    desk = a_long()
    for qty in ("0.02", "0.02", "0.2"):
        desk.later(200).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty=qty)
    assert desk.holding.position.qty == Decimal("0.02")
    assert desk.placed(Role.STOP).qty == Decimal("0.02")
    for qty in ("0.02", "0.2", "0.2", "0.2"):
        desk.later(200).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty=qty)
    assert desk.holding.position.qty == Decimal("0.2")


def test_a_suspicion_outlives_the_codec_and_its_document_of_before_is_read() -> None:
    desk = a_long()
    desk.later(200).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.02")
    stored = encode(desk.holding)
    assert decode(stored, Holding) == desk.holding
    before = decode(stored, dict[str, Any])
    del before["suspected"]
    assert decode(encode(before), Holding) == desk.holding.but(suspected=Decimal(0))


@given(some.lists(some.integers(-3, 6), min_size=1, max_size=40))
def test_nothing_is_believed_that_was_not_seen_often_enough(readings: list[int]) -> None:
    """A believed change lies between ours and each of the readings that were needed for it, in a row."""
    desk = Desk()
    policy = desk.scene.policy
    ours = Decimal(0)
    for number, shown in enumerate(readings, start=1):
        desk.later(3_000).survey(qty=str(Decimal(shown) / 100))
        new = desk.holding.position.qty
        if new == ours:
            continue
        least = policy.strikes_to_shrink if abs(new) < abs(ours) else policy.strikes
        witnesses = [Decimal(reading) / 100 for reading in readings[max(number - least, 0) : number]]
        assert len(witnesses) == least
        assert all(ours < new <= each or ours > new >= each for each in witnesses)
        ours = new


def test_what_is_left_of_a_suspicion_is_looked_at_again_at_once() -> None:
    """Part of it is believed and guarded; the rest would be bare until the next survey, which is half a minute."""
    desk = a_long()
    for qty in ("0.02", "0.02", "0.2"):
        desk.later(200).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty=qty)
    told = desk.later(200).hear(Ticked())
    assert [command for command in told if isinstance(command, Survey)]


@pytest.mark.req("S4-FUT-3")
def test_what_was_refused_to_a_position_that_is_believed_gone_is_not_held_against_the_next() -> None:
    """Two stops were refused and the close's trades never came: the next one was closed as soon as it was there."""
    desk = Desk()
    desk.submit(an_intent())
    desk.fill(desk.placed(Role.TAKER), "0.01")
    for _ in range(3):
        desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=-4045, message="no"))
        desk.later(500).hear(Ticked())
    close = desk.placed(Role.EXIT)
    desk.hear(said_no(ref=close.ref, code=-2022, message="nothing to reduce"))
    for _ in range(desk.scene.policy.strikes_to_shrink):
        desk.later(3_000).survey(qty="0")
        if (again := desk.placed(Role.EXIT)) is not close:
            desk.hear(said_no(ref=(close := again).ref, code=-2022, message="nothing to reduce"))
    assert not desk.holding.position.lots
    desk.later(1_000).hear(Ticked())
    assert desk.holding.exit is None

    desk.submit(an_intent("i2"))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.ack(desk.placed(Role.STOP))
    assert desk.holding.exit is None
    assert desk.holding.covered_qty == Decimal("0.01")
