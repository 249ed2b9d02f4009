"""What a plan is expected to cost: by hand, and by its properties."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.route.preview import expected, fill_probability
from chimera.trading.execution import Maker, Plan, Slice
from chimera.trading.liquidity import Book, Hour
from chimera.trading.market import Level, Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.venue import FeeRates
from support.desk import T0

FEES = FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005"))


def a_book(*, bid_qty: str = "2", ask_qty: str = "2", half: str = "6.5") -> Book:
    bid, ask = 65_000 - Decimal(half), 65_000 + Decimal(half)
    return Book(
        bids=(Level(price=Price(bid), qty=Qty(Decimal(bid_qty))),),
        asks=(Level(price=Price(ask), qty=Qty(Decimal(ask_qty))),),
        at_ms=T0,
    )


def a_plan(*qty: str, wait_ms: int = 0) -> Plan:
    slices = tuple(Slice(qty=Qty(Decimal(part)), after_ms=number * 100) for number, part in enumerate(qty))
    return Plan(slices=slices, deadline_ms=Millis(T0 + 1), maker=Maker(wait_ms=wait_ms))


@pytest.mark.req("S4-PREV-1")
def test_a_market_order_pays_half_the_spread_and_the_taker_fee() -> None:
    found = expected(a_plan("1"), Side.BUY, a_book(), None, FEES)
    assert (found.spread_bps, found.slippage_bps, found.fees_bps, found.cost_bps) == (2, 1, 5, 6)
    assert (found.maker_share, found.fill_probability) == (0, 0)
    assert found.avg_price == Decimal("65006.5")


@pytest.mark.req("S4-PREV-1")
def test_a_maker_that_may_fill_costs_its_share_of_both_ways() -> None:
    """tau = 2000 x (2 + 2) / 2 = 4000, wait 4000: p = 1 - 1/e = 0.6321; maker 2 - 1, taker 1 + 5."""
    found = expected(a_plan("2", wait_ms=4_000), Side.SELL, a_book(), None, FEES)
    assert found.fill_probability == Decimal("0.6321")
    assert (found.maker_bps, found.taker_bps) == (1, 6)
    assert found.cost_bps == Decimal("2.8394")  # 0.63212 + 0.36788 x 6
    assert 65_000 < found.avg_price < 65_006


@pytest.mark.req("S4-PREV-1")
def test_a_spread_wider_than_usual_makes_a_fill_less_likely() -> None:
    usual = Hour(spread_bps=Decimal(1), depth=Quote(Decimal(1)))
    wide = fill_probability(Side.BUY, Qty(Decimal(1)), 1_000, a_book(), usual)
    assert wide < fill_probability(Side.BUY, Qty(Decimal(1)), 1_000, a_book(), None)


QUANTITIES = st.decimals("0.001", 50, places=3)


@given(
    queue=QUANTITIES, other=QUANTITIES, qty=QUANTITIES, wait=st.integers(1, 5_000), side=st.sampled_from(Side),
    half=st.decimals("0.1", 900, places=1),
)  # fmt: skip
def test_costs_and_chances_stay_within_their_bounds_and_mirror(
    queue: Decimal, other: Decimal, qty: Decimal, wait: int, side: Side, half: Decimal
) -> None:
    book = a_book(bid_qty=str(queue), ask_qty=str(other), half=str(half))
    found = expected(a_plan(str(qty), wait_ms=wait), side, book, None, FEES)
    assert 0 <= found.fill_probability <= 1
    assert found.maker_share + found.taker_share == 1
    assert found.maker_bps - Decimal("0.001") <= found.cost_bps <= found.taker_bps + Decimal("0.001")
    longer = expected(a_plan(str(qty), wait_ms=wait * 2), side, book, None, FEES)
    assert longer.fill_probability >= found.fill_probability

    turned = a_book(bid_qty=str(other), ask_qty=str(queue), half=str(half))
    mirror = expected(a_plan(str(qty), wait_ms=wait), side.opposite, turned, None, FEES)
    assert mirror.but(avg_price=found.avg_price) == found
    assert abs(mirror.avg_price + found.avg_price - 130_000) < Decimal("1e-15")
