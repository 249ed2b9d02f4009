"""Every factor that the feed writes against the same figure worked out another way: from the raw events of the market,
all of them at once, in fractions, with no state carried from one event to the next.
"""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction as F
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.services.feed.settings import FeedSettings
from chimera.services.feed.symbol import SymbolFeed
from chimera.trading.decision import Feature
from chimera.trading.market import DepthChanged, Level, Marked, MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import Millis, Price, Qty

pytestmark = pytest.mark.req("S3-FEAT-1")

D = Decimal
BTC = "BTCUSDT"
START_MS = 1_763_000_000_123
HALF = F(1, 2_000_000)  # of the sixth place
YEAR_MS = 365 * 24 * 60 * 60 * 1_000
SMALL = FeedSettings(
    atr_period=4, atr_bar_ms=1_000, atr_warmup_bars=2, rv_bars=5, mean_window_ms=6_000, constants={"rho": D("-0.40")}
)
WIDE = FeedSettings()  # as it runs: bars of five seconds, means of an hour
BUCKETS, HOLD_MS = 60, 60_000


@st.composite
def markets(draw: Any, longest_gap_ms: int) -> list[MarketEvent]:
    """Any order of touches, trades, depth and marks; gaps of none, of some bars, and beyond what a value holds."""
    at_us = START_MS * 1_000
    events: list[MarketEvent] = []
    tick = draw(st.sampled_from([D("0.1"), D("0.01"), D(1)]))
    for _ in range(draw(st.integers(1, 60))):
        at_us += draw(st.integers(0, longest_gap_ms * 1_000))
        bid = draw(st.integers(1_000, 1_400)) * tick
        match draw(st.sampled_from(["touch", "touch", "touch", "trade", "depth", "mark"])):
            case "touch":
                ask = bid + draw(st.integers(1, 40)) * tick
                sizes = [Qty(D(draw(st.integers(0, 5_000))) / 1_000) for _ in range(2)]
                events.append(a_touch(at_us, bid, ask, *sizes))
            case "trade":
                taker = draw(st.sampled_from(Side))
                events.append(Traded(symbol=BTC, at_us=at_us, price=Price(bid), qty=Qty(D(1)), taker=taker))
            case "depth":
                level = Level(price=Price(bid), qty=Qty(D(1)))
                events.append(DepthChanged(symbol=BTC, at_us=at_us, bids=(level,), asks=()))
            case _:
                rate = D(draw(st.integers(-300, 300))) / 100_000
                price, due = Price(bid), Millis(at_us // 1_000 + 1)
                events.append(
                    Marked(symbol=BTC, at_us=at_us, mark=price, index=price, funding_rate=rate, next_funding_ms=due)
                )
    return events


def a_touch(at_us: int, bid: Decimal, ask: Decimal, bid_qty: Decimal, ask_qty: Decimal) -> TopOfBook:
    return TopOfBook(
        symbol=BTC, at_us=at_us, bid=Price(bid), bid_qty=Qty(bid_qty), ask=Price(ask), ask_qty=Qty(ask_qty)
    )


def shown(events: Sequence[MarketEvent], by: FeedSettings) -> dict[str, Feature]:
    feed = SymbolFeed(BTC, by)
    for event in events:
        feed.take(event)
    return dict(feed.features().features)


def worked_out(events: Sequence[MarketEvent], by: FeedSettings) -> dict[str, tuple[F | Decimal, int]]:
    """Each factor that must be there: its exact value and the moment it was true."""
    last_ms = events[-1].at_us // 1_000
    found: dict[str, tuple[F | Decimal, int]] = {name: (F(value), last_ms) for name, value in by.constants.items()}
    touches = [(event.at_us // 1_000, event) for event in events if isinstance(event, TopOfBook)]
    if touches:
        touch = touches[-1][1]
        book_ms = [event.at_us // 1_000 for event in events if isinstance(event, TopOfBook | DepthChanged)][-1]
        found["spread_bps"] = (spread(touch), book_ms)
        found["depth_top1_usdt"] = (thinner(touch), book_ms)
        means = {
            # a mean is of what was shown: the spread has six places there
            "spread_bps_mean_1h": [(at, F(round(spread(each) * 10**6), 10**6)) for at, each in touches],
            "depth_top1_usdt_mean_1h": [(at, thinner(each)) for at, each in touches],
        }
        for name, values in means.items():
            mean = time_mean(values, book_ms, by.mean_window_ms)
            if mean is not None:
                found[name] = (mean, book_ms)
    bars = closed_bars([(at, (F(each.bid) + F(each.ask)) / 2) for at, each in touches], by.atr_bar_ms)
    if len(bars) >= by.atr_warmup_bars:
        found["atr"] = (wilder(bars, by.atr_period), bars[-1][0])
    if len(bars) > 3:
        found["rv"] = (volatility([close for _, _, _, close in bars], by), bars[-1][0])
    marks = [event for event in events if isinstance(event, Marked)]
    if marks:
        at_ms = marks[-1].at_us // 1_000
        found["funding_rate"] = (F(marks[-1].funding_rate), at_ms)
        found["funding_next_abs"] = (abs(F(marks[-1].funding_rate)), at_ms)
    return found


def spread(touch: TopOfBook) -> F:
    return (F(touch.ask) - F(touch.bid)) * 20_000 / (F(touch.ask) + F(touch.bid))


def thinner(touch: TopOfBook) -> F:
    return min(F(touch.bid) * F(touch.bid_qty), F(touch.ask) * F(touch.ask_qty))


def closed_bars(mids: Sequence[tuple[int, F]], bar_ms: int) -> list[tuple[int, F, F, F]]:
    """End, high, low and close of each bar that has a touch, but for the last, which is still open."""
    numbers = sorted({at // bar_ms for at, _ in mids})
    bars = []
    for number in numbers[:-1]:
        inside = [mid for at, mid in mids if at // bar_ms == number]
        bars.append(((number + 1) * bar_ms, max(inside), min(inside), inside[-1]))
    return bars


def wilder(bars: Sequence[tuple[int, F, F, F]], period: int) -> F:
    """The weights written out: the mean of the first ranges, then (period - 1) parts of it to one of the new."""
    ranges = [bars[0][1] - bars[0][2]]
    for (_, _, _, before), (_, high, low, _) in pairwise(bars):
        ranges.append(max(high - low, abs(high - before), abs(low - before)))
    first, later = ranges[:period], ranges[period:]
    kept = F(period - 1, period)
    return sum(first) / F(len(first)) * kept ** len(later) + sum(
        (each / period * kept ** (len(later) - 1 - i) for i, each in enumerate(later)), start=F(0)
    )


def volatility(closes: Sequence[F], by: FeedSettings) -> Decimal:
    with localcontext(prec=60):
        logs = [(D(close.numerator) / D(close.denominator)).ln() for close in closes]
        returns = [later - earlier for earlier, later in pairwise(logs)][-by.rv_bars :]
        return (sum(each * each for each in returns) / len(returns) * YEAR_MS / by.atr_bar_ms).sqrt()


def time_mean(values: Sequence[tuple[int, F]], now_ms: int, window_ms: int) -> F | None:
    """Of the value over the window's buckets, the present one included, each value for as long as it held."""
    span_ms = max(1, window_ms // BUCKETS)
    begin_ms = (now_ms // span_ms - BUCKETS + 1) * span_ms
    ends = [at for at, _ in values[1:]] + [now_ms]
    total, weight = F(0), 0
    for (at, value), end in zip(values, ends, strict=True):
        held = min(end, at + HOLD_MS) - max(at, begin_ms)
        if held > 0:
            total, weight = total + value * held, weight + held
    return total / weight if weight else None


def compare(events: Sequence[MarketEvent], by: FeedSettings) -> None:
    board, exact = shown(events, by), worked_out(events, by)

    assert board.keys() == exact.keys()
    for name, (value, at_ms) in exact.items():
        feature = board[name]
        assert feature.at_ms == at_ms, name
        if isinstance(value, Decimal):  # the one that is reckoned in floats
            assert abs(feature.value - value) <= D("0.000001") + value * D("1e-12"), name
        else:
            assert abs(F(feature.value) - value) <= HALF + F(1, 10**15), name


@settings(max_examples=250, deadline=None)
@given(markets(1_700))
def test_every_factor_is_what_the_events_make_it(events: list[MarketEvent]) -> None:
    compare(events, SMALL)


@settings(max_examples=60, deadline=None)
@given(markets(90_000))
def test_with_the_bars_and_windows_that_run_and_with_silence_between(events: list[MarketEvent]) -> None:
    compare(events, WIDE)


def test_the_oracle_by_hand() -> None:
    """Three bars whose figures can be reckoned on paper: closes 100, 110, 99; ranges 2, 10, 11."""
    base_us = START_MS // 1_000 * 1_000_000

    def touch(ms: int, mid: int) -> TopOfBook:
        return a_touch(base_us + ms * 1_000, D(mid - 1), D(mid + 1), D(2), D(1))

    events = [touch(0, 102), touch(500, 100), touch(1_000, 110), touch(2_000, 99), touch(3_000, 99)]
    board = shown(events, SMALL)

    assert board["atr"].value == D("7.666667")  # (2 + 10 + 11) / 3
    assert board["spread_bps"].value == D("202.020202")  # 2 / 99
    assert board["depth_top1_usdt"].value == 100  # 1 x 100 < 2 x 98
    assert board["depth_top1_usdt_mean_1h"].value == D("104.333333")  # (0.5 x 103 + 0.5 x 101 + 111 + 100) / 3
