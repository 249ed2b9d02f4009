"""``batchOrders``: up to five placed or changed, up to ten canceled, each answered by itself."""

import json
from decimal import Decimal

import pytest

D = Decimal
BATCH = "v1/batchOrders"
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "65000"}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}


def batch(*orders):
    return json.dumps(orders)


def test_answers_keep_the_order_and_mix_refusals_under_200(desk):
    stop = {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "stopPrice": "65000", "quantity": "0.1"}
    answers = desk.ok(
        "POST",
        BATCH,
        batchOrders=batch(
            LIMIT | {"newClientOrderId": "a"},
            LIMIT | {"timeInForce": "GTX", "price": "65800"},
            stop,
            LIMIT | {"newClientOrderId": "a"},
            MARKET | {"newOrderRespType": "RESULT"},
        ),
    )
    assert [answer.get("code", answer.get("status")) for answer in answers] == ["NEW", -5022, -4120, -4116, "FILLED"]
    assert answers[1]["msg"].endswith("The order will not be recorded in the order history.")
    assert set(answers[1]) == {"code", "msg"}
    assert desk.position == D("0.1")


def test_members_of_every_json_kind(desk):
    [answer] = desk.ok(
        "POST",
        BATCH,
        batchOrders='[{"symbol":"BTCUSDT","side":"BUY","type":"LIMIT","timeInForce":"GTC","quantity":0.1,"price":65000,'
        '"reduceOnly":false,"newClientOrderId":null}]',
    )
    assert (answer["origQty"], answer["price"], answer["reduceOnly"]) == ("0.100", "65000.00", False)


def test_prevention_is_off_by_default(desk):
    [answer] = desk.ok("POST", BATCH, batchOrders=batch(LIMIT))
    assert answer["selfTradePreventionMode"] == "NONE"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-1130, "[{"),
        (-1130, "nonsense"),
        (-1130, '{"symbol":"BTCUSDT"}'),
        (-1130, "[1]"),
        (-1130, '[{"symbol":["BTCUSDT"]}]'),
        (-1102, "[]"),
        (-1102, ""),
        (-4082, json.dumps([LIMIT] * 6)),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_list_that_is_none(desk, method, code, text):
    assert desk.code(method, BATCH, batchOrders=text) == code
    assert desk.ok("GET", "v1/openOrders") == []


@pytest.mark.parametrize(
    ("code", "member"),
    [
        (-1102, {"side": "BUY"}),
        (-1104, LIMIT | {"colour": "red"}),
        (-1106, LIMIT | {"closePosition": "true"}),
        (-1117, LIMIT | {"side": "UP"}),
        (-1121, LIMIT | {"symbol": "NOPE"}),
        (-4003, LIMIT | {"quantity": 0}),
    ],
)
def test_a_member_is_refused_alone(desk, code, member):
    refused, taken = desk.ok("POST", BATCH, batchOrders=batch(member, LIMIT))
    assert refused["code"] == code
    assert taken["status"] == "NEW"


def test_five_on_ten_seconds_and_one_on_the_minute(desk):
    headers = desk.raw_response("POST", BATCH, batchOrders=batch(LIMIT)).headers
    assert (headers["X-MBX-ORDER-COUNT-10S"], headers["X-MBX-ORDER-COUNT-1M"]) == ("5", "1")
    assert headers["X-MBX-USED-WEIGHT-1M"] == "5"


def test_changes_and_the_second_of_one_order_finds_the_first_pending(desk):
    for name in "ab":
        desk.limit("BUY", "0.1", "65000", newClientOrderId=name)
    change = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.2", "price": "65000"}
    answers = desk.ok(
        "PUT",
        BATCH,
        batchOrders=batch(
            change | {"origClientOrderId": "a", "modifyId": 1},
            change | {"origClientOrderId": "a", "quantity": "0.3"},
            change | {"origClientOrderId": "b", "quantity": "0.1"},
            change | {"origClientOrderId": "c"},
        ),
    )
    assert [answer.get("code", answer.get("origQty")) for answer in answers] == ["0.200", -5043, -5027, -2013]
    assert answers[0]["modifyId"] == 1


def test_cancels_by_either_id(desk):
    ids = [desk.limit("BUY", "0.1", "65000", newClientOrderId=name)["orderId"] for name in "abcd"]
    first = desk.ok("DELETE", BATCH, symbol="BTCUSDT", orderIdList=json.dumps([*ids[:2], 5]))
    assert [answer.get("code", answer.get("status")) for answer in first] == ["CANCELED", "CANCELED", -2011]
    second = desk.ok("DELETE", BATCH, symbol="BTCUSDT", origClientOrderIdList='["c","a"]')
    assert [answer.get("code", answer.get("status")) for answer in second] == ["CANCELED", -2011]
    assert [row["clientOrderId"] for row in desk.ok("GET", "v1/openOrders")] == ["d"]


def test_lists_in_lower_case_as_other_clients_send_them(desk):
    first = desk.limit("BUY", "0.1", "65000", newClientOrderId="a")["orderId"]
    desk.limit("BUY", "0.1", "65000", newClientOrderId="b")
    assert desk.ok("DELETE", BATCH, symbol="BTCUSDT", orderidlist=f"[{first}]")[0]["status"] == "CANCELED"
    assert desk.ok("DELETE", BATCH, symbol="BTCUSDT", origclientorderidlist='["b"]')[0]["status"] == "CANCELED"


def test_cancels_without_a_list_or_with_too_many(desk):
    assert desk.code("DELETE", BATCH, symbol="BTCUSDT") == -1102
    assert desk.code("DELETE", BATCH, symbol="BTCUSDT", orderIdList=json.dumps(list(range(1, 12)))) == -4032
    assert desk.code("DELETE", BATCH, symbol="BTCUSDT", orderIdList="[1") == -1130
