"""Roundings: onto the grid, less than one unit away, and in the direction the name says."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.instrument import Instrument
from chimera.trading.market import Side
from chimera.trading.money import Price
from support.desk import BTC

pytestmark = pytest.mark.req("S4-RULE-1")

units = st.sampled_from(["1", "0.1", "0.01", "0.001", "0.5", "0.00001", "5"]).map(Decimal)
rules = st.builds(
    lambda tick, step, base: BTC.but(tick=tick, step=step, min_price=Price(base)),
    units,
    units,
    st.sampled_from(["0", "0.1", "0.05", "261.10"]).map(Decimal),
)
amounts = st.decimals("0", "1000000", places=9)


@given(rule=rules, amount=amounts)
def test_quantities(rule: Instrument, amount: Decimal) -> None:
    floored, rounded = rule.floor_to_step(amount), rule.round_to_step(amount)

    assert rule.on_step(floored)
    assert rule.on_step(rounded)
    assert 0 <= amount - floored < rule.step
    assert abs(amount - rounded) <= rule.step / 2


@given(rule=rules, amount=amounts)
def test_prices(rule: Instrument, amount: Decimal) -> None:
    below, above = rule.price_at_or_below(amount), rule.price_at_or_above(amount)

    assert rule.on_tick(below)
    assert rule.on_tick(above)
    assert 0 <= amount - below < rule.tick
    assert 0 <= above - amount < rule.tick
    assert rule.on_tick(amount) == (below == above == amount)


@given(rule=rules, amount=amounts)
def test_stop_and_target_round_to_our_side(rule: Instrument, amount: Decimal) -> None:
    """A stop never gives more loss than asked, a target never less profit."""
    assert rule.stop_toward_entry(amount, Side.SELL) >= amount >= rule.stop_toward_entry(amount, Side.BUY)
    assert rule.target_away(amount, Side.SELL) >= amount >= rule.target_away(amount, Side.BUY)


def test_ties_go_down() -> None:
    assert BTC.round_to_step(Decimal("0.0025")) == Decimal("0.002")
    assert BTC.round_to_step(Decimal("0.00251")) == Decimal("0.003")


def test_the_price_grid_starts_at_the_least_price() -> None:
    """Binance: ``(price - minPrice) % tickSize == 0``, and minPrice need not be a multiple of the tick."""
    rule = BTC.but(tick=Decimal("0.10"), min_price=Price(Decimal("0.05")))

    assert rule.price_at_or_below(Decimal("65000.12")) == Decimal("65000.05")
    assert rule.on_tick(Decimal("65000.15"))
    assert not rule.on_tick(Decimal("65000.10"))


def test_a_unit_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        BTC.but(step=Decimal(0)).floor_to_step(Decimal(1))
