"""What an account's money did: kinds, windows, pages."""

from decimal import Decimal

import pytest
from trading_desk import Desk

D = Decimal
DAY_MS = 86_400_000
BTC, ETH = "BTCUSDT", "ETHUSDT"


@pytest.fixture
def traded(desk: Desk) -> Desk:
    """Three trips, a day apart: two commissions and a result each."""
    for _ in range(3):
        desk.top("65799.9", "65800.0", later_ms=DAY_MS)
        desk.market("BUY", "0.010")
        desk.market("SELL", "0.010")
    return desk


def test_kinds_and_symbols_are_told_apart(traded):
    rows = traded.ok("GET", "v1/income")
    assert [row["incomeType"] for row in rows] == ["COMMISSION", "REALIZED_PNL", "COMMISSION"] * 3
    assert len(traded.ok("GET", "v1/income", incomeType="REALIZED_PNL")) == 3
    assert traded.ok("GET", "v1/income", incomeType="WELCOME_BONUS") == []
    assert traded.ok("GET", "v1/income", symbol="ETHUSDT") == []
    assert traded.code("GET", "v1/income", incomeType="GIFT") == -1130


def test_a_number_is_told_once_by_kind_whatever_the_symbol(desk):
    for symbol in (BTC, ETH):
        desk.top("99.99", "100.00", symbol=symbol)
        desk.market("BUY", "0.100", symbol=symbol)
    rows = desk.ok("GET", "v1/income")
    assert [row["symbol"] for row in rows] == [BTC, ETH]
    assert rows[0]["tradeId"] == rows[1]["tradeId"]
    assert len({(row["incomeType"], row["tranId"]) for row in rows}) == 2


def test_pages_count_from_the_oldest(traded):
    rows = traded.ok("GET", "v1/income")
    pages = [traded.ok("GET", "v1/income", limit=4, page=page) for page in (1, 2, 3, 4)]
    assert [row for page in pages for row in page] == rows
    assert [len(page) for page in pages] == [4, 4, 1, 0]
    assert traded.ok("GET", "v1/income", limit=4) == rows[-4:]
    assert traded.ok("GET", "v1/income", limit=4, startTime=rows[0]["time"]) == rows[:4]


def test_the_last_seven_days_unless_asked_and_three_months_at_most(traded):
    rows = traded.ok("GET", "v1/income")
    traded.now = rows[0]["time"] + 7 * DAY_MS + 1
    assert traded.ok("GET", "v1/income") == rows[3:]
    assert traded.ok("GET", "v1/income", startTime=rows[0]["time"], endTime=rows[2]["time"]) == rows[:3]
    assert traded.code("GET", "v1/income", startTime=traded.now, endTime=traded.now - 1) == -1023
    traded.now = rows[0]["time"] + 90 * DAY_MS + 1
    assert traded.ok("GET", "v1/income", startTime=rows[0]["time"]) == rows[3:]


def test_money_that_comes_and_goes(desk):
    exchange = desk.twin.usdm
    account = exchange.floor.accounts["main"]
    desk.listen()
    numbers = [exchange.cash.transfer(account, D(amount), "DEPOSIT") for amount in ("250.5", "-50")]
    rows = desk.ok("GET", "v1/income", incomeType="TRANSFER")
    assert [(row["symbol"], row["income"], row["tranId"]) for row in rows] == [
        ("", "250.50000000", numbers[0]),
        ("", "-50.00000000", numbers[1]),
    ]
    assert desk.wallet == D("100200.5")
    events = [event["a"] for event in desk.events("ACCOUNT_UPDATE")]
    assert [(body["m"], body["B"][0]["bc"], body.get("P")) for body in events] == [
        ("DEPOSIT", "250.50000000", None),
        ("DEPOSIT", "-50.00000000", None),
    ]
