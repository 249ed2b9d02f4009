"""What happened while nobody listened, or the machine slept: a stop filled, and its owner opened another by hand.

Both trades come at once, with the next survey. What was to close the first position closes none of the second.
"""

from decimal import Decimal

import pytest

from chimera.execute.asking import SURVEY_PATIENCE_MS
from chimera.trading.commands import Cancel, Place, Survey
from chimera.trading.facts import (
    CloseAsked,
    Fact,
    Found,
    NotFound,
    PlaceNotSent,
    Reported,
    Restarted,
    SurveyUnanswered,
    Ticked,
)
from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId
from chimera.trading.market import Side
from chimera.trading.money import Millis, Qty
from chimera.trading.order import NewOrder, OrderType, Role, Status
from chimera.trading.position import ADOPTED
from support.desk import SYMBOL, Desk, a_long, an_intent
from support.refusals import said_no
from support.spot_desk import a_spot_long

pytestmark = pytest.mark.req("S4-EXIT-1", "I12")

HOUR_MS = 3_600_000


def sold(desk: Desk, number: int = 1, qty: str = "0.01") -> Fill:
    """By its stop, and nobody heard of it."""
    return desk.a_fill(desk.placed(Role.STOP), qty, "64000", f"lost-{number}")


def bought(desk: Desk, number: int = 2, qty: str = "0.01") -> Fill:
    """By hand, in the venue's app."""
    order = NewOrder(
        ref=ClientOrderId("web_1"), symbol=SYMBOL, side=Side.BUY, type=OrderType.MARKET, qty=Qty(Decimal(qty))
    )
    return desk.a_fill(order, qty, "65000", f"lost-{number}")


def another_stands(desk: Desk) -> None:
    """The venue shows what has happened; his own position is guarded, and nothing of it is closed."""
    exits = desk.count(Role.EXIT)
    desk.later(100).survey(qty="0.01", trades=(sold(desk), bought(desk)))
    desk.ack(desk.placed(Role.STOP))
    for _ in range(8):
        desk.later(4_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.01")
        for order in desk.holding.in_role(Role.EXIT):
            if not order.status.final:
                desk.hear(NotFound(ref=order.ref, asked_server_ms=desk.now))

    assert desk.count(Role.EXIT) == exits
    assert desk.holding.exit is None
    assert [(lot.intent_id, lot.qty) for lot in desk.holding.position.lots] == [(ADOPTED, Decimal("0.01"))]
    assert desk.holding.covered


@pytest.mark.parametrize("fact", [Restarted(), Ticked()], ids=["started again", "woken"])
def test_what_was_to_be_held_for_an_hour_is_not_closed_before_the_venue_says_that_it_is_there(fact: Fact) -> None:
    desk = a_long(max_hold_s=3_600)
    desk.later(6 * HOUR_MS).hear(fact)
    assert desk.count(Role.EXIT) == 0
    another_stands(desk)


def test_it_is_closed_as_soon_as_the_venue_shows_it() -> None:
    desk = a_long(max_hold_s=3_600)
    desk.later(6 * HOUR_MS).hear(Restarted())
    desk.later(80).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.01")
    assert desk.placed(Role.EXIT).qty == Decimal("0.01")


def test_it_waits_for_the_word_on_a_stop_that_is_not_listed_any_more() -> None:
    """The venue's trades lag behind its positions: of his own, which is as large, nothing else tells."""
    desk = a_long(max_hold_s=3_600)
    stop = desk.placed(Role.STOP)
    desk.later(6 * HOUR_MS).hear(Restarted())
    desk.later(80).survey(qty="0.01")
    assert desk.count(Role.EXIT) == 0
    desk.later(20).hear(Found(order=desk.word(stop, Status.FILLED, "0.01")))
    assert desk.holding.exit is None
    another_stands(desk)


def test_nor_does_it_wait_for_ever_for_a_venue_that_shows_nothing() -> None:
    desk = a_long(max_hold_s=3_600)
    desk.later(6 * HOUR_MS).hear(Restarted())
    desk.later(2_000).hear(SurveyUnanswered())
    assert desk.count(Role.EXIT) == 0
    desk.later(SURVEY_PATIENCE_MS).hear(SurveyUnanswered())
    assert desk.count(Role.EXIT) == 1


def test_what_is_closed_but_for_its_trades_asks_no_more_than_it_may() -> None:
    """The lots stand until the trades are told. Refused at once, a survey asked for at each look never ends."""
    desk = a_long(max_hold_s=3_600)
    desk.later(6 * HOUR_MS).hear(Restarted())
    desk.later(80).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.01")
    desk.hear(Found(order=desk.word(desk.placed(Role.EXIT), Status.FILLED, "0.01")))
    for _ in range(3):
        desk.later(2_000).hear(SurveyUnanswered(retry_after_ms=Millis(20_000)))
        desk.hear(SurveyUnanswered(retry_after_ms=Millis(20_000)))
        assert not any(isinstance(command, Survey) for command in desk.last)


def test_in_time_it_waits_for_nobody() -> None:
    desk = a_long(max_hold_s=3_600)
    desk.later(HOUR_MS - 20_000).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.01")
    desk.later(20_300).hear(Ticked())
    assert desk.count(Role.EXIT) == 1


def test_a_close_is_over_with_its_position_though_another_came_in_the_same_breath() -> None:
    """It was refused, or did not reach the venue, and is to be tried again."""
    desk = a_long()
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.hear(said_no(ref=desk.placed(Role.EXIT).ref, code=-4131, message="out of the band"))
    another_stands(desk)


def test_nor_is_it_sent_again_under_its_own_id() -> None:
    desk = a_long()
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.later(10).hear(Restarted())
    another_stands(desk)


def test_a_close_of_before_a_start_asks_the_venue_first() -> None:
    desk = a_long()
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.hear(said_no(ref=desk.placed(Role.EXIT).ref, code=-4131, message="out of the band"))
    desk.later(HOUR_MS).hear(Restarted())
    assert desk.count(Role.EXIT) == 1
    another_stands(desk)


def test_nor_is_anybodys_order_taken_for_in_its_way_by_what_was_known_before() -> None:
    """The position that it was for may be gone, and the order be for his own."""
    desk = a_long()
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.hear(said_no(ref=desk.placed(Role.EXIT).ref, code=-4118, message="ReduceOnly Order Failed."))
    wanted = desk.holding.exit
    assert wanted is not None
    assert wanted.hindered
    desk.holding = desk.holding.but(exit=wanted.but(theirs=(ClientOrderId("web_rest"),)))
    desk.later(HOUR_MS).hear(Restarted())
    assert "web_rest" not in [each.order.ref for each in desk.last if isinstance(each, Cancel)]
    another_stands(desk)


def test_nor_is_one_begun_for_a_stop_that_fired_long_ago() -> None:
    desk = a_long()
    desk.hear(Reported(order=desk.word(desk.placed(Role.STOP), Status.TRIGGERING)))
    desk.later(HOUR_MS).hear(Restarted())
    assert desk.count(Role.EXIT) == 0
    another_stands(desk)


def test_and_goes_on_once_it_has_answered_or_has_not() -> None:
    for answered in (True, False):
        desk = a_long()
        desk.hear(CloseAsked(reason="MANUAL"))
        desk.hear(said_no(ref=desk.placed(Role.EXIT).ref, code=-4131, message="out of the band"))
        desk.later(HOUR_MS).hear(Restarted())
        if answered:
            desk.later(50).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.01")
        else:
            desk.later(desk.scene.policy.restart_patience_ms).hear(Ticked())
        assert desk.count(Role.EXIT) == 2


def cut_off(desk: Desk, seconds: int) -> None:
    """Nothing reaches the venue: closes and surveys are tried again and again."""
    for _ in range(seconds):
        desk.later(1_000).hear(SurveyUnanswered())
        for each in desk.last:
            if isinstance(each, Place):
                desk.hear(PlaceNotSent(ref=each.order.ref, reason="no connection"))


@pytest.mark.parametrize("part", [None, "0.004"])
def test_a_close_that_could_not_leave_for_long_hears_the_venue_first(part: str | None) -> None:
    """The house was cut off for an hour, and its owner traded by his telephone."""
    desk = a_long()
    desk.hear(CloseAsked(reason="MANUAL", qty=None if part is None else Qty(Decimal(part))))
    desk.hear(PlaceNotSent(ref=desk.placed(Role.EXIT).ref, reason="no connection"))
    cut_off(desk, 50)
    tried = desk.count(Role.EXIT)
    assert tried > 20 if part is None else tried > 5, "a glitch costs no time"
    cut_off(desk, 3_550)
    assert desk.count(Role.EXIT) < tried + 80 + 3_550 / 10
    another_stands(desk)


def test_nor_is_one_begun_by_what_is_remembered_of_an_hour_ago() -> None:
    """A guard, say, that the first price after so long has passed."""
    desk = a_long()
    cut_off(desk, 3_600)
    desk.later(10).hear(CloseAsked(reason="STOP_CROSSED"))
    assert desk.count(Role.EXIT) == 0
    another_stands(desk)


def closing_in_vain() -> tuple[Desk, int]:
    """Cut off for ten minutes; how often it was tried by then."""
    desk = a_long()
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.hear(PlaceNotSent(ref=desk.placed(Role.EXIT).ref, reason="no connection"))
    cut_off(desk, 600)
    return desk, desk.count(Role.EXIT)


def test_nor_is_it_tried_while_a_question_is_under_way() -> None:
    """It would overtake the first answer after so long."""
    desk, tried = closing_in_vain()
    desk.holding = desk.holding.but(survey_asked_ms=desk.now)
    for _ in range(12):
        desk.later(1_000)
        desk.holding = desk.holding.but(survey_asked_ms=desk.now)
        desk.hear(Ticked())
    assert desk.count(Role.EXIT) == tried
    another_stands(desk)


def test_and_goes_on_at_once_where_the_position_is_still_there() -> None:
    desk, tried = closing_in_vain()
    desk.later(100).survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.01")
    desk.later(1_000).hear(Ticked())
    assert desk.count(Role.EXIT) == tried + 1


def test_a_schedule_that_reduces_is_over_with_its_position_too() -> None:
    desk = a_long("0.02")
    desk.submit(an_intent("i2", side=Side.SELL, qty="0.02", reduce_only=True, stop=None), "0.01", "0.01", gap_ms=5_000)
    first = desk.placed(Role.TAKER)
    desk.ack(first)
    desk.fill(first, "0.01")
    desk.later(100).survey(qty="0.01", trades=(sold(desk), bought(desk)))
    desk.later(5_000).hear(Ticked())

    assert desk.placed(Role.TAKER) == first
    assert desk.holding.position.qty == Decimal("0.01")


def test_nor_does_it_go_on_by_what_is_remembered_of_long_ago() -> None:
    desk = a_long("0.02")
    desk.submit(
        an_intent("i2", side=Side.SELL, qty="0.02", reduce_only=True, stop=None), "0.01", "0.01", gap_ms=600_000
    )
    first = desk.placed(Role.TAKER)
    desk.ack(first)
    desk.fill(first, "0.01")
    cut_off(desk, 600)
    desk.later(10).hear(Ticked())
    assert desk.placed(Role.TAKER) == first
    desk.later(100).survey(qty="0.01", trades=(sold(desk), bought(desk)))
    desk.later(1_000).hear(Ticked())
    assert desk.placed(Role.TAKER) == first


def test_an_entry_that_may_still_fill_keeps_its_close() -> None:
    """What comes of it is closed, too."""
    desk = a_long()
    desk.submit(an_intent("i2", qty="0.01"), wait_ms=60_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(CloseAsked(reason="MANUAL"))
    desk.hear(said_no(ref=desk.placed(Role.EXIT).ref, code=-4131, message="out of the band"))
    late = desk.a_fill(maker, "0.01", "65000", "lost-2")
    desk.later(1_000).survey(desk.word(maker, Status.FILLED, "0.01"), qty="0.01", trades=(sold(desk), late))
    desk.later(1_000).hear(Ticked())
    assert desk.count(Role.EXIT) == 2


@pytest.mark.req("S4-SPOT-3")
def test_on_spot_no_list_is_taken_away_before_the_venue_is_heard() -> None:
    """Nothing may be sold until then: whatever the close, what is held would be bare for as long as nobody answers."""
    desk = a_spot_long(max_hold_s=3_600)
    [pair] = desk.pairs()
    desk.later(6 * HOUR_MS).hear(Restarted())
    desk.later(2_000).hear(SurveyUnanswered())
    assert desk.canceled() == []
    standing = (desk.word(leg, Status.NEW) for leg in (pair.stop, pair.target))
    desk.later(500).survey(*standing, qty=str(desk.holding.position.qty))
    assert desk.canceled() == [pair.stop.ref]
