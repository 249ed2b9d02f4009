"""The derived mark price."""

from collections.abc import Iterable
from decimal import Decimal

from frames import AT_NS, lines, mark, ticker

from chimera.simulate.markets.capture import replay
from chimera.simulate.markets.mark import TYPICAL_FUNDING, next_funding_ms, with_mark
from chimera.trading.market import Marked, MarketEvent


def test_a_market_without_marks_gets_one_at_its_first_touch_and_then_each_second() -> None:
    raw = lines(
        *(ticker(u, "99" if u < 6 else "109", "101" if u < 6 else "111") for u in range(1, 12)), step_ns=5 * 10**8
    )

    marks = _marks(with_mark(replay(raw)))

    assert [marked.at_us - AT_NS // 1_000 for marked in marks] == [0, 1_000_000 + 1_500_000]
    assert [str(marked.mark) for marked in marks] == ["100.00000000", "107.50000000"]
    assert {(marked.funding_rate, marked.index == marked.mark) for marked in marks} == {(TYPICAL_FUNDING, True)}


def test_a_market_with_marks_of_its_own_keeps_only_those() -> None:
    raw = lines(ticker(1, "99", "101"), mark("100.5"), *(ticker(u, str(u), "101") for u in range(2, 9)), step_ns=10**9)

    first, own = _marks(with_mark(replay(raw)))

    assert (first.mark, own.mark) == (Decimal(100), Decimal("100.5"))


def test_funding_is_at_midnight_eight_and_sixteen() -> None:
    midnight = 1_767_225_600_000

    assert next_funding_ms(midnight) == midnight + 8 * 3_600_000
    assert next_funding_ms(midnight - 1) == midnight


def _marks(events: Iterable[MarketEvent]) -> list[Marked]:
    return [event for event in events if isinstance(event, Marked)]
