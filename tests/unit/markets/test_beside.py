"""Several tapes as one, and the spot market that follows a synthetic futures market."""

import hashlib
from collections import defaultdict
from decimal import Decimal
from itertools import islice, takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.tape.beside import TOGETHER_US, Placed, Tape, side_by_side, start_of
from chimera.tape.depth import Depth
from chimera.tape.profile import FUTURES, SPOT
from chimera.tape.synthetic import START_US, Synthetic, Together
from chimera.trading.market import DepthChanged, Market, MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import Price, Qty
from chimera.wire import codec

MINUTE_US = 60_000_000


def a_trade(at_us: int, symbol: str = "BTCUSDT") -> MarketEvent:
    return Traded(symbol=symbol, at_us=at_us, price=Price(Decimal(1)), qty=Qty(Decimal(1)), taker=Side.BUY)


def a_tape(market: Market, *times: int, symbol: str = "BTCUSDT") -> Tape:
    return Tape(market=market, start_us=times[0], events=[a_trade(at, symbol) for at in times])


def together(seed: int, basis: str = "2") -> Together:
    return Together(Synthetic(seed), Synthetic(seed + 1, profile=SPOT), Decimal(basis))


def until(events: Together, length_us: int) -> list[Placed]:
    return list(takewhile(lambda placed: placed[1].at_us <= START_US + length_us, events))


def test_tapes_of_one_recording_keep_their_own_times() -> None:
    whole = list(side_by_side([a_tape(Market.FUT, 1_000, 3_000), a_tape(Market.SPOT, 500, 3_000, 4_000)]))

    assert [(market.value, event.at_us) for market, event in whole] == [
        ("SPOT", 500), ("FUT", 1_000), ("FUT", 3_000), ("SPOT", 3_000), ("SPOT", 4_000),
    ]  # fmt: skip
    assert start_of([a_tape(Market.FUT, 1_000), a_tape(Market.SPOT, 500)]) == 500


def test_a_tape_of_another_day_is_moved_to_the_start_of_the_first() -> None:
    day = TOGETHER_US + 10_001
    tapes = [a_tape(Market.FUT, 10_000, 20_000), a_tape(Market.FUT, day + 1_000_000, day + 1_005_000, symbol="ETHUSDT")]

    assert [(event.symbol, event.at_us) for _, event in side_by_side(tapes)] == [
        ("BTCUSDT", 10_000), ("ETHUSDT", 10_000), ("ETHUSDT", 15_000), ("BTCUSDT", 20_000),
    ]  # fmt: skip
    assert start_of(tapes) == 10_000


@given(st.lists(st.lists(st.integers(0, 10**9), min_size=1, max_size=8).map(sorted), min_size=1, max_size=4))
def test_time_never_runs_backwards_and_nothing_is_lost(times: list[list[int]]) -> None:
    tapes = [a_tape(Market.FUT, *each, symbol=f"S{place}") for place, each in enumerate(times)]
    whole = list(side_by_side(tapes))

    at = [event.at_us for _, event in whole]
    assert at == sorted(at)
    assert at[0] == start_of(tapes)
    for tape in tapes:
        mine = [event.at_us for _, event in whole if event.symbol == f"S{tapes.index(tape)}"]
        assert [later - mine[0] for later in mine] == [event.at_us - tape.start_us for event in tape.events]


def test_the_futures_of_a_pair_are_what_they_are_alone() -> None:
    alone = list(islice(Synthetic(7), 2_000))
    pair = (event for market, event in together(7) if market is Market.FUT)

    assert list(islice(pair, 2_000)) == alone


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32), basis=st.sampled_from(["0", "2", "-30"]))
def test_spot_follows_the_futures_by_its_basis_in_its_own_ticks(seed: int, basis: str) -> None:
    mids: dict[Market, Decimal] = {}
    books: dict[Market, Depth] = defaultdict(Depth)
    gaps = []
    for market, event in until(together(seed, basis), MINUTE_US):
        if isinstance(event, TopOfBook | DepthChanged):
            books[market].apply(event)
            assert not books[market].crossed
        if isinstance(event, TopOfBook):
            mids[market] = (event.bid + event.ask) / 2
            if market is Market.SPOT:
                assert event.bid % SPOT.tick == event.bid_qty % SPOT.step == 0
        if len(mids) == 2:
            gaps.append((mids[Market.FUT] / mids[Market.SPOT] - 1) * 10_000)

    assert abs(sum(gaps) / len(gaps) - Decimal(basis)) < Decimal("0.4")  # a touch stands while the fair price is in it
    assert max(abs(gap - Decimal(basis)) for gap in gaps) < 10  # a jump is seen by the one a step's events earlier


def test_spot_is_quoted_and_traded_by_chance_of_its_own() -> None:
    events = until(together(3), MINUTE_US)
    trades = {
        side: [event.qty for market, event in events if market is side and isinstance(event, Traded)] for side in Market
    }
    assert len(trades[Market.SPOT]) > 50
    assert any(qty % FUTURES.step for qty in trades[Market.SPOT])
    assert len(trades[Market.SPOT]) != len(trades[Market.FUT])


def test_the_same_seeds_are_the_same_bytes() -> None:
    def digest(pair: Together) -> str:
        whole = hashlib.sha256()
        for market, event in islice(pair, 3_000):
            whole.update(market.encode() + codec.encode(event))
        return whole.hexdigest()

    assert digest(together(11)) == digest(together(11))
    assert digest(together(11)) != digest(together(12))
    assert digest(together(11)) != digest(together(11, "3"))


def test_markets_that_do_not_step_together_are_refused() -> None:
    with pytest.raises(ValueError, match="together"):
        Together(Synthetic(1), Synthetic(1, profile=SPOT.but(step_ms=100)))
