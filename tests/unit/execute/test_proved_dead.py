"""An entry whose outcome is open is dead only when query, orders, trades and position are silent after its window."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from chimera.trading.execution import Maker, Plan, Slice
from chimera.trading.facts import NotFound, PlaceUnanswered, Ticked
from chimera.trading.ids import IntentId
from chimera.trading.money import Millis
from chimera.trading.order import NewOrder, Role, Status
from chimera.wire.results import order_result
from support.desk import Desk, an_intent
from support.spot_desk import SpotDesk, buy

I1 = IntentId("i1")
WINDOW_MS = 14_000
Speaks = Callable[[Desk, NewOrder], None]


def unanswered(desk: Desk, ends_s: int = 60) -> NewOrder:
    """Sent, no answer, and its window is over by the venue's clock."""
    intent = buy() if isinstance(desk, SpotDesk) else an_intent()
    one = Slice(qty=intent.qty, after_ms=0)
    desk.work(intent, Plan(slices=(one,), maker=Maker(wait_ms=0), deadline_ms=Millis(desk.now + ends_s * 1_000)))
    entry = desk.placed(Role.TAKER)
    desk.hear(PlaceUnanswered(ref=entry.ref, dead_after_ms=Millis(desk.now + WINDOW_MS)))
    desk.later(WINDOW_MS + 1)
    return entry


def missing(desk: Desk, entry: NewOrder) -> None:
    desk.hear(NotFound(ref=entry.ref, asked_server_ms=desk.now))
    desk.later(500).hear(Ticked())


def nothing(desk: Desk, entry: NewOrder) -> None:
    """No survey has been heard since."""


def an_old_survey(desk: Desk, entry: NewOrder) -> None:
    desk.now = Millis(desk.now - WINDOW_MS)
    desk.survey()
    desk.later(WINDOW_MS)


def an_open_order(desk: Desk, entry: NewOrder) -> None:
    desk.survey(desk.word(entry, Status.NEW))


def a_trade(desk: Desk, entry: NewOrder) -> None:
    desk.survey(qty=str(entry.qty), trades=(desk.a_fill(entry, str(entry.qty), "65000", "t-1"),))


def a_position(desk: Desk, entry: NewOrder) -> None:
    desk.survey(qty=str(entry.qty))


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.parametrize("make", [Desk, SpotDesk])
@pytest.mark.parametrize("speaks", [nothing, an_old_survey, an_open_order, a_trade])
def test_it_is_not_sent_again_while_one_of_the_four_is_not_silent(speaks: Speaks, make: type[Desk]) -> None:
    desk = make()
    entry = unanswered(desk)
    speaks(desk, entry)
    missing(desk, entry)

    assert desk.count(Role.TAKER) == 1
    assert desk.holding.orders[entry.ref].status is not Status.REJECTED


@pytest.mark.req("S4-RETRY-2")
def test_it_is_not_sent_again_while_the_position_has_a_difference_that_nobody_explains() -> None:
    """On futures; what a spot wallet says is another matter (``test_spot_wallet_speaks``)."""
    desk = Desk()
    entry = unanswered(desk)
    a_position(desk, entry)
    missing(desk, entry)

    assert desk.count(Role.TAKER) == 1


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.parametrize("make", [Desk, SpotDesk])
def test_after_four_silences_it_is_sent_again_once_under_another_id(make: type[Desk]) -> None:
    desk = make()
    entry = unanswered(desk)
    desk.survey()
    missing(desk, entry)
    desk.later(2_000).hear(Ticked())
    again = desk.placed(Role.TAKER)

    assert desk.count(Role.TAKER) == 2
    assert (again.qty, again.ref != entry.ref) == (entry.qty, True)


@pytest.mark.req("S4-RETRY-2", "ACC-6")
@pytest.mark.parametrize("make", [Desk, SpotDesk])
def test_one_that_is_proved_dead_past_its_deadline_failed(make: type[Desk]) -> None:
    desk = make()
    entry = unanswered(desk, ends_s=5)
    waiting = order_result(desk.holding, I1)
    desk.survey()
    missing(desk, entry)
    desk.later(2_000).hear(Ticked())
    row = order_result(desk.holding, I1)

    assert (waiting["result"], waiting["status"], waiting["in_doubt"]) == ("OK", "ACCEPTED", True)
    assert (row["result"], row["status"], row["code"]) == ("FAIL", "REJECTED", "VENUE_UNAVAILABLE")
    assert desk.count(Role.TAKER) == 1
    assert desk.holding.open_qty(entry.side) == Decimal(0)
