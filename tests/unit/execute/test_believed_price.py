"""At which price something is booked of which no trade was told."""

from decimal import Decimal

import pytest

from chimera.trading.facts import Found, PlaceUnanswered, Reported, Surveyed, Ticked
from chimera.trading.fill import Fill
from chimera.trading.money import Millis, Price
from chimera.trading.order import Role, Status
from chimera.trading.venue import VenuePosition, VenueSnapshot
from support.desk import SYMBOL, Desk, a_long, an_intent

pytestmark = pytest.mark.req("S4-LIM-1")
ENTRY = Decimal("65000.1")
STEP_DOWN = Decimal("64500.0")


def surveyed(desk: Desk, qty: str, *trades: Fill) -> None:
    """As futures tell it: what is flat has neither entry price nor mark. The stops that were placed last stand."""
    held = bool(Decimal(qty))
    position = VenuePosition(
        symbol=SYMBOL, qty=Decimal(qty), entry_px=Price(ENTRY) if held else None,
        mark_px=Price(desk.bid) if held else None, liquidation_px=None, updated_ms=desk.now,
    )  # fmt: skip
    stops = (desk.word(desk.placed(Role.STOP), Status.NEW),) if desk.count(Role.STOP) else ()
    snapshot = VenueSnapshot(
        symbol=SYMBOL, asked_ms=desk.now, orders=stops, position=position, trades=trades, trades_since_ms=Millis(0)
    )
    desk.hear(Surveyed(snapshot=snapshot))


def until_believed(desk: Desk, qty: str) -> None:
    for _ in range(desk.scene.policy.strikes_to_shrink):
        surveyed(desk.later(3_000), qty)
    assert desk.holding.position.qty == Decimal(qty)


def quoted(desk: Desk, bid: Decimal) -> Desk:
    desk.bid, desk.ask = bid, bid + Decimal("0.1")
    return desk


@pytest.mark.parametrize(
    ("bid", "left", "loss"),
    [
        (STEP_DOWN, "0", Decimal("0.01") * (ENTRY - STEP_DOWN)),
        (STEP_DOWN, "0.004", Decimal("0.006") * (ENTRY - STEP_DOWN)),
        (Decimal(66000), "0", Decimal(0)),
    ],
)
def test_what_closed_unseen_counts_as_a_loss_of_the_day_by_the_mark_and_never_as_a_profit(
    bid: Decimal, left: str, loss: Decimal
) -> None:
    """It counted as nothing: closed at what it was opened at."""
    desk = a_long("0.01")
    until_believed(quoted(desk, bid), left)

    assert desk.holding.position.realized == -loss


def test_where_the_stop_is_gone_with_it_it_closed_there_though_the_market_came_back() -> None:
    desk = a_long("0.01")
    stop = desk.placed(Role.STOP)
    desk.hear(Reported(order=desk.word(stop, Status.EXPIRED)))
    desk.later(1_000).hear(Ticked())
    assert desk.count(Role.STOP) == 2
    until_believed(desk, "0")

    assert stop.trigger_price is not None
    assert desk.holding.position.realized == Decimal("0.01") * (stop.trigger_price - ENTRY)


def test_what_had_been_counted_beside_its_own_trade_is_no_loss() -> None:
    """The trade came after it was inferred: what goes again was never held."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.hear(PlaceUnanswered(ref=entry.ref, dead_after_ms=Millis(desk.now + 14_000)))
    trade = desk.a_fill(entry, "0.01", str(ENTRY), "77")
    for _ in range(3):
        surveyed(desk.later(200), "0.01")
    desk.later(100).hear(Found(order=desk.word(entry, Status.FILLED, cum="0.01")))
    surveyed(desk.later(500), "0.01", trade)
    assert desk.holding.position.qty == Decimal("0.02")
    until_believed(quoted(desk, STEP_DOWN), "0.01")

    assert desk.holding.position.realized == 0
