"""The route table learned: what a wait costs though most are cut short, how far a row may move, and on whose word."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.learn.curves import by_spread, curves
from chimera.learn.first import laid_out
from chimera.learn.fit import Bounds, fit
from chimera.learn.shadow import compared
from chimera.learn.trials import Trial, trials
from chimera.learn.waiting import Rates, Waiting
from chimera.tca.quotes import Quotes
from chimera.tca.rows import Rested
from chimera.trading.ids import ClientOrderId, IntentId, Symbol
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty, Quote
from chimera.trading.routes import RouteTable, Row, Twap
from chimera.wire.route_table import DEFAULT
from support.tca_rows import T0, a_fill, an_intent
from support.wait_regimes import EQUAL, EVEN, FUTURES, KEEN, POISONED, STALE, Regime

RATES = Rates(maker=2.0, taker=5.0)
QUICK = Bounds(resamples=40)


def a_table(*waits: int) -> RouteTable:
    whole = Twap(slices=1, gap_ms=0)
    rows = [
        Row(notional_usdt_max=Quote(Decimal(200 * (number + 1))), maker_wait_ms=wait, twap=whole)
        for number, wait in enumerate(waits)
    ]
    return RouteTable(rev=4, rows=tuple(rows))


def a_trial(waited_ms: int, *, filled: bool = False, **known: float) -> Trial:
    return Trial(at_ms=Millis(T0), notional=Decimal(100), waited_ms=waited_ms, filled=filled, **known)


def test_a_wait_that_was_cut_short_is_no_wait_that_never_fills() -> None:
    """Ten waits, two of them cut off at 100 ms: of eight still there at 200 ms half fill."""
    waits = [a_trial(100)] * 2 + [a_trial(200, filled=True)] * 4 + [a_trial(900)] * 4

    unfilled = Waiting(waits, Rates(maker=0.0, taker=1.0))  # the cost of a wait is then the share still unfilled

    assert (unfilled.cost(199), unfilled.cost(200)) == (1, pytest.approx(0.5))
    assert unfilled.cost(200) < 0.6, "what a plain share of the filled would say"


def test_the_cost_of_a_wait_is_fees_markouts_and_what_is_taken_in_the_end() -> None:
    waits = [a_trial(200, filled=True, markout_bps=1.0, spread_bps=0.2)] * 30 + [a_trial(900, spread_bps=0.2)] * 30

    waiting = Waiting(waits, RATES)

    assert waiting.cost(0) == pytest.approx(5.1)
    assert waiting.cost(500) == pytest.approx(0.5 * (2 + 1) + 0.5 * 5.1)
    hurried = Waiting(waits, Rates(maker=2.0, taker=5.0, urgency_per_s=1.0))
    assert hurried.cost(500) - waiting.cost(500) == pytest.approx(0.2 + 0.5 * 0.3), "a second's worth, while it waits"


def test_without_a_capture_what_the_unfilled_lost_tells_what_the_filled_lost() -> None:
    """A price without a drift: 30 lost 0.9 bps each, so the 10 that filled were 2.7 under the mid of before."""
    waits = [a_trial(100, filled=True, spread_bps=0.2)] * 10 + [a_trial(500, drift_bps=0.9, spread_bps=0.2)] * 30

    assert Waiting(waits, RATES).markout == pytest.approx(2.7 - 0.1)
    assert not Waiting([a_trial(1, filled=True)], RATES).known


@settings(max_examples=12)
@given(st.sampled_from([KEEN, POISONED, EVEN, STALE]), st.integers(0, 60), st.integers(0, 9))
def test_no_row_moves_further_than_a_step_or_beyond_its_bounds(regime: Regime, wait: int, seed: int) -> None:
    found = fit(regime.day(seed, wait * 50, count=240), a_table(wait * 50), regime.fees, Bounds(resamples=4)).rows[0]

    assert 0 <= found.proposed_ms <= 3_000
    assert abs(found.proposed_ms - found.wait_ms) <= max(found.wait_ms * 0.5, 500) + 50


def test_too_few_waits_move_nothing() -> None:
    found = fit(KEEN.day(1, 1_500, count=199), a_table(1_500), FUTURES, QUICK)

    assert not found.moves
    assert "199 orders rested" in found.rows[0].reasons[0]


def test_a_row_learns_from_its_own_sizes_alone() -> None:
    day = KEEN.day(1, 1_000, count=400)

    found = fit(day, a_table(1_000, 1_000), FUTURES, QUICK)

    assert (found.rows[0].trials, found.rows[1].trials) == (400, 0)
    assert found.table.rows[1].maker_wait_ms == 1_000
    assert found.table.rev == 5


@pytest.mark.req("S4-ROUTE-11")
@pytest.mark.parametrize(("regime", "begins", "low", "high"), [(KEEN, 2_000, 3_000, 3_000), (POISONED, 1_000, 0, 0)])
def test_day_by_day_a_table_comes_to_what_costs_least(regime: Regime, begins: int, low: int, high: int) -> None:
    table, past = a_table(begins), []
    for day in range(7):
        past += regime.day(day, table.rows[0].maker_wait_ms, count=400, from_ms=day * 86_400_000)
        table = fit(past[-1_200:], table, regime.fees, QUICK).sure

    assert low <= table.rows[0].maker_wait_ms <= high


@pytest.mark.req("S4-ROUTE-11")
def test_what_held_out_orders_do_not_confirm_is_proposed_and_no_more() -> None:
    """Where a fill is worth exactly what it costs no wait is better than another, whatever one sample says."""
    even = Regime("no matter", lambda _: 0.5, lambda _: 3.01)
    confirmed = sum(
        fit(even.day(seed, 1_500, count=300), a_table(1_500), FUTURES, QUICK).sure_moves for seed in range(6)
    )

    assert confirmed <= 1


def test_a_row_that_takes_at_once_is_only_tried_where_a_maker_pays_less() -> None:
    tried, stays = fit((), a_table(0), FUTURES, QUICK), fit((), a_table(0), EQUAL, QUICK)

    assert tried.rows[0].proposed_ms == 500
    assert not tried.sure_moves, "nobody has seen it pay"
    assert not stays.moves


@pytest.mark.req("S4-ROUTE-11")
def test_a_market_without_rows_learns_from_what_the_fees_say_of_it() -> None:
    """Written down as rows it trades as before; orders of the other market keep to what they had."""
    begun = laid_out(DEFAULT, Market.FUT, FUTURES, 3_000)
    both = laid_out(begun, Market.SPOT, EQUAL, 3_000)

    assert [row.maker_wait_ms for row in begun.of(Market.FUT)] == [3_000] * 3
    assert (begun.of(Market.SPOT), [row.maker_wait_ms for row in both.of(Market.SPOT)]) == ((), [0] * 3)
    assert (begun.terms.chase_ms, begun.terms.reprices, both.terms) == (0, 20, begun.terms)
    found = fit(POISONED.day(1, 3_000, count=400), both, FUTURES, QUICK, market=Market.FUT)
    assert found.rows[0].moves
    assert found.table.of(Market.SPOT) == both.of(Market.SPOT)
    assert laid_out(found.table, Market.FUT, FUTURES, 3_000) == found.table


def test_the_same_trials_and_seed_are_the_same_proposal() -> None:
    day = STALE.day(1, 1_500, count=400)

    assert fit(day, a_table(1_500), FUTURES, QUICK, seed=3) == fit(day, a_table(1_500), FUTURES, QUICK, seed=3)


def test_a_wide_market_that_wants_another_wait_gets_a_factor() -> None:
    narrow = [trial.but(spread_bps=0.05) for trial in STALE.day(1, 2_000, count=400)]
    wide = [trial.but(spread_bps=0.7) for trial in KEEN.day(2, 2_000, count=400)]

    found = by_spread([*narrow, *wide], RATES, Bounds())
    told = curves(found, 5, Bounds())

    assert told is not None
    assert [point.at for point in told.by.spread_bps] == [Decimal(0), Decimal("0.5")]
    assert told.by.spread_bps[0].factor <= told.by.spread_bps[1].factor
    assert curves(found[:1], 5, Bounds()) is None


def _rest(name: str, sent: int, ended: int, *, first_fill: int | None = None, price: str = "100") -> Rested:
    return Rested(
        ref=ClientOrderId(name), intent_id=IntentId("i1"), symbol=Symbol("BTCUSDT"), quote="USDT", side=Side.BUY,
        price=Price(Decimal(price)), qty=Qty(Decimal(2)), sent_ms=Millis(T0 + sent), ended_ms=Millis(T0 + ended),
        first_fill_ms=None if first_fill is None else Millis(T0 + first_fill), maker_qty=Qty(Decimal(0)),
        spread_bps=Decimal(2), depth=None,
    )  # fmt: skip


def test_orders_that_followed_the_touch_are_one_wait_and_a_taker_ends_it() -> None:
    """Two orders, 400 ms in all, unfilled; then 2 are taken with the mid 0.05 higher: 5 bps, less half the spread."""
    work = an_intent("BUY", "2", a_fill("100.06", "2", mid="100.05"), decided=None, arrived="100.01")

    (found,) = trials([work], [_rest("m1", 0, 250), _rest("m2", 260, 400, price="100.02")], Quotes())

    assert (found.waited_ms, found.filled, found.notional) == (400, False, Decimal("200.02"))
    assert found.drift_bps == pytest.approx(4.0)
    taken_between = an_intent("BUY", "2", a_fill("100.06", "1", mid="100.05"), decided=None, arrived=None)
    assert len(trials([taken_between], [_rest("m1", 0, 500), _rest("m2", 1_200, 1_400)], Quotes())) == 2
    filled = trials([work], [_rest("m1", 0, 250), _rest("m2", 260, 700, first_fill=300)], Quotes())
    assert [(each.waited_ms, each.filled) for each in filled] == [(300, True)]


def test_a_gain_that_chance_could_have_made_confirms_nothing() -> None:
    """Fifteen blocks in which a longer wait was a little cheaper on average; the bad end of it is a loss."""
    slight = Regime("hardly", lambda _: 0.5, lambda _: 2.9)
    held_out = slight.day(3, 1_500, count=300)

    verdicts = [
        compared(slight.day(seed, 1_500, count=300), RATES, 1_000, 1_400, block_ms=20_000, resamples=60, seed=seed)
        for seed in range(8)
    ]

    gains = [each for each in verdicts if each.mean is not None and each.mean < 0]
    assert gains, "some of the samples look like one"
    assert any(not each.better for each in gains)
    assert all(each.high is not None and each.high < 0 for each in verdicts if each.better)
    assert not compared(held_out, RATES, 1_000, 1_400, block_ms=60_000, resamples=60, seed=1).better, "5 blocks"
