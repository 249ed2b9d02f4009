"""The liquidity probe: cost of a book, means of an hour, and what a child does in a poor market."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chimera.route.probe import (
    Go,
    HourMean,
    LastHour,
    Wait,
    bound,
    depth_top1,
    judge,
    slippage_bps,
    within,
)
from chimera.trading.execution import Plan, Slice
from chimera.trading.liquidity import Book, Liquidity
from chimera.trading.market import Level, Side
from chimera.trading.money import MINUTE_MS, Millis, Price, Qty, Quote
from support.desk import BTC, T0

RULES = BTC.but(min_notional=Decimal(200))  # four steps: a rest may be too small
TERMS = Liquidity(spread_max_bps=Decimal(4), depth_min=Quote(Decimal(6_500)), slip_max_bps=Decimal(10))


def levels(*rows: tuple[str, str]) -> tuple[Level, ...]:
    return tuple(Level(price=Price(Decimal(price)), qty=Qty(Decimal(qty))) for price, qty in rows)


def a_book(*, spread: str = "10", top: str = "1", step: str = "50", count: int = 4) -> Book:
    """Around 65000: the touch holds ``top``, each further level as much, ``step`` apart."""
    half, apart = Decimal(spread) / 2, Decimal(step)
    return Book(
        bids=levels(*((str(65_000 - half - apart * number), top) for number in range(count))),
        asks=levels(*((str(65_000 + half + apart * number), top) for number in range(count))),
        at_ms=T0,
    )


def asked(
    side: Side, qty: str, book: Book, *, terms: Liquidity | None = TERMS, worst: str | None = None, taking: bool = True,
    waited_ms: int = 0, shrunk: int = 0,
) -> Go | Wait:  # fmt: skip
    plan = Plan(
        slices=(Slice(qty=Qty(Decimal(qty))),),
        deadline_ms=Millis(T0 + 9_999),
        liquidity=terms,
        worst_price=None if worst is None else Price(Decimal(worst)),
    )
    return judge(side, plan.total, book, plan, RULES, taking=taking, waited_ms=waited_ms, shrunk=shrunk)


def test_slippage_is_the_mean_price_against_the_mid_and_counts_the_rest_at_the_last_known_level() -> None:
    book = a_book()  # asks 65005, 65055, 65105, 65155
    assert slippage_bps(book, Side.BUY, Decimal(1)) == Decimal(5) / 65_000 * 10_000
    assert slippage_bps(book, Side.BUY, Decimal(2)) == Decimal(30) / 65_000 * 10_000
    assert slippage_bps(book, Side.BUY, Decimal(8)) == Decimal("117.5") / 65_000 * 10_000


BOOKS = st.builds(
    a_book,
    spread=st.sampled_from(["0.2", "10", "300"]),
    top=st.sampled_from(["0.004", "0.5", "3"]),
    step=st.sampled_from(["0.1", "7", "90"]),
    count=st.integers(1, 5),
)


@given(book=BOOKS, side=st.sampled_from(Side), bps=st.decimals("0.1", 80, places=2))
def test_within_is_as_much_as_costs_no_more_than_asked(book: Book, side: Side, bps: Decimal) -> None:
    got = within(book, side, bps)
    known = sum((level.qty for level in book.taken_by(side)), Decimal(0))
    assert 0 <= got <= known
    if got:
        assert slippage_bps(book, side, got) <= bps + Decimal("1e-12")
    more = got + Decimal("0.001")
    if more <= known:
        assert slippage_bps(book, side, more) > bps


@pytest.mark.req("S4-ROUTE-9")
@given(book=BOOKS, side=st.sampled_from(Side), qty=st.integers(1, 9_000), shrunk=st.integers(0, 7))
def test_what_is_sent_in_any_market_is_legal_bounded_where_poor_and_never_more(
    book: Book, side: Side, qty: int, shrunk: int
) -> None:
    whole = qty * BTC.step
    found = asked(side, str(whole), book, waited_ms=TERMS.postpone_max_ms, shrunk=shrunk)
    assert isinstance(found, Go)
    assert 0 < found.qty <= whole
    assert found.qty % BTC.step == 0
    if found.qty < whole:
        assert min(found.qty, whole - found.qty) * book.mid >= RULES.min_notional
        assert shrunk < TERMS.shrinks
    if found.limit is None:
        assert slippage_bps(book, side, whole) <= TERMS.slip_max_bps
        assert book.spread_bps <= TERMS.spread_max_bps
    else:
        touch = book.taken_by(side)[0].price
        assert BTC.on_tick(found.limit)
        assert (found.limit - touch) * side.sign >= 0
        assert found.why


@given(book=BOOKS, qty=st.integers(1, 9_000), waited_ms=st.sampled_from([0, 15_000]), taking=st.booleans())
def test_a_sell_is_the_mirror_of_a_buy(book: Book, qty: int, waited_ms: int, taking: bool) -> None:
    whole = str(qty * BTC.step)
    buy, sell = (asked(side, whole, book, waited_ms=waited_ms, taking=taking) for side in (Side.BUY, Side.SELL))
    if isinstance(buy, Wait) or isinstance(sell, Wait):
        assert buy == sell
        return
    assert buy.qty == sell.qty
    assert (buy.limit is None) == (sell.limit is None)
    if buy.limit is not None and sell.limit is not None:
        assert buy.limit + sell.limit == 130_000


def test_a_good_market_is_simply_taken() -> None:
    assert asked(Side.BUY, "1", a_book()) == Go(qty=Qty(Decimal(1)))


@pytest.mark.req("S4-ROUTE-7", "S4-ROUTE-8")
@pytest.mark.parametrize("taking", [True, False])
def test_a_wide_spread_postpones_maker_and_taker_until_the_waiting_is_used_up(taking: bool) -> None:
    wide = a_book(spread="65")  # 10 bps, 4 are usual
    for waited in (0, 5_000, 10_000):
        assert asked(Side.BUY, "0.1", wide, taking=taking, waited_ms=waited) == Wait(
            ms=5_000, why="postponed 5000 ms: spread 10 bps is above 4"
        )
    found = asked(Side.BUY, "0.1", wide, taking=taking, waited_ms=15_000)
    assert isinstance(found, Go)
    assert found.qty == Decimal("0.1")
    assert found.limit == (Decimal("65065.0") if taking else None)  # 10 bps from the mid; a maker has its own price


@pytest.mark.req("S4-ROUTE-7")
def test_a_thin_touch_shrinks_the_child_to_what_it_holds() -> None:
    thin = a_book(top="0.05")  # 3250 at the touch, 6500 are usual
    found = asked(Side.SELL, "0.2", thin)
    assert isinstance(found, Go)
    assert (found.qty, found.limit) == (Decimal("0.05"), Decimal("64935.0"))
    assert (
        found.why
        == "cut from 0.2 to 0.05 at 64935: depth 3250 at the touch is below 6500; it would cost 12.31 bps, above 10"
    )
    assert asked(Side.SELL, "0.05", thin) == Go(qty=Qty(Decimal("0.05")))


@pytest.mark.req("S4-ROUTE-9")
def test_what_would_cost_too_much_is_cut_to_what_does_not_and_at_last_bounded() -> None:
    """10 bps are 65: 65005, 65055, 65105 and 3/9 of the fourth level."""
    book = a_book(top="1")
    found = asked(Side.BUY, "4", book)
    assert isinstance(found, Go)
    assert (found.qty, found.limit) == (Decimal("3.333"), Decimal("65065.0"))
    assert "it would cost 12.31 bps, above 10" in found.why
    last = asked(Side.BUY, "4", book, shrunk=TERMS.shrinks)
    assert isinstance(last, Go)
    assert (last.qty, last.limit) == (Decimal(4), Decimal("65065.0"))


@pytest.mark.parametrize(("side", "worst", "limit"), [(Side.BUY, "65010", "65010"), (Side.SELL, "64000", "64935")])
def test_the_plans_worst_price_wins_where_it_is_tighter(side: Side, worst: str, limit: str) -> None:
    found = asked(side, "4", a_book(), worst=worst, shrunk=TERMS.shrinks)
    assert isinstance(found, Go)
    assert found.limit == Decimal(limit)
    assert asked(side, "0.1", a_book(), worst=worst) == Go(qty=Qty(Decimal("0.1")), limit=Price(Decimal(worst)))
    assert asked(side, "0.1", a_book(), worst=worst, terms=None, taking=False) == Go(qty=Qty(Decimal("0.1")))


@given(book=BOOKS, side=st.sampled_from(Side), bps=st.decimals(0, 80, places=2))
def test_a_bound_is_on_a_tick_and_always_takes_the_touch(book: Book, side: Side, bps: Decimal) -> None:
    found = bound(book, side, bps, BTC)
    touch = book.taken_by(side)[0].price
    assume(BTC.on_tick(touch))
    assert BTC.on_tick(found)
    assert (found - touch) * side.sign >= 0


@pytest.mark.req("S4-ROUTE-8")
@given(
    readings=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 50)), min_size=1, max_size=400),
    ahead=st.integers(0, 90),
)
def test_the_hours_mean_is_the_mean_of_its_readings(readings: list[tuple[int, int]], ahead: int) -> None:
    """Against the naive version that keeps everything."""
    mean = HourMean()
    readings.sort(key=lambda reading: reading[0])
    for minute, value in readings:
        mean.take(minute * MINUTE_MS + value, Decimal(value))
    now = readings[-1][0] + ahead
    kept = [value for minute, value in readings if minute > now - 60]
    assert mean.mean(now * MINUTE_MS) == (Decimal(sum(kept)) / len(kept) if len(kept) >= 60 else None)


@pytest.mark.req("S4-ROUTE-8")
def test_the_last_hour_speaks_once_it_has_seen_enough() -> None:
    hour, book = LastHour(), a_book()
    for number in range(60):
        assert hour.now(T0 + number) is None
        hour.take(T0 + number, book)
    seen = hour.now(T0 + 60)
    assert seen is not None
    assert abs(seen.spread_bps - book.spread_bps) < Decimal("1e-20")
    assert seen.depth == depth_top1(book, Side.SELL)
