"""Brackets, what may be opened at which leverage, and margin set aside for isolated positions."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trading_desk import Desk

from chimera.simulate.usdm.accounts import Account
from chimera.simulate.usdm.brackets import Brackets, brackets_of
from chimera.simulate.usdm.perpetual import DEMO
from chimera.simulate.venue.audit import Kind

D = Decimal
BTC = "BTCUSDT"
TABLES = [brackets_of(DEMO[0]), brackets_of(DEMO[1]), brackets_of(DEMO[0].but(symbol="ODDUSDT"))]


@pytest.fixture
def marked(desk: Desk) -> Desk:
    """100,000 USDT, the mark at 65,800."""
    desk.mark("65800")
    return desk


def account_of(desk: Desk) -> Account:
    return desk.twin.usdm.floor.accounts["main"]


def isolated(desk: Desk) -> Desk:
    desk.ok("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED")
    return desk


def free(desk: Desk) -> Decimal:
    return D(desk.ok("GET", "v3/balance")[0]["availableBalance"])


# ── brackets ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("table", TABLES)
def test_maintenance_is_continuous_from_bracket_to_bracket(table: Brackets) -> None:
    for below, above in zip(table.steps, table.steps[1:], strict=False):
        assert below.cap == above.floor
        assert below.cap * below.rate - below.cum == above.floor * above.rate - above.cum
        assert above.leverage < below.leverage


@given(st.sampled_from(TABLES), st.integers(0, 2_000_000_000), st.integers(0, 2_000_000_000))
def test_a_larger_position_keeps_more_and_never_less_than_nothing(table, one, two):
    small, large = sorted((D(one), D(two)))
    assert 0 <= table.maintenance(small) <= table.maintenance(large)
    assert table.maintenance(large) < large or large == 0


def test_the_published_sums_of_btcusdt():
    cums = [int(step.cum) for step in TABLES[0].steps]
    assert cums[:7] == [0, 300, 1_500, 12_000, 132_000, 482_000, 2_982_000]
    assert cums[-1] == 421_482_000


def test_brackets_are_told_with_json_numbers(marked):
    [row] = marked.ok("GET", "v1/leverageBracket", symbol=BTC)
    first = {"bracket": 1, "initialLeverage": 150, "notionalCap": 300000, "notionalFloor": 0}
    assert row["brackets"][0] == first | {"maintMarginRatio": 0.004, "cum": 0.0}
    assert [type(row["brackets"][1][name]) for name in ("maintMarginRatio", "cum", "notionalCap")] == [
        float,
        float,
        int,
    ]
    assert [each["symbol"] for each in marked.ok("GET", "v1/leverageBracket")] == [BTC, "ETHUSDT"]


# ── leverage ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_position_may_not_outgrow_the_bracket_of_its_leverage(marked):
    assert marked.ok("POST", "v1/leverage", symbol=BTC, leverage=125)["maxNotionalValue"] == "300000"
    marked.market("BUY", "4")
    assert marked.code("POST", "v1/order", **marked.market_terms("BUY", "1")) == -2027
    assert marked.code("POST", "v1/order", **marked.limit_terms("BUY", "1", "65000")) == -2027
    marked.limit("SELL", "8", "66000")  # 264,000 short at most
    marked.ok("POST", "v1/leverage", symbol=BTC, leverage=100)
    marked.limit("BUY", "1", "65000")


def test_leverage_may_not_outgrow_the_position(marked):
    marked.market("BUY", "5")
    assert marked.code("POST", "v1/leverage", symbol=BTC, leverage=101) == -2027
    assert marked.ok("POST", "v1/leverage", symbol=BTC, leverage=100)["maxNotionalValue"] == "800000"


def test_less_leverage_needs_the_margin(marked):
    marked.market("BUY", "5")
    assert marked.code("POST", "v1/leverage", symbol=BTC, leverage=3) == -2028
    assert marked.ok("GET", "v1/symbolConfig", symbol=BTC)[0]["leverage"] == 20
    marked.ok("POST", "v1/leverage", symbol=BTC, leverage=4)


def test_what_a_position_keeps_is_that_of_its_bracket(marked):
    marked.ok("POST", "v1/leverage", symbol=BTC, leverage=50)
    marked.top("65799.9", "65800.0", "30", "30")
    marked.market("BUY", "20")
    [risk] = marked.ok("GET", "v3/positionRisk")
    assert D(risk["maintMargin"]) == D(20) * 65800 * D("0.0065") - 1_500
    assert marked.ok("GET", "v3/account")["totalMaintMargin"] == risk["maintMargin"]


def test_an_order_beyond_the_mark_costs_its_loss_too(marked):
    """1 BTC at 20x and 1,000 above the mark: initial margin of 66,800 / 20 and the 1,000 it loses at once."""
    account = account_of(marked)
    account.wallet = D("4339.9")
    assert marked.code("POST", "v1/order", **marked.limit_terms("BUY", "1", "66800") | {"timeInForce": "IOC"}) == -2019
    account.wallet = D("4340")
    marked.limit("BUY", "1", "66800", timeInForce="IOC")


def test_a_change_beyond_the_mark_costs_its_loss_too(marked):
    marked.limit("BUY", "1", "65000", newClientOrderId="r")
    account = account_of(marked)
    change = {"symbol": BTC, "side": "BUY", "origClientOrderId": "r", "quantity": "1", "price": "66800"}
    account.wallet = D(65_000) / 20 + D(1_800) / 20 + D("999.9")
    assert marked.code("PUT", "v1/order", **change) == -2019
    assert marked.order("r")["price"] == "65000.00"
    account.wallet += D("0.1")
    assert marked.ok("PUT", "v1/order", **change)["status"] == "FILLED"


@pytest.mark.parametrize(
    ("side", "cost"), [("BUY", D("65832.9") / 20 + D("32.9")), ("SELL", D("65799.9") / 20 + D("0.1"))]
)
def test_a_market_buy_is_taken_to_cost_a_little_more_than_the_ask(marked, side, cost):
    """0.05 % more: the ask is 65,800 and so is the mark; a sale is taken at the bid."""
    account = account_of(marked)
    account.wallet = cost - D("0.1")
    assert marked.code("POST", "v1/order", **marked.market_terms(side, "1")) == -2019
    account.wallet = cost
    assert marked.market(side, "1")["status"] == "FILLED"


def test_long_and_short_each_carry_their_own_margin(marked):
    marked.ok("POST", "v1/positionSide/dual", dualSidePosition="true")
    marked.market("BUY", "1", positionSide="LONG")
    marked.market("SELL", "1", positionSide="SHORT")
    rows = marked.ok("GET", "v3/positionRisk")
    assert [(row["positionSide"], row["positionAmt"], row["initialMargin"]) for row in rows] == [
        ("LONG", "1.000", "3290.00000000"),
        ("SHORT", "-1.000", "3290.00000000"),
    ]
    before = free(marked)
    marked.limit("SELL", "1", "66000", positionSide="LONG")  # closes: costs nothing
    assert free(marked) == before
    marked.limit("SELL", "1", "66000", positionSide="SHORT")
    assert free(marked) == before - 3_300


# ── isolated ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_opening_sets_margin_aside_and_closing_gives_its_share_back(marked):
    isolated(marked)
    marked.market("BUY", "1")
    account, held = account_of(marked), account_of(marked).position(BTC)
    assert held.set_aside == 3_290
    assert account.cross_wallet == account.wallet - 3_290
    marked.market("SELL", "0.25")
    assert held.set_aside == D("2467.5")
    marked.market("SELL", "1.75")  # closes the rest and opens 1 short at 65,799.9
    assert held.set_aside == D("3289.995")
    marked.market("BUY", "1")
    assert (held.set_aside, account.cross_wallet) == (0, account.wallet)


def test_more_leverage_leaves_what_is_set_aside(marked):
    isolated(marked).market("BUY", "1")
    marked.ok("POST", "v1/leverage", symbol=BTC, leverage=40)
    assert account_of(marked).position(BTC).set_aside == 3_290
    marked.market("BUY", "1")
    assert account_of(marked).position(BTC).set_aside == 3_290 + 1_645
    assert marked.code("POST", "v1/leverage", symbol=BTC, leverage=39) == -4161


def test_margin_is_added_and_taken_back(marked):
    isolated(marked).market("BUY", "1")
    marked.listen()
    before, wallet = free(marked), marked.wallet
    done = marked.ok("POST", "v1/positionMargin", symbol=BTC, amount="100.5", type=1)
    assert done == {"amount": 100.5, "code": 200, "msg": "Successfully modify position margin.", "type": 1}
    assert (account_of(marked).position(BTC).set_aside, free(marked), marked.wallet) == (
        D("3390.5"),
        before - D("100.5"),
        wallet,
    )
    [event] = marked.events("ACCOUNT_UPDATE")
    assert event["a"]["m"] == "MARGIN_TRANSFER"
    assert event["a"]["B"][0]["bc"] == "0.00000000"
    assert event["a"]["P"][0]["iw"] == "3390.5"
    assert marked.code("POST", "v1/positionMargin", symbol=BTC, amount="100.6", type=2) == -4051
    marked.ok("POST", "v1/positionMargin", symbol=BTC, amount="100.5", type=2, positionSide="BOTH")
    assert (account_of(marked).position(BTC).set_aside, free(marked)) == (3_290, before)
    rows = marked.ok("GET", "v1/positionMargin/history", symbol=BTC)
    assert [(row["type"], row["amount"], row["deltaType"]) for row in rows] == [
        (1, "100.50000000", "USER_ADJUST"),
        (2, "100.50000000", "USER_ADJUST"),
    ]
    assert [row["type"] for row in marked.ok("GET", "v1/positionMargin/history", symbol=BTC, type=2)] == [2]
    assert [record.qty for record in marked.log(Kind.SETTING)[-2:]] == [D("100.5"), D("-100.5")]


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (-4055, {"amount": "0"}),
        (-1130, {"type": 3}),
        (-4050, {"amount": "100000"}),
        (-4051, {"type": 2}),
        (-4061, {"positionSide": "LONG"}),
        (-4060, {"positionSide": "UP"}),
    ],
)
def test_margin_that_cannot_move(marked, code, changes):
    isolated(marked).market("BUY", "1")
    before = account_of(marked).position(BTC).set_aside
    assert marked.code("POST", "v1/positionMargin", **{"symbol": BTC, "amount": "5", "type": 1} | changes) == code
    assert account_of(marked).position(BTC).set_aside == before


def test_margin_moves_to_isolated_positions_only(marked):
    terms = {"symbol": BTC, "amount": "5", "type": 1}
    assert marked.code("POST", "v1/positionMargin", **terms) == -4049
    isolated(marked)
    assert marked.code("POST", "v1/positionMargin", **terms) == -4054


def test_version_two_lists_every_symbol_with_its_settings(marked):
    isolated(marked).market("BUY", "1")
    rows = {row["symbol"]: row for row in marked.ok("GET", "v2/positionRisk")}
    assert (rows[BTC]["marginType"], rows[BTC]["leverage"], rows[BTC]["maxNotionalValue"]) == (
        "isolated",
        "20",
        "100000000",
    )
    assert (rows["ETHUSDT"]["marginType"], rows["ETHUSDT"]["positionAmt"]) == ("cross", "0.000")
    whole = marked.ok("GET", "v2/account")
    assert [each["isolated"] for each in whole["positions"]] == [True, False]
    assert whole["totalWalletBalance"] == marked.ok("GET", "v3/account")["totalWalletBalance"]
    assert marked.ok("GET", "v2/balance") == marked.ok("GET", "v3/balance")
    marked.market("SELL", "1")
    marked.ok("POST", "v1/positionSide/dual", dualSidePosition="true")
    assert [row["positionSide"] for row in marked.ok("GET", "v2/positionRisk", symbol=BTC)] == ["LONG", "SHORT"]


def test_the_fee_switch_is_kept_and_fees_stay_in_usdt(marked):
    assert marked.ok("GET", "v1/feeBurn") == {"feeBurn": False}
    marked.ok("POST", "v1/feeBurn", feeBurn="true")
    assert marked.ok("GET", "v1/feeBurn") == {"feeBurn": True}
    marked.market("BUY", "0.1")
    assert marked.ok("GET", "v1/userTrades", symbol=BTC)[0]["commissionAsset"] == "USDT"
