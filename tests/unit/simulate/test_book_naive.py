"""The fast book and queue against naive ones, by state hash, over histories of quotes, prints, takes and waits."""

from decimal import Decimal
from typing import Any

import pytest
from book_histories import A_TOUCH, PROBES, QUEUE, TICK, histories, only_touches, play_book, play_queue
from hypothesis import example, given, settings
from naive_book import NaiveBook, fingerprint

from chimera.simulate.venue.book import REFILL_MS, Book
from chimera.trading.market import Side
from chimera.trading.money import Qty

pytestmark = pytest.mark.req("TW-3")


@settings(max_examples=400, deadline=None)
@given(histories)
@example([A_TOUCH, (Side.SELL, 0, Qty(Decimal(1))), REFILL_MS, (Side.BUY, 0, Qty(Decimal(1)))])
def test_the_fast_book_is_the_naive_one(history: list[Any]) -> None:
    """The example: a side nobody looked at in time gives back what was taken from it all the same."""
    play_book(history)


@settings(max_examples=200, deadline=None)
@given(only_touches)
def test_so_it_is_where_only_the_touch_is_shown(history: list[Any]) -> None:
    play_book(history)


@settings(max_examples=200, deadline=None)
@given(*QUEUE)
def test_the_fast_queue_is_the_naive_one(side: Side, history: list[Any], at: Decimal) -> None:
    play_queue(side, history, at)


def test_the_fingerprint_sees_a_step_of_size() -> None:
    """The oracle can fail: one unit more on a level is another hash, and a book that was told nothing, too."""
    one, other = NaiveBook(TICK), NaiveBook(TICK)
    one.apply(A_TOUCH)
    other.apply(A_TOUCH.but(ask_qty=Qty(Decimal(3))))

    assert len({fingerprint(book, 0, PROBES) for book in (one, other, Book(TICK))}) == 3
