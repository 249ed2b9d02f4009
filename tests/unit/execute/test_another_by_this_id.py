"""What lives at the venue under an id of ours may have been sent by an earlier life: its own terms are what stands.

A stop leaves before the state that ordered it is on disk. After a crash just then its id is given out again, perhaps at
another price or for another side, and the venue answers that an order of this id is there (B15: compare side, quantity
and price).
"""

from decimal import Decimal

import pytest

from chimera.trading.facts import Found, Ticked
from chimera.trading.intent import StopSpec
from chimera.trading.market import Side
from chimera.trading.money import Price
from chimera.trading.order import NewOrder, Role, Status
from support.desk import Desk, an_intent
from support.refusals import said_no

pytestmark = [pytest.mark.req("S4-FUT-3", "I10"), pytest.mark.fault("B15")]
WANTED, LIVES = Price(Decimal(64800)), Price(Decimal(64000))


def duplicate(lives: NewOrder, desk: Desk, stop: NewOrder) -> None:
    """The venue refuses the id, and is asked what stands there by it."""
    desk.hear(said_no(ref=stop.ref, code=-4116, message="ClientOrderId is duplicated."))
    assert desk.holding.orders[stop.ref].status is Status.IN_DOUBT
    desk.hear(Found(order=desk.word(lives, Status.NEW)))


def bare() -> tuple[Desk, NewOrder]:
    desk = Desk()
    desk.submit(an_intent(stop=StopSpec(price=WANTED)))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    return desk, desk.placed(Role.STOP)


def test_a_stop_that_lives_at_another_price_is_not_believed_where_it_was_wanted() -> None:
    desk, stop = bare()
    duplicate(stop.but(trigger_price=LIVES), desk, stop)
    again = desk.placed(Role.STOP)

    assert (again.trigger_price, again.ref != stop.ref) == (WANTED, True)
    desk.ack(again)
    assert desk.canceled() == [stop.ref], "once the right one stands"


def test_one_that_lives_for_the_other_side_covers_nothing() -> None:
    desk, stop = bare()
    duplicate(stop.but(side=Side.BUY), desk, stop)
    assert not desk.holding.covered

    desk.ack(desk.placed(Role.STOP))
    assert desk.holding.covered
    assert desk.canceled() == [stop.ref]


@pytest.mark.parametrize("trigger", [WANTED, None])
def test_one_at_its_own_price_or_of_which_none_is_told_is_the_one(trigger: Price | None) -> None:
    desk, stop = bare()
    duplicate(stop.but(trigger_price=trigger), desk, stop)
    desk.later(100).hear(Ticked())

    assert desk.placed(Role.STOP).ref == stop.ref, "sent again by its own id at most"
    assert desk.holding.covered
