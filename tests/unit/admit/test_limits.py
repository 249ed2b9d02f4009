"""The wall at the last hop: nothing that adds exposure passes it, whoever asks; what only reduces always does."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.admit.limits import Exposure, LimitBook, Limits
from chimera.trading.ids import ClientOrderId
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Millis, Price, Qty, Quote
from chimera.trading.order import NewOrder, OrderType
from support.desk import SYMBOL

LIMITS = Limits(
    max_order_notional=Quote(Decimal(1000)),
    max_position_notional=Quote(Decimal(2000)),
    max_gross_notional=Quote(Decimal(5000)),
    max_daily_loss=Quote(Decimal(50)),
    price_collar_bps=Decimal(100),
    max_orders_per_10s=8,
)
NOW = Millis(1_000_000)
GROSS = Quote(Decimal(1_600))  # of the positions below


def an_order(qty: str, *, side: Side = Side.BUY, price: str | None = None, reduce_only: bool = False) -> NewOrder:
    return NewOrder(
        ref=ClientOrderId("x"),
        symbol=SYMBOL,
        side=side,
        type=OrderType.LIMIT if price else OrderType.MARKET,
        qty=Qty(Decimal(qty)),
        price=Price(Decimal(price)) if price else None,
        reduce_only=reduce_only,
    )


def an_exposure(held: str = "0", buys: str = "0", sells: str = "0", elsewhere: str = "0") -> Exposure:
    return Exposure(
        position_qty=Decimal(held),
        open_buy_qty=Decimal(buys),
        open_sell_qty=Decimal(sells),
        near=Price(Decimal(100)),
        elsewhere=Quote(Decimal(elsewhere)),
    )


@pytest.mark.req("S4-LIM-1", "I22", "I21")
@pytest.mark.parametrize(
    ("order", "exposure", "code"),
    [
        (an_order("10"), an_exposure(), None),
        (an_order("10.001"), an_exposure(), "LIMIT_ORDER_NOTIONAL"),
        (an_order("10"), an_exposure("10"), None),
        (an_order("10"), an_exposure("10.001"), "LIMIT_POSITION_NOTIONAL"),
        (an_order("10"), an_exposure("5", "5.001"), "LIMIT_POSITION_NOTIONAL"),
        (an_order("10", side=Side.SELL), an_exposure("-10.001"), "LIMIT_POSITION_NOTIONAL"),
        (an_order("10", side=Side.SELL), an_exposure(buys="15", sells="10.001"), "LIMIT_POSITION_NOTIONAL"),
        (an_order("10"), an_exposure("10", elsewhere="3000"), None),
        (an_order("10"), an_exposure("10", elsewhere="3000.01"), "LIMIT_GROSS_NOTIONAL"),
        (an_order("10", side=Side.SELL), an_exposure("-5", sells="5", elsewhere="3000.01"), "LIMIT_GROSS_NOTIONAL"),
        (an_order("5", price="101"), an_exposure(), None),
        (an_order("5", price="101.1"), an_exposure(), "LIMIT_PRICE_COLLAR"),
        (an_order("5", price="98.9"), an_exposure(), "LIMIT_PRICE_COLLAR"),
    ],
)
@pytest.mark.fault("F17", "F2", "C9", "G5")
def test_each_limit_at_its_edge(order: NewOrder, exposure: Exposure, code: str | None) -> None:
    refusal = LimitBook(LIMITS).reserve(order, exposure, NOW)
    assert (refusal.split(":")[0] if refusal else None) == code


@pytest.mark.req("S4-LIM-1")
def test_the_days_loss_stops_entries() -> None:
    book = LimitBook(LIMITS)
    book.day_pnl[Market.FUT, SYMBOL] = Quote(Decimal("-49.99"))
    assert book.reserve(an_order("1"), an_exposure(), NOW) is None
    book.day_pnl[Market.FUT, SYMBOL] = Quote(Decimal(-50))
    assert (book.reserve(an_order("1"), an_exposure(), NOW) or "").startswith("LIMIT_DAILY_LOSS")


@pytest.mark.req("S4-LIM-1", "I23")
@given(times=st.lists(st.integers(0, 30_000), max_size=60))
def test_entries_never_use_the_share_kept_for_protection(times: list[int]) -> None:
    """In any 10 s at most three quarters of the budget goes to entries."""
    book, passed = LimitBook(LIMITS), []
    for at in sorted(times):
        if book.reserve(an_order("1"), an_exposure(), Millis(at)) is None:
            passed.append(at)
    for at in passed:
        assert sum(1 for other in passed if at - 10_000 < other <= at) <= 6


def test_what_is_left_of_the_notional_is_what_the_last_hop_would_grant() -> None:
    book = LimitBook(LIMITS)
    one, other = an_exposure("-3", buys="1", sells="2"), an_exposure("9", buys="4")
    left = book.notional_left([one, other], GROSS)
    assert left == Decimal(700)
    most = left / other.near
    assert book.reserve(an_order(str(most)), other, NOW) is None
    over = book.reserve(an_order(str(most + Decimal("0.001"))), other, NOW) or ""
    assert over.startswith("LIMIT_POSITION_NOTIONAL")
    assert book.notional_left([], Quote(ZERO)) == LIMITS.max_position_notional
    assert book.notional_left([an_exposure("99")], GROSS) == 0


@pytest.mark.req("S4-LIM-1", "I22")
def test_where_all_positions_leave_less_than_one_may_take_it_is_that_less() -> None:
    book = LimitBook(LIMITS)
    left = book.notional_left([an_exposure("3")], Quote(Decimal(4_700)))
    beside = an_exposure("3", elsewhere="4400")
    assert left == Decimal(300)
    assert book.reserve(an_order("3"), beside, NOW) is None
    assert (book.reserve(an_order("3.001"), beside, NOW) or "").startswith("LIMIT_GROSS_NOTIONAL: 5000.10 > ")
    assert book.notional_left([], Quote(Decimal(5_001))) == 0
