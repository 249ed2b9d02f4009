"""The loss of the day at the turn of a day: what a quiet symbol won yesterday buys no loss today."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest
from desk import KEY, T0

from chimera.admit.limits import LimitBook
from chimera.services.router.watching import Watch
from chimera.trading.holding import Holding
from chimera.trading.money import DAY_MS, Quote
from chimera.trading.position import Position
from support.grounds import a_ground

TODAY = T0 // DAY_MS


def counted(day: int, now_day: int) -> Decimal:
    """The result of the day for a flat symbol that won 500 on ``day`` and has heard of nothing since."""
    holding = Holding(key=KEY, position=Position(realized=Quote(Decimal(500))), day=day)
    book = LimitBook(cast("Any", None))
    nobody: Any = None
    books: Any = SimpleNamespace(untraded=lambda symbol: Decimal(0))
    market: Any = SimpleNamespace(worth=lambda symbol: None)
    clock = SimpleNamespace(now_ms=lambda: now_day * DAY_MS)
    ground = a_ground({KEY: SimpleNamespace(holding=holding)}, clock=clock)
    Watch(ground, nobody, nobody, market, book, books, nobody, nobody, nobody).mark_to_market()
    return sum(book.day_pnl.values(), Decimal(0))


@pytest.mark.req("S4-LIM-1")
def test_yesterdays_profit_is_over_at_midnight_though_nothing_was_heard() -> None:
    assert counted(TODAY, TODAY) == Decimal(500)
    assert counted(TODAY, TODAY + 1) == 0


def test_a_day_ahead_of_a_clock_that_was_set_back_still_counts() -> None:
    assert counted(TODAY + 1, TODAY) == Decimal(500)
