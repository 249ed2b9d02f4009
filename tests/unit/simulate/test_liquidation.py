"""Margin calls, liquidation with the insurance fund behind it, auto-deleveraging, settlement of a symbol."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_desk import Desk

from chimera.simulate.usdm.accounts import Account, Position
from chimera.simulate.usdm.margin import GRACE_MS
from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.simulate.venue.audit import Kind

D = Decimal
BTC = "BTCUSDT"


def leveraged(*, isolated: bool = False, side: str = "BUY", qty: str = "2", balance: str = "10000") -> Desk:
    """10,000 USDT behind 2 BTC at 65,800 and 50x: initial margin 2,632."""
    desk = Desk(account=READY_ACCOUNT.but(balance=D(balance)))
    desk.top("65799.9", "65800.0", "50", "50")
    desk.mark("65800")
    desk.ok("POST", "v1/leverage", symbol=BTC, leverage=50)
    if isolated:
        desk.ok("POST", "v1/marginType", symbol=BTC, marginType="ISOLATED")
    desk.limit(side, qty, "65800" if side == "BUY" else "65799.9")  # whose margin has no allowance for a worse price
    return desk


def account_of(desk: Desk) -> Account:
    return desk.twin.usdm.floor.accounts["main"]


def held_of(desk: Desk) -> Position:
    return account_of(desk).position(BTC)


def fall_to(desk: Desk, price: str, size: str = "50") -> None:
    """Book and mark at ``price``."""
    desk.top(price, str(D(price) + D("0.1")), size, size)
    desk.mark(price)


def liquidation_price(desk: Desk) -> Decimal:
    return D(desk.ok("GET", "v3/positionRisk")[0]["liquidationPrice"])


def sums(desk: Desk) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for row in desk.ok("GET", "v1/income", limit=1000):
        found[row["incomeType"]] = found.get(row["incomeType"], D(0)) + D(row["income"])
    return found


# ── when ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("isolated", [False, True])
@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_it_comes_at_the_price_that_was_told(isolated, side):
    desk = leveraged(isolated=isolated, side=side)
    told, one = liquidation_price(desk), D("0.1")
    sign = 1 if side == "BUY" else -1
    rules = desk.twin.usdm.floor.listings[BTC].instrument
    edge = rules.price_at_or_above(told) if side == "BUY" else rules.price_at_or_below(told)
    desk.mark(str(edge + sign * one))
    assert desk.position
    assert not desk.log(Kind.LIQUIDATE)
    desk.mark(str(edge - sign * one))
    assert not desk.position
    [record] = desk.log(Kind.LIQUIDATE)
    assert (record.side, record.qty, record.position_side) == ("SELL" if side == "BUY" else "BUY", D(2), "")


@settings(max_examples=60, deadline=None)
@given(
    st.booleans(),
    st.sampled_from(["BUY", "SELL"]),
    st.integers(10, 60),
    st.integers(3_000, 30_000),
    st.integers(1, 999),
)
def test_the_told_price_is_the_true_one(isolated, side, tenths, balance, drift):
    desk = leveraged(
        isolated=isolated, side=side, qty=str(D(tenths) / 20), balance=str(balance + 2 * 65_800 * tenths // 1000)
    )
    told = liquidation_price(desk)
    if not told:
        return
    inside = told + (65_800 - told) * D(drift) / 1000
    for price, alive in ((inside, True), (told - (65_800 - told) / 1000, False)):
        bracket = desk.twin.usdm.floor.listings[BTC].brackets
        same = bracket.of(abs(held_of(desk).qty) * price) is bracket.of(abs(held_of(desk).qty) * 65_800)
        desk.mark(f"{price:.4f}")
        if same:
            assert bool(held_of(desk).qty) is alive


def test_a_margin_call_comes_once_before_it_and_again_after_the_danger_passed():
    desk = leveraged()
    desk.listen()
    desk.mark("61130")
    [call] = desk.events("MARGIN_CALL")
    assert call["cw"] == f"{account_of(desk).cross_wallet:.8f}"
    [row] = call["p"]
    assert (row["s"], row["ps"], row["pa"], row["mt"], row["iw"], row["mp"]) == (
        BTC,
        "BOTH",
        "2",
        "CROSSED",
        "0",
        "61130.00000000",
    )
    assert D(row["up"]) == -9_340
    assert D(row["mm"]) == D(desk.ok("GET", "v3/positionRisk")[0]["maintMargin"])
    desk.mark("61120")
    assert desk.events("MARGIN_CALL") == []
    desk.mark("65000")
    desk.mark("61130")
    assert len(desk.events("MARGIN_CALL")) == 1


def test_an_isolated_margin_call_tells_its_own_wallet():
    desk = leveraged(isolated=True)
    desk.listen()
    desk.mark("64790")
    [call] = desk.events("MARGIN_CALL")
    assert "cw" not in call
    assert (call["p"][0]["mt"], call["p"][0]["iw"]) == ("ISOLATED", "2632")


def test_a_stop_that_is_due_goes_before_the_liquidation():
    desk = leveraged()
    desk.stop("SELL", "63000", closePosition="true", workingType="MARK_PRICE", clientAlgoId="stop")
    fall_to(desk, "60900")
    assert not desk.log(Kind.LIQUIDATE)
    assert desk.log(Kind.FILL)[-1].client_order_id == "stop"


# ── how ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_book_takes_it_and_the_fund_its_fee():
    desk = leveraged()
    desk.limit("BUY", "0.1", "60000", newClientOrderId="resting")
    desk.listen()
    fall_to(desk, "61000")

    assert desk.position == 0
    [fill] = desk.log(Kind.FILL)[-1:]
    assert (fill.price, fill.qty, fill.side) == (D("61000"), D(2), "SELL")
    gone = desk.order("resting")
    assert gone["status"] == "EXPIRED"
    left = 10_000 - 2 * D("65800") * D("0.0005") - 2 * 4_800 - 2 * 61_000 * D("0.0005")
    assert sums(desk)["INSURANCE_CLEAR"] == -left, "1.25 % is more than there was"
    assert desk.wallet == 0

    updates = [event["o"] for event in desk.events("ORDER_TRADE_UPDATE")]
    assert [(o["x"], o["X"], o["o"], o["er"]) for o in updates] == [
        ("EXPIRED", "EXPIRED", "LIMIT", "5"),
        ("NEW", "NEW", "LIQUIDATION", "0"),
        ("CALCULATED", "FILLED", "LIQUIDATION", "0"),
    ]
    assert updates[1]["c"].startswith(f"autoclose-{desk.now}")
    [row] = desk.ok("GET", "v1/forceOrders")
    assert (row["clientOrderId"], row["type"], row["timeInForce"], row["status"], row["avgPrice"]) == (
        updates[1]["c"],
        "LIMIT",
        "IOC",
        "FILLED",
        "61000.00",
    )
    assert desk.ok("GET", "v1/forceOrders", autoCloseType="ADL") == []


def test_what_the_book_lacks_the_fund_takes_over_at_the_bankruptcy_price():
    desk = leveraged()
    desk.depth({"61000": "0.5"}, {"61000.1": "0.5"}, snapshot=True)
    desk.mark("61000")
    book, fund = desk.log(Kind.FILL)[-2:]
    assert (book.price, book.qty, fund.qty) == (D("61000"), D("0.5"), D("1.5"))
    bankrupt = 61_000 - (10_000 - D("65.8") - 9_600) / 2
    assert fund.price == bankrupt
    assert desk.position == 0
    assert desk.wallet == 0


def test_a_gap_through_everything_is_the_funds_loss():
    desk = leveraged(isolated=True)
    desk.listen()
    before = account_of(desk).cross_wallet
    fall_to(desk, "50000")
    assert desk.position == 0
    assert desk.log(Kind.FILL)[-1].price == D("64484"), "where 2,632 are lost"
    assert held_of(desk).set_aside == 0
    assert desk.wallet == before
    assert sums(desk)["INSURANCE_CLEAR"] == 2 * D("64484") * D("0.0005"), "the commission was beyond the margin"
    reasons = [event["a"]["m"] for event in desk.events("ACCOUNT_UPDATE")]
    assert reasons == ["ORDER", "INSURANCE_CLEAR"]


def test_an_isolated_position_falls_alone():
    desk = leveraged(isolated=True)
    floor = desk.twin.usdm.floor
    desk.mark("3000", symbol="ETHUSDT")
    account_of(desk).position("ETHUSDT").qty = D(1)
    account_of(desk).position("ETHUSDT").entry = D(3000)
    fall_to(desk, "64000")
    assert desk.position == 0
    assert account_of(desk).position("ETHUSDT").qty == 1
    assert floor.accounts["main"].wallet >= 10_000 - 2_632 - 66


def test_orders_of_an_isolated_position_end_with_it_and_others_stay():
    desk = leveraged(isolated=True)
    desk.limit("BUY", "0.01", "62600", newClientOrderId="same")
    desk.mark("3000", symbol="ETHUSDT")
    terms = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "1", "price": "2900"}
    desk.ok("POST", "v1/order", symbol="ETHUSDT", newClientOrderId="other", **terms)
    fall_to(desk, "64000")
    assert desk.order("same")["status"] == "EXPIRED"
    assert [row["clientOrderId"] for row in desk.ok("GET", "v1/openOrders")] == ["other"]


def test_a_fee_the_wallet_cannot_pay_comes_out_of_the_isolated_margin():
    desk = leveraged(isolated=True, balance="2632")
    assert account_of(desk).cross_wallet == 0
    assert held_of(desk).set_aside == 2_632 - D("65.8")


def test_cross_positions_go_one_by_one_until_the_rest_can_stand():
    desk = leveraged()
    desk.mark("3000", symbol="ETHUSDT")
    other = account_of(desk).position("ETHUSDT")
    other.qty, other.entry = D("0.1"), D(3000)
    fall_to(desk, "60000")
    assert (desk.position, other.qty, desk.wallet) == (0, 0, 0), "nothing was left to carry it"
    assert [record.symbol for record in desk.log(Kind.LIQUIDATE)] == [BTC, "ETHUSDT"]
    assert desk.log(Kind.FILL)[-1].price == 3_000

    desk = leveraged()
    desk.mark("3000", symbol="ETHUSDT")
    other = account_of(desk).position("ETHUSDT")
    other.qty, other.entry = D(3), D(1)
    fall_to(desk, "56500")
    assert [record.symbol for record in desk.log(Kind.LIQUIDATE)] == [BTC]
    assert other.qty == 3
    assert not desk.twin.usdm.floor.remarked
    assert sums(desk)["INSURANCE_CLEAR"] < 0


def test_who_is_being_liquidated_may_not_trade():
    desk = leveraged(isolated=True)
    fall_to(desk, "64000")
    assert desk.code("POST", "v1/order", **desk.market_terms("BUY", "0.001")) == -2023
    desk.now += GRACE_MS
    desk.market("BUY", "0.001")


def test_nobody_is_judged_in_the_dark():
    desk = leveraged()
    desk.twin.usdm.floor.listings[BTC].go_dark()
    desk.mark("61000")
    assert desk.position == 2
    desk.top("60999.9", "61000.1")
    assert desk.position == 0


def test_hedged_positions_carry_each_other():
    desk = Desk(account=READY_ACCOUNT)
    desk.top("65799.9", "65800.0", "50", "50")
    desk.mark("65800")
    desk.ok("POST", "v1/positionSide/dual", dualSidePosition="true")
    desk.ok("POST", "v1/leverage", symbol=BTC, leverage=50)
    desk.market("BUY", "2", positionSide="LONG")
    desk.market("SELL", "1.5", positionSide="SHORT")
    rows = {row["positionSide"]: row for row in desk.ok("GET", "v3/positionRisk")}
    told = D(rows["LONG"]["liquidationPrice"])
    assert rows["SHORT"]["liquidationPrice"] == rows["LONG"]["liquidationPrice"]
    assert 40_000 < told < 55_000
    desk.mark(f"{told + 1:.1f}")
    assert not desk.log(Kind.LIQUIDATE)
    desk.mark(f"{told - 1:.1f}")
    assert desk.log(Kind.LIQUIDATE)[0].position_side == "LONG"


# ── deeds ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_deleveraging_takes_at_the_mark_without_a_fee():
    desk = leveraged()
    desk.listen()
    desk.mark("66000")
    wallet = desk.wallet
    desk.twin.usdm.deleverage(account_of(desk), BTC, qty=D("0.5"))
    assert desk.position == D("1.5")
    assert desk.wallet == wallet + 100
    updates = [event["o"] for event in desk.events("ORDER_TRADE_UPDATE")]
    assert [(o["c"], o["x"], o["X"]) for o in updates] == [
        ("adl_autoclose", "NEW", "NEW"),
        ("adl_autoclose", "CALCULATED", "FILLED"),
    ]
    assert [row["clientOrderId"] for row in desk.ok("GET", "v1/forceOrders", autoCloseType="ADL")] == ["adl_autoclose"]
    desk.twin.usdm.deleverage(account_of(desk), BTC)
    assert desk.position == 0


def test_a_person_can_have_a_position_deleveraged():
    desk = leveraged()

    def ask(**body: str) -> tuple[int, dict[str, object]]:
        return desk.raw("POST", "/sim/adl", body=json.dumps(body))

    assert ask(account="main", symbol=BTC, qty="0.5") == (
        200,
        {"order_id": desk.log(Kind.FILL)[-1].order_id, "price": "65800", "qty": "0.5"},
    )
    assert desk.position == D("1.5")
    assert ask(account="main", symbol=BTC, qty="2")[1]["code"] == -2024
    assert ask(account="main", symbol=BTC, side="LONG")[1]["code"] == -2024
    assert ask(account="nobody", symbol=BTC)[1]["code"] == -1130
    assert ask(account="main", symbol=BTC, colour="red")[1]["code"] == -1130
    assert ask(account="main", symbol="NOPE")[1]["code"] == -1121
    assert desk.position == D("1.5")


def test_settlement_closes_every_position_of_the_symbol():
    desk = leveraged()
    desk.mark("66000")
    desk.twin.usdm.settle_symbol(BTC)
    assert desk.position == 0
    fill = desk.log(Kind.FILL)[-1]
    assert fill.client_order_id.startswith("settlement_autoclose-")
    assert (fill.price, fill.fee) == (D(66_000), 0)
    assert desk.ok("GET", "v1/forceOrders") == []
