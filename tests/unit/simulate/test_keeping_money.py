"""A second life finds its money, modes and margin where the first left them."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from test_cash import Life, scripts
from test_keeping import a_next_life, read_back
from trading_desk import Desk

from chimera.simulate.twin import Twin
from chimera.simulate.venue.account_spec import READY_ACCOUNT

D = Decimal
QUERIES = (
    ("v1/income", {"limit": 1000}),
    ("v3/positionRisk", {}),
    ("v2/positionRisk", {}),
    ("v2/account", {}),
    ("v3/account", {}),
    ("v1/positionSide/dual", {}),
    ("v1/symbolConfig", {}),
    ("v1/feeBurn", {}),
    ("v1/forceOrders", {}),
    ("v1/adlQuantile", {}),
    ("v1/positionMargin/history", {"symbol": "BTCUSDT"}),
)


def answers(desk: Desk) -> list[object]:
    return [desk.ok("GET", path, **params) for path, params in QUERIES]


@settings(max_examples=40, deadline=None)
@given(scripts, scripts, st.booleans(), st.booleans())
def test_money_goes_on_as_if_it_had_never_been_away(before, after, hedge, isolated):
    first = Life(hedge, isolated)
    for action in before:
        first.act(action)
    first.desk.ok("POST", "v1/feeBurn", feeBurn="true")
    second = Life(hedge, isolated)
    second.desk = a_next_life(first.desk, accounts=(READY_ACCOUNT,))
    second.mid = first.mid
    assert answers(second.desk) == answers(first.desk)
    for listing in first.desk.twin.usdm.floor.listings.values():
        listing.go_dark()
    for life in (first, second):
        life.quote()
        for action in after:
            life.act(action)
    assert answers(second.desk) == answers(first.desk)
    assert second.account.wallet == first.account.wallet


def test_a_forced_close_is_remembered_and_no_transaction_number_is_given_twice():
    life = Life(hedge=False, isolated=True)
    life.act(("market", "BUY", "LONG", "2.00"))
    life.act(("jump", -400))
    numbers = [row["tranId"] for row in life.account.income if row["incomeType"] == "INSURANCE_CLEAR"]
    assert numbers
    kept = read_back(life.desk.twin, clean=False)
    second = Desk(Twin(accounts=(READY_ACCOUNT,), kept=kept, now_ms=life.desk.now), account=READY_ACCOUNT)
    second.now = life.desk.now
    [row] = second.ok("GET", "v1/forceOrders")
    assert row["clientOrderId"].startswith("autoclose-")
    account = second.twin.usdm.floor.accounts["main"]
    assert second.twin.usdm.cash.transfer(account, D(1), "DEPOSIT") > max(numbers)
    assert account.liquidated_ms == life.account.liquidated_ms
