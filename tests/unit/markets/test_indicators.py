"""Each incremental indicator against its naive version."""

import itertools
import math
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from chimera.tape.indicators import YEAR_MS, Bar, Bars, RealisedVolatility, TimeMean, WilderAtr

PRICES = st.integers(600_000, 700_000).map(lambda ticks: Decimal(ticks) / 10)
STEPS = st.lists(st.tuples(st.integers(0, 4_000), PRICES), min_size=1, max_size=80)


@given(steps=STEPS)
def test_bars_hold_the_prices_of_their_span(steps: list[tuple[int, Decimal]]) -> None:
    bars, at_ms, closed, seen = Bars(5_000), 1_000_000, list[Bar](), list[tuple[int, Decimal]]()
    for wait_ms, price in steps:
        at_ms += wait_ms
        seen.append((at_ms // 5_000 * 5_000, price))
        bar = bars.take(at_ms, price)
        closed += [bar] if bar else []

    starts = sorted({start for start, _ in seen})[:-1]  # the last is still open
    naive = [[price for at, price in seen if at == start] for start in starts]
    assert closed == [
        Bar(start_ms=start, high=max(prices), low=min(prices), close=prices[-1])
        for start, prices in zip(starts, naive, strict=True)
    ]


@given(prices=st.lists(st.tuples(PRICES, PRICES, PRICES), min_size=1, max_size=40), period=st.integers(1, 14))
def test_atr_is_wilders(prices: list[tuple[Decimal, Decimal, Decimal]], period: int) -> None:
    bars = [Bar(start_ms=0, high=max(p), low=min(p), close=p[1]) for p in prices]
    atr = WilderAtr(period)
    for bar in bars:
        atr.take(bar)

    ranges = [bars[0].high - bars[0].low]
    for before, bar in itertools.pairwise(bars):
        ranges.append(max(bar.high - bar.low, abs(bar.high - before.close), abs(bar.low - before.close)))
    if len(ranges) < period:
        assert atr.value is None
        return
    naive = sum(ranges[:period], Decimal(0)) / period
    for true_range in ranges[period:]:
        naive = (naive * (period - 1) + true_range) / period
    assert atr.value is not None
    assert abs(atr.value - naive) < Decimal("1E-20")


def test_atr_in_its_warm_up_is_the_mean_of_the_ranges_seen() -> None:
    atr = WilderAtr(14, warmup=3)
    values = []
    for high in ("101", "103", "102"):
        atr.take(Bar(start_ms=0, high=Decimal(high), low=Decimal(99), close=Decimal(100)))
        values.append(atr.value)

    assert values == [None, None, Decimal(3)]


@given(closes=st.lists(PRICES, min_size=1, max_size=30), window=st.integers(3, 10))
def test_realised_volatility_is_the_root_mean_square_return_per_year(closes: list[Decimal], window: int) -> None:
    volatility = RealisedVolatility(window, 5_000)
    for close in closes:
        volatility.take(close)

    returns = [math.log(float(b) / float(a)) for a, b in itertools.pairwise(closes)][-window:]
    if len(returns) < 3:
        assert volatility.value is None
    else:
        mean_square = sum(r * r for r in returns) / len(returns)
        assert volatility.value is not None
        assert math.isclose(volatility.value, math.sqrt(mean_square * YEAR_MS / 5_000), rel_tol=1e-9)


@given(
    steps=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 50)), min_size=1, max_size=60),
    wait_ms=st.integers(0, 900),
)
def test_time_mean_is_the_integral_over_its_buckets(steps: list[tuple[int, int]], wait_ms: int) -> None:
    window_ms, buckets, hold_ms = 1_000, 10, 300
    mean = TimeMean(window_ms, buckets, hold_ms)
    at_ms, held = 5_000, list[int | None]()  # one entry per millisecond from 5,000 on
    value: int | None = None
    since = at_ms
    for gap_ms, new in [*steps, (wait_ms, -1)]:
        held += [value if moment - since < hold_ms else None for moment in range(at_ms, at_ms + gap_ms)]
        at_ms += gap_ms
        if new >= 0:
            mean.take(at_ms, Decimal(new))
            value, since = new, at_ms

    span_ms = window_ms // buckets
    first = max(5_000, (at_ms // span_ms - buckets + 1) * span_ms)
    inside = [one for one in held[first - 5_000 :] if one is not None]
    found = mean.mean(at_ms)
    if not inside:
        assert found is None
    else:
        assert found is not None
        assert abs(found - Decimal(sum(inside)) / len(inside)) < Decimal("1E-20")
