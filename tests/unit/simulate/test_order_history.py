"""How long the venue remembers, in windows of a week; and the dead man's switch."""

from decimal import Decimal

import pytest

from chimera.simulate.usdm.orders import OrderType

D = Decimal
DAY = 86_400_000
ALGO = {"quantity": "0.1"}


@pytest.fixture
def past(desk):
    """A filled and a canceled order, a canceled conditional one, an order that still rests; then the market goes on."""
    desk.market("BUY", "0.1", newClientOrderId="filled")
    desk.limit("BUY", "0.1", "65000", newClientOrderId="canceled")
    desk.ok("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="canceled")
    desk.stop("SELL", "65700", clientAlgoId="algo", **ALGO)
    desk.ok("DELETE", "v1/algoOrder", clientAlgoId="algo")
    desk.limit("BUY", "0.1", "65000", newClientOrderId="rests")
    return desk


def names(desk, **window):
    return [row["clientOrderId"] for row in desk.ok("GET", "v1/allOrders", symbol="BTCUSDT", **window)]


def test_what_ended_without_a_fill_is_gone_after_three_days(past):
    assert names(past) == ["filled", "canceled", "rests"]
    past.now += 3 * DAY
    assert names(past) == ["filled", "canceled", "rests"]
    assert past.order("canceled")["status"] == "CANCELED"
    assert past.algo("algo")["algoStatus"] == "CANCELED"
    past.now += 1
    assert names(past) == ["filled", "rests"]
    assert past.code("GET", "v1/order", symbol="BTCUSDT", origClientOrderId="canceled") == -2013
    assert past.code("GET", "v1/algoOrder", clientAlgoId="algo") == -2013
    assert past.ok("GET", "v1/allAlgoOrders", symbol="BTCUSDT") == []


def test_everything_is_gone_after_ninety(past):
    first = past.now
    past.now += 90 * DAY
    assert names(past, startTime=first, endTime=first) == ["filled", "rests"]
    assert len(past.ok("GET", "v1/userTrades", symbol="BTCUSDT", startTime=first)) == 1
    past.now += 1
    assert names(past, startTime=first, endTime=first) == []
    assert past.ok("GET", "v1/userTrades", symbol="BTCUSDT", startTime=first) == []
    assert past.ok("GET", "v1/userTrades", symbol="BTCUSDT", fromId=1) == []
    assert past.code("GET", "v1/order", symbol="BTCUSDT", origClientOrderId="filled") == -2013
    assert [row["clientOrderId"] for row in past.ok("GET", "v1/openOrders")] == ["rests"]


@pytest.mark.parametrize("path", ["v1/allOrders", "v1/userTrades", "v1/allAlgoOrders"])
class TestWindows:
    def test_a_week_at_most(self, past, path):
        end = past.now
        for span, code in ((7 * DAY, None), (7 * DAY + 1, -1127), (-1, -1023)):
            params = {"symbol": "BTCUSDT", "startTime": end - span, "endTime": end}
            if code is None:
                past.ok("GET", path, **params)
            else:
                assert past.code("GET", path, **params) == code

    def test_without_times_the_last_week(self, past, path):
        past.now += 7 * DAY
        kept = {"v1/allOrders": 2, "v1/userTrades": 1, "v1/allAlgoOrders": 0}[path]
        assert len(past.ok("GET", path, symbol="BTCUSDT")) == kept
        past.now += 1
        assert past.ok("GET", path, symbol="BTCUSDT") == []

    def test_one_time_alone_reaches_a_week(self, past, path):
        began = past.now
        past.now += 2 * DAY
        assert past.ok("GET", path, symbol="BTCUSDT", startTime=began)
        assert past.ok("GET", path, symbol="BTCUSDT", endTime=began + 7 * DAY)
        assert past.ok("GET", path, symbol="BTCUSDT", startTime=began + 1) == []
        assert past.ok("GET", path, symbol="BTCUSDT", endTime=began - 1) == []

    def test_a_limit_of_nothing(self, past, path):
        assert past.code("GET", path, symbol="BTCUSDT", limit=0) == -1130


def test_from_an_order_on_the_oldest_first_whatever_the_time(past):
    first = past.order("filled")["orderId"]
    past.now += 30 * DAY
    rows = past.ok("GET", "v1/allOrders", symbol="BTCUSDT", orderId=first, limit=1)
    assert [row["orderId"] for row in rows] == [first]


def test_by_pages(past):
    for name in "abc":
        past.stop("SELL", "65700", clientAlgoId=name, **ALGO)
    pages = [past.ok("GET", "v1/allAlgoOrders", symbol="BTCUSDT", limit=2, page=page) for page in (1, 2, 3)]
    assert [[row["clientAlgoId"] for row in page] for page in pages] == [["algo", "a"], ["b", "c"], []]


def test_a_market_order_cannot_be_changed(desk):
    """None ever rests; so only an order made to look like one shows the refusal."""
    desk.limit("BUY", "0.1", "65000", newClientOrderId="m")
    account = desk.twin.usdm.floor.accounts["main"]
    desk.twin.usdm.floor.orders.find(account, "BTCUSDT", None, "m").type = OrderType.MARKET
    change = {"symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": "m", "quantity": "0.2", "price": "65000"}
    assert desk.code("PUT", "v1/order", **change) == -5025


class TestCountdown:
    def start(self, desk, span):
        return desk.ok("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime=span)

    def after(self, desk, span):
        desk.now += span
        desk.twin.tick(desk.now)
        return [row["clientOrderId"] for row in desk.ok("GET", "v1/openOrders")]

    @pytest.fixture
    def armed(self, desk):
        desk.market("BUY", "0.1")
        desk.limit("BUY", "0.1", "65000", newClientOrderId="r")
        desk.stop("SELL", "65700", clientAlgoId="stop", **ALGO)
        return desk

    def test_it_fires_once_and_leaves_positions_and_conditional_orders(self, armed):
        assert self.start(armed, 120_000) == {"symbol": "BTCUSDT", "countdownTime": "120000"}
        assert self.after(armed, 119_999) == ["r"]
        assert self.after(armed, 1) == []
        assert (armed.order("r")["status"], armed.algo("stop")["algoStatus"]) == ("CANCELED", "NEW")
        assert armed.position == D("0.1")
        armed.limit("BUY", "0.1", "65000", newClientOrderId="later")
        assert self.after(armed, 500_000) == ["later"]

    def test_each_call_replaces_the_one_before_and_zero_stops_it(self, armed):
        self.start(armed, 1_000)
        assert self.after(armed, 900) == ["r"]
        self.start(armed, 1_000)
        assert self.after(armed, 900) == ["r"]
        self.start(armed, 0)
        assert self.after(armed, 5_000) == ["r"]

    def test_the_other_answer_to_the_open_question(self, new_desk):
        armed = new_desk(countdown_takes_algos=True)
        armed.top("65799.9", "65800.0")
        armed.limit("BUY", "0.1", "65000", newClientOrderId="r")
        armed.stop("SELL", "65700", clientAlgoId="stop", **ALGO)
        self.start(armed, 1_000)
        assert self.after(armed, 1_000) == []
        assert armed.algo("stop")["algoStatus"] == "CANCELED"

    def test_one_symbol_only(self, armed):
        armed.ok("POST", "v1/countdownCancelAll", symbol="ETHUSDT", countdownTime=1_000)
        assert self.after(armed, 2_000) == ["r"]

    def test_what_it_asks_for(self, armed):
        assert armed.code("POST", "v1/countdownCancelAll", symbol="BTCUSDT") == -1102
        assert armed.code("POST", "v1/countdownCancelAll", symbol="NOPE", countdownTime=1) == -1121
        assert armed.code("POST", "v1/countdownCancelAll", symbol="BTCUSDT", countdownTime="soon") == -1100

    def test_a_heartbeat_that_comes_too_late_saves_nothing(self, armed):
        """Whether or not anybody looked at the clock between."""
        order = armed.limit("BUY", "0.1", "65000")
        self.start(armed, 1_000)
        armed.now += 1_001
        self.start(armed, 1_000)
        assert armed.order(order["clientOrderId"])["status"] == "CANCELED"
