"""What an order may ask for on futures: time in force, price match, position side, answers; and who says no to what."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.simulate.door.messages import WireRequest
from chimera.simulate.usdm.perpetual import SymbolStatus
from chimera.simulate.venue.audit import Kind

D = Decimal
ORDER = "v1/order"
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "65000"}
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
HOUR = 3_600_000
_GONE: Any = object()


def without(terms: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (terms | changes).items() if value is not _GONE}


@pytest.mark.parametrize(
    ("code", "base", "changes"),
    [
        (-1102, LIMIT, {"timeInForce": "GTD"}),
        (-1106, LIMIT, {"goodTillDate": 9_999_999_999_999}),
        (-1106, MARKET, {"goodTillDate": 9_999_999_999_999}),
        (-1106, LIMIT, {"priceMatch": "QUEUE"}),
        (-1115, LIMIT, {"timeInForce": "RPI"}),
        (-1115, LIMIT, {"timeInForce": "GTE_GTC"}),
        (-4060, LIMIT, {"positionSide": "UP"}),
        (-4061, LIMIT, {"positionSide": "LONG"}),
        (-5037, LIMIT, {"price": _GONE, "priceMatch": "BEST"}),
        (-5037, LIMIT, {"price": _GONE, "priceMatch": "OPPONENT_10"}),
        (-5037, LIMIT, {"price": _GONE, "priceMatch": "OPPONENT_20"}),
        (-5038, MARKET, {"priceMatch": "QUEUE"}),
        (-5039, LIMIT, {"selfTradePreventionMode": "EXPIRE_ALL"}),
        (-5040, LIMIT, {"timeInForce": "GTD", "goodTillDate": 253_402_300_799_000}),
    ],
)
def test_refused_on_both_ways_in(desk, code, base, changes):
    assert desk.code("POST", ORDER, **without(base, **changes)) == code
    assert desk.code("POST", f"{ORDER}/test", **without(base, **changes)) == code
    assert not desk.twin.state()["accounts"]["main"]["open_orders"]


class TestGoodTillDate:
    def test_more_than_ten_minutes_ahead_to_the_second(self, desk):
        terms = LIMIT | {"timeInForce": "GTD"}
        assert desk.code("POST", ORDER, **terms | {"goodTillDate": desk.now + 600_000}) == -5040
        answer = desk.ok("POST", ORDER, **terms | {"goodTillDate": desk.now + 600_999})
        assert answer["goodTillDate"] == (desk.now + 600_999) // 1000 * 1000
        assert answer["timeInForce"] == "GTD"

    def test_it_expires_on_the_first_tick_after_it(self, desk):
        desk.listen()
        until = desk.now + HOUR
        desk.ok("POST", ORDER, **LIMIT | {"timeInForce": "GTD", "goodTillDate": until, "newClientOrderId": "d"})
        desk.now = until - 1
        desk.twin.tick(desk.now)
        assert desk.order("d")["status"] == "NEW"
        desk.now = until
        desk.twin.tick(desk.now)
        assert desk.order("d")["status"] == "EXPIRED"
        last = desk.events("ORDER_TRADE_UPDATE")[-1]["o"]
        assert (last["x"], last["X"], last["f"], last["gtd"]) == ("EXPIRED", "EXPIRED", "GTD", until // 1000 * 1000)
        assert D(desk.ok("GET", "v3/balance")[0]["availableBalance"]) == 100_000

    def test_one_that_ended_before_is_left_alone(self, desk):
        until = desk.now + HOUR
        desk.ok("POST", ORDER, **LIMIT | {"timeInForce": "GTD", "goodTillDate": until, "newClientOrderId": "d"})
        desk.ok("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="d")
        desk.now = until
        desk.twin.tick(desk.now)
        assert desk.order("d")["status"] == "CANCELED"


class TestPriceMatch:
    @pytest.mark.parametrize(
        ("side", "match", "price"),
        [
            ("BUY", "OPPONENT", "65800.00"),
            ("SELL", "OPPONENT", "65799.90"),
            ("BUY", "QUEUE", "65799.90"),
            ("SELL", "QUEUE", "65800.00"),
            ("BUY", "OPPONENT_5", "65800.40"),
            ("BUY", "QUEUE_5", "65799.50"),
            ("SELL", "QUEUE_20", "65801.90"),
            ("BUY", "QUEUE_10", "65799.00"),
        ],
    )
    def test_a_touch_without_depth_is_taken_to_go_on_tick_by_tick(self, desk, side, match, price):
        answer = desk.ok("POST", ORDER, **without(LIMIT, side=side, price=_GONE, priceMatch=match))
        assert (answer["price"], answer["priceMatch"]) == (price, match)

    def test_with_depth_it_is_the_level_and_none_is_a_refusal(self, deep_desk):
        terms = without(LIMIT, price=_GONE)
        level = {"OPPONENT": "65800.00", "QUEUE": "65799.90"}
        for match, price in level.items():
            assert deep_desk.ok("POST", ORDER, **terms | {"priceMatch": match})["price"] == price
        for match in ("OPPONENT_5", "QUEUE_5", "QUEUE_20"):
            assert deep_desk.code("POST", ORDER, **terms | {"priceMatch": match}) == -5041

    def test_an_empty_book_matches_nothing(self, new_desk):
        desk = new_desk()
        desk.mark("65800")
        assert desk.code("POST", ORDER, **without(LIMIT, price=_GONE, priceMatch="QUEUE")) == -5041

    def test_none_is_as_good_as_nothing(self, desk):
        assert desk.ok("POST", ORDER, **LIMIT | {"priceMatch": "NONE"})["priceMatch"] == "NONE"

    def test_the_event_says_so(self, desk):
        desk.listen()
        desk.ok("POST", ORDER, **without(LIMIT, price=_GONE, priceMatch="QUEUE"))
        assert desk.events("ORDER_TRADE_UPDATE")[-1]["o"]["pm"] == "QUEUE"


class TestHedgeMode:
    @pytest.fixture
    def hedged(self, desk):
        desk.ok("POST", "v1/positionSide/dual", dualSidePosition="true")
        return desk

    def test_a_side_is_asked_for(self, hedged):
        assert hedged.code("POST", ORDER, **MARKET) == -4061
        assert hedged.code("POST", ORDER, **MARKET | {"positionSide": "BOTH"}) == -4061
        assert hedged.market("BUY", "0.1", positionSide="LONG")["positionSide"] == "LONG"

    @pytest.mark.parametrize("value", ["true", "false"])
    def test_reduce_only_is_not(self, hedged, value):
        hedged.market("BUY", "0.1", positionSide="LONG")
        terms = MARKET | {"side": "SELL", "positionSide": "LONG", "reduceOnly": value}
        status, body = hedged.call("POST", ORDER, **terms)
        assert (status, body) == (
            400,
            {"code": -1106, "msg": "Parameter 'reduceonly' sent when not required."},
        )
        stop = hedged.stop_terms("SELL", "65000", quantity="0.1", positionSide="LONG", reduceOnly=value)
        assert hedged.code("POST", "v1/algoOrder", **stop) == -1106

    def test_closing_more_than_is_held_is_refused(self, hedged):
        hedged.market("BUY", "0.1", positionSide="LONG")
        assert hedged.code("POST", ORDER, **hedged.market_terms("SELL", "0.2") | {"positionSide": "LONG"}) == -2022
        hedged.limit("SELL", "0.06", "66000", positionSide="LONG")
        assert hedged.code("POST", ORDER, **hedged.market_terms("SELL", "0.05") | {"positionSide": "LONG"}) == -2022
        assert hedged.market("SELL", "0.04", positionSide="LONG")["status"] == "FILLED"

    def test_closing_is_free_of_margin_and_of_the_least_notional(self, hedged):
        hedged.market("BUY", "0.1", positionSide="LONG")
        hedged.mark("65800")
        before = hedged.ok("GET", "v3/balance")[0]["availableBalance"]
        hedged.limit("SELL", "0.1", "66000", positionSide="LONG")
        assert hedged.ok("GET", "v3/balance")[0]["availableBalance"] == before

    def test_a_stop_closes_its_own_side(self, hedged):
        hedged.mark("65800")
        hedged.market("BUY", "0.1", positionSide="LONG")
        hedged.market("SELL", "0.1", positionSide="SHORT")
        wrong = hedged.stop_terms("BUY", "65900", closePosition="true", positionSide="LONG")
        assert hedged.code("POST", "v1/algoOrder", **wrong) == -4509
        for side, trigger, of in (("SELL", "65700", "LONG"), ("BUY", "65900", "SHORT")):
            more = {"closePosition": "true", "positionSide": of, "clientAlgoId": of, "workingType": "MARK_PRICE"}
            hedged.stop(side, trigger, **more)
        hedged.mark("65700")
        assert (hedged.algo("LONG")["algoStatus"], hedged.algo("SHORT")["algoStatus"]) == ("FINISHED", "NEW")
        rows = hedged.ok("GET", "v3/positionRisk", symbol="BTCUSDT")
        held = {row["positionSide"]: D(row["positionAmt"]) for row in rows if D(row["positionAmt"])}
        assert held == {"SHORT": D("-0.1")}


class TestAnswers:
    def test_test_says_nothing_and_leaves_nothing(self, desk):
        before = desk.twin.changes[0]
        assert desk.ok("POST", f"{ORDER}/test", **LIMIT) == {}
        assert desk.twin.changes[0] == before
        assert desk.ok("GET", "v1/openOrders") == []
        assert desk.code("POST", f"{ORDER}/test", **LIMIT | {"price": "1"}) < 0
        assert desk.code("POST", f"{ORDER}/test", **MARKET | {"quantity": "80"}) == -2019

    def test_prevention_defaults(self, desk):
        assert desk.limit("BUY", "0.1", "65000")["selfTradePreventionMode"] == "EXPIRE_MAKER"
        desk.limit("BUY", "0.1", "65800", selfTradePreventionMode="NONE", timeInForce="IOC")

    def test_fok_without_prevention_counts_the_own_orders(self, desk):
        desk.top("65790.0", "65810.0")
        desk.limit("SELL", "0.1", "65800.0", newClientOrderId="mine")
        fok = desk.limit_terms("BUY", "0.1", "65800.0") | {"timeInForce": "FOK"}
        assert desk.code("POST", ORDER, **fok) == -5021
        assert desk.ok("POST", ORDER, **fok | {"selfTradePreventionMode": "NONE"})["status"] == "FILLED"
        assert desk.order("mine")["status"] == "FILLED"

    def test_ack_is_before_matching_and_result_after_it(self, desk):
        ioc = desk.limit_terms("BUY", "7", "65800") | {"timeInForce": "IOC"}
        ack = desk.ok("POST", ORDER, **ioc | {"newOrderRespType": "ACK"})
        assert (ack["status"], ack["executedQty"]) == ("NEW", "0.000")
        desk.now += 2_000
        result = desk.ok("POST", ORDER, **ioc)
        assert (result["status"], result["executedQty"]) == ("EXPIRED", "5.000")


class TestSymbolStatus:
    @pytest.mark.parametrize(
        ("status", "opening", "closing"),
        [
            (SymbolStatus.TRADING_HALT, -1122, -1122),
            (SymbolStatus.TRADING_CANCEL_ONLY, -4140, -1122),
            (SymbolStatus.PENDING_TRADING, -1122, -1122),
            (SymbolStatus.SETTLING, -4141, -4141),
            (SymbolStatus.CLOSE, -4141, -4141),
        ],
    )
    def test_no_orders_but_cancels(self, desk, status, opening, closing):
        desk.market("BUY", "0.1")
        desk.limit("BUY", "0.1", "65000", newClientOrderId="rest")
        desk.stop("SELL", "65700", quantity="0.1", clientAlgoId="stop")
        desk.twin.usdm.floor.listings["BTCUSDT"].status = status
        assert desk.code("POST", ORDER, **LIMIT) == opening
        assert desk.code("POST", ORDER, **desk.market_terms("SELL", "0.1") | {"reduceOnly": "true"}) == closing
        assert desk.code("POST", "v1/algoOrder", **desk.stop_terms("SELL", "65700", quantity="0.1")) == opening
        change = {"symbol": "BTCUSDT", "side": "BUY", "origClientOrderId": "rest", "quantity": "0.2", "price": "65000"}
        assert desk.code("PUT", ORDER, **change) == -5024
        shown = desk.raw("GET", "/fapi/v1/exchangeInfo")[1]["symbols"][0]["status"]
        assert shown == status
        desk.ok("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="rest")
        desk.ok("DELETE", "v1/algoOrder", clientAlgoId="stop")

    def test_nothing_fills_or_triggers_until_it_trades_again(self, desk):
        desk.limit("BUY", "0.1", "65000", newClientOrderId="rest")
        desk.stop("SELL", "64990", quantity="0.1", clientAlgoId="stop")
        listing = desk.twin.usdm.floor.listings["BTCUSDT"]
        listing.status = SymbolStatus.TRADING_HALT
        desk.top("64900.0", "64900.1")
        desk.trade("64900.0", "5", "SELL")
        assert desk.order("rest")["status"] == "NEW"
        assert desk.algo("stop")["algoStatus"] == "NEW"
        listing.status = SymbolStatus.TRADING
        desk.top("64900.0", "64900.2")
        assert desk.order("rest")["status"] == "FILLED"
        assert desk.algo("stop")["algoStatus"] == "FINISHED"

    def test_delisting_expires_what_is_open(self, desk):
        desk.listen()
        desk.limit("BUY", "0.1", "65000", newClientOrderId="rest")
        desk.stop("SELL", "64990", quantity="0.1", clientAlgoId="stop")
        desk.twin.usdm.delist(desk.twin.usdm.floor.listings["BTCUSDT"])
        assert (desk.order("rest")["status"], desk.algo("stop")["algoStatus"]) == ("EXPIRED", "EXPIRED")
        assert desk.events("ORDER_TRADE_UPDATE")[-1]["o"]["er"] == "7"
        assert desk.log(Kind.EXPIRE)


class TestDepth:
    @pytest.mark.parametrize(("limit", "weight"), [(5, 2), (10, 2), (20, 2), (50, 2), (100, 5), (500, 10), (1000, 20)])
    def test_limits_and_their_weight(self, desk, limit, weight):
        request = WireRequest(method="GET", path="/fapi/v1/depth", query=f"symbol=BTCUSDT&limit={limit}")
        answer = desk.twin.handle(request, desk.now)
        assert (answer.status, answer.headers["X-MBX-USED-WEIGHT-1M"]) == (200, str(weight))

    def test_another_limit(self, desk):
        for limit in ("7", "0", "x"):
            status, body = desk.raw("GET", "/fapi/v1/depth", f"symbol=BTCUSDT&limit={limit}")
            assert (status, body["code"]) == (400, -1100 if limit == "x" else -4021)


def test_a_dated_order_does_not_fill_after_its_date(desk):
    """The market comes before anybody looked at the clock."""
    desk.limit("BUY", "0.1", "65000", timeInForce="GTD", goodTillDate=desk.now + HOUR, newClientOrderId="dated")
    desk.top("64000", "64001", later_ms=HOUR + 1_000)
    assert (desk.order("dated")["status"], desk.position) == ("EXPIRED", 0)
