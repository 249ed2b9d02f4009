"""``PUT order``: what may be changed, what the change costs, when it ends the order; and the record of it."""

from decimal import Decimal

import pytest

from chimera.simulate.usdm import amend
from chimera.simulate.venue.audit import Kind

D = Decimal
ORDER = "v1/order"


@pytest.fixture
def resting(desk):
    """A bid of 0.1 at 65,000 called r."""
    desk.limit("BUY", "0.1", "65000", newClientOrderId="r")
    return desk


def terms(**more):
    base = {"symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": "r", "quantity": "0.1", "price": "65000"}
    return {name: value for name, value in (base | more).items() if value is not None}


@pytest.mark.parametrize(
    ("code", "more"),
    [
        (-1102, {"quantity": None}),
        (-1102, {"price": None}),
        (-1102, {"side": None}),
        (-1102, {"origClientOrderId": None}),
        (-1104, {"timeInForce": "GTC", "quantity": "0.2"}),
        (-1106, {"priceMatch": "QUEUE"}),
        (-1111, {"price": "65000.001"}),
        (-1117, {"side": "SELL", "quantity": "0.2"}),
        (-2013, {"origClientOrderId": "none"}),
        (-2019, {"quantity": "90"}),
        (-4003, {"quantity": "0"}),
        (-4005, {"quantity": "1001"}),
        (-4014, {"price": "65000.05"}),
        (-4016, {"price": "69095"}),
        (-5027, {}),
        (-5027, {"price": "65000.0", "quantity": "0.100"}),
        (-5029, {"price": "4000", "quantity": "0.001"}),
        (-5037, {"price": None, "priceMatch": "OPPONENT_20"}),
        (-5047, {"quantity": "0.2", "reduceOnly": "true"}),
    ],
)
def test_refused_and_left_as_it_is(resting, code, more):
    before = resting.order("r")
    assert resting.code("PUT", ORDER, **terms(**more)) == code
    assert resting.order("r") == before
    assert resting.log(Kind.AMEND) == []


def test_a_change_of_price_and_quantity(resting):
    resting.listen()
    resting.now += 5
    answer = resting.ok("PUT", ORDER, **terms(quantity="0.2", price="65001", modifyId=7))
    assert (answer["origQty"], answer["price"], answer["status"]) == ("0.200", "65001.00", "NEW")
    assert (answer["modifyId"], answer["pair"], answer["updateTime"]) == (7, "BTCUSDT", resting.now)
    [event] = resting.events()
    assert (event["o"]["x"], event["o"]["X"], event["o"]["q"], event["o"]["M"]) == ("AMENDMENT", "NEW", "0.200", 7)
    assert resting.order("r")["origQty"] == "0.200"
    held = resting.twin.usdm.floor.accounts["main"].position("BTCUSDT")
    assert held.bids == D("0.2") * 65001


def test_without_an_id_of_its_own_none_is_echoed(resting):
    resting.listen()
    assert "modifyId" not in resting.ok("PUT", ORDER, **terms(quantity="0.2"))
    assert "M" not in resting.events()[-1]["o"]


def test_it_joins_the_back_of_the_queue(desk):
    for name in ("first", "second"):
        desk.limit("BUY", "0.5", "65799.9", newClientOrderId=name)
    desk.ok("PUT", ORDER, **terms(origClientOrderId="first", quantity="0.4", price="65799.9"))
    desk.trade("65799.9", "5.6", "SELL")
    assert (desk.order("second")["status"], desk.order("first")["executedQty"]) == ("FILLED", "0.100")


def test_it_may_take(resting):
    answer = resting.ok("PUT", ORDER, **terms(price="65800"))
    assert (answer["status"], answer["executedQty"]) == ("FILLED", "0.100")
    assert resting.position == D("0.1")


def test_price_match(resting):
    answer = resting.ok("PUT", ORDER, **terms(price=None, priceMatch="QUEUE_5"))
    assert (answer["price"], answer["priceMatch"]) == ("65799.50", "QUEUE_5")


@pytest.mark.parametrize(("qty", "status"), [("0.2", "CANCELED"), ("0.1", "CANCELED"), ("0.201", "PARTIALLY_FILLED")])
def test_at_or_below_what_is_filled_it_is_canceled(desk, qty, status):
    desk.limit("BUY", "0.5", "65799.9", newClientOrderId="r")
    desk.trade("65799.9", "5.2", "SELL")
    answer = desk.ok("PUT", ORDER, **terms(quantity=qty, price="65799.9"))
    assert (answer["status"], answer["executedQty"]) == (status, "0.200")
    assert len(desk.ok("GET", "v1/openOrders")) == (status == "PARTIALLY_FILLED")


def test_a_post_only_order_that_would_take_is_canceled(desk):
    desk.listen()
    desk.limit("BUY", "0.1", "65000", newClientOrderId="r", timeInForce="GTX")
    answer = desk.ok("PUT", ORDER, **terms(price="65800"))
    assert (answer["status"], answer["price"]) == ("CANCELED", "65000.00")
    assert desk.events("ORDER_TRADE_UPDATE")[-1]["o"]["x"] == "CANCELED"


def test_reduce_only_spares_the_notional_and_stays_within_the_position(desk):
    desk.market("BUY", "0.010")
    desk.limit("SELL", "0.010", "66000", newClientOrderId="r", reduceOnly="true")
    small = terms(side="SELL", quantity="0.001", price="66000")
    desk.twin.usdm.floor.listings["BTCUSDT"].instrument = desk.twin.usdm.floor.listings["BTCUSDT"].instrument.but(
        min_notional=D(100)
    )
    assert desk.code("PUT", ORDER, **small) == -5029
    assert desk.ok("PUT", ORDER, **small | {"reduceOnly": "true"})["reduceOnly"] is True
    assert desk.ok("PUT", ORDER, **small | {"quantity": "0.5"})["origQty"] == "0.010"


def test_only_limit_orders_and_only_open_ones(desk):
    desk.market("BUY", "0.1", newClientOrderId="r")
    assert desk.code("PUT", ORDER, **terms(quantity="0.2")) == -2013


def test_ten_thousand_times(resting, monkeypatch):
    monkeypatch.setattr(amend, "MAX_AMENDMENTS", 3)
    for number in range(3):
        resting.ok("PUT", ORDER, **terms(price=str(65001 + number)))
    assert resting.code("PUT", ORDER, **terms(price="64000")) == -5026


def test_margin_moves_with_it(resting):
    def free() -> D:
        return D(resting.ok("GET", "v3/balance")[0]["availableBalance"])

    before = free()
    resting.ok("PUT", ORDER, **terms(quantity="0.3"))
    assert free() == before - D("0.2") * 65000 / 20
    resting.ok("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="r")
    assert free() == 100_000


def test_the_history_of_an_order(resting):
    resting.now += 10
    resting.ok("PUT", ORDER, **terms(quantity="0.2", modifyId=9))
    resting.now += 10
    resting.ok("PUT", ORDER, **terms(quantity="0.2", price="65001"))
    newest, oldest = resting.ok("GET", "v1/orderAmendment", symbol="BTCUSDT", origClientOrderId="r")
    order_id = resting.order("r")["orderId"]
    assert oldest == {
        "amendmentId": oldest["amendmentId"],
        "symbol": "BTCUSDT",
        "pair": "BTCUSDT",
        "orderId": order_id,
        "clientOrderId": "r",
        "time": resting.now - 10,
        "amendment": {
            "price": {"before": "65000.00", "after": "65000.00"},
            "origQty": {"before": "0.100", "after": "0.200"},
            "count": 1,
            "modifyId": 9,
        },
    }
    assert newest["amendmentId"] > oldest["amendmentId"]
    assert newest["amendment"]["price"] == {"before": "65000.00", "after": "65001.00"}
    assert "modifyId" not in newest["amendment"]
    late = resting.ok("GET", "v1/orderAmendment", symbol="BTCUSDT", orderId=order_id, startTime=resting.now)
    assert late == [newest]
    assert resting.ok("GET", "v1/orderAmendment", symbol="BTCUSDT", orderId=order_id, limit=1) == [newest]
    assert resting.code("GET", "v1/orderAmendment", symbol="BTCUSDT", orderId=1) == -2013
    resting.now += 91 * 86_400_000
    assert resting.ok("GET", "v1/orderAmendment", symbol="BTCUSDT", orderId=order_id) == []


def test_a_change_counts_like_an_order(resting):
    resting.ok("PUT", ORDER, **terms(quantity="0.2"))
    answer = resting.raw_response("PUT", ORDER, **terms(quantity="0.3"))
    assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "3"


def test_a_child_that_rests_can_be_changed_and_an_untriggered_algo_cannot(desk):
    algo = desk.stop_terms("SELL", "65790", quantity="0.1", price="65795", clientAlgoId="r") | {"type": "STOP"}
    desk.ok("POST", "v1/algoOrder", **algo)
    assert desk.code("PUT", ORDER, **terms(side="SELL", price="65810")) == -2013
    desk.top("65789.9", "65790.0")
    assert desk.order("r")["status"] == "NEW"
    assert desk.ok("PUT", ORDER, **terms(side="SELL", price="65810"))["origType"] == "STOP"
