"""A position is the sum of its lots: quantity, realised and floating profit, whatever the order of the fills."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.fill import Fill
from chimera.trading.ids import ClientOrderId, IntentId, TradeId, VenueOrderId
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.position import Position, adopted_lot
from support.desk import SYMBOL, T0

CENT = Decimal("1e-20")  # 34 digits carry every sum below to far more than this


def a_fill(number: int, side: Side, qty: Decimal, price: Decimal, fee: Decimal = Decimal(0)) -> Fill:
    return Fill(
        trade_id=TradeId(f"t{number}"),
        ref=ClientOrderId("x"),
        venue_id=VenueOrderId("1"),
        market=Market.FUT,
        symbol=SYMBOL,
        side=side,
        price=Price(price),
        qty=Qty(qty),
        fee=fee,
        fee_asset="USDT",
        realized_pnl=Quote(Decimal(0)),
        maker=False,
        at_ms=Millis(T0 + number),
    )


def take(position: Position, fill: Fill, intent: str, *first: str) -> Position:
    lot = adopted_lot(fill).but(intent_id=IntentId(intent))
    return position.apply(fill, lot, first=tuple(IntentId(name) for name in first))


trades = st.lists(
    st.tuples(
        st.sampled_from(Side),
        st.integers(1, 50).map(lambda lots: lots * Decimal("0.001")),
        st.integers(600_000, 700_000).map(lambda ticks: ticks * Decimal("0.1")),
        st.decimals("-0.01", "0.05", places=5),
        st.sampled_from("abc"),
        st.sampled_from(["", "a", "b"]),
    ),
    max_size=25,
)


@pytest.mark.req("I7", "S4-POS-1")
@given(trades)
def test_quantity_is_the_sum_of_signed_fills(story: list[tuple[Side, Decimal, Decimal, Decimal, str, str]]) -> None:
    position, signed, cash, fees = Position(), Decimal(0), Decimal(0), Decimal(0)
    for number, (side, qty, price, fee, intent, first) in enumerate(story):
        position = take(position, a_fill(number, side, qty, price, fee), intent, *filter(None, [first]))
        signed += qty * side.sign
        cash -= qty * side.sign * price
        fees += fee

        assert position.qty == signed
        assert position.fees == fees
        assert len({lot.side for lot in position.lots}) <= 1
        assert all(lot.qty > 0 for lot in position.lots)
        # What was realised and what floats is, at any mark, the cash that moved and what is held.
        mark = Decimal(66_000)
        floating = sum(((mark - lot.entry_px) * lot.qty * lot.side.sign for lot in position.lots), Decimal(0))
        assert abs(position.realized + floating - (cash + signed * mark)) < CENT


@pytest.mark.req("I7")
@given(trades)
def test_back_to_flat_is_counted(story: list[tuple[Side, Decimal, Decimal, Decimal, str, str]]) -> None:
    position, returns, held = Position(), 0, Decimal(0)
    for number, (side, qty, price, fee, intent, _) in enumerate(story):
        position = take(position, a_fill(number, side, qty, price, fee), intent)
        returns += bool(held) and not held + qty * side.sign
        held += qty * side.sign

    assert position.closed_count == returns
    assert (position.side is None) == (position.entry_px is None) == (held == 0)


def test_oldest_lot_closes_first_unless_another_is_named() -> None:
    long = take(Position(), a_fill(1, Side.BUY, Decimal(1), Decimal(100)), "a")
    long = take(long, a_fill(2, Side.BUY, Decimal(1), Decimal(110)), "b")
    sell = a_fill(3, Side.SELL, Decimal(1), Decimal(120))

    assert [lot.intent_id for lot in take(long, sell, "x").lots] == ["b"]
    assert take(long, sell, "x").realized == 20
    assert [lot.intent_id for lot in take(long, sell, "x", "b").lots] == ["a"]
    assert take(long, sell, "x", "b").realized == 10


def test_a_lot_grows_at_its_mean_price_and_keeps_its_share_of_the_fee() -> None:
    lot = take(Position(), a_fill(1, Side.BUY, Decimal(1), Decimal(100), Decimal("0.1")), "a")
    lot = take(lot, a_fill(2, Side.BUY, Decimal(3), Decimal(104), Decimal("0.3")), "a")
    half = take(lot, a_fill(3, Side.SELL, Decimal(2), Decimal(104)), "x")

    assert [(one.qty, one.entry_px, one.entry_fees) for one in lot.lots] == [(4, 103, Decimal("0.4"))]
    assert [(one.qty, one.entry_fees) for one in half.lots] == [(2, Decimal("0.2"))]


@pytest.mark.fault("G14")
def test_what_exceeds_the_position_opens_the_other_side() -> None:
    position = take(Position(), a_fill(1, Side.BUY, Decimal(1), Decimal(100)), "a")
    flipped = take(position, a_fill(2, Side.SELL, Decimal(3), Decimal(90)), "adopted")

    assert (flipped.qty, flipped.realized, flipped.side, flipped.entry_px) == (-2, -10, Side.SELL, 90)
