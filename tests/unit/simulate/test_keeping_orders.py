"""What of dated, changed and trailing orders and of a running dead man's switch outlives a restart."""

from decimal import Decimal

from test_keeping import BOTH, BTC, a_next_life
from trading_desk import Desk

D = Decimal
HOUR = 3_600_000


def a_desk() -> Desk:
    desk = Desk(accounts=BOTH)
    desk.top("65799.9", "65800.0")
    desk.mark("65800")
    desk.trade("65800.0", "0.001", "BUY")
    return desk


def test_a_date_still_ends_the_order():
    desk = a_desk()
    until = desk.now + HOUR
    dated = {"timeInForce": "GTD", "goodTillDate": until}
    desk.limit("BUY", "0.1", "65000", newClientOrderId="d", **dated)
    stop = desk.stop_terms("SELL", "65700", quantity="0.1", price="65690", clientAlgoId="a", **dated)
    desk.ok("POST", "v1/algoOrder", **stop | {"type": "STOP"})
    second = a_next_life(desk)
    second.now = until
    second.twin.tick(second.now)
    assert (second.order("d")["status"], second.algo("a")["algoStatus"]) == ("EXPIRED", "EXPIRED")


def test_a_trailing_stop_remembers_how_far_it_came():
    desk = a_desk()
    terms = desk.stop_terms("SELL", "", quantity="0.1", callbackRate="1", clientAlgoId="t")
    del terms["triggerPrice"]
    desk.ok("POST", "v1/algoOrder", **terms | {"type": "TRAILING_STOP_MARKET"})
    before = desk.twin.changes
    desk.trade("66000.0", "0.001", "BUY")
    assert desk.twin.changes != before, "it is something new to keep"
    second = a_next_life(desk)
    second.top("65400.0", "65400.1")
    second.trade("65340.1", "0.001", "SELL")
    assert second.algo("t")["algoStatus"] == "NEW"
    second.trade("65340.0", "0.001", "SELL")
    assert second.algo("t")["algoStatus"] == "FINISHED"


def test_the_dead_mans_switch_goes_on_counting():
    desk = a_desk()
    desk.limit("BUY", "0.1", "65000", newClientOrderId="r")
    desk.ok("POST", "v1/countdownCancelAll", symbol=BTC, countdownTime=1_000)
    second = a_next_life(desk)
    second.now += 999
    second.twin.tick(second.now)
    assert second.order("r")["status"] == "NEW"
    second.now += 1
    second.twin.tick(second.now)
    assert second.order("r")["status"] == "CANCELED"


def test_changes_and_the_place_they_cost_are_remembered():
    desk = a_desk()
    for name in ("first", "second"):
        desk.limit("BUY", "0.5", "65799.9", newClientOrderId=name)
    desk.now += 1
    change = {"symbol": BTC, "side": "BUY", "origClientOrderId": "first", "quantity": "0.4", "price": "65799.9"}
    desk.ok("PUT", "v1/order", **change, modifyId=3)
    history = desk.ok("GET", "v1/orderAmendment", symbol=BTC, origClientOrderId="first")
    second = a_next_life(desk)
    assert second.ok("GET", "v1/orderAmendment", symbol=BTC, origClientOrderId="first") == history
    second.top("65799.9", "65800.0")
    second.trade("65799.9", "5.6", "SELL")
    assert (second.order("second")["status"], second.order("first")["executedQty"]) == ("FILLED", "0.100")
