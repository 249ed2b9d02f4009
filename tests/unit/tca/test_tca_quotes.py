"""Mids looked up in recordings: the touch that stood, and nothing where nobody looked."""

from collections.abc import Iterable
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from chimera.tca.quotes import HOLE_US, Quotes
from chimera.trading.market import Market, MarketEvent, Side, TopOfBook, Traded
from chimera.trading.money import Millis, Price, Qty

T0 = 1_795_290_732_000


def touch(at_us: int, mid: str, symbol: str = "BTCUSDT") -> TopOfBook:
    middle = Decimal(mid)
    one = Qty(Decimal(1))
    return TopOfBook(
        symbol=symbol, at_us=T0 * 1_000 + at_us, bid=Price(middle - 1), bid_qty=one, ask=Price(middle + 1), ask_qty=one
    )


def trade(at_us: int) -> Traded:
    return Traded(
        symbol="BTCUSDT", at_us=T0 * 1_000 + at_us, price=Price(Decimal(1)), qty=Qty(Decimal(1)), taker=Side.BUY
    )


def looked_up(moments: Iterable[int], *recordings: Iterable[MarketEvent]) -> list[Decimal | None]:
    quotes = Quotes()
    for at in moments:
        quotes.ask(Market.FUT, "BTCUSDT", Millis(T0 + at))
    for events in recordings:
        quotes.hear(Market.FUT, events)
    return [quotes.mid(Market.FUT, "BTCUSDT", Millis(T0 + at)) for at in moments]


def test_the_touch_that_stood_answers_also_at_its_own_moment() -> None:
    tape = [touch(0, "100"), touch(5_000, "101"), touch(9_000, "102")]

    assert looked_up([-1, 0, 4, 5, 8], tape) == [None, 100, 100, 101, 101]


def test_after_the_last_event_nothing_is_known() -> None:
    assert looked_up([5, 6], [touch(0, "100"), touch(5_000, "101")]) == [None, None]


def test_a_quiet_touch_stands_while_trades_show_that_the_recording_lives() -> None:
    alive = [touch(0, "100"), trade(HOLE_US), trade(2 * HOLE_US)]
    silent = [touch(0, "100"), trade(HOLE_US + 1)]

    assert looked_up([15_000], alive) == [100]
    assert looked_up([5_000], silent) == [None]


def test_the_first_recording_that_covers_a_moment_answers() -> None:
    first = [touch(0, "100"), touch(10_000, "101")]
    second = [touch(0, "200"), touch(9_000, "201"), touch(9_009_000, "202")]

    assert looked_up([5, 9_005], first, second) == [100, 201]
    assert looked_up([5, 9_005], second, first) == [200, 201]


def test_another_symbol_and_another_market_answer_nothing() -> None:
    assert looked_up([5], [touch(0, "100", "ETHUSDT"), touch(10_000, "101", "ETHUSDT")]) == [None]
    quotes = Quotes()
    quotes.ask(Market.SPOT, "BTCUSDT", Millis(T0 + 5))
    quotes.hear(Market.FUT, [touch(0, "100"), touch(10_000, "101")])
    assert quotes.mid(Market.SPOT, "BTCUSDT", Millis(T0 + 5)) is None
    assert quotes.mid(Market.SPOT, "BTCUSDT", None) is None


@given(
    st.lists(st.integers(min_value=0, max_value=40_000_000), min_size=1, max_size=30).map(sorted),
    st.lists(st.integers(min_value=-10, max_value=40_010), min_size=1, max_size=30),
)
def test_one_pass_answers_as_looking_through_all_of_it_for_each_moment(times: list[int], moments: list[int]) -> None:
    tape = [touch(at, str(1_000 + number)) for number, at in enumerate(times)]

    def naive(at: int) -> Decimal | None:
        before = [event for event in tape if event.at_us <= (T0 + at) * 1_000]
        later = [event for event in tape if event.at_us > (T0 + at) * 1_000]
        if not before or not later or later[0].at_us - before[-1].at_us > HOLE_US:
            return None
        return (before[-1].bid + before[-1].ask) / 2

    assert looked_up(moments, tape) == [naive(at) for at in moments]
