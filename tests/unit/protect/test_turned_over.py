"""A position that is turned over in one trade, by hand, say, while its stop fires: the new side gets a stop at once."""

from decimal import Decimal

import pytest
from desk import a_long

from chimera.trading.facts import CloseAsked, Found, Reported, Ticked
from chimera.trading.ids import ClientOrderId
from chimera.trading.market import Side
from chimera.trading.money import Qty
from chimera.trading.order import OrderType, Role, Status
from support.desk import Desk
from support.refusals import said_no

pytestmark = pytest.mark.req("I10", "I11")


def turned_over() -> Desk:
    """A long of 0.01 whose stop has just triggered; 0.03 are sold by hand."""
    desk = a_long()
    desk.hear(Found(order=desk.word(desk.placed(Role.STOP), Status.TRIGGERING)))
    return sold_by_hand(desk)


def sold_by_hand(desk: Desk) -> Desk:
    """0.03 in one trade."""
    by_hand = desk.placed(Role.STOP).but(
        ref=ClientOrderId("by-hand"), type=OrderType.MARKET, qty=Decimal("0.03"), trigger_price=None, reduce_only=False
    )
    word = desk.word(by_hand, Status.FILLED, "0.03")
    desk.hear(Reported(order=word, fill=desk.a_fill(by_hand, "0.03", "64990.0", "hand-1")))
    assert desk.holding.position.qty == Decimal("-0.02")
    return desk


def test_a_stop_of_the_old_side_that_fires_keeps_back_none_of_the_new() -> None:
    desk = turned_over()
    stop = desk.placed(Role.STOP)
    assert (stop.side, stop.qty) == (Side.BUY, Decimal("0.02"))


def test_nor_is_the_new_position_closed_for_the_old_stops_sake() -> None:
    desk = turned_over()
    desk.ack(desk.placed(Role.STOP))
    desk.later(desk.scene.policy.trigger_patience_ms).hear(Ticked())
    assert desk.holding.exit is None
    assert desk.holding.covered_qty == Decimal("0.02")


@pytest.mark.req("S4-EXIT-1")
@pytest.mark.parametrize("part", ["0.004", None])
def test_what_was_to_close_the_old_side_closes_none_of_the_new(part: str | None) -> None:
    """The venue refuses the close that was on its way: nothing of the long is left, and the short is another's."""
    desk = a_long()
    desk.hear(CloseAsked(reason="MANUAL", qty=None if part is None else Qty(Decimal(part))))
    close = desk.placed(Role.EXIT)
    sold_by_hand(desk)
    desk.ack(desk.placed(Role.STOP))
    desk.hear(said_no(ref=close.ref, code=-2022, message="ReduceOnly Order is rejected."))
    for _ in range(6):
        desk.later(1_000).hear(Ticked())

    assert desk.count(Role.EXIT) == 1
    assert desk.holding.exit is None
    assert desk.holding.covered_qty == Decimal("0.02")


def test_nor_do_refusals_of_its_stops_count_against_the_new() -> None:
    desk = a_long()
    desk.holding = desk.holding.but(stop_tries=1)
    sold_by_hand(desk)
    assert desk.holding.stop_tries == 0
