"""When funding is due, who pays whom, and that each settlement is paid once."""

from decimal import Decimal

import pytest
from test_keeping import BOTH, a_next_life
from trading_desk import Desk

from chimera.simulate.venue.audit import Kind
from chimera.trading.market import FUNDING_MS, Marked, next_funding_ms

D = Decimal
BTC = "BTCUSDT"
RATE = "0.0002"


def announce(desk: Desk, rate: str = RATE, at_ms: int | None = None, mark: str = "65000") -> int:
    """The mark, and when and how much is paid next."""
    due = next_funding_ms(desk.now) if at_ms is None else at_ms
    event = Marked(
        symbol=BTC, at_us=desk.at_us(), mark=D(mark), index=D(mark), funding_rate=D(rate), next_funding_ms=due
    )
    desk.twin.market(event, desk.now)
    return due


def tick(desk: Desk, now_ms: int) -> None:
    desk.now = now_ms
    desk.twin.tick(now_ms)


def paid(desk: Desk) -> list[Decimal]:
    return [D(row["income"]) for row in desk.ok("GET", "v1/income", incomeType="FUNDING_FEE")]


def test_funding_is_at_midnight_eight_and_sixteen() -> None:
    midnight = 1_767_225_600_000

    assert next_funding_ms(midnight) == midnight + 8 * 3_600_000
    assert next_funding_ms(midnight - 1) == midnight


@pytest.mark.parametrize(("side", "sign"), [("BUY", -1), ("SELL", 1)])
def test_a_long_pays_a_positive_rate_and_a_short_receives_it(desk, side, sign):
    due = announce(desk)
    desk.market(side, "0.5")
    wallet = desk.wallet
    tick(desk, due - 1)
    desk.listen()
    assert paid(desk) == []
    tick(desk, due + 40)

    amount = sign * D("0.5") * 65000 * D(RATE)
    assert desk.wallet == wallet + amount
    [row] = desk.ok("GET", "v1/income", incomeType="FUNDING_FEE")
    assert (row["symbol"], D(row["income"]), row["asset"], row["time"]) == (BTC, amount, "USDT", due)
    [event] = desk.events("ACCOUNT_UPDATE")
    assert event["a"] == {
        "m": "FUNDING_FEE",
        "B": [{"a": "USDT", "wb": f"{desk.wallet:.8f}", "cw": f"{desk.wallet:.8f}", "bc": f"{amount:.8f}"}],
        "S": BTC,
    }
    [record] = desk.log(Kind.FUNDING)
    assert (record.qty, record.asset, record.wallet_after) == (amount, "USDT", desk.wallet)
    tick(desk, due + 41)
    assert paid(desk) == [amount]


def test_an_isolated_position_pays_from_its_own_margin_and_stands_in_the_event(desk):
    due = announce(desk)
    desk.ok("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED")
    desk.market("BUY", "0.5")
    held = desk.twin.usdm.floor.accounts["main"].position(BTC)
    before, cross = held.set_aside, desk.twin.usdm.floor.accounts["main"].cross_wallet
    desk.now = due - 1
    desk.listen()
    tick(desk, due)
    assert held.set_aside == before - D("6.5")
    assert desk.twin.usdm.floor.accounts["main"].cross_wallet == cross
    [event] = desk.events("ACCOUNT_UPDATE")
    assert [row["iw"] for row in event["a"]["P"]] == [f"{before - D('6.5'):f}".rstrip("0")]


def test_both_sides_of_a_hedge_settle(desk):
    due = announce(desk)
    desk.ok("POST", "v1/positionSide/dual", dualSidePosition="true")
    desk.market("BUY", "0.5", positionSide="LONG")
    desk.market("SELL", "0.2", positionSide="SHORT")
    tick(desk, due)
    assert paid(desk) == [D("-6.5"), D("2.6")]
    assert [record.position_side for record in desk.log(Kind.FUNDING)] == ["LONG", "SHORT"]


def test_the_rate_is_the_last_announced_before_the_moment(desk):
    """The event that moves the moment on carries the next period's rate."""
    due = announce(desk)
    desk.market("BUY", "1")
    desk.now = due + 5
    announce(desk, rate="0.5", at_ms=due + FUNDING_MS, mark="60000")
    assert paid(desk) == [-65000 * D(RATE)]


def test_a_source_that_settles_more_often_is_followed(desk):
    announce(desk, at_ms=desk.now + 60_000)
    desk.market("BUY", "1")
    for _ in range(3):
        tick(desk, desk.now + 60_000)
        announce(desk, at_ms=desk.now + 60_000)
    assert len(paid(desk)) == 3


def test_nothing_is_due_to_who_holds_nothing(desk):
    due = announce(desk)
    desk.market("BUY", "1")
    desk.market("SELL", "1")
    tick(desk, due)
    assert paid(desk) == []


@pytest.mark.parametrize("away_ms", [0, FUNDING_MS - 1, FUNDING_MS, 5 * FUNDING_MS])
def test_a_restart_neither_pays_twice_nor_skips(away_ms):
    desk = Desk(accounts=BOTH)
    desk.top("65799.9", "65800.0")
    due = announce(desk)
    desk.market("BUY", "1")
    tick(desk, due)
    assert len(paid(desk)) == 1
    second = a_next_life(desk, now_ms=due + away_ms)
    second.now = due + away_ms
    tick(second, second.now)
    tick(second, second.now)
    assert len(paid(second)) == 1 + away_ms // FUNDING_MS
    assert second.wallet == desk.wallet - 13 * (away_ms // FUNDING_MS)


def test_what_fell_due_while_away_is_paid_when_back():
    desk = Desk(accounts=BOTH)
    desk.top("65799.9", "65800.0")
    due = announce(desk)
    desk.market("BUY", "1")
    second = a_next_life(desk, now_ms=due + 5)
    tick(second, due + 5)
    assert paid(second) == [D(-13)]


@pytest.mark.req("TW-1")
def test_settlements_are_told_to_everybody_also_where_nobody_had_to_pay(desk):
    """By time, from a moment on or the newest; no contract was ever adjusted."""
    first = announce(desk)
    tick(desk, first)
    second = announce(desk, rate="-0.0001", mark="66000")
    tick(desk, second)

    rows = desk.ok("GET", "v1/fundingRate", symbol=BTC)
    assert rows == [
        {"symbol": BTC, "fundingTime": first, "fundingRate": "0.00020000", "markPrice": "65000.00000000"},
        {"symbol": BTC, "fundingTime": second, "fundingRate": "-0.00010000", "markPrice": "66000.00000000"},
    ]
    assert desk.ok("GET", "v1/fundingRate", limit=1) == rows[1:]
    assert desk.ok("GET", "v1/fundingRate", startTime=first, limit=1) == rows[:1]
    assert desk.ok("GET", "v1/fundingRate", endTime=first) == rows[:1]
    assert desk.ok("GET", "v1/fundingInfo") == []


@pytest.mark.req("TW-1")
def test_open_interest_is_what_the_accounts_hold(desk):
    announce(desk)
    assert desk.ok("GET", "v1/openInterest", symbol=BTC)["openInterest"] == "0.000"
    desk.market("SELL", "0.5")
    assert desk.ok("GET", "v1/openInterest", symbol=BTC)["openInterest"] == "0.500"
