"""One-way and hedge mode: when an account may change, and what each keeps apart."""

from decimal import Decimal

import pytest
from trading_desk import Desk

from chimera.simulate.venue.audit import Kind

D = Decimal
DUAL = "v1/positionSide/dual"


def hedged() -> Desk:
    desk = Desk()
    desk.top("65799.9", "65800.0")
    desk.ok("POST", DUAL, dualSidePosition="true")
    return desk


def test_an_account_begins_one_way_and_changes_when_flat(desk):
    assert desk.ok("GET", DUAL) == {"dualSidePosition": False}
    assert desk.ok("POST", DUAL, dualSidePosition="true") == {"code": 200, "msg": "success"}
    assert desk.ok("GET", DUAL) == {"dualSidePosition": True}
    assert desk.ok("GET", "v1/accountConfig")["dualSidePosition"] is True
    assert desk.log(Kind.SETTING)[-1].reason == "dualSidePosition=true"
    assert desk.code("POST", DUAL, dualSidePosition="true") == -4059


@pytest.mark.parametrize("what", ["order", "algo"])
def test_open_orders_hold_the_mode(desk, what):
    if what == "order":
        desk.limit("BUY", "0.010", "65000")
    else:
        desk.stop("SELL", "65000", quantity="0.010", clientAlgoId="sl-1")
    assert desk.code("POST", DUAL, dualSidePosition="true") == -4067
    assert desk.ok("GET", DUAL) == {"dualSidePosition": False}


def test_a_position_holds_the_mode(desk):
    desk.market("BUY", "0.010")
    assert desk.code("POST", DUAL, dualSidePosition="true") == -4068
    desk.market("SELL", "0.010")
    desk.ok("POST", DUAL, dualSidePosition="true")


def test_long_and_short_are_held_beside_each_other():
    desk = hedged()
    desk.listen()
    desk.market("BUY", "0.030", positionSide="LONG")
    desk.market("SELL", "0.020", positionSide="SHORT")
    desk.market("SELL", "0.010", positionSide="LONG")
    rows = {row["positionSide"]: row["positionAmt"] for row in desk.ok("GET", "v3/positionRisk", symbol="BTCUSDT")}
    assert rows == {"LONG": "0.020", "SHORT": "-0.020"}
    changed = [(row["ps"], row["pa"]) for event in desk.events("ACCOUNT_UPDATE") for row in event["a"]["P"]]
    assert changed == [("LONG", "0.03"), ("SHORT", "-0.02"), ("LONG", "0.02")]
    assert [row["positionSide"] for row in desk.ok("GET", "v1/userTrades", symbol="BTCUSDT")] == [
        "LONG",
        "SHORT",
        "LONG",
    ]
    assert [record.position_side for record in desk.log(Kind.FILL)] == ["LONG", "SHORT", "LONG"]
    assert {row["symbol"]: row["adlQuantile"] for row in desk.ok("GET", "v1/adlQuantile")}["BTCUSDT"].keys() == {
        "LONG",
        "SHORT",
    }


def test_multi_assets_mode_is_refused_for_its_reasons(desk):
    assert desk.ok("GET", "v1/multiAssetsMargin") == {"multiAssetsMargin": False}
    assert desk.code("POST", "v1/multiAssetsMargin", multiAssetsMargin="false") == -4171
    assert desk.code("POST", "v1/multiAssetsMargin", multiAssetsMargin="true") == -1020
    desk.ok("POST", "v1/marginType", symbol="ETHUSDT", marginType="ISOLATED")
    assert desk.code("POST", "v1/multiAssetsMargin", multiAssetsMargin="true") == -4167
