"""What a kill covers, and how kills add up and end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.ids import DEFAULT_ACCOUNT, PositionKey, StrategyId, Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.trading.standstill import Kill, Scope, Standstill

KEY = PositionKey(venue="binance", account=DEFAULT_ACCOUNT, market=Market.FUT, symbol=Symbol("BTCUSDT"))
S3 = StrategyId("s3")


def a_kill(scope: Scope = Scope.GLOBAL, name: str = "", *, flatten: bool = False, at_ms: int = 1) -> Kill:
    return Kill(scope=scope, name=name, by="me", reason="test", at_ms=Millis(at_ms), flatten=flatten)


@pytest.mark.req("S4-KILL-1")
@pytest.mark.parametrize(
    ("scope", "name", "covered"),
    [
        (Scope.GLOBAL, "", True),
        (Scope.MARKET, "FUT", True),
        (Scope.MARKET, "SPOT", False),
        (Scope.SYMBOL, "BTCUSDT", True),
        (Scope.SYMBOL, "ETHUSDT", False),
        (Scope.STRATEGY, "s3", True),
        (Scope.STRATEGY, "other", False),
    ],
)
def test_a_kill_covers_its_scope_and_nothing_else(scope: Scope, name: str, covered: bool) -> None:
    assert (Standstill().killed(a_kill(scope, name)).over(KEY, S3) is not None) is covered


def test_the_first_word_stays_and_flatten_may_only_be_added() -> None:
    first = Standstill().killed(a_kill(at_ms=1))
    again = first.killed(a_kill(at_ms=2))
    flat = again.killed(a_kill(flatten=True, at_ms=3))
    assert again == first
    assert [(kill.at_ms, kill.flatten) for kill in flat.kills] == [(1, True)]
    assert flat.killed(a_kill(at_ms=4)) == flat
    assert flat.rev == 2


def test_arming_one_place_leaves_the_others() -> None:
    both = Standstill().killed(a_kill()).killed(a_kill(Scope.SYMBOL, "BTCUSDT"))
    left = both.armed(Scope.GLOBAL, "")
    assert [kill.place for kill in left.kills] == [(Scope.SYMBOL, "BTCUSDT")]
    assert left.over(KEY, S3) is not None
    assert left.armed(Scope.MARKET, "FUT") is left
    assert left.armed(Scope.SYMBOL, "BTCUSDT").over(KEY, S3) is None


places = st.sampled_from([(Scope.GLOBAL, ""), (Scope.SYMBOL, "BTCUSDT"), (Scope.STRATEGY, "s3"), (Scope.MARKET, "FUT")])


@given(st.lists(st.tuples(st.booleans(), places)))
def test_it_stands_still_exactly_while_something_is_killed(steps: list[tuple[bool, tuple[Scope, str]]]) -> None:
    standing, killed = Standstill(), set()
    for kills, place in steps:
        before = standing.rev
        standing = standing.killed(a_kill(*place)) if kills else standing.armed(*place)
        killed = killed | {place} if kills else killed - {place}
        assert standing.rev >= before
        assert {kill.place for kill in standing.kills} == killed
        assert (standing.over(KEY, S3) is not None) is bool(killed)
