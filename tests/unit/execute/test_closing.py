"""Closing: target first, exit reduce-only and sized by the position, stop last; nothing flips, nothing is bared."""

from decimal import Decimal

import pytest

from chimera.execute.due import next_due_ms
from chimera.trading.commands import Ask, Place, Survey, waits_for_save
from chimera.trading.facts import CloseAsked, Found, NotFound, PlaceUnanswered, Reported, Restarted, Ticked
from chimera.trading.intent import TargetKind, TargetSpec
from chimera.trading.market import Side
from chimera.trading.money import Millis, Qty
from chimera.trading.order import Role, Status
from support.desk import BTC, Desk, a_long, an_intent
from support.refusals import said_no

TARGET = TargetSpec(kind=TargetKind.PRICE, value=Decimal(66000))


@pytest.mark.req("S4-EXIT-1")
@pytest.mark.fault("B24")
@pytest.mark.incident(9, 10)
def test_close_cancels_the_target_first_and_the_stop_last() -> None:
    """Incidents 9 and 10."""
    desk = a_long(target=TARGET)
    stop, target = desk.placed(Role.STOP), desk.placed(Role.TARGET)
    desk.hear(CloseAsked(reason="OPERATOR"))
    assert desk.canceled() == [target.ref]
    assert desk.count(Role.EXIT) == 0
    desk.hear(Found(order=desk.word(target, Status.CANCELED)))
    order = desk.placed(Role.EXIT)
    assert (order.qty, order.side, order.reduce_only) == (Decimal("0.01"), Side.SELL, True)
    assert stop.ref not in desk.canceled()
    desk.fill(order, "0.01")

    assert desk.canceled() == [target.ref, stop.ref]


def test_a_target_that_will_not_go_holds_the_exit_up_only_for_a_moment() -> None:
    desk = a_long(target=TARGET)
    desk.hear(CloseAsked(reason="OPERATOR"))
    desk.later(300).hear(Ticked())

    assert desk.count(Role.EXIT) == 1


@pytest.mark.req("S4-EXIT-1")
@pytest.mark.fault("B28")
@pytest.mark.parametrize(("held", "step", "sent"), [("0.015", "0.01", "0.02"), ("0.005", "0.01", "0.01")])
def test_a_position_that_is_no_multiple_of_a_new_step_is_closed_whole(held: str, step: str, sent: str) -> None:
    """Rounded down nothing was left of it to send: the close ended, was answered CLOSING, and the position stayed."""
    desk = a_long(held)
    desk.rules = BTC.but(step=Decimal(step), min_qty=Qty(Decimal(step)))
    desk.hear(CloseAsked(reason="OPERATOR"))

    order = desk.placed(Role.EXIT)
    assert (order.qty, order.reduce_only) == (Decimal(sent), True)
    desk.fill(order, held)
    assert not desk.holding.exposure


@pytest.mark.req("S4-EXIT-1")
def test_a_close_below_the_least_quantity_asks_for_that() -> None:
    desk = a_long("0.005")
    desk.rules = BTC.but(min_qty=Qty(Decimal("0.01")))
    desk.hear(CloseAsked(reason="OPERATOR"))
    assert desk.placed(Role.EXIT).qty == Decimal("0.01")


@pytest.mark.req("S4-EXIT-1", "I18")
def test_what_reduces_goes_on_past_the_moment_until_which_an_entry_is_valid() -> None:
    desk = a_long("0.02")
    exit_ = an_intent("i2", side=Side.SELL, qty="0.02", reduce_only=True, stop=None)
    desk.submit(exit_.but(valid_until_ms=desk.now + 1_000), "0.01", "0.01", gap_ms=5_000)
    first = desk.placed(Role.TAKER)
    desk.ack(first)
    desk.fill(first, "0.01")
    desk.later(5_000).hear(Ticked())
    assert desk.placed(Role.TAKER) != first


@pytest.mark.req("S4-EXIT-1")
def test_it_is_held_from_when_it_was_bought_and_not_from_when_that_was_told() -> None:
    """Nobody listened for an hour: what was to be held for a minute is due."""
    desk = Desk()
    desk.submit(an_intent(max_hold_s=60))
    entry = desk.placed(Role.TAKER)
    bought_ms = desk.now
    desk.later(3_600_000).hear(Restarted())
    desk.survey(qty="0.01", trades=(desk.a_fill(entry, "0.01", "65000", "1").but(at_ms=bought_ms),))
    assert desk.holding.position.lots[0].close_at_ms == bought_ms + 60_000
    assert desk.placed(Role.EXIT).qty == Decimal("0.01")


@pytest.mark.req("S4-EXIT-1")
def test_max_hold_closes() -> None:
    desk = a_long(max_hold_s=60)
    desk.later(59_999).hear(Ticked())
    assert desk.count(Role.EXIT) == 0
    desk.later(1).hear(Ticked())

    assert desk.placed(Role.EXIT).qty == Decimal("0.01")


@pytest.mark.req("S4-EXIT-1")
def test_partial_close_leaves_the_rest_under_its_stop() -> None:
    desk = a_long("0.03")
    desk.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    order = desk.placed(Role.EXIT)
    assert order.qty == Decimal("0.01")
    desk.fill(order, "0.01")

    assert desk.holding.position.qty == Decimal("0.02")
    assert desk.holding.exit is None
    assert desk.holding.covered_qty == Decimal("0.02")
    desk.later(5_000).hear(Ticked())
    assert desk.count(Role.EXIT) == 1


@pytest.mark.req("S4-EXIT-1", "I4")
@pytest.mark.fault("G9")
def test_a_part_whose_answer_comes_before_its_trade_is_closed_once() -> None:
    """The answer says FILLED; the stream brings the trade a moment later."""
    desk = a_long("0.03")
    desk.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    order = desk.placed(Role.EXIT)
    desk.hear(Found(order=desk.word(order, Status.FILLED, "0.01")))
    desk.later(100).hear(Ticked())
    assert desk.count(Role.EXIT) == 1
    desk.fill(order, "0.01")

    assert desk.holding.exit is None
    desk.later(5_000).hear(Ticked())
    assert (desk.count(Role.EXIT), desk.holding.position.qty) == (1, Decimal("0.02"))


@pytest.mark.incident(7)
def test_a_whole_close_in_doubt_is_resent_under_its_id_a_partial_one_is_asked_for() -> None:
    whole, partial = a_long(), a_long("0.03")
    whole.hear(CloseAsked(reason="OPERATOR"))
    partial.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    for desk in (whole, partial):
        ref = desk.placed(Role.EXIT).ref
        desk.hear(PlaceUnanswered(ref=ref, dead_after_ms=Millis(desk.now + 14_000)))

    assert [c.order.ref for c in whole.last if isinstance(c, Place)] == [whole.placed(Role.EXIT).ref]
    assert not any(isinstance(c, Place) for c in partial.last)
    assert any(isinstance(c, Ask) for c in partial.last)


def test_a_part_in_doubt_of_what_its_stop_then_closed_whole_does_not_stay_in_doubt() -> None:
    """World seed 240: nothing surveys a flat position, so the survey that proves the death must be asked for."""
    desk = a_long("0.03")
    desk.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    part = desk.placed(Role.EXIT)
    dead_after = Millis(desk.now + 14_000)
    desk.hear(PlaceUnanswered(ref=part.ref, dead_after_ms=dead_after))
    desk.fill(desk.placed(Role.STOP), "0.03", "64000")
    desk.later(2_000).hear(Ticked())
    desk.survey()  # the one after every end, before the part's window is over
    desk.later(20_000).hear(NotFound(ref=part.ref, asked_server_ms=Millis(dead_after + 1)))
    assert desk.holding.orders[part.ref].status is Status.IN_DOUBT
    assert any(isinstance(command, Survey) for command in desk.last)
    desk.later(500).survey()
    desk.later(500).hear(NotFound(ref=part.ref, asked_server_ms=desk.now))

    assert desk.holding.orders[part.ref].status is Status.REJECTED


def test_a_refused_exit_asks_what_is_there_and_goes_on() -> None:
    desk = a_long()
    desk.hear(CloseAsked(reason="OPERATOR"))
    desk.hear(said_no(ref=desk.placed(Role.EXIT).ref, code=-2022, message="ReduceOnly Order is rejected."))
    desk.survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.01")
    desk.later(300).hear(Ticked())

    assert desk.count(Role.EXIT) == 2


@pytest.mark.req("S4-EXIT-1")
def test_an_exit_under_a_book_outside_the_band_is_tried_every_second_and_asks_no_more() -> None:
    """In a crash the book may be back at any moment; it was tried every eight seconds, with a survey each time."""
    desk, surveys = a_long(), 0
    stop = desk.placed(Role.STOP)
    desk.hear(CloseAsked(reason="OPERATOR"))
    for _ in range(30):
        desk.hear(said_no(ref=desk.placed(Role.EXIT).ref, code=-4131, message="the book is outside the band"))
        if any(isinstance(command, Survey) for command in desk.last):
            surveys += 1
            desk.survey(desk.word(stop, Status.NEW), qty="0.01")
        desk.later(1_000).hear(Ticked())

    assert desk.count(Role.EXIT) == 31
    assert surveys == 1
    assert desk.holding.covered, "its stop stays"
    desk.fill(desk.placed(Role.EXIT), "0.01")
    assert not desk.holding.exposure


def test_closing_stops_entries_first() -> None:
    desk = a_long()
    desk.submit(an_intent("i2"), wait_ms=1500)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(CloseAsked(reason="OPERATOR"))

    assert maker.ref in desk.canceled()


def test_a_whole_close_does_not_wait_behind_a_part_that_waits_for_the_disk() -> None:
    desk = a_long("0.03")
    desk.hear(CloseAsked(reason="OPERATOR", qty=Qty(Decimal("0.01"))))
    part = desk.placed(Role.EXIT)  # the ledger is away: it does not leave
    desk.later(500).hear(CloseAsked(reason="KILL_SWITCH"))
    desk.later(400).hear(Ticked())
    assert next_due_ms(desk.holding, desk.now) == desk.now + 100
    told = desk.later(100).hear(Ticked())
    assert [(c.order.ref, waits_for_save(c)) for c in told if isinstance(c, Place)] == [(part.ref, False)]
    told = desk.fill(part, "0.01")
    assert [(c.order.qty, waits_for_save(c)) for c in told if isinstance(c, Place) and c.role is Role.EXIT] == [
        (Decimal("0.02"), False)
    ]


@pytest.mark.parametrize("refused", [-2021, -4045])
def test_a_stop_that_fails_closes_all_though_a_part_is_being_closed(refused: int) -> None:
    """World seed 60051: a part was in doubt, the stop was crossed, and nothing went out for 13 s."""
    desk = a_long("0.010")
    desk.hear(CloseAsked(reason="MAX_HOLD", qty=Qty(Decimal("0.004"))))
    part = desk.placed(Role.EXIT)
    desk.hear(PlaceUnanswered(ref=part.ref, dead_after_ms=Millis(desk.now + 14_000)))
    stop = desk.placed(Role.STOP)
    desk.hear(Reported(order=desk.word(stop, Status.EXPIRED)))
    for _ in range(3):
        if desk.holding.flattening:
            break
        desk.later(500).hear(Ticked())
        desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=refused, message="no"))
    assert desk.holding.flattening
    desk.later(300).hear(Ticked())
    last = next(command for command in reversed(desk.told) if isinstance(command, Place) and command.role is Role.EXIT)
    assert last.flatten, "at once: it can only reduce"


@pytest.mark.req("S4-EXIT-1")
def test_a_lot_that_another_has_closed_meanwhile_is_not_closed_out_of_anothers() -> None:
    """While the close of what was held long enough waits for its target to go, its owner sells it himself."""
    desk = a_long("0.01", target=TARGET, max_hold_s=1)
    desk.ack(desk.placed(Role.TARGET))
    desk.later(10).submit(an_intent("i2", qty="0.02"))
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, "0.02")
    for order in (desk.placed(Role.STOP), desk.placed(Role.TARGET)):
        desk.ack(order)
    desk.later(1_000).hear(Ticked())
    assert desk.holding.exit is not None
    assert not desk.count(Role.EXIT), "the target is in the way"
    desk.submit(an_intent("i3", side=Side.SELL, qty="0.01", reduce_only=True, stop=None))
    selling = desk.placed(Role.TAKER)
    desk.ack(selling)
    desk.fill(selling, "0.01")
    for _ in range(4):
        desk.later(200).hear(Ticked())

    assert not desk.count(Role.EXIT)
    assert desk.holding.exit is None
    assert [(lot.intent_id, lot.qty) for lot in desk.holding.position.lots] == [("i2", Decimal("0.02"))]
