"""How the spot face says no: each code with its text, and nothing changed; every code that only spot says is proved."""

from typing import Any

import pytest
from spot_counter import LIMIT, OCO, OTO, OTOCO, START_MS, Counter

from chimera.simulate.door.refusals import SPOT_CODES

Terms = dict[str, Any]
ORDER = ("POST", "order")
BUY = LIMIT | {"side": "BUY", "quantity": "0.01", "price": "50000"}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
STOP = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_LOSS", "quantity": "0.01", "stopPrice": "59000"}
MAKER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01", "price": "50000"}
LISTS = ("POST", "orderList/oco")
OTO_AT, OTOCO_AT = ("POST", "orderList/oto"), ("POST", "orderList/otoco")
OPO = {name: value for name, value in OTO.items() if name != "pendingQuantity"}
OLD = {"symbol": "BTCUSDT", "side": "SELL", "quantity": "0.1", "price": "61000", "stopPrice": "59000"}
REPLACE = BUY | {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": 1}
COMBINATION = "Combination of optional parameters invalid."


def both(one: str, other: str) -> str:
    return f"Param '{one}' or '{other}' must be sent, but both were empty/null!"


def lacks(name: str) -> str:
    return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."


def unwanted(name: str) -> str:
    return f"Parameter '{name}' sent when not required."


BY_ONE_REQUEST: list[tuple[int, str, tuple[str, str], Terms, Terms]] = [
    # code, text, call, a good request, what makes it bad (``None``: left out)
    (-1102, lacks("symbol"), ORDER, BUY, {"symbol": None, "side": None}),
    (-1102, lacks("side"), ORDER, BUY, {"side": None, "type": None}),
    (-1102, lacks("timeInForce"), ORDER, BUY, {"timeInForce": None}),
    (-1102, lacks("price"), ORDER, BUY, {"price": None}),
    (-1102, lacks("quantity"), ORDER, BUY, {"quantity": None}),
    (-1102, both("quantity", "quoteOrderQty"), ORDER, MARKET, {"quantity": None}),
    (-1102, both("stopPrice", "trailingDelta"), ORDER, STOP, {"stopPrice": None}),
    (-1104, "Not all sent parameters were read; read '8' parameter(s) but was sent '9'.", ORDER, BUY, {"nonsense": 1}),
    (-1105, "Parameter 'newClientOrderId' was empty.", ORDER, BUY, {"newClientOrderId": ""}),
    (-1106, unwanted("price"), ORDER, MARKET, {"price": "50000"}),
    (-1106, unwanted("timeInForce"), ORDER, MARKET, {"timeInForce": "GTC"}),
    (-1106, unwanted("timeInForce"), ORDER, MAKER, {"timeInForce": "GTC"}),
    (-1106, unwanted("stopPrice"), ORDER, BUY, {"stopPrice": "49000"}),
    (-1106, unwanted("quoteOrderQty"), ORDER, BUY, {"quoteOrderQty": "500"}),
    (-1106, unwanted("icebergQty"), ORDER, STOP, {"icebergQty": "0.001"}),
    (-1106, unwanted("pegOffsetValue"), ORDER, BUY, {"pegOffsetValue": 1}),
    (-1115, "Invalid timeInForce.", ORDER, BUY, {"timeInForce": "GTX"}),
    (-1115, "Invalid timeInForce.", ORDER, BUY, {"timeInForce": "GTD"}),
    (-1116, "Invalid orderType.", ORDER, BUY, {"type": "STOP_MARKET"}),
    (-1117, "Invalid side.", ORDER, BUY, {"side": "LONG"}),
    (-1121, "Invalid symbol.", ORDER, BUY, {"symbol": "NOUSDT"}),
    (-1111, "Parameter 'quantity' has too much precision.", ORDER, BUY, {"quantity": "0.010000001"}),
    (-1128, COMBINATION, ORDER, MARKET, {"quoteOrderQty": "600"}),
    (
        -1130,
        "Data sent for parameter 'selfTradePreventionMode' is not valid.",
        ORDER,
        BUY,
        {"selfTradePreventionMode": "TRANSFER"},
    ),
    (-1134, "`strategyType` was less than 1000000.", ORDER, BUY, {"strategyType": 999_999}),
    (-1136, "Invalid newOrderRespType.", ORDER, BUY, {"newOrderRespType": "ALL"}),
    (-1210, "Invalid pegPriceType.", ORDER, BUY, {"pegPriceType": "MID_PEG"}),
    (
        -1211,
        "Invalid pegOffsetType.",
        ORDER,
        BUY,
        {"pegPriceType": "PRIMARY_PEG", "pegOffsetType": "BPS", "pegOffsetValue": 1},
    ),
    (
        -1128,
        "Fields [pegOffsetType, pegOffsetValue] must be sent together or omitted entirely.",
        ORDER,
        BUY,
        {"pegPriceType": "PRIMARY_PEG", "pegOffsetValue": 1},
    ),
    (
        -1130,
        "Data sent for parameter 'pegOffsetValue' is not valid.",
        ORDER,
        BUY,
        {"pegPriceType": "PRIMARY_PEG", "pegOffsetType": "PRICE_LEVEL", "pegOffsetValue": 101},
    ),
    (-1013, "Filter failure: LOT_SIZE", ORDER, BUY, {"quantity": "0.010001"}),
    (-1013, "Filter failure: PRICE_FILTER", ORDER, BUY, {"price": "50000.001"}),
    (-1013, "Filter failure: NOTIONAL", ORDER, BUY, {"quantity": "0.00001"}),
    (-2010, "Account has insufficient balance for requested action.", ORDER, BUY, {"quantity": "3"}),
    (-2010, "Order would immediately match and take.", ORDER, MAKER, {"price": "60000"}),
    (-2010, "Order would trigger immediately.", ORDER, STOP, {"stopPrice": "60001"}),
    # cancel and query
    (
        -1102,
        both("origClientOrderId", "orderId"),
        ("DELETE", "order"),
        {"symbol": "BTCUSDT", "orderId": 1},
        {"orderId": None},
    ),
    (-2011, "Unknown order sent.", ("DELETE", "order"), {"symbol": "BTCUSDT", "orderId": 1}, {}),
    (
        -1145,
        "Invalid cancelRestrictions",
        ("DELETE", "order"),
        {"symbol": "BTCUSDT", "orderId": 1},
        {"cancelRestrictions": "ANY"},
    ),
    (-2011, "Unknown order sent.", ("DELETE", "openOrders"), {"symbol": "BTCUSDT"}, {}),
    (-2011, "Unknown order sent.", ("DELETE", "orderList"), {"symbol": "BTCUSDT", "orderListId": 9}, {}),
    (-1102, both("orderListId", "listClientOrderId"), ("DELETE", "orderList"), {"symbol": "BTCUSDT"}, {}),
    (-2013, "Order does not exist.", ("GET", "order"), {"symbol": "BTCUSDT", "orderId": 1}, {}),
    (
        -2039,
        "Client order ID is not correct for this order ID.",
        ("GET", "order"),
        {"symbol": "BTCUSDT", "orderId": 1},
        {"origClientOrderId": "x"},
    ),
    (-2013, "Order does not exist.", ("GET", "orderList"), {"orderListId": 9}, {}),
    (
        -2038,
        "Unknown order sent.",
        ("PUT", "order/amend/keepPriority"),
        {"symbol": "BTCUSDT", "orderId": 1, "newQty": "0.01"},
        {},
    ),
    (
        -1023,
        "Start time is greater than end time.",
        ("GET", "allOrders"),
        {"symbol": "BTCUSDT"},
        {"startTime": START_MS, "endTime": START_MS - 1},
    ),
    (
        -1127,
        "More than 24 hours between startTime and endTime.",
        ("GET", "allOrders"),
        {"symbol": "BTCUSDT"},
        {"startTime": START_MS - 86_400_001, "endTime": START_MS},
    ),
    (
        -1127,
        "More than 24 hours between startTime and endTime.",
        ("GET", "myTrades"),
        {"symbol": "BTCUSDT"},
        {"startTime": START_MS - 86_400_001, "endTime": START_MS},
    ),
    (-1128, COMBINATION, ("GET", "myTrades"), {"symbol": "BTCUSDT"}, {"fromId": 1, "startTime": START_MS}),
    (-1128, COMBINATION, ("GET", "myTrades"), {"symbol": "BTCUSDT"}, {"orderId": 1, "endTime": START_MS}),
    (-1128, COMBINATION, ("GET", "allOrderList"), {}, {"fromId": 1, "endTime": START_MS}),
    (-1128, COMBINATION, ("GET", "myPreventedMatches"), {"symbol": "BTCUSDT"}, {"orderId": 1, "preventedMatchId": 1}),
    # replace
    (
        -1102,
        both("cancelOrigClientOrderId", "cancelOrderId"),
        ("POST", "order/cancelReplace"),
        REPLACE,
        {"cancelOrderId": None},
    ),
    (
        -1130,
        "Data sent for parameter 'cancelReplaceMode' is not valid.",
        ("POST", "order/cancelReplace"),
        REPLACE,
        {"cancelReplaceMode": "HURRY"},
    ),
    (-1013, "Filter failure: LOT_SIZE", ("POST", "order/cancelReplace"), REPLACE, {"quantity": "0.010001"}),
    # lists
    (-1102, lacks("aboveType"), LISTS, OCO, {"aboveType": None, "belowType": None}),
    (-1102, lacks("belowTimeInForce"), LISTS, OCO, {"belowTimeInForce": None}),
    (-1158, "Order type not supported in OCO.", LISTS, OCO, {"aboveType": "LIMIT", "aboveTimeInForce": "GTC"}),
    (
        -1160,
        "Parameter 'belowIcebergQty' is not supported if `belowTimeInForce` is not GTC.",
        LISTS,
        OCO,
        {"belowTimeInForce": "IOC", "belowIcebergQty": "0.01"},
    ),
    (
        -1165,
        "A limit order in a buy OCO must be below.",
        LISTS,
        OCO,
        {"side": "BUY", "belowType": "STOP_LOSS", "belowPrice": None, "belowTimeInForce": None},
    ),
    (
        -1166,
        "A limit order in a sell OCO must be above.",
        LISTS,
        OCO,
        {
            "aboveType": "STOP_LOSS",
            "abovePrice": None,
            "aboveStopPrice": "61000",
            "belowType": "LIMIT_MAKER",
            "belowStopPrice": None,
            "belowTimeInForce": None,
        },
    ),
    (
        -1168,
        "At least one OCO order must be contingent.",
        LISTS,
        OCO,
        {"belowType": "LIMIT_MAKER", "belowStopPrice": None, "belowTimeInForce": None},
    ),
    (
        -1196,
        "A stop loss order in a buy OCO must be above.",
        LISTS,
        OCO,
        {"side": "BUY", "aboveType": "TAKE_PROFIT", "abovePrice": None, "aboveStopPrice": "61000"},
    ),
    (
        -1197,
        "A stop loss order in a sell OCO must be below.",
        LISTS,
        OCO,
        {
            "aboveType": "STOP_LOSS",
            "abovePrice": None,
            "aboveStopPrice": "61000",
            "belowType": "TAKE_PROFIT",
            "belowPrice": None,
            "belowTimeInForce": None,
        },
    ),
    (
        -1198,
        "A take profit order in a buy OCO must be below.",
        LISTS,
        OCO,
        {
            "side": "BUY",
            "aboveType": "TAKE_PROFIT",
            "abovePrice": None,
            "aboveStopPrice": "61000",
            "belowType": "LIMIT_MAKER",
            "belowStopPrice": None,
            "belowTimeInForce": None,
        },
    ),
    (
        -1199,
        "A take profit order in a sell OCO must be above.",
        LISTS,
        OCO,
        {"belowType": "TAKE_PROFIT", "belowPrice": None, "belowTimeInForce": None},
    ),
    (-2010, "The relationship of the prices for the orders is not correct.", LISTS, OCO, {"abovePrice": "58950"}),
    (-1116, "Invalid orderType.", OTO_AT, OTO, {"workingType": "MARKET"}),
    (-1102, lacks("pendingPrice"), OTO_AT, OTO, {"pendingType": "LIMIT_MAKER"}),
    (-1102, lacks("pendingBelowType"), OTOCO_AT, OTOCO, {"pendingBelowType": None}),
    (
        -1222,
        "Working order in an OPO list must be a bid.",
        ("POST", "orderList/opo"),
        OPO,
        {"workingSide": "SELL", "workingPrice": "61000"},
    ),
    (-1223, "Pending orders in an OPO list must be asks.", ("POST", "orderList/opo"), OPO, {"pendingSide": "BUY"}),
    (
        -1225,
        "Pending orders should not include the 'pendingQuantity' tag.",
        ("POST", "orderList/opo"),
        OPO,
        {"pendingQuantity": "0.1"},
    ),
    (
        -1128,
        f"{COMBINATION} Recommendation: 'stopLimitTimeInForce' should also be sent.",
        ("POST", "order/oco"),
        OLD,
        {"stopLimitPrice": "58900"},
    ),
    (-1106, unwanted("stopLimitTimeInForce"), ("POST", "order/oco"), OLD, {"stopLimitTimeInForce": "GTC"}),
]
PUBLIC: list[tuple[int, str, Terms]] = [
    (-1121, "exchangeInfo", {"symbol": "NOUSDT"}),
    (-1100, "exchangeInfo", {"symbol": "btcusdt"}),
    (-1100, "exchangeInfo", {"symbol": "BTC/USDT"}),
    (-1100, "exchangeInfo", {"symbols": '["BTCUSDT",%20"ETHUSDT"]'}),
    (-1121, "exchangeInfo", {"symbols": '["BTCUSDT","NOUSDT"]'}),
    (-1100, "exchangeInfo", {"symbols": "BTCUSDT"}),
    (-1151, "exchangeInfo", {"symbols": '["BTCUSDT","BTCUSDT"]'}),
    (-1128, "exchangeInfo", {"symbol": "BTCUSDT", "permissions": "SPOT"}),
    (-1128, "ticker/price", {"symbol": "BTCUSDT", "symbols": '["BTCUSDT"]'}),
    (-1122, "ticker/price", {"symbolStatus": "OPEN"}),
    (-1220, "depth", {"symbol": "BTCUSDT", "symbolStatus": "HALT"}),
    (-1130, "depth", {"symbol": "BTCUSDT", "limit": 0}),
    (-1101, "ping", {"nonsense": 1}),
]
ELSEWHERE = {
    -1135: "test_ws_api",
    -1194: "below",
    -2035: "test_ws_api",
    -2036: "test_ws_api",
    -2042: "test_ws_api",
    -5007: "test_transfers",
    -5010: "test_transfers",
    -5013: "test_transfers",
}


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.mark.req("TW-2")
@pytest.mark.parametrize(("code", "text", "call", "good", "bad"), BY_ONE_REQUEST)
def test_refused_with_its_code_and_nothing_changed(
    counter: Counter, code: int, text: str, call: tuple[str, str], good: Terms, bad: Terms
) -> None:
    params = {name: value for name, value in (good | bad).items() if value is not None}
    before = (counter.balance("USDT"), counter.balance("BTC"), counter.counts(), counter.events())
    assert counter.refused(*call, **params) == (code, text)
    assert (counter.balance("USDT"), counter.balance("BTC"), counter.counts(), counter.events()) == before
    assert counter.ok("GET", "openOrders") == []


@pytest.mark.req("TW-2")
@pytest.mark.parametrize("path", ["allOrders", "myTrades", "allOrderList"])
def test_no_rows_is_no_wish(counter: Counter, path: str) -> None:
    params = {} if path == "allOrderList" else {"symbol": "BTCUSDT"}
    assert counter.refused("GET", path, **params, limit=0)[0] == -1130


@pytest.mark.req("TW-2")
@pytest.mark.parametrize("good", [BUY, MARKET, STOP, MAKER])
def test_the_good_orders_are_taken(counter: Counter, good: Terms) -> None:
    counter.ok(*ORDER, **good)


@pytest.mark.req("TW-2")
@pytest.mark.parametrize(
    ("call", "good"),
    [
        (LISTS, OCO),
        (OTO_AT, OTO),
        (OTOCO_AT, OTOCO),
        (("POST", "orderList/opo"), OPO),
        (("POST", "order/oco"), OLD),
    ],
)
def test_the_good_lists_are_taken(counter: Counter, call: tuple[str, str], good: Terms) -> None:
    counter.ok(*call, **good)


@pytest.mark.req("TW-2")
@pytest.mark.parametrize(("code", "path", "params"), PUBLIC)
def test_public_calls(counter: Counter, code: int, path: str, params: Terms) -> None:
    query = "&".join(f"{name}={value}" for name, value in params.items())
    answer = counter.raw("GET", path, query.replace('"', "%22").replace("[", "%5B").replace("]", "%5D"))
    assert (answer.status, answer.json()["code"]) == (400, code)


def test_no_refusal_of_spot_is_without_a_proof() -> None:
    proved = {row[0] for row in BY_ONE_REQUEST} | {row[0] for row in PUBLIC} | set(ELSEWHERE)
    assert proved >= SPOT_CODES


@pytest.mark.parametrize("given", ["", "x" * 37, "with space", "ä"])
def test_a_client_id_out_of_range(counter: Counter, given: str) -> None:
    code, text = counter.refused(*ORDER, **BUY, newClientOrderId=given)
    assert code == (-1100 if given else -1105)
    assert not given or "legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'" in text


def test_an_unknown_time_unit(counter: Counter) -> None:
    answer = counter.raw("GET", "time", headers={"X-MBX-TIME-UNIT": "NANOSECOND"})
    assert (answer.status, answer.json()["code"]) == (400, -1194)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_listen_key_is_gone_whoever_asks(counter: Counter, method: str) -> None:
    assert counter.raw(method, "userDataStream").status == 410
    assert counter.raw(method, "userDataStream", "listenKey=x").status == 410


def test_a_client_id_is_free_again_once_its_order_is_closed(counter: Counter) -> None:
    """And then the query finds the newer order."""
    first = counter.limit("BUY", "0.01", "50000", newClientOrderId="mine")
    assert counter.refused(*ORDER, **BUY, newClientOrderId="mine") == (-2010, "Duplicate order sent.")
    counter.ok("DELETE", "order", symbol="BTCUSDT", orderId=first["orderId"])
    second = counter.market("BUY", "0.01", newClientOrderId="mine")
    assert second["status"] == "FILLED"
    third = counter.market("BUY", "0.01", newClientOrderId="mine")
    assert counter.order("mine")["orderId"] == third["orderId"]


def test_an_id_and_a_client_id_must_be_of_one_order(counter: Counter) -> None:
    one = counter.limit("BUY", "0.01", "50000", newClientOrderId="one")
    counter.limit("BUY", "0.01", "50000", newClientOrderId="two")
    both_ids = {"symbol": "BTCUSDT", "orderId": one["orderId"], "origClientOrderId": "two"}
    assert counter.code("GET", "order", **both_ids) == -2039
    assert counter.code("DELETE", "order", **both_ids) == -2011
    assert counter.ok("GET", "order", **both_ids | {"origClientOrderId": "one"})["orderId"] == one["orderId"]


def test_cancel_restrictions(counter: Counter) -> None:
    counter.limit("BUY", "0.01", "50000", newClientOrderId="mine")
    terms = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    text = "Order was not canceled due to cancel restrictions."
    assert counter.refused("DELETE", "order", **terms, cancelRestrictions="ONLY_PARTIALLY_FILLED") == (-2011, text)
    assert counter.ok("DELETE", "order", **terms, cancelRestrictions="ONLY_NEW")["status"] == "CANCELED"
