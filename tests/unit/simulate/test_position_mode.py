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
        desk.stop("SELL", "65000", quantity="0.010")
    assert desk.code("POST", DUAL, dualSidePosition="true") == -4067
    assert desk.ok("GET", DUAL) == {"dualSidePosition": False}


def test_a_position_holds_the_mode(desk):
    desk.market("BUY", "0.010")
    assert desk.code("POST", DUAL, dualSidePosition="true") == -4068
    desk.market("SELL", "0.010")
    desk.ok("POST", DUAL, dualSidePosition="true")
