"""A stop whose price has passed is not asked for while the close is on: it would take the place of the close.

World seed 3457 of the campaign: after a 429 the venue takes one request in two seconds. A short's stop had passed;
tried again and again, and refused each time, it left no room to the close behind it for twenty-four seconds.
"""

from decimal import Decimal

import pytest

from chimera.trading.execution import STOP_CROSSED
from chimera.trading.facts import PlaceNotSent, Ticked
from chimera.trading.intent import StopSpec
from chimera.trading.market import Side
from chimera.trading.money import Price
from chimera.trading.order import Role
from support.desk import Desk, an_intent
from support.refusals import said_no

pytestmark = pytest.mark.req("S4-FUT-3")
WOULD_TRIGGER = -2021
PASSED = {Side.BUY: Decimal(63_900), Side.SELL: Decimal(66_100)}
BEFORE = {Side.BUY: Decimal(64_100), Side.SELL: Decimal(65_900)}
STOPS = {Side.BUY: Decimal(64_000), Side.SELL: Decimal(66_000)}
SIDES = pytest.mark.parametrize("side", list(Side))


def at(desk: Desk, price: Decimal) -> None:
    desk.bid, desk.ask = price, price + Decimal("0.1")


def crossed(side: Side, price: Decimal) -> Desk:
    """The venue has refused its stop, since that would trigger; the market is seen at ``price``, the close not sent."""
    desk = Desk()
    desk.submit(an_intent(side=side, stop=StopSpec(price=Price(STOPS[side]))))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    at(desk, price)
    desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=WOULD_TRIGGER, message="no"))
    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == STOP_CROSSED
    return desk


def kept_back(desk: Desk) -> None:
    desk.hear(PlaceNotSent(ref=desk.placed(Role.EXIT).ref, reason="one at a time", retry_after_ms=None, held=True))


def waited(desk: Desk, ms: int) -> None:
    for _ in range(ms // 100):
        desk.later(100).hear(Ticked())


@SIDES
def test_while_its_price_is_passed_only_the_close_is_tried(side: Side) -> None:
    desk = crossed(side, PASSED[side])
    kept_back(desk)
    waited(desk, 20_000)
    assert desk.count(Role.STOP) == 1


@SIDES
def test_once_the_market_is_back_it_stands_again(side: Side) -> None:
    desk = crossed(side, PASSED[side])
    waited(desk, 3_000)
    at(desk, BEFORE[side])
    waited(desk, 100)
    assert desk.count(Role.STOP) == 2
    assert desk.placed(Role.STOP).trigger_price == STOPS[side]


@SIDES
def test_where_we_see_the_market_elsewhere_the_close_goes_before_the_next_try(side: Side) -> None:
    desk = crossed(side, BEFORE[side])
    desk.later(1).hear(Ticked())
    assert desk.count(Role.STOP) == 2, "the close began with that refusal: this is the first try beside it"
    desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=WOULD_TRIGGER, message="no"))
    waited(desk, 2_400)
    assert desk.count(Role.STOP) == 2
    waited(desk, 200)
    assert desk.count(Role.STOP) == 3


@SIDES
def test_before_a_close_is_on_the_venue_is_asked(side: Side) -> None:
    """Our view of the market may be wrong; what passed by it alone is not closed, and not left without a stop."""
    desk = Desk()
    at(desk, BEFORE[side])
    desk.submit(an_intent(side=side, stop=StopSpec(price=Price(STOPS[side]))))
    at(desk, PASSED[side])
    desk.fill(desk.placed(Role.TAKER), "0.01")
    assert desk.count(Role.STOP) == 1
