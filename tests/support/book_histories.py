"""Histories of quotes, prints, takes and waits, and how the fast book and queue are played against the naive ones."""

import dataclasses
from decimal import Decimal
from typing import Any

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
prints = st.tuples(st.sampled_from(Side), prices)
waits = st.sampled_from([1, REFILL_MS // 2, REFILL_MS - 1, REFILL_MS])
looks = st.sampled_from(Side)
histories = st.lists(st.one_of(touches, depths, prints, takes, waits, looks), max_size=40)
only_touches = st.lists(st.one_of(touches, prints, takes, waits, looks), max_size=40)


def play_book(history: list[Any]) -> None:
    """Both are told the same; at the end every question is answered alike."""
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
            case (Side() as taker, price):
                fast.printed(taker, price)
                naive.printed(taker, price)
            case Side() as taker:
                assert list(fast.offers(taker, now_ms)) == list(naive.offers(taker, now_ms))
            case int(wait):
                now_ms += wait
    assert fingerprint(fast, now_ms, PROBES) == fingerprint(naive, now_ms, PROBES), history


A_TOUCH = TopOfBook(
    symbol="X", at_us=0, bid=Price(TICK), bid_qty=Qty(Decimal(2)), ask=Price(TICK * 2), ask_qty=Qty(Decimal(2))
)


QUEUE = (st.sampled_from(Side), st.lists(st.one_of(prices, st.integers(0, 20)), max_size=40), prices)


@dataclasses.dataclass(eq=False)
class Resting:
    price: Decimal


def play_queue(side: Side, history: list[Any], at: Decimal) -> None:
    """A price joins, a number leaves; compared after every step."""
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
