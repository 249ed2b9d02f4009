"""The venue of a replay: what is taken, and what moves a resting order forward under each assumption."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.backtest.floor import Floor, Queue, Rest
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import DepthChanged, Level, Side, TopOfBook, Traded
from chimera.trading.money import Price, Qty
from chimera.trading.order import NewOrder, OrderType

SYMBOL = "BTCUSDT"


def _level(price: str, qty: str) -> Level:
    return Level(price=Price(Decimal(price)), qty=Qty(Decimal(qty)))


def touch(bid: str = "100", ask: str = "101", qty: str = "5", at_us: int = 1) -> TopOfBook:
    return TopOfBook(
        symbol=SYMBOL, at_us=at_us, bid=Price(Decimal(bid)), bid_qty=Qty(Decimal(qty)), ask=Price(Decimal(ask)),
        ask_qty=Qty(Decimal(qty)),
    )  # fmt: skip


def sold(qty: str, price: str = "100") -> Traded:
    return Traded(symbol=SYMBOL, at_us=2, price=Price(Decimal(price)), qty=Qty(Decimal(qty)), taker=Side.SELL)


class Heard:
    """Takes fills as a desk does."""

    def __init__(self, floor: Floor) -> None:
        self.floor, self.got = floor, Decimal(0)

    def filled(self, rest: Rest, qty: Qty, at_us: int) -> None:
        self.got += qty
        rest.left = Qty(rest.left - qty)
        if not rest.left:
            self.floor.leave(rest)


def a_bid(queue: Queue, qty: str = "2", price: str = "100") -> tuple[Floor, Heard, Rest]:
    """Behind five that are displayed."""
    floor = Floor()
    floor.take(touch())
    heard = Heard(floor)
    order = NewOrder(
        ref=ClientOrderId("r"), symbol=Symbol(SYMBOL), side=Side.BUY, type=OrderType.LIMIT, qty=Qty(Decimal(qty))
    )
    return floor, heard, floor.join(heard, order, Price(Decimal(price)), Qty(Decimal(qty)), queue)


@pytest.mark.parametrize("queue", list(Queue))
def test_all_that_was_ahead_at_our_price_trades_first(queue: Queue) -> None:
    floor, heard, _ = a_bid(queue)

    floor.take(sold("4"))
    assert heard.got == 0
    floor.take(sold("2"))
    assert heard.got == 1
    floor.take(sold("9"))
    assert heard.got == 2


@pytest.mark.parametrize(("queue", "got"), [(Queue.STRICT, 0), (Queue.TRADES, 1), (Queue.CANCELS, 1)])
def test_what_trades_beyond_our_price_meets_us_first_except_in_the_strict_queue(queue: Queue, got: int) -> None:
    floor, heard, _ = a_bid(queue)

    floor.take(sold("1", "99"))

    assert heard.got == got, "no more than was sold there"


@pytest.mark.parametrize(("queue", "got"), [(Queue.STRICT, 0), (Queue.TRADES, 0), (Queue.CANCELS, 1)])
def test_a_cancel_ahead_helps_in_one_variant_alone(queue: Queue, got: int) -> None:
    floor, heard, _ = a_bid(queue)

    floor.take(touch(qty="1"))
    floor.take(sold("2"))

    assert heard.got == got


@pytest.mark.parametrize(("queue", "got"), [(Queue.STRICT, 0), (Queue.TRADES, 0), (Queue.CANCELS, 2)])
def test_a_quote_that_reaches_our_price_fills_in_one_variant_alone(queue: Queue, got: int) -> None:
    floor, heard, _ = a_bid(queue)

    floor.take(touch(bid="98", ask="99"))

    assert heard.got == got


def test_what_buys_does_not_reach_a_bid_and_what_left_hears_nothing() -> None:
    floor, heard, rest = a_bid(Queue.TRADES)

    floor.take(sold("9").but(taker=Side.BUY))
    floor.leave(rest)
    floor.take(sold("9", "90"))

    assert heard.got == 0


def test_nobody_is_ahead_at_a_price_that_nothing_is_displayed_at() -> None:
    floor, heard, _ = a_bid(Queue.STRICT, price="100.5")

    floor.take(sold("2", "100.5"))

    assert heard.got == 2


def test_a_taker_walks_the_book_to_its_limit_and_a_market_order_goes_on_at_the_last_level() -> None:
    floor = Floor()
    floor.take(touch())
    floor.take(DepthChanged(symbol=SYMBOL, at_us=1, bids=(), asks=(_level("102", "3"),)))

    taken = [(hit.price, hit.qty) for hit in floor.walk(Side.BUY, Qty(Decimal(9)))]
    held = [(hit.price, hit.qty) for hit in floor.walk(Side.BUY, Qty(Decimal(9)), Price(Decimal(101)))]

    assert taken == [(101, 5), (102, 3), (102, 1)]
    assert held == [(101, 5)]


@given(st.lists(st.tuples(st.integers(1, 9), st.sampled_from(["100", "99", "98"])), max_size=30))
def test_a_stricter_queue_never_fills_sooner(trades: list[tuple[int, str]]) -> None:
    stages = [a_bid(queue, qty="3") for queue in Queue]
    for qty, price in trades:
        for floor, _, _ in stages:
            floor.take(sold(str(qty), price))
        got = [heard.got for _, heard, _ in stages]

        assert got == sorted(got)
        assert all(0 <= each <= 3 for each in got)
