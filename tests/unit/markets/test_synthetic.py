"""The synthetic market: its promises for every seed, its knobs, and that a seed is all it depends on."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice, pairwise, takewhile
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_profiles import JUMPY, PROFILES, THIN, TRENDING, WIDE

from chimera.tape.hand import Hand
from chimera.tape.profile import FUTURES, Profile
from chimera.tape.synthetic import START_US, Synthetic
from chimera.trading.market import DepthChanged, Marked, MarketEvent, TopOfBook, Traded
from chimera.wire import codec
from world.market import SPARSE

HOUR_US = 3_600_000_000
FLOOR, CEILING = Decimal(64_900), Decimal(66_900)
SLOW = FUTURES.but(step_ms=5_000, depth_every=4)  # an hour in 720 steps, the same price law

DIGEST = """
import hashlib, itertools
from chimera.tape.synthetic import Synthetic
from chimera.wire import codec
digest = hashlib.sha256()
for event in itertools.islice(Synthetic(11), 3_000):
    digest.update(codec.encode(event))
print(digest.hexdigest())
"""


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_btcusdt_starts_at_65800_and_stays_within_its_band_for_every_seed(seed: int) -> None:
    events = list(_until(Synthetic(seed, profile=SLOW), HOUR_US))

    first = events[0]
    assert isinstance(first, TopOfBook)
    assert abs(first.bid - 65_800) < 2
    for price in _prices(events):
        assert FLOOR < price < CEILING


@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_the_default_profile_keeps_the_band_too(seed: int) -> None:
    assert all(FLOOR < price < CEILING for price in _prices(list(_until(Synthetic(seed), HOUR_US // 12))))


def test_the_band_holds_against_a_walk_that_wants_out() -> None:
    """The guarantee is the reflection, not luck: twelve times the volatility still stays inside."""
    wild = SLOW.but(volatility_bps=Decimal(14), jumps_per_hour=Decimal(100))
    prices = list(_prices(list(_until(Synthetic(1, profile=wild), HOUR_US))))

    assert max(prices) > 66_800
    assert min(prices) < 65_000
    assert all(FLOOR < price < CEILING for price in prices)


@pytest.mark.parametrize("name", PROFILES)
def test_prices_are_on_the_tick_and_sizes_on_the_step(name: str) -> None:
    profile = PROFILES[name]
    for event in islice(Synthetic(3, profile=profile), 2_000):
        match event:
            case TopOfBook():
                assert event.bid % profile.tick == event.ask % profile.tick == 0
                assert event.bid_qty % profile.step == event.ask_qty % profile.step == 0
            case Traded():
                assert event.price % profile.tick == event.qty % profile.step == 0
            case DepthChanged():
                assert all(level.price % profile.tick == 0 for level in event.bids + event.asks)
            case Marked():
                assert event.mark > 0


def test_the_same_seed_is_the_same_bytes_whatever_the_hash_seed() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", DIGEST], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("0", "1")
    }

    assert len(digests) == 1
    market = Synthetic(11)
    assert _bytes(market) == _bytes(market)
    assert _bytes(market) != _bytes(Synthetic(12))


def test_trades_happen_at_the_touch_and_no_larger_than_it() -> None:
    touch: TopOfBook | None = None
    sold = bought = 0
    for event in islice(Synthetic(5), 5_000):
        if isinstance(event, TopOfBook):
            touch = event
        elif isinstance(event, Traded):
            assert touch is not None
            assert (event.price, event.taker.value) in {(touch.ask, "BUY"), (touch.bid, "SELL")}
            assert event.qty <= (touch.ask_qty if event.taker.value == "BUY" else touch.bid_qty)
            bought += event.taker.value == "BUY"
            sold += event.taker.value == "SELL"
    assert min(bought, sold) > 1_000


def test_marks_come_each_second_with_funding_ahead() -> None:
    marks = [event for event in _until(Synthetic(5), 60_000_000) if isinstance(event, Marked)]

    assert [mark.at_us - START_US for mark in marks] == [second * 1_000_000 for second in range(60)]
    assert all(mark.next_funding_ms > mark.at_us // 1_000 for mark in marks)
    assert not [event for event in islice(Synthetic(5, profile=PROFILES["spot"]), 999) if isinstance(event, Marked)]


def test_each_knob_does_what_it_says() -> None:
    def spread(profile: Profile) -> Decimal:
        return median(event.ask - event.bid for event in _touches(profile))

    def size(profile: Profile) -> Decimal:
        return median(event.bid_qty for event in _touches(profile))

    def moved(profile: Profile) -> Decimal:
        mids = [(event.bid + event.ask) / 2 for event in _touches(profile)]
        return max(abs(b - a) for a, b in pairwise(mids))

    assert spread(WIDE) >= 100 * spread(FUTURES)
    assert size(THIN) * 50 < size(FUTURES)
    assert moved(JUMPY.but(jump_bps=Decimal(50))) > 300 > 2 * moved(FUTURES)
    assert moved(FUTURES.but(volatility_bps=Decimal("0.1"))) * 5 < moved(FUTURES)


def test_drift_and_trends_carry_the_price() -> None:
    free = FUTURES.but(band_bps=None, reversion_s=0, volatility_bps=Decimal("0.1"))
    rising = _touches(free.but(drift_bps=Decimal(10)), minutes=20)
    trending = _touches(free.but(trend_bps=TRENDING.trend_bps), minutes=20)

    assert 1.9 < float((rising[-1].bid / rising[0].bid - 1) * 100) < 2.1  # 20 minutes x 10 bps
    low, high = min(event.bid for event in trending), max(event.bid for event in trending)
    assert (high - low) / low * 10_000 > 30


def test_a_sparse_market_is_cheap() -> None:
    sparse = sum(1 for _ in _until(Synthetic(1, profile=SPARSE), 60_000_000))
    default = sum(1 for _ in _until(Synthetic(1), 60_000_000))

    assert sparse < 60 * 12
    assert 60 * 10 < default < 60 * 20


@pytest.mark.parametrize(("symbol", "price"), [("ETHUSDT", "2400"), ("DOGEUSDT", "0.1234")])
def test_another_symbol_keeps_the_notional_of_its_sizes(symbol: str, price: str) -> None:
    tick = Decimal(price) / 10_000
    market = Synthetic(2, symbol, start_price=Decimal(price), profile=FUTURES.but(tick=tick, step=Decimal("0.01")))
    touches = [event for event in islice(market, 3_000) if isinstance(event, TopOfBook)]

    assert touches[0].symbol == symbol
    assert 50_000 < median(event.bid * event.bid_qty for event in touches) < 500_000


def _until(market: Synthetic, span_us: int) -> Iterator[MarketEvent]:
    return takewhile(lambda event: event.at_us < START_US + span_us, market)


def _touches(profile: Profile, minutes: int = 5) -> list[TopOfBook]:
    events = _until(Synthetic(8, profile=profile), minutes * 60_000_000)
    return [event for event in events if isinstance(event, TopOfBook)]


def _prices(events: list[MarketEvent]) -> Iterator[Decimal]:
    for event in events:
        match event:
            case TopOfBook():
                yield from (event.bid, event.ask)
            case Traded():
                yield event.price
            case Marked():
                yield from (event.mark, event.index)
            case DepthChanged():
                yield from (level.price for level in event.bids + event.asks)


def _bytes(market: Synthetic) -> bytes:
    return b"".join(codec.encode(event) for event in islice(market, 3_000))


# ── a hand on it ──


def test_a_hand_that_never_moves_changes_nothing() -> None:
    assert list(islice(Synthetic(5), 3_000)) == list(islice(Synthetic(5, hand=Hand()), 3_000))


def test_a_push_moves_the_price_once_and_within_the_band() -> None:
    hand = Hand()
    events = iter(Synthetic(5, hand=hand, profile=FUTURES.but(volatility_bps=Decimal(0))))
    before = [event.bid for event in islice(events, 200) if isinstance(event, TopOfBook)][-1]
    hand.push(Decimal(-30))
    hand.push(Decimal(-10))
    touches = [event.bid for event in islice(events, 400) if isinstance(event, TopOfBook)]

    assert abs(touches[-1] / before - Decimal("0.996")) < Decimal("0.0002")
    for _ in range(20):
        hand.push(Decimal(1_000))
        assert all(FLOOR < price < CEILING for price in _prices(list(islice(events, 200))))


def test_knobs_make_it_wilder_and_wider_while_it_runs() -> None:
    def spreads(events: Iterator[MarketEvent]) -> list[Decimal]:
        return [event.ask - event.bid for event in islice(events, 2_000) if isinstance(event, TopOfBook)]

    def moves(events: Iterator[MarketEvent]) -> Decimal:
        bids = [event.bid for event in islice(events, 2_000) if isinstance(event, TopOfBook)]
        return sum((abs(b - a) for a, b in pairwise(bids)), Decimal(0)) / len(bids)

    hand = Hand()
    events = iter(Synthetic(5, hand=hand))
    narrow, calm = median(spreads(events)), moves(events)
    hand.spread_times, hand.volatility_pct = 20, 500

    assert median(spreads(events)) > 10 * narrow
    assert moves(events) > 2 * calm
