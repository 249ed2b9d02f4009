"""A place of a kill, as it is written on the command line."""

import pytest

from chimera.cli.orders import place_named
from chimera.trading.errors import Refused
from chimera.trading.standstill import Scope

pytestmark = pytest.mark.req("S4-KILL-1")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("global", (Scope.GLOBAL, "")),
        ("symbol:btcusdt", (Scope.SYMBOL, "BTCUSDT")),  # as `chimera close btcusdt`: a kill that holds nothing is none
        ("Market:spot", (Scope.MARKET, "SPOT")),
        ("strategy:s3", (Scope.STRATEGY, "s3")),
    ],
)
def test_a_symbol_and_a_market_are_meant_in_capitals(given: str, meant: tuple[Scope, str]) -> None:
    assert place_named(given) == meant


def test_a_scope_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(Refused, match="symbols:BTCUSDT is no scope"):
        place_named("symbols:BTCUSDT")
