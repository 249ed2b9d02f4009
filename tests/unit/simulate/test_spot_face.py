"""What the spot face adds: cancel-replace's answers, unfilled-order counts, weights, windows of queries."""

from typing import Any

import pytest
from spot_counter import LIMIT, OCO, OTOCO, Counter, D

from chimera.simulate.door.limits import SPOT_BUDGET, Limit, LimitKind
from chimera.trading.market import Side

NEW = LIMIT | {"side": "BUY", "quantity": "0.02", "price": "51000"}
TAKES = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01", "price": "60000"}
TIGHT = SPOT_BUDGET.but(
    orders=(
        Limit(kind=LimitKind.ORDERS, interval="SECOND", num=10, limit=1),
        Limit(kind=LimitKind.ORDERS, interval="DAY", num=1, limit=100),
    )
)
STOP, ALLOW = "STOP_ON_FAILURE", "ALLOW_FAILURE"


@pytest.fixture
def counter() -> Counter:
    return Counter()


def replace(counter: Counter, mode: str, new: dict[str, Any], **which: Any) -> tuple[int, Any]:
    answer = counter.send("POST", "order/cancelReplace", **new, cancelReplaceMode=mode, **which)
    return answer.status, answer.json()


@pytest.mark.req("TW-2")
class TestCancelReplace:
    def test_both_succeed(self, counter: Counter) -> None:
        old = counter.limit("BUY", "0.01", "50000")
        status, body = replace(counter, STOP, NEW, cancelOrderId=old["orderId"])
        assert (status, body["cancelResult"], body["newOrderResult"]) == (200, "SUCCESS", "SUCCESS")
        assert [order["price"] for order in counter.ok("GET", "openOrders")] == ["51000.00000000"]

    def test_it_shows_its_count_as_a_placement_does(self, counter: Counter) -> None:
        old = counter.limit("BUY", "0.01", "50000")
        terms = NEW | {"cancelReplaceMode": STOP, "cancelOrderId": old["orderId"]}
        answer = counter.send("POST", "order/cancelReplace", **terms)
        assert (answer.status, answer.headers["X-MBX-ORDER-COUNT-10S"]) == (200, "2")

    def test_the_cancel_fails_and_stops_it(self, counter: Counter) -> None:
        status, body = replace(counter, STOP, NEW, cancelOrderId=1)
        assert (status, body) == (
            400,
            {
                "code": -2022,
                "msg": "Order cancel-replace failed.",
                "data": {
                    "cancelResult": "FAILURE",
                    "newOrderResult": "NOT_ATTEMPTED",
                    "cancelResponse": {"code": -2011, "msg": "Unknown order sent."},
                    "newOrderResponse": None,
                },
            },
        )
        assert counter.ok("GET", "openOrders") == []
        assert counter.counts() == [1, 1], "an order that was not attempted counts, too"

    def test_the_cancel_fails_and_the_order_is_placed(self, counter: Counter) -> None:
        status, body = replace(counter, ALLOW, NEW, cancelOrigClientOrderId="nobody")
        assert (status, body["code"], body["msg"]) == (409, -2021, "Order cancel-replace partially failed.")
        assert (body["data"]["cancelResult"], body["data"]["newOrderResult"]) == ("FAILURE", "SUCCESS")
        assert body["data"]["newOrderResponse"]["status"] == "NEW"

    @pytest.mark.parametrize("mode", [STOP, ALLOW])
    def test_the_new_order_fails(self, counter: Counter, mode: str) -> None:
        old = counter.limit("BUY", "0.01", "50000")
        status, body = replace(counter, mode, TAKES, cancelOrderId=old["orderId"])
        assert (status, body["code"]) == (409, -2021)
        assert body["data"]["cancelResponse"]["status"] == "CANCELED"
        assert body["data"]["newOrderResponse"] == {"code": -2010, "msg": "Order would immediately match and take."}

    def test_both_fail(self, counter: Counter) -> None:
        status, body = replace(counter, ALLOW, TAKES, cancelOrderId=1)
        assert (status, body["code"], body["data"]["newOrderResult"]) == (400, -2022, "FAILURE")

    def test_filters_come_before_the_cancel(self, counter: Counter) -> None:
        old = counter.limit("BUY", "0.01", "50000", newClientOrderId="mine")
        status, body = replace(counter, ALLOW, NEW | {"price": "51000.001"}, cancelOrderId=old["orderId"])
        assert (status, body) == (400, {"code": -1013, "msg": "Filter failure: PRICE_FILTER"})
        assert counter.order("mine")["status"] == "NEW"
        assert counter.counts() == [1, 1]


TOO_MANY = {"code": -1015, "msg": "Too many new orders; current limit is 1 orders per 10 SECOND."}


@pytest.mark.req("TW-2")
class TestCancelReplaceBeyondTheCount:
    def full(self) -> tuple[Counter, int]:
        counter = Counter(TIGHT)
        return counter, counter.limit("BUY", "0.01", "50000", newClientOrderId="mine")["orderId"]

    def test_do_nothing(self) -> None:
        counter, old = self.full()
        assert replace(counter, STOP, NEW, cancelOrderId=old) == (429, TOO_MANY)
        assert counter.order("mine")["status"] == "NEW"

    @pytest.mark.parametrize(("mode", "status"), [(STOP, 429), (ALLOW, 409)])
    def test_cancel_only(self, mode: str, status: int) -> None:
        counter, old = self.full()
        only = {"cancelOrderId": old, "orderRateLimitExceededMode": "CANCEL_ONLY"}
        answer, body = replace(counter, mode, NEW, **only)
        assert (answer, body["code"]) == (status, -2021)
        assert (body["data"]["cancelResult"], body["data"]["newOrderResult"]) == ("SUCCESS", "FAILURE")
        assert body["data"]["newOrderResponse"] == TOO_MANY
        assert counter.order("mine")["status"] == "CANCELED"

    @pytest.mark.parametrize(("mode", "status", "new"), [(STOP, 429, "NOT_ATTEMPTED"), (ALLOW, 400, "FAILURE")])
    def test_cancel_only_without_an_order(self, mode: str, status: int, new: str) -> None:
        counter, _ = self.full()
        answer, body = replace(counter, mode, NEW, cancelOrderId=1, orderRateLimitExceededMode="CANCEL_ONLY")
        assert (answer, body["code"], body["data"]["newOrderResult"]) == (status, -2022, new)


@pytest.mark.req("TW-2")
class TestCounts:
    def test_an_order_one_a_list_two_or_three(self, counter: Counter) -> None:
        counter.limit("BUY", "0.01", "50000")
        assert counter.counts() == [1, 1]
        counter.ok("POST", "orderList/oco", **OCO)
        assert counter.counts() == [3, 3]
        counter.ok("POST", "orderList/otoco", **OTOCO)
        assert counter.counts() == [6, 6]

    def test_cancel_and_expiry_give_nothing_back(self, counter: Counter) -> None:
        counter.limit("BUY", "0.01", "50000", newClientOrderId="mine")
        counter.ok("DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine")
        counter.limit("BUY", "0.01", "50000", timeInForce="IOC")
        assert counter.counts() == [2, 2]

    def test_a_taker_gives_back_one_a_maker_five(self, counter: Counter) -> None:
        """The examples of faqs/order_count_decrement.md."""
        counter.market("BUY", "0.01")
        assert counter.counts() == [0, 0]
        for price in ("50000", "50001", "50002", "50003", "50004"):
            counter.limit("BUY", "0.01", price)
        assert counter.counts() == [5, 5]
        counter.trade("50003", "0.001", Side.SELL)
        assert counter.counts() == [0, 0]
        counter.limit("BUY", "0.01", "49000")
        counter.limit("BUY", "0.01", "49000")
        counter.trade("50001", "0.001", Side.SELL)
        assert counter.counts() == [0, 0], "never below none"

    def test_headers_show_the_counts(self, counter: Counter) -> None:
        answer = counter.send("POST", "order", **NEW)
        assert (answer.headers["X-MBX-ORDER-COUNT-10S"], answer.headers["X-MBX-ORDER-COUNT-1D"]) == ("1", "1")


@pytest.mark.req("TW-2")
class TestWeight:
    def cost(self, counter: Counter, method: str, path: str, **params: Any) -> int:
        before = counter.limits.weight_used("", counter.now)
        counter.send(method, path, **params)
        return counter.limits.weight_used("", counter.now) - before

    def test_what_succeeds_in_placing_or_canceling_is_free(self, counter: Counter) -> None:
        assert self.cost(counter, "POST", "order", **NEW, newClientOrderId="mine") == 0
        assert self.cost(counter, "DELETE", "order", symbol="BTCUSDT", origClientOrderId="mine") == 0
        assert self.cost(counter, "POST", "orderList/oco", **OCO) == 0
        assert self.cost(counter, "DELETE", "openOrders", symbol="BTCUSDT") == 0

    def test_what_fails_pays(self, counter: Counter) -> None:
        assert self.cost(counter, "POST", "order", **NEW | {"quantity": "0"}) == 1
        assert self.cost(counter, "DELETE", "order", symbol="BTCUSDT", orderId=1) == 1
        terms = NEW | {"cancelReplaceMode": STOP, "cancelOrderId": 1}
        assert self.cost(counter, "POST", "order/cancelReplace", **terms) == 1

    def test_queries_pay_as_listed(self, counter: Counter) -> None:
        one = {"symbol": "BTCUSDT"}
        listed = {
            ("order/test", 1): NEW,
            ("order/test", 20): NEW | {"computeCommissionRates": "true"},
        }
        for (path, weight), params in listed.items():
            assert self.cost(counter, "POST", path, **params) == weight
        for path, weight, params in (
            ("openOrders", 6, one),
            ("openOrders", 80, {}),
            ("allOrders", 20, one),
            ("myTrades", 20, one),
            ("myTrades", 5, one | {"orderId": 1}),
            ("account", 20, {}),
            ("rateLimit/order", 40, {}),
            ("openOrderList", 6, {}),
        ):
            assert self.cost(counter, "GET", path, **params) == weight, path

    @pytest.mark.parametrize(("limit", "weight"), [(100, 5), (101, 25), (501, 50), (1001, 250)])
    def test_depth_pays_by_its_levels(self, counter: Counter, limit: int, weight: int) -> None:
        counter.public("depth", symbol="BTCUSDT", limit=limit)
        assert counter.limits.weight_used("", counter.now) == weight


@pytest.mark.req("TW-2")
class TestQueries:
    def test_orders_from_an_id_on_or_of_a_period(self, counter: Counter) -> None:
        orders = []
        for _ in range(3):
            orders.append(counter.limit("BUY", "0.01", "50000")["orderId"])
            counter.later(1_000)

        def found(**params: Any) -> list[int]:
            return [order["orderId"] for order in counter.ok("GET", "allOrders", symbol="BTCUSDT", **params)]

        assert found() == orders
        assert found(limit=2) == orders[1:], "the newest"
        assert found(orderId=orders[1]) == orders[1:]
        assert found(orderId=orders[0], limit=1) == orders[:1]
        assert found(startTime=counter.now - 2_000) == orders[1:]
        assert found(startTime=counter.now - 3_000, endTime=counter.now - 2_000) == orders[:2]

    def test_trades_by_every_allowed_set(self, counter: Counter) -> None:
        first = counter.market("BUY", "0.01")["orderId"]
        counter.later(1_000)
        second = counter.market("SELL", "0.01")["orderId"]

        def found(**params: Any) -> list[int]:
            return [row["orderId"] for row in counter.ok("GET", "myTrades", symbol="BTCUSDT", **params)]

        number = counter.ok("GET", "myTrades", symbol="BTCUSDT")[1]["id"]
        assert found() == [first, second]
        assert found(orderId=first) == [first]
        assert found(fromId=number) == [second] == found(orderId=second, fromId=number)
        assert found(startTime=counter.now) == [second]
        assert found(endTime=counter.now - 1) == [first]
        assert found(startTime=counter.now - 1_000, endTime=counter.now) == [first, second]

    def test_other_peoples_orders_are_not_found(self, counter: Counter) -> None:
        mine = counter.limit("BUY", "0.01", "50000")["orderId"]
        stranger = counter.account.but(name="other", api_key="another-key")
        counter.floor.admit(stranger)
        counter.face.keyring.add(stranger.key())
        counter.account = stranger
        assert counter.code("GET", "order", symbol="BTCUSDT", orderId=mine) == -2013
        assert counter.code("DELETE", "order", symbol="BTCUSDT", orderId=mine) == -2011
        assert counter.ok("GET", "openOrders") == []

    def test_lists_from_an_id_on(self, counter: Counter) -> None:
        counter.ok("POST", "orderList/oco", **OCO)
        second = counter.ok("POST", "orderList/oco", **OCO)["orderListId"]
        assert [each["orderListId"] for each in counter.ok("GET", "allOrderList", fromId=second)] == [second]


def test_a_cancel_of_a_leg_takes_the_list(counter: Counter) -> None:
    group = counter.ok("POST", "orderList/oco", **OCO)
    leg = group["orders"][0]
    gone = counter.ok("DELETE", "order", symbol="BTCUSDT", orderId=leg["orderId"], newClientOrderId="its-cancel")
    assert gone["listOrderStatus"] == "ALL_DONE"
    assert {report["clientOrderId"] for report in gone["orderReports"]} == {"its-cancel"}
    assert counter.balance("BTC") == ("1.00000000", "0.00000000")


def test_a_market_order_in_quote_asset(counter: Counter) -> None:
    terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quoteOrderQty": "601"}
    answer = counter.ok("POST", "order", **terms)
    assert (answer["origQuoteOrderQty"], answer["status"]) == ("601.00000000", "FILLED")
    assert D(answer["cummulativeQuoteQty"]) <= 601
    assert counter.order(answer["clientOrderId"])["origQuoteOrderQty"] == "601.00000000"


def test_a_list_is_canceled_once(counter: Counter) -> None:
    group = counter.ok("POST", "orderList/oco", **OCO)
    which = {"symbol": "BTCUSDT", "orderListId": group["orderListId"]}
    counter.ok("DELETE", "orderList", **which)
    assert counter.refused("DELETE", "orderList", **which) == (-2011, "Unknown order sent.")
    assert counter.code("DELETE", "orderList", **which | {"symbol": "ETHUSDT"}) == -2011


def test_the_same_calls_give_the_same_bytes() -> None:
    def life() -> tuple[list[bytes], list[Any]]:
        counter = Counter()
        said = [counter.send("POST", "orderList/otoco", **OTOCO | {"workingPrice": "60000"}).body]
        counter.trade("57999", "0.01", Side.SELL)
        said += [counter.send("GET", path, symbol="BTCUSDT").body for path in ("allOrders", "myTrades")]
        return said + [frame.payload for frame in counter.frames()], list(counter.audit.records)

    assert life() == life()


@pytest.mark.req("TW-1")
def test_candles_and_the_days_ticker_in_spots_own_words(counter: Counter) -> None:
    """Eight decimals, the touch beside the day, half of it where MINI is asked for, and times in µs for who asks."""
    counter.trade("60000", "0.5")
    counter.later(1_000)
    (candle,) = counter.public("klines", symbol="BTCUSDT", interval="1d")
    assert candle[1:6] == [*["60000.00000000"] * 4, "0.50000000"]
    assert candle[7:] == ["30000.00000000", 1, "0.50000000", "30000.00000000", "0"]
    day = counter.public("ticker/24hr", symbol="BTCUSDT")
    assert (day["bidPrice"], day["askPrice"], day["volume"]) == ("59999.99000000", "60000.00000000", "0.50000000")
    assert counter.public("ticker/24hr", symbols='["BTCUSDT"]', type="MINI")[0].items() < day.items()
    assert "bidPrice" not in counter.public("ticker/24hr", symbol="BTCUSDT", type="MINI")
    assert counter.public("trades", symbol="BTCUSDT")[0]["isBestMatch"]
    assert counter.public("aggTrades", symbol="BTCUSDT")[0]["M"]

    fine = counter.raw("GET", "uiKlines", "symbol=BTCUSDT&interval=1d", {"X-MBX-TIME-UNIT": "MICROSECOND"}).json()
    assert (fine[0][0], fine[0][6]) == (candle[0] * 1_000, candle[6] * 1_000)
    assert fine[0][8] == 1
