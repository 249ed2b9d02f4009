"""The fast book and queue against naive ones, by state hash, over histories of quotes, depth, takes and waits."""

import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from naive_book import NaiveBook, NaiveQueue, fingerprint

from chimera.simulate.venue.book import REFILL_MS, Book
from chimera.simulate.venue.orders import Queue
from chimera.trading.market import DepthChanged, Level, Side, TopOfBook
from chimera.trading.money import Price, Qty

TICK = Decimal("0.5")
PROBES = [TICK * number for number in range(1, 26)]

prices = st.integers(1, 25).map(lambda number: Price(TICK * number))
sizes = st.integers(1, 5).map(lambda number: Qty(Decimal(number)))
levels = st.lists(
    st.tuples(prices, st.integers(0, 5)).map(lambda pair: Level(price=pair[0], qty=Qty(Decimal(pair[1])))), max_size=5
).map(tuple)
touches = st.builds(
    TopOfBook, symbol=st.just("X"), at_us=st.just(0), bid=prices, bid_qty=sizes, ask=prices, ask_qty=sizes
)
depths = st.builds(
    DepthChanged, symbol=st.just("X"), at_us=st.just(0), bids=levels, asks=levels, snapshot=st.booleans()
)
takes = st.tuples(st.sampled_from(Side), st.integers(0, 3), sizes)  # of the n-th offer, as matching takes
waits = st.sampled_from([1, REFILL_MS // 2, REFILL_MS - 1, REFILL_MS])
looks = st.sampled_from(Side)
histories = st.lists(st.one_of(touches, depths, takes, waits, looks), max_size=40)
only_touches = st.lists(st.one_of(touches, takes, waits, looks), max_size=40)


def play(history: list[Any]) -> None:
    fast, naive, now_ms = Book(TICK), NaiveBook(TICK), 1_000
    for step in history:
        match step:
            case TopOfBook():
                fast.apply_top(step)
                naive.apply(step)
            case DepthChanged():
                fast.apply_depth(step)
                naive.apply(step)
            case (Side() as taker, place, wish):
                offers = list(naive.offers(taker, now_ms))
                if place < len(offers):
                    price, left = offers[place]
                    fast.take(taker, price, min(left, wish), now_ms)
                    naive.take(taker, price, min(left, wish), now_ms)
            case Side() as taker:
                assert list(fast.offers(taker, now_ms)) == list(naive.offers(taker, now_ms))
            case int(wait):
                now_ms += wait
    assert fingerprint(fast, now_ms, PROBES) == fingerprint(naive, now_ms, PROBES), history


A_TOUCH = TopOfBook(
    symbol="X", at_us=0, bid=Price(TICK), bid_qty=Qty(Decimal(2)), ask=Price(TICK * 2), ask_qty=Qty(Decimal(2))
)


@settings(max_examples=400, deadline=None)
@given(histories)
@example([A_TOUCH, (Side.SELL, 0, Qty(Decimal(1))), REFILL_MS, (Side.BUY, 0, Qty(Decimal(1)))])
def test_the_fast_book_is_the_naive_one(history: list[Any]) -> None:
    """The example: a side nobody looked at in time gives back what was taken from it all the same."""
    play(history)


@settings(max_examples=200, deadline=None)
@given(only_touches)
def test_so_it_is_where_only_the_touch_is_shown(history: list[Any]) -> None:
    play(history)


@dataclasses.dataclass(eq=False)
class Resting:
    price: Decimal


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(Side), st.lists(st.one_of(prices, st.integers(0, 20)), max_size=40), prices)
def test_the_fast_queue_is_the_naive_one(side: Side, history: list[Any], at: Decimal) -> None:
    """A price joins, a number leaves."""
    fast: Queue[Any] = Queue(side)
    naive = NaiveQueue(side)
    for step in history:
        if isinstance(step, Decimal):
            order = Resting(step)
            fast.add(order)
            naive.add(order)
        elif step < len(naive.orders):
            order = naive.orders[step]
            fast.remove(order)
            naive.remove(order)
        assert (fast.in_order(), fast.best) == (naive.in_order(), naive.best)
        assert fast.through(at) == naive.through(at)


def test_the_fingerprint_sees_a_step_of_size() -> None:
    """The oracle can fail: one unit more on a level that nobody touched is another hash."""
    one, other = NaiveBook(TICK), NaiveBook(TICK)
    one.apply(A_TOUCH)
    other.apply(A_TOUCH.but(ask_qty=Qty(Decimal(3))))
    assert fingerprint(one, 0, PROBES) != fingerprint(other, 0, PROBES)
    with pytest.raises(AssertionError):
        assert fingerprint(one, 0, PROBES) == fingerprint(Book(TICK), 0, PROBES)
