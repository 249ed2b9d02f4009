"""What was opened by hand may be liquidated before the default stop is reached: it stands before that price."""

from decimal import Decimal

import pytest

from chimera.trading.events import Alert
from chimera.trading.facts import Reported, Surveyed
from chimera.trading.ids import ClientOrderId
from chimera.trading.intent import StopSpec
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, Role, Status
from chimera.trading.venue import VenuePosition, VenueSnapshot
from support.desk import SYMBOL, Desk, a_long

pytestmark = pytest.mark.req("S4-FUT-3", "I7")


def shown(desk: Desk, qty: str, entry: str, liquidation: str | None) -> None:
    """A survey of a position, with the price at which the venue would end it; what of ours stands is listed."""
    standing = tuple(desk.word(o.request, Status.NEW) for o in desk.holding.orders.values() if not o.status.final)
    position = VenuePosition(
        symbol=SYMBOL,
        qty=Decimal(qty),
        entry_px=Price(Decimal(entry)),
        mark_px=Price(desk.bid),
        liquidation_px=None if liquidation is None else Price(Decimal(liquidation)),
        updated_ms=desk.now,
    )
    desk.later(1_000)
    desk.hear(
        Surveyed(
            snapshot=VenueSnapshot(
                symbol=SYMBOL,
                asked_ms=desk.now,
                orders=standing,
                position=position,
                trades=(),
                trades_since_ms=Millis(0),
            )
        )
    )


def by_hand(desk: Desk, side: Side = Side.BUY, qty: str = "0.01", number: int = 1) -> None:
    """Bought in the venue's app, at 100 times the margin; the stop that it gets stands."""
    order = NewOrder(
        ref=ClientOrderId(f"web_{number}"), symbol=SYMBOL, side=side, type=OrderType.MARKET, qty=Qty(Decimal(qty))
    )
    fill = desk.a_fill(order, qty, "65000", f"h-{number}")
    desk.hear(Reported(order=desk.word(order, Status.FILLED, qty), fill=fill))
    desk.ack(desk.placed(Role.STOP))


def stop_of(desk: Desk) -> Decimal:
    price = desk.placed(Role.STOP).trigger_price
    assert price is not None
    return price


@pytest.mark.parametrize(
    ("side", "held", "liquidation", "default", "stands"),
    [
        (Side.BUY, "0.01", "64610", "64025.0", "64707.5"),
        (Side.SELL, "-0.01", "65390", "65975.0", "65292.5"),
    ],
)
def test_the_default_stop_stands_before_the_venue_liquidates(
    side: Side, held: str, liquidation: str, default: str, stands: str
) -> None:
    desk = Desk()
    by_hand(desk, side)
    assert stop_of(desk) == Decimal(default), "nobody has said yet where it ends"
    assert desk.holding.survey_due_ms <= desk.now + 2_000, "so the venue is asked soon"
    shown(desk, held, "65000", liquidation)

    assert stop_of(desk) == Decimal(stands)
    told = [event.body for event in desk.holding.outbox if isinstance(event.body, Alert)]
    assert [alert.code for alert in told] == ["EXTERNAL_FILL", "POSITION_ADOPTED", "STOP_NEARER"]
    assert "liquidates at" in told[-1].text


@pytest.mark.parametrize("liquidation", ["62000", "64024.9", None])
def test_one_that_is_reached_before_stays(liquidation: str | None) -> None:
    desk = Desk()
    by_hand(desk)
    shown(desk, "0.01", "65000", liquidation)

    assert desk.count(Role.STOP) == 1


def test_a_price_that_moves_a_little_moves_no_stop() -> None:
    desk = Desk()
    by_hand(desk)
    shown(desk, "0.01", "65000", "64610")
    desk.ack(desk.placed(Role.STOP))
    shown(desk, "0.01", "65000", "64605")

    assert desk.count(Role.STOP) == 2


def test_an_intents_own_stop_too_where_margin_was_taken_out() -> None:
    desk = a_long(stop=StopSpec(price=Price(Decimal(64400))))
    shown(desk, "0.01", "65000.1", "64500")

    assert stop_of(desk) == Decimal("64625.1")


def test_what_was_said_of_one_position_is_not_said_of_the_next() -> None:
    desk = Desk()
    by_hand(desk)
    shown(desk, "0.01", "65000", "64610")
    desk.ack(desk.placed(Role.STOP))
    by_hand_closed = desk.placed(Role.STOP)
    desk.fill(by_hand_closed, "0.01", "64700")
    assert not desk.holding.position.lots

    assert desk.holding.liquidation_px is None


def test_a_larger_one_goes_by_it_until_it_is_told_anew() -> None:
    """Else its stop would go back to where it never fires, for as long as the next survey takes."""
    desk = Desk()
    by_hand(desk)
    shown(desk, "0.01", "65000", "64610")
    by_hand(desk, qty="0.02", number=2)

    assert desk.placed(Role.STOP).qty == Decimal("0.03")
    assert stop_of(desk) == Decimal("64707.5")
    assert desk.holding.survey_due_ms <= desk.now + 2_000
