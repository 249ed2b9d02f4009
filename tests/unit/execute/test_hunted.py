"""Ways to lose money that a hunt found, one test each, so that they stay closed."""

from decimal import Decimal

import pytest

from chimera.trading.commands import Ask, Cancel, Place, waits_for_save
from chimera.trading.facts import (
    CancelAsked,
    CancelNotSent,
    CloseAsked,
    Found,
    NotFound,
    PlaceUnanswered,
    Reported,
    SurveyUnanswered,
    Ticked,
)
from chimera.trading.ids import IntentId
from chimera.trading.intent import StopSpec
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import Role, Status
from support.desk import Desk, a_long, an_intent
from support.refusals import said_no


def settle(desk: Desk, rounds: int = 50) -> None:
    """Ticks without time passing: whatever is emitted again and again would show here."""
    for _ in range(rounds):
        desk.hear(Ticked())


def test_what_would_be_made_twice_waits_for_the_disk() -> None:
    """A1: a reduce-only intent, or a partial close, sent before it is durable is sent again after a crash."""
    whole, part, reducing = a_long(), a_long("0.03"), a_long()
    whole.hear(CloseAsked(reason="OPERATOR"))
    part.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    reducing.submit(an_intent("i2", side=Side.SELL, qty="0.005", reduce_only=True, stop=None))

    def exit_waits(desk: Desk, role: Role) -> list[bool]:
        return [waits_for_save(c) for c in desk.told if isinstance(c, Place) and c.role is role][-1:]

    assert exit_waits(whole, Role.EXIT) == [False]
    assert exit_waits(part, Role.EXIT) == [True]
    assert exit_waits(reducing, Role.TAKER) == [True]


def test_escalated_cancel_before_the_first_fill_flattens_what_still_fills() -> None:
    """A2."""
    desk = Desk()
    desk.submit(an_intent(), wait_ms=1500)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(CancelAsked(intent_id=IntentId("i1"), reason="RISK", escalate=True))
    desk.fill(maker, "0.01", "65000")

    assert desk.placed(Role.EXIT).qty == Decimal("0.01")


def test_a_stop_that_fills_in_part_and_stops_is_stuck() -> None:
    """A3: the fill is told before any word of a trigger."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.fill(stop, "0.004", "64000")
    desk.later(1_000).hear(Ticked())

    assert desk.placed(Role.EXIT).qty == Decimal("0.006")


@pytest.mark.fault("B21")
def test_a_stop_stuck_from_before_does_not_block_the_next_position() -> None:
    """A4."""
    desk = a_long()
    stuck = desk.placed(Role.STOP)
    desk.hear(Found(order=desk.word(stuck, Status.TRIGGERING)))
    desk.later(1_000).hear(Ticked())
    desk.fill(desk.placed(Role.EXIT), "0.01", "64000")
    desk.submit(an_intent("i2"))
    desk.fill(desk.placed(Role.TAKER), "0.01")

    assert desk.placed(Role.STOP).ref != stuck.ref
    assert desk.holding.exit is None


@pytest.mark.fault("C2")
@pytest.mark.incident(12)
def test_late_news_of_an_old_stop_does_not_remove_the_new_one() -> None:
    """A5."""
    desk = Desk()
    desk.submit(an_intent(stop=StopSpec(price=Price(Decimal(64000)))))
    entry = desk.placed(Role.TAKER)
    desk.fill(entry, "0.005")
    old = desk.placed(Role.STOP)
    desk.ack(old)
    desk.fill(entry, "0.005")
    new = desk.placed(Role.STOP)
    desk.ack(new)
    desk.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.005"))))
    desk.fill(desk.placed(Role.EXIT), "0.005")
    desk.hear(Found(order=desk.word(old, Status.NEW)))

    assert new.ref not in desk.canceled()
    assert desk.holding.orders[new.ref].status is Status.NEW


def test_a_trade_that_never_comes_neither_holds_up_the_exit_nor_stays_owed() -> None:
    """A6."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, "0.01")))
    desk.hear(CloseAsked(reason="OPERATOR"))
    desk.later(300).hear(Ticked())
    assert desk.placed(Role.EXIT).qty == Decimal("0.01")
    for _ in range(70):
        desk.later(1_000).hear(Ticked())
        desk.survey()
    assert desk.holding.exposure == 0


def test_a_strangers_earlier_fills_are_not_owed() -> None:
    """A6: an order of a human, half of it filled before we heard of it."""
    desk = Desk()
    theirs = an_order_of_a_human(desk)
    desk.hear(Reported(order=desk.word(theirs, Status.FILLED, "0.5"), fill=desk.a_fill(theirs, "0.2", "65000", "9")))

    assert desk.holding.exposure == Decimal("0.2")


def an_order_of_a_human(desk: Desk):  # type: ignore[no-untyped-def]  # NewOrder, by way of the builder
    desk.submit(an_intent("x"))
    return desk.placed(Role.TAKER).but(ref="web_1", qty=Qty(Decimal("0.5")))


def test_one_answer_that_makes_no_sense_does_not_cost_a_survey() -> None:
    """A8: proven dead, then alive after all: later surveys still count their trades."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.hear(NotFound(ref=stop.ref, asked_server_ms=desk.now))
    desk.hear(NotFound(ref=stop.ref, asked_server_ms=Millis(desk.now + 60_000)))
    desk.hear(Found(order=desk.word(stop, Status.NEW)))
    trade = desk.later(5_000).a_fill(stop, "0.01", "64000", "77")
    desk.survey(desk.word(stop, Status.NEW), trades=(trade,))

    assert desk.holding.position.qty == 0


@pytest.mark.fault("C1")
def test_a_partial_fill_known_by_word_alone_is_protected_and_its_trade_asked_for() -> None:
    """A10."""
    desk = Desk()
    desk.submit(an_intent(), wait_ms=3000)
    maker = desk.placed(Role.MAKER)
    desk.hear(Found(order=desk.word(maker, Status.PARTIALLY_FILLED, "0.009")))
    assert desk.placed(Role.STOP).qty == Decimal("0.009")
    asked = desk.later(200).hear(Ticked())
    assert any(type(c).__name__ == "Survey" for c in asked)


def test_fees_in_another_asset_are_no_less_than_they_are() -> None:
    """B4: a fee of 0.00049 BNB is not 0.00049 USDT."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    fill = desk.a_fill(entry, "0.01", "65000", "1").but(fee=Decimal("0.00049"), fee_asset="BNB")
    desk.hear(Reported(order=desk.word(entry, Status.FILLED, "0.01"), fill=fill))

    assert desk.holding.position.fees == Decimal("0.325")


def test_the_first_loss_after_midnight_counts_for_the_new_day() -> None:
    """B5."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    day_ms = 86_400_000
    desk.now = Millis((desk.now // day_ms + 1) * day_ms + 1)
    desk.fill(stop, "0.01", "64000")

    assert desk.holding.day_net < Decimal(-9)


@pytest.mark.req("S4-CANC-1")
def test_a_cancel_that_never_works_is_not_a_storm() -> None:
    """C1, incident 24."""
    desk = Desk()
    desk.submit(an_intent(), wait_ms=1500)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.later(1500).hear(Ticked())
    for _ in range(100):
        desk.hear(CancelNotSent(ref=maker.ref, reason="429"))
        desk.hear(Found(order=desk.word(maker, Status.NEW)))

    assert sum(isinstance(c, Cancel) for c in desk.told) == 1


def test_a_stop_the_venue_ends_by_itself_is_placed_again_and_at_last_the_position_closes() -> None:
    """C2."""
    desk = a_long()
    for _ in range(20):
        if desk.count(Role.EXIT):
            break
        stop = desk.placed(Role.STOP)
        desk.hear(Found(order=desk.word(stop, Status.NEW)))
        desk.hear(Found(order=desk.word(stop, Status.EXPIRED)))
        settle(desk)
        desk.later(200).hear(Ticked())

    assert desk.count(Role.EXIT) == 1
    assert desk.count(Role.STOP) <= 4


def test_an_exit_that_does_nothing_is_tried_again_ever_slower() -> None:
    """C3."""
    desk = a_long()
    desk.hear(CloseAsked(reason="OPERATOR"))
    for _ in range(100):
        order = desk.placed(Role.EXIT)
        desk.hear(Found(order=desk.word(order, Status.EXPIRED)))
        settle(desk, 3)

    assert desk.count(Role.EXIT) == 1
    desk.later(300).hear(Ticked())
    assert desk.count(Role.EXIT) == 2


@pytest.mark.req("I11")
@pytest.mark.fault("B17")
def test_a_stop_in_a_state_we_do_not_know_is_not_placed_by_the_hundred() -> None:
    """C4."""
    desk = a_long()
    for _ in range(100):
        stop = desk.placed(Role.STOP)
        desk.hear(Found(order=desk.word(stop, Status.IN_DOUBT)))
        settle(desk, 3)

    assert desk.count(Role.STOP) == 1
    for _ in range(20):
        desk.later(500).hear(Ticked())
        for status in (Status.NEW, Status.IN_DOUBT):
            desk.hear(Found(order=desk.word(desk.placed(Role.STOP), status)))
    assert desk.count(Role.STOP) <= 20, "in ten seconds"
    assert desk.count(Role.EXIT) == 1


def test_after_a_stop_the_rest_of_the_schedule_is_not_bought() -> None:
    """D1."""
    desk = Desk()
    desk.submit(an_intent(), "0.005", "0.005", gap_ms=600)
    first = desk.placed(Role.TAKER)
    desk.fill(first, "0.005")
    stop = desk.placed(Role.STOP)
    desk.ack(stop)
    desk.fill(stop, "0.005", "64000")
    desk.later(600).hear(Ticked())

    assert desk.count(Role.TAKER) == 1


def test_refusals_of_one_position_are_not_held_against_the_next() -> None:
    """D2."""
    desk = Desk()
    desk.submit(an_intent())
    desk.fill(desk.placed(Role.TAKER), "0.01")
    for _ in range(2):
        desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=-4045, message="max stop orders"))
        desk.later(200).hear(Ticked())
    desk.fill(desk.placed(Role.EXIT), "0.01")
    desk.submit(an_intent("i2"))
    entry = desk.placed(Role.TAKER)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, "0.01")))

    assert desk.holding.exit is None


def test_a_maker_that_turns_out_to_live_after_its_intent_is_cancelled() -> None:
    """D3."""
    desk = Desk()
    desk.submit(an_intent(), wait_ms=1500)
    maker = desk.placed(Role.MAKER)
    desk.hear(PlaceUnanswered(ref=maker.ref, dead_after_ms=Millis(desk.now + 100)))
    desk.later(20_000).survey()
    desk.later(1).hear(NotFound(ref=maker.ref, asked_server_ms=desk.now))
    assert not desk.holding.entering
    desk.survey(desk.word(maker, Status.NEW))

    assert desk.canceled() == [maker.ref]


def test_a_reduce_only_taker_needs_no_touch() -> None:
    """D6."""
    desk = a_long()
    desk.bid = desk.ask = Decimal(0)

    class Blind(Desk):
        @property
        def scene(self):  # type: ignore[no-untyped-def]  # as Desk's
            return super().scene.but(touch=None, mark=None)

    blind = Blind()
    blind.holding, blind.now, blind.bid, blind.ask = desk.holding, desk.now, Decimal(1), Decimal(2)
    blind.submit(an_intent("i2", side=Side.SELL, qty="0.005", reduce_only=True, stop=None))
    assert blind.placed(Role.TAKER).reduce_only


def test_a_survey_without_an_answer_is_asked_again_soon() -> None:
    desk = a_long()
    desk.holding = desk.holding.but(survey_due_ms=desk.now)
    desk.hear(Ticked())
    desk.hear(SurveyUnanswered())
    asked = desk.later(500).hear(Ticked())

    assert any(type(c).__name__ == "Survey" for c in asked)
    assert not any(isinstance(c, Ask) for c in asked)
