"""Schedules: exact sums, legal parts, moments in order, the same again; and draws that are spread as they should be."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.route.schedule import Spread, draw, moments, schedule, slices_for, weights
from chimera.trading.money import Price, Qty, Quote
from chimera.trading.routes import Shape
from support.desk import BTC

JITTERS = st.decimals(0, "0.5", places=2)
SPREADS = st.builds(
    Spread,
    slices=st.integers(1, 200),
    gap_ms=st.integers(0, 60_000),
    shape=st.sampled_from(Shape),
    time_jitter=JITTERS,
    size_jitter=JITTERS,
)


@pytest.mark.req("S4-ROUTE-5")
@pytest.mark.fault("F12")
@given(
    steps=st.integers(1, 20_000), spread=SPREADS, price=st.decimals("50", "90000", places=1), reduces=st.booleans(),
    seed=st.text(min_size=1, max_size=12),
)  # fmt: skip
def test_a_schedule_is_exact_legal_in_order_and_drawn_again_the_same(
    steps: int, spread: Spread, price: Decimal, reduces: bool, seed: str
) -> None:
    total = Qty(steps * BTC.step)
    made = schedule(total, spread, BTC, Price(price), seed=seed, reduces=reduces)

    assert sum(part.qty for part in made) == total
    assert all(part.qty % BTC.step == 0 and part.qty >= BTC.min_qty for part in made)
    assert 1 <= len(made) <= spread.slices
    if len(made) > 1 and not reduces:
        assert min(part.qty for part in made) * price >= BTC.min_notional
    assert made[0].after_ms == 0
    assert all(sooner.after_ms <= later.after_ms for sooner, later in pairwise(made))
    assert made == schedule(total, spread, BTC, Price(price), seed=seed, reduces=reduces)


@pytest.mark.req("S4-ROUTE-5")
@given(spread=SPREADS, count=st.integers(2, 200), seed=st.text(min_size=1))
def test_jitter_stays_within_its_share(spread: Spread, count: int, seed: str) -> None:
    """In time of one gap, in size of the slice's own weight."""
    times, sizes = moments(spread, count, seed), weights(spread, count, seed)
    plain = weights(spread.but(size_jitter=Decimal(0)), count, seed)
    for number in range(1, count):
        assert abs(times[number] - number * spread.gap_ms) <= spread.time_jitter * spread.gap_ms + 1
    for drawn, even in zip(sizes, plain, strict=True):
        assert abs(drawn - even) <= spread.size_jitter * even * Decimal("1.000001")


@pytest.mark.req("S4-ROUTE-5")
def test_the_root_curve_shares_by_the_square_root_of_the_number() -> None:
    """1 : 1.41421 : 1.73205 : 2 of 6.146: 1, 1.414, 1.732, 2.000 to a step."""
    made = schedule(Qty(Decimal("6.146")), Spread(slices=4, gap_ms=9, shape=Shape.SQRT), BTC, Price(Decimal(65_000)),
                    seed="i", reduces=False)  # fmt: skip
    assert [str(part.qty) for part in made] == ["0.999", "1.415", "1.732", "2.000"]


@pytest.mark.req("S4-ROUTE-5")
@pytest.mark.parametrize(("steps", "least"), [(10, 5), (11, 5), (4, 4), (1, 1)])
def test_slices_below_the_venues_minimum_are_merged(steps: int, least: int) -> None:
    """At 2500 a slice needs two steps; a reduce-only one needs one."""
    total, spread = Qty(steps * BTC.step), Spread(slices=5, gap_ms=10)
    adding, reducing = (
        schedule(total, spread, BTC, Price(Decimal(2_500)), seed="i", reduces=reduces) for reduces in (False, True)
    )
    assert len(adding) == max(1, steps // 2)
    assert len(reducing) == least


@pytest.mark.req("S4-ROUTE-5")
@pytest.mark.parametrize(("notional", "size", "count"), [("1000", "100", 10), ("1001", "100", 11), ("1", "100", 1)])
def test_as_many_slices_as_the_notional_holds(notional: str, size: str, count: int) -> None:
    assert slices_for(Quote(Decimal(notional)), Quote(Decimal(size))) == count


def test_draws_are_spread_evenly_over_minus_one_to_one() -> None:
    drawn = sorted(draw(f"intent-{number}", "time", 1) for number in range(2_000))
    assert -1 <= drawn[0] < Decimal("-0.99")
    assert Decimal("0.99") < drawn[-1] <= 1
    gaps = [abs(value - (Decimal(2 * number + 1) / 2_000 - 1)) for number, value in enumerate(drawn)]
    assert max(gaps) < Decimal("0.08")  # Kolmogorov: 1.36 x 2 / sqrt(2000) = 0.06 at 5 %; the ids are fixed
