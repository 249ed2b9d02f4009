"""Intents worked by S4's own plan and reducer on a tape: what they paid, and that a seed says it all."""

from collections.abc import Sequence
from decimal import Decimal
from itertools import islice

import pytest

from chimera.backtest.bootstrap import Blocks
from chimera.backtest.floor import Queue
from chimera.backtest.replay import Replay
from chimera.backtest.report import measured
from chimera.backtest.trials import Draw, Outcome, Way, all_maker_bps, draws
from chimera.backtest.ways import ACCEPTED, BASE, MARKET, USUAL, WrongWay, longest_ms, named, tried
from chimera.tape.synthetic import START_US, Synthetic
from chimera.trading.intent import MakerThenTaker
from chimera.trading.market import Market, MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import Price, Qty, Quote
from chimera.trading.venue import FeeRates
from chimera.wire.codec import encode
from chimera.wire.route_table import DEFAULT
from support.desk import BTC

FEES = FeeRates(maker=Decimal("0.0002"), taker=Decimal("0.0005"))
EQUAL = FeeRates(maker=Decimal("0.001"), taker=Decimal("0.001"))


def top(at_ms: int, bid: str = "65000.0", ask: str = "65000.1") -> TopOfBook:
    return TopOfBook(
        symbol="BTCUSDT", at_us=START_US + at_ms * 1_000, bid=Price(Decimal(bid)), bid_qty=Qty(Decimal(5)),
        ask=Price(Decimal(ask)), ask_qty=Qty(Decimal(5)),
    )  # fmt: skip


def trade(at_ms: int, price: str, taker: Side, qty: str = "9") -> Traded:
    return Traded(
        symbol="BTCUSDT",
        at_us=START_US + at_ms * 1_000,
        price=Price(Decimal(price)),
        qty=Qty(Decimal(qty)),
        taker=taker,
    )


def replayed(
    events: Sequence[MarketEvent], *names: str, fees: FeeRates = FEES, arrivals: Sequence[Draw] = ()
) -> list[Outcome]:
    ways = [named(name, DEFAULT) for name in names]
    replay = Replay(ways, BTC, fees)
    replay.run(events, arrivals or (Draw(number=0, at_us=START_US + 1_000_000, notional=Quote(Decimal(650))),))
    return replay.outcomes


QUIET = [top(at_ms) for at_ms in range(0, 20_000, 100)]


def test_a_market_order_pays_half_the_spread_and_the_takers_fee() -> None:
    for outcome in replayed(QUIET, "market"):
        assert outcome.cost_bps(FEES) == pytest.approx(5 + 0.05 / 65000.05 * 10_000, abs=1e-4)
        assert (outcome.maker_share, outcome.took_ms, outcome.reason) == (0, 20, "FILLED"), "there and back again"


def test_a_maker_that_is_reached_earns_half_the_spread_and_pays_the_makers_fee() -> None:
    events = sorted([*QUIET, trade(2_050, "65000.0", Side.SELL)], key=lambda event: event.at_us)

    buy, sell = sorted(replayed(events, "maker:3000"), key=lambda outcome: outcome.arrival.side)

    assert buy.maker_share == 1
    assert buy.cost_bps(FEES) == pytest.approx(all_maker_bps(buy.arrival, FEES))
    assert buy.took_ms == pytest.approx(1_060)
    assert (sell.maker_share, sell.children) == (0, 2), "it waited its time, left the book and took"
    assert 3_000 <= sell.took_ms < 3_100
    assert sell.cost_bps(FEES) == pytest.approx(5.0077, abs=1e-3)


def test_latency_is_lived_through_both_ways() -> None:
    """The touch leaves while the order travels: it meets the market that it finds, not the one it saw."""
    events = [top(0), top(900), *(top(1_005 + at_ms, "65010.0", "65010.1") for at_ms in range(0, 9_000, 100))]

    buy, sell = sorted(replayed(events, "market"), key=lambda outcome: outcome.arrival.side)

    assert buy.hits[0].price == Decimal("65010.1")
    assert sell.hits[0].price == Decimal("65010.0")
    assert buy.arrival.touch.mid == Decimal("65000.05")


def test_the_fees_decide_and_not_habit() -> None:
    """The built-in table has no rows: nobody who names nothing waits where waiting saves nothing."""
    for name, wait_ms in (("table", 3_000), ("fees:9000", 9_000)):
        assert all(wait_ms <= outcome.took_ms < wait_ms + 100 for outcome in replayed(QUIET, name))
        equal, taken = replayed(QUIET, name, fees=EQUAL), replayed(QUIET, "market", fees=EQUAL)
        assert [each.cost_bps(EQUAL) for each in equal] == [each.cost_bps(EQUAL) for each in taken]


@pytest.mark.parametrize("name", USUAL)
def test_every_way_trades_all_of_it_by_its_time_whatever_the_venue_is_taken_for(name: str) -> None:
    events = list(islice(Synthetic(7, "BTCUSDT"), 1_200))
    ways = [named(name, DEFAULT).but(queue=queue) for queue in Queue]
    replay = Replay(ways, BTC, FEES)
    room = events[-1].at_us - longest_ms(ways) * 1_000
    replay.run(events, draws(3, 4, START_US + 1_000_000, room))

    assert len(replay.outcomes) == 4 * 2 * len(ways)
    for outcome in replay.outcomes:
        assert sum(hit.qty for hit in outcome.hits) == outcome.arrival.qty
        assert outcome.reason == "FILLED"
        assert outcome.took_ms <= longest_ms(ways)


def test_one_seed_is_one_report_and_another_is_another() -> None:
    events = list(islice(Synthetic(7, "BTCUSDT"), 700))

    def report(seed: int) -> bytes:
        ways = tried(["fees:3000"], DEFAULT, [BASE])
        replay = Replay(ways, BTC, FEES)
        replay.run(events, draws(seed, 12, START_US + 1_000_000, events[-1].at_us - 10_000_000))
        return encode(
            measured(replay.outcomes, ways, FEES, Blocks(replay.times, block_us=10_000_000, seed=seed, resamples=200))
        )

    assert report(5) == report(5)
    assert report(5) != report(6)


def test_a_spot_sale_is_planned_as_an_exit_that_may_not_rest_bare_for_long() -> None:
    spot = BTC.but(market=Market.SPOT)
    way = Way(name="m", policy=MakerThenTaker(wait_ms=3000, slices=1), table=DEFAULT)
    replay = Replay([way], spot, EQUAL)
    replay.run(QUIET, (Draw(number=0, at_us=START_US + 1_000_000, notional=Quote(Decimal(650))),))

    took = {outcome.arrival.side: outcome.took_ms for outcome in replay.outcomes}
    assert took[Side.SELL] < 1_100, "RoutePolicy.bare_rest_ms"
    assert took[Side.BUY] > 2_900


def test_arrivals_are_drawn_within_their_span_and_sizes_within_theirs() -> None:
    drawn = draws(1, 500, 1_000, 2_000_000)

    assert all(1_000 <= each.at_us < 2_000_000 for each in drawn)
    assert all(50 <= each.notional <= 5_000 for each in drawn)
    assert [each.at_us for each in drawn] == sorted(each.at_us for each in drawn)


@pytest.mark.parametrize(
    "name", ["", "maker", "maker:x", "maker:-1", "twap:flat:2:1", "twap:equal:2", "market:1", "fees:700000"]
)
def test_a_way_that_is_none_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(WrongWay):
        named(name, DEFAULT)
    assert MARKET in ACCEPTED


def test_trials_of_one_moment_stand_or_fall_together() -> None:
    """A thousand trials in ten spans are ten facts: the interval is as wide as that, and holds the mean."""
    times = [second * 1_000_000 for second in range(300) for _ in range(10)]
    values = [float(second // 30 % 2) for second in range(300) for _ in range(10)]

    blocks = Blocks(times, block_us=30_000_000, seed=1).of_mean(values)

    assert blocks.low is not None
    assert blocks.high is not None
    assert blocks.lower95 is not None
    assert blocks.high - blocks.low > 0.2, "single trials would say 0.04"
    assert blocks.low <= blocks.lower95 <= blocks.mean <= blocks.high
    assert Blocks(times[:100], block_us=30_000_000, seed=1).of_mean(values[:100]).low is None, "one block tells nothing"
