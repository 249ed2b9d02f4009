"""Counts over the account: makers that do not fill, lack of margin, orders that fail one after the other."""

from decimal import Decimal

import pytest

from chimera.admit.tallies import Failures, Makers, Shortages
from chimera.trading.ids import ClientOrderId
from chimera.trading.money import HOUR_MS, Millis

LEAST = Decimal("0.2")


def makers(*shares: str) -> Makers:
    tally = Makers()
    for number, share in enumerate(shares):
        tally.ended(ClientOrderId(f"a-m{number}"), Decimal(share), Millis(number))
    return tally


@pytest.mark.req("S4-ALR-1")
def test_fewer_than_twenty_makers_say_nothing() -> None:
    assert makers(*["0"] * 19).low(LEAST, Millis(20)) is None
    assert makers(*["0"] * 20).low(LEAST, Millis(20)) is not None


@pytest.mark.req("S4-ALR-1")
def test_the_share_counts_parts_and_stands_at_its_bound() -> None:
    assert makers(*["0"] * 16, *["1"] * 4).low(LEAST, Millis(20)) is None
    assert makers(*["0"] * 15, *["0.5"] * 7).low(LEAST, Millis(20)) == (
        "0.159 of the last 22 maker orders filled; S4_MAKER_FILL_RATIO_MIN is 0.2"
    )


def test_what_ended_an_hour_ago_counts_no_more_and_a_late_trade_counts() -> None:
    tally = makers(*["0"] * 20)
    assert tally.low(LEAST, Millis(HOUR_MS)) is None  # one of them is an hour old
    tally = makers(*["0"] * 20)
    for number in range(4):
        tally.ended(ClientOrderId(f"a-m{number}"), Decimal(1), Millis(30))
    assert tally.ratio(Millis(30)) == (20, LEAST)


@pytest.mark.req("S4-ALR-1")
def test_three_refusals_for_lack_of_balance_in_ten_minutes_are_often() -> None:
    tally = Shortages()
    for at_ms in (0, 300_000):
        tally.count(Millis(at_ms))
    assert tally.often(Millis(300_000)) is None
    tally.count(Millis(599_999))
    assert tally.often(Millis(599_999)) is not None
    assert tally.often(Millis(600_000)) is None


@pytest.mark.req("S4-ALR-1")
def test_three_failures_in_a_row_are_failing() -> None:
    tally = Failures()
    for why in ("a", "b"):
        tally.bad(why)
    tally.good()
    tally.bad("c")
    tally.bad("d")
    assert tally.failing is None
    tally.bad("e")
    assert tally.failing == "3 orders failed in a row, the last: e"
