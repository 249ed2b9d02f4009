"""Every refusal the twin can give, by the request that earns it."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.simulate.door.auth import signature
from chimera.simulate.door.refusals import CODES, SPOT_CODES
from chimera.simulate.usdm.perpetual import DEMO

LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "65000"}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP_MARKET",
    "quantity": "0.1",
    "triggerPrice": "65000",
}
ORDER, ALGO = "v1/order", "v1/algoOrder"
_GONE: Any = object()

BY_ONE_REQUEST: list[tuple[int, str, str, dict[str, Any], dict[str, Any]]] = [
    # code, method, path, base, changes
    (-1100, "POST", ORDER, LIMIT, {"quantity": "-1"}),
    (-1100, "POST", ORDER, LIMIT, {"quantity": "NaN"}),
    (-1100, "POST", ORDER, LIMIT, {"newClientOrderId": "a b"}),
    (-1101, "GET", "v1/ping", {}, {"colour": "red", "shape": "round"}),
    (-1120, "GET", "v1/klines", {"symbol": "BTCUSDT", "interval": "7m"}, {}),
    (-1102, "POST", ORDER, LIMIT, {"symbol": _GONE}),
    (-1102, "POST", ORDER, LIMIT, {"side": ""}),
    (-1102, "POST", ORDER, LIMIT, {"price": _GONE}),
    (-1102, "POST", ORDER, LIMIT, {"timeInForce": _GONE}),
    (-1102, "POST", ORDER, MARKET, {"quantity": _GONE}),
    (-1102, "GET", ORDER, {"symbol": "BTCUSDT"}, {}),
    (-1102, "POST", ALGO, STOP, {"triggerPrice": _GONE}),
    (-1102, "DELETE", ALGO, {}, {}),
    (-1104, "POST", ORDER, LIMIT, {"colour": "red"}),
    (-1105, "POST", ORDER, LIMIT, {"newClientOrderId": ""}),
    (-1106, "POST", ORDER, LIMIT, {"stopPrice": "1"}),
    (-1106, "POST", ORDER, MARKET, {"price": "1"}),
    (-1106, "POST", ORDER, MARKET, {"timeInForce": "GTC"}),
    (-1106, "POST", ALGO, STOP, {"quantity": _GONE, "closePosition": "true", "reduceOnly": "true"}),
    (-1111, "POST", ORDER, LIMIT, {"price": "65000.001"}),
    (-1111, "POST", ORDER, LIMIT, {"quantity": "0.0001"}),
    (-1115, "POST", ORDER, LIMIT, {"timeInForce": "DAY"}),
    (-1116, "POST", ORDER, LIMIT, {"type": "ICEBERG"}),
    (-1116, "POST", ALGO, STOP, {"type": "LIMIT"}),
    (-1117, "POST", ORDER, LIMIT, {"side": "LONG"}),
    (-1121, "POST", ORDER, LIMIT, {"symbol": "NOPE"}),
    (-1121, "GET", "v1/openOrders", {"symbol": "NOPE"}, {}),
    (-1128, "GET", "v1/userTrades", {"symbol": "BTCUSDT", "fromId": 1, "startTime": 1}, {}),
    (-1130, "POST", ORDER, LIMIT, {"reduceOnly": "maybe"}),
    (-1136, "POST", ORDER, LIMIT, {"newOrderRespType": "FULL"}),
    (-2011, "DELETE", ORDER, {"symbol": "BTCUSDT", "orderId": 5}, {}),
    (-2011, "DELETE", ALGO, {"clientAlgoId": "none"}, {}),
    (-2013, "GET", ORDER, {"symbol": "BTCUSDT", "orderId": 5}, {}),
    (-2013, "GET", ALGO, {"algoId": 5}, {}),
    (-2019, "POST", ORDER, MARKET, {"quantity": "31"}),
    (-2021, "POST", ALGO, STOP, {"triggerPrice": "65900"}),
    (-2022, "POST", ORDER, MARKET, {"reduceOnly": "true"}),
    (-4001, "POST", ORDER, LIMIT, {"price": "0"}),
    (-4002, "POST", ORDER, LIMIT, {"price": "99999999"}),
    (-4003, "POST", ORDER, LIMIT, {"quantity": "0"}),
    (-4004, "POST", ORDER, LIMIT, {"symbol": "ODDUSDT", "quantity": "0.001"}),
    (-4005, "POST", ORDER, LIMIT, {"quantity": "1001"}),
    (-4005, "POST", ORDER, MARKET, {"quantity": "101"}),
    (-4006, "POST", ALGO, STOP, {"triggerPrice": "0"}),
    (-4007, "POST", ALGO, STOP, {"triggerPrice": "99999999"}),
    (-4013, "POST", ORDER, LIMIT, {"price": "0.05"}),
    (-4013, "POST", ALGO, STOP, {"triggerPrice": "0.05"}),
    (-4014, "POST", ORDER, LIMIT, {"price": "65000.05"}),
    (-4014, "POST", ALGO, STOP, {"triggerPrice": "65000.05"}),
    (-4015, "POST", ORDER, LIMIT, {"newClientOrderId": "x" * 37}),
    (-4015, "POST", ALGO, STOP, {"clientAlgoId": "x" * 37}),
    (-4016, "POST", ORDER, LIMIT, {"price": "69090.1"}),
    (-4023, "POST", ORDER, LIMIT, {"symbol": "ODDUSDT", "quantity": "0.006"}),
    (-4024, "POST", ORDER, LIMIT, {"side": "SELL", "price": "62000"}),
    (-4028, "POST", "v1/leverage", {"symbol": "BTCUSDT", "leverage": 151}, {}),
    (-4031, "POST", ALGO, STOP, {"workingType": "INDEX"}),
    (-4046, "POST", "v1/marginType", {"symbol": "BTCUSDT", "marginType": "CROSSED"}, {}),
    (-4059, "POST", "v1/positionSide/dual", {"dualSidePosition": "false"}, {}),
    (-4171, "POST", "v1/multiAssetsMargin", {"multiAssetsMargin": "false"}, {}),
    (-1020, "POST", "v1/multiAssetsMargin", {"multiAssetsMargin": "true"}, {}),
    (-4061, "POST", ORDER, LIMIT, {"positionSide": "LONG"}),
    (-4061, "POST", ALGO, STOP, {"positionSide": "SHORT"}),
    (-4120, "POST", ORDER, LIMIT, {"type": "STOP_MARKET", "stopPrice": "1"}),
    (-4120, "POST", ORDER, LIMIT, {"type": "TRAILING_STOP_MARKET"}),
    (-4137, "POST", ALGO, STOP, {"closePosition": "true"}),
    (-4164, "POST", ORDER, LIMIT, {"symbol": "ODDUSDT", "quantity": "0.005", "price": "65800"}),
    (-4210, "POST", ALGO, STOP, {"side": "BUY", "triggerPrice": "70000"}),
    (-4211, "POST", ALGO, STOP, {"triggerPrice": "60000"}),
    (-4509, "POST", ALGO, STOP, {"quantity": _GONE, "closePosition": "true"}),
    (-5000, "GET", "v1/nothing", {}, {}),
    (-5000, "PATCH", ORDER, LIMIT, {}),
    (-5021, "POST", ORDER, LIMIT, {"timeInForce": "FOK"}),
    (-5022, "POST", ORDER, LIMIT, {"timeInForce": "GTX", "price": "65800"}),
]
# refused after some history, or before any parameter is read: proved here by name, in other files by behaviour
ELSEWHERE = {
    **dict.fromkeys((-4140, -4141, -5037, -5038, -5039, -5040, -5041), "test_order_terms"),
    **dict.fromkeys((-5024, -5026, -5027, -5029, -5047), "test_modify"),
    **dict.fromkeys((-4032, -4082, -5043), "test_batch"),
    **dict.fromkeys((-2007, -4117, -4135, -4136, -4138, -4183, -4184), "test_algo_terms"),
    **dict.fromkeys((-1023, -1127), "test_order_history"),
    -4021: "test_order_terms",
    -5025: "test_order_history",
    -1002: "test_door_auth",
    -1131: "test_door_auth",
    -5028: "test_door_auth",
    -1020: "test_ws_api",
    -4056: "test_ws_api",
    -1021: "TestAuth",
    -1022: "TestAuth",
    -2014: "TestAuth",
    -2015: "TestAuth",
    -1125: "test_streams",
    -2025: "below",
    -1112: "below",
    -1122: "below",
    -4131: "below",
    -4047: "below",
    -4048: "below",
    -2023: "test_liquidation",
    -2024: "test_liquidation",
    -2027: "test_margin",
    -2028: "test_margin",
    -4049: "test_margin",
    -4050: "test_margin",
    -4051: "test_margin",
    -4054: "test_margin",
    -4055: "test_margin",
    -4060: "test_margin",
    -4167: "test_position_mode",
    -4067: "test_position_mode",
    -4068: "test_position_mode",
    -4161: "below",
    -4045: "test_conditional",
    -4116: "test_matching",
    -4118: "test_matching",
    -4130: "test_conditional",
}


@pytest.fixture
def odd_desk(new_desk, odd_instrument):
    """The usual market, and ODDUSDT with coarse steps and a large minimum notional."""
    desk = new_desk(instruments=(*DEMO, odd_instrument))
    desk.top("65799.9", "65800.0")
    desk.mark("65800")
    desk.mark("65800", symbol="ODDUSDT")
    desk.trade("65800.0", "1", "BUY")
    return desk


@pytest.fixture
def odd_instrument():
    return DEMO[0].but(
        symbol="ODDUSDT", step=Decimal("0.005"), min_qty=Decimal("0.005"), min_notional=Decimal(1000), base="ODD"
    )


@pytest.mark.parametrize(("code", "method", "path", "base", "changes"), BY_ONE_REQUEST)
def test_refused_with_its_code_and_nothing_changed(odd_desk, code, method, path, base, changes):
    params = {name: value for name, value in (base | changes).items() if value is not _GONE}
    before = odd_desk.twin.state()

    status, body = odd_desk.call(method, path, **params)

    assert (body["code"], status) == (code, 404 if code == -5000 else 400), body
    assert body["msg"]
    assert odd_desk.twin.state() == before
    assert odd_desk.log()[-1].code == code


def test_no_refusal_is_without_a_proof():
    proved = {row[0] for row in BY_ONE_REQUEST} | set(ELSEWHERE)
    assert proved == CODES - SPOT_CODES, "spot's own are proved by test_spot_refusals"


def test_two_hundred_open_orders_per_symbol(desk):
    for _ in range(200):
        desk.limit("BUY", "0.001", "65000")
    assert desk.code("POST", ORDER, **LIMIT | {"quantity": "0.001"}) == -2025


def test_a_market_that_has_not_opened(new_desk):
    desk = new_desk()
    desk.mark("65800")
    assert desk.code("POST", ORDER, **MARKET) == -1112


def test_a_halted_symbol(new_desk):
    desk = new_desk(instruments=(DEMO[0].but(trading=False),))
    desk.top("65799.9", "65800.0")
    assert desk.code("POST", ORDER, **LIMIT) == -1122


def test_a_touch_too_far_from_the_mark(desk):
    desk.mark("60000")
    assert desk.code("POST", ORDER, **MARKET) == -4131


def test_margin_type_is_blocked_by_orders_then_by_a_position(desk):
    isolate = {"symbol": "BTCUSDT", "marginType": "ISOLATED"}
    desk.limit("BUY", "0.1", "65000")
    assert desk.code("POST", "v1/marginType", **isolate) == -4047
    desk.ok("DELETE", "v1/allOpenOrders", symbol="BTCUSDT")
    desk.market("BUY", "0.1")
    assert desk.code("POST", "v1/marginType", **isolate) == -4048
    desk.market("SELL", "0.1")
    desk.ok("POST", "v1/marginType", **isolate)
    assert desk.code("POST", "v1/marginType", **isolate) == -4046


def test_isolated_leverage_cannot_be_cut_under_a_position(desk):
    desk.ok("POST", "v1/marginType", symbol="BTCUSDT", marginType="ISOLATED")
    desk.market("BUY", "0.1")
    assert desk.code("POST", "v1/leverage", symbol="BTCUSDT", leverage=10) == -4161
    assert desk.ok("POST", "v1/leverage", symbol="BTCUSDT", leverage=50)["leverage"] == 50


class TestAuth:
    """Who, and really, and now."""

    def test_futures_signature_vector(self):
        """Binance's own published example."""
        secret = b"2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
        payload = (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
            "&recvWindow=5000&timestamp=1591702613943"
        )
        assert signature(secret, payload) == "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"

    @pytest.mark.parametrize(
        ("symbol", "expected"),
        [
            ("LTCBTC", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
            (
                "%EF%BC%91%EF%BC%92%EF%BC%93%EF%BC%94%EF%BC%95%EF%BC%96",
                "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
            ),
        ],
    )
    def test_spot_signature_vectors(self, symbol, expected):
        secret = b"NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
        payload = (
            f"symbol={symbol}&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
            "&recvWindow=5000&timestamp=1499827319559"
        )
        assert signature(secret, payload) == expected

    def signed(self, desk, payload):
        return signature(desk.account.secret.encode(), payload)

    def test_the_exact_bytes_are_signed(self, desk):
        query = f"symbol=BTC%55SDT&timestamp={desk.now}"
        assert desk.raw("GET", "/fapi/v1/openOrders", f"{query}&signature={self.signed(desk, query)}")[0] == 200
        plain = self.signed(desk, query.replace("%55", "U"))
        assert desk.raw("GET", "/fapi/v1/openOrders", f"{query}&signature={plain}")[1]["code"] == -1022

    def test_query_and_body_join_without_a_separator(self, desk):
        query, body = "symbol=BTCUSDT&leverage=7", f"timestamp={desk.now}"
        sign = self.signed(desk, query + body)
        assert desk.raw("POST", "/fapi/v1/leverage", query, f"{body}&signature={sign}")[0] == 200
        assert desk.raw("POST", "/fapi/v1/leverage", f"{query}&signature={sign}", body)[0] == 200
        apart = self.signed(desk, f"{query}&{body}")
        assert desk.raw("POST", "/fapi/v1/leverage", query, f"{body}&signature={apart}")[1]["code"] == -1022

    def test_upper_case_hex_is_the_same_signature(self, desk):
        query = f"timestamp={desk.now}"
        assert desk.raw("GET", "/fapi/v3/balance", f"{query}&signature={self.signed(desk, query).upper()}")[0] == 200

    @pytest.mark.parametrize("without", ["timestamp", "signature"])
    def test_both_are_mandatory(self, desk, without):
        query = "recvWindow=5000" if without == "timestamp" else f"timestamp={desk.now}"
        query += "&signature=00" if without == "timestamp" else ""
        status, body = desk.raw("GET", "/fapi/v3/balance", query)
        assert (status, body["code"]) == (400, -1102)
        assert without in body["msg"]

    def test_keys(self, desk):
        for key, code in (("", -2014), ("a b", -2014), ("unknown-key", -2015)):
            status, body = desk.raw("GET", "/fapi/v3/balance", f"timestamp={desk.now}&signature=00", key=key)
            assert (status, body["code"]) == (401, code)

    @pytest.mark.parametrize(
        ("shift", "window", "code"),
        [
            (-5000, None, None),
            (-5001, None, -1021),
            (999, None, None),
            (1000, None, -1021),
            (-11, 10, -1021),
            (-10, 10, None),
        ],
    )
    def test_time_window(self, desk, shift, window, code):
        params = {"timestamp": desk.now + shift} | ({} if window is None else {"recvWindow": window})
        status, body = desk.call("GET", "v3/balance", **params)
        assert (status == 200) if code is None else body["code"] == code

    def test_public_calls_need_nothing_and_listen_keys_only_the_key(self, desk):
        assert desk.raw("GET", "/fapi/v1/time", key="") == (200, {"serverTime": desk.now})
        assert desk.raw("POST", "/fapi/v1/listenKey", key="")[1]["code"] == -2014
        assert desk.raw("POST", "/fapi/v1/listenKey")[0] == 200
