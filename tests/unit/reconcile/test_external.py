"""Orders on the account that are not ours: known, counted, never touched."""

from decimal import Decimal

import pytest

from chimera.reconcile.external import Externals, row, told
from chimera.trading.events import Alert
from chimera.trading.ids import ClientOrderId, Symbol, TradeId
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType, Role, Status
from chimera.trading.venue import AccountSnapshot, VenueOrder
from support.desk import SYMBOL, T0, Desk, a_long

ETH = Symbol("ETHUSDT")


def an_order(ref: str = "web_abc", **more: object) -> VenueOrder:
    order = VenueOrder(
        symbol=SYMBOL, ref=ClientOrderId(ref), conditional=False, venue_id=None, side=Side.BUY, type=OrderType.LIMIT,
        status=Status.NEW, qty=Qty(Decimal("0.5")), updated_ms=T0, price=Price(Decimal(60000)),
    )  # fmt: skip
    return order.but(**more)


def look(*orders: VenueOrder, at_ms: int = T0) -> AccountSnapshot:
    return AccountSnapshot(asked_ms=Millis(at_ms), orders=orders, positions=())


@pytest.mark.req("S4-REC-2")
def test_only_what_is_not_ours_by_its_id_is_external() -> None:
    found = Externals().looked(look(an_order(), an_order("s3-btc-1-m1"), an_order("autoclose-123", symbol=ETH)))
    assert {order.ref for order in found.orders.values()} == {"web_abc", "autoclose-123"}
    assert [order.ref for order in found.of(SYMBOL)] == ["web_abc"]


@pytest.mark.req("S4-REC-2", "S4-LIM-1")
def test_what_may_still_fill_counts_on_its_side_and_what_can_only_reduce_does_not() -> None:
    part = an_order("web_2", status=Status.PARTIALLY_FILLED, cum_qty=Qty(Decimal("0.2")))
    closing = an_order("web_3", reduce_only=True)
    whole = an_order("web_4", close_position=True, qty=Qty(Decimal(0)))
    found = Externals().looked(look(an_order(), part, closing, whole, an_order("web_5", side=Side.SELL)))
    assert found.open_qty(SYMBOL, Side.BUY) == Decimal("0.8")
    assert found.open_qty(SYMBOL, Side.SELL) == Decimal("0.5")
    assert found.open_qty(ETH, Side.BUY) == 0


def test_news_younger_than_the_look_stand_as_they_were_heard() -> None:
    ended = an_order(status=Status.CANCELED)
    heard = Externals().looked(look(an_order())).heard(ended, Millis(T0 + 5))
    assert heard.looked(look(an_order(), at_ms=T0 + 5)).orders == {}  # the look was asked before it ended
    assert heard.looked(look(an_order(), at_ms=T0 + 6)).orders != {}  # asked after: the venue says it is open
    born = Externals().heard(an_order(), Millis(T0 + 5))
    assert born.looked(look(at_ms=T0 + 5)).orders != {}
    assert born.looked(look(at_ms=T0 + 6)).orders == {}


def test_each_appearance_is_new_once() -> None:
    first = Externals().heard(an_order(), T0)
    assert [order.ref for order in first.since(Externals())] == ["web_abc"]
    assert first.heard(an_order(cum_qty=Qty(Decimal("0.1"))), T0).since(first) == ()


def test_it_is_shown_and_told_in_full() -> None:
    assert told(an_order()) == "BTCUSDT BUY 0.5 at 60000: web_abc (not ours)"
    forced = an_order("adl_autoclose", price=None, reduce_only=True)
    assert told(forced) == "BTCUSDT BUY 0.5, reduce-only: adl_autoclose (AUTO_DELEVERAGING)"
    assert row(forced)["forced"] == "AUTO_DELEVERAGING"
    assert row(an_order())["qty"] == "0.5"


def a_stranger(ref: str, side: Side, qty: str = "0.01") -> NewOrder:
    return NewOrder(ref=ClientOrderId(ref), symbol=SYMBOL, side=side, type=OrderType.MARKET, qty=Qty(Decimal(qty)))


def alerts(desk: Desk) -> list[Alert]:
    return [event.body for event in desk.holding.outbox if isinstance(event.body, Alert)]


@pytest.mark.parametrize(
    ("ref", "code", "severity"),
    [
        ("autoclose-1234567890123456789", "LIQUIDATION", "FATAL"),
        ("adl_autoclose", "AUTO_DELEVERAGING", "FATAL"),
        ("settlement_autoclose-BTC", "SETTLEMENT", "FATAL"),
        ("web_abc", "EXTERNAL_FILL", "ERROR"),
        ("s3-forgotten-t1", "FILL_OF_UNKNOWN_ORDER", "ERROR"),
    ],
)
@pytest.mark.fault("C13", "B30")
def test_the_ledger_follows_a_trade_of_an_unknown_order_and_somebody_is_told(
    ref: str, code: str, severity: str
) -> None:
    """B30, C13: half of a long is closed by an order that we did not send."""
    desk = a_long(qty="0.02")
    desk.fill(a_stranger(ref, Side.SELL), "0.01")
    assert desk.holding.position.qty == Decimal("0.01")
    assert desk.holding.covered_qty == Decimal("0.01")  # the stop can only reduce: what is left of the position
    assert [(str(alert.severity), alert.code) for alert in alerts(desk)] == [(severity, code)]
    desk.fill(a_stranger(ref, Side.SELL), "0.005")  # its second trade is no second appearance
    assert len(alerts(desk)) == 1


@pytest.mark.req("S4-REC-2")
@pytest.mark.fault("B32")
def test_what_a_person_opens_is_protected_and_never_cancelled() -> None:
    """B32."""
    desk = Desk()
    order = an_order()
    desk.survey(order)
    assert desk.canceled() == []
    fill = desk.a_fill(a_stranger("web_abc", Side.BUY), "0.01", "60000", "77")
    desk.survey(order.but(status=Status.PARTIALLY_FILLED, cum_qty=fill.qty), qty="0.01", trades=(fill,))
    stop = desk.placed(Role.STOP)
    assert (stop.qty, stop.reduce_only) == (Decimal("0.01"), True)
    assert desk.holding.seen_trades == {TradeId("77"): desk.now}
    assert desk.canceled() == []
