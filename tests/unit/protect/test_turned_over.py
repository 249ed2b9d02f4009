"""A position that is turned over in one trade, by hand, say, while its stop fires: the new side gets a stop at once."""

from decimal import Decimal

import pytest
from desk import a_long

from chimera.trading.facts import Found, Reported, Ticked
from chimera.trading.ids import ClientOrderId
from chimera.trading.market import Side
from chimera.trading.order import OrderType, Role, Status
from support.desk import Desk

pytestmark = pytest.mark.req("I10", "I11")


def turned_over() -> Desk:
    """A long of 0.01 whose stop has just triggered; 0.03 are sold by hand."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.hear(Found(order=desk.word(stop, Status.TRIGGERING)))
    by_hand = stop.but(
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
