"""Barriers: levels with a moment and a why; each change is told once; entries wait, exits never do."""

from typing import Any, cast

import pytest

from chimera.services.router.barriers import Barriers
from chimera.services.router.levels import Levels
from chimera.trading.events import Alert, Severity
from chimera.trading.ids import Symbol
from chimera.trading.money import Millis

BTC, ETH = Symbol("BTCUSDT"), Symbol("ETHUSDT")


class Hand:
    now = 5

    def now_ms(self) -> Millis:
        return Millis(self.now)


@pytest.fixture
def told() -> list[Alert]:
    return []


@pytest.fixture
def barriers(told: list[Alert]) -> Barriers:
    return Barriers(cast("Any", Hand()), told.append)


@pytest.mark.fault("F20")
@pytest.mark.incident(28)
def test_a_barrier_keeps_its_moment_while_its_text_changes(barriers: Barriers, told: list[Alert]) -> None:
    barriers.level("LOOP_LAG", "600 ms")
    Hand.now = 9
    barriers.level("LOOP_LAG", "700 ms")
    assert barriers.shown() == [{"code": "LOOP_LAG", "symbol": None, "why": "700 ms", "since_ms": 5}]
    assert [(alert.code, alert.severity) for alert in told] == [("LOOP_LAG", Severity.ERROR)]


def test_its_end_is_told_and_only_once(barriers: Barriers, told: list[Alert]) -> None:
    barriers.level("STREAM", "silent", severity=Severity.WARN)
    barriers.level("STREAM", None)
    barriers.level("STREAM", None)
    assert [(alert.code, alert.severity) for alert in told] == [
        ("STREAM", Severity.WARN), ("STREAM_OVER", Severity.INFO),
    ]  # fmt: skip
    assert barriers.before(BTC) is None


def test_one_of_a_symbol_stands_before_that_symbol_alone(barriers: Barriers, told: list[Alert]) -> None:
    barriers.level("SYMBOL_ISOLATED", "2 not ours", symbol=BTC)
    refused = barriers.before(BTC)
    assert refused is not None
    assert refused.code == "SYMBOL_ISOLATED"
    assert barriers.before(ETH) is None
    assert (told[0].text, told[0].subject, told[0].lasts) == ("BTCUSDT: 2 not ours", BTC, True)
    barriers.level("SYMBOL_ISOLATED", None, symbol=BTC)
    assert barriers.before(BTC) is None


def test_a_notice_keeps_nothing_back_and_only_warns_unless_it_is_told_otherwise(told: list[Alert]) -> None:
    notices = Levels(cast("Any", Hand()), told.append)
    notices.level("LOOP_SLOW", "150 ms")
    notices.level("ORDERS_FAILING", "three", severity=Severity.ERROR)
    notices.level("LOOP_SLOW", "160 ms")
    assert [(level.code, level.why) for level in notices.standing] == [
        ("LOOP_SLOW", "160 ms"), ("ORDERS_FAILING", "three"),
    ]  # fmt: skip
    assert [(alert.code, alert.severity) for alert in told] == [
        ("LOOP_SLOW", Severity.WARN), ("ORDERS_FAILING", Severity.ERROR),
    ]  # fmt: skip
