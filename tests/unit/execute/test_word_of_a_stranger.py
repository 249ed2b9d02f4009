"""The venue says that somebody else's order has filled, and the trade itself is not told: a survey must look.

A liquidation without a trade number, or a report whose trade could not be counted: until the next survey the rest of a
schedule would be bought back, and what was opened would have no stop.
"""

from decimal import Decimal

import pytest

from chimera.trading.commands import Survey
from chimera.trading.facts import Reported
from chimera.trading.ids import ClientOrderId
from chimera.trading.market import Side
from chimera.trading.order import NewOrder, OrderType, Status
from chimera.trading.position import ADOPTED
from support.desk import SYMBOL, Desk, a_long
from support.spot_desk import a_spot_long

pytestmark = pytest.mark.req("S4-REC-1", "I11")


def theirs(ref: str, side: Side = Side.SELL) -> NewOrder:
    return NewOrder(ref=ClientOrderId(ref), symbol=SYMBOL, side=side, type=OrderType.MARKET, qty=Decimal("0.01"))


def surveys(desk: Desk) -> int:
    return sum(isinstance(command, Survey) for command in desk.last)


@pytest.mark.parametrize("ref", ["autoclose-1800000000000", "web_1", "adl_autoclose"])
@pytest.mark.parametrize("status", [Status.FILLED, Status.PARTIALLY_FILLED, Status.EXPIRED])
def test_what_has_filled_without_a_trade_is_looked_for_at_once(ref: str, status: Status) -> None:
    desk = a_long()
    order = theirs(ref)
    desk.hear(Reported(order=desk.word(order, status, "0.005")))

    assert surveys(desk) == 1


def test_what_only_rests_or_ended_unfilled_is_not() -> None:
    desk = a_long()
    for status in (Status.NEW, Status.CANCELED):
        desk.hear(Reported(order=desk.word(theirs("web_1", Side.BUY), status)))
        assert surveys(desk) == 0


def test_nor_what_came_with_its_trade() -> None:
    desk = a_long()
    order = theirs("web_1")
    fill = desk.a_fill(order, "0.005", "65000", "h-1")
    desk.hear(Reported(order=desk.word(order, Status.PARTIALLY_FILLED, "0.005"), fill=fill))

    assert surveys(desk) == 0
    assert desk.holding.position.qty == Decimal("0.005")


def test_on_spot_it_is_the_users_own() -> None:
    desk = a_spot_long()
    desk.hear(Reported(order=desk.word(theirs("web_1"), Status.FILLED, "0.01")))
    assert surveys(desk) == 0


@pytest.mark.parametrize(("closes", "left"), [("web_2", ("0.01", None)), ("adl_autoclose", ("0.006", "0.004"))])
def test_who_closes_by_hand_closes_what_he_opened_by_hand(closes: str, left: tuple[str, str | None]) -> None:
    """The venue's own deleveraging knows no such thing: the oldest goes first."""
    desk = a_long()
    for number, (ref, side) in enumerate((("web_1", Side.BUY), (closes, Side.SELL))):
        order = theirs(ref, side)
        fill = desk.a_fill(order, "0.004", "65000", f"h-{number}")
        desk.hear(Reported(order=desk.word(order, Status.FILLED, "0.004"), fill=fill))

    ours, *others = desk.holding.position.lots
    assert (ours.intent_id in desk.holding.intents, ours.qty) == (True, Decimal(left[0]))
    assert [(lot.intent_id, lot.qty) for lot in others] == ([] if left[1] is None else [(ADOPTED, Decimal(left[1]))])
