"""Conditional orders in full: limit children, trailing stops, price protection, lives bound to positions or dates."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trading_desk import Desk

from chimera.simulate.door.refusals import Refusal
from chimera.simulate.trouble.faults import NoFaults, TriggerFault, Triggering
from chimera.simulate.venue.audit import Kind
from chimera.trading.money import Millis

D = Decimal
ALGO = "v1/algoOrder"
HOUR = 3_600_000
_GONE: Any = object()
STOP = {
    "algoType": "CONDITIONAL",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "type": "STOP",
    "quantity": "0.1",
    "triggerPrice": "65700",
    "price": "65690",
}
MARKET = {name: value for name, value in STOP.items() if name != "price"} | {"type": "STOP_MARKET"}
TRAILING = {name: value for name, value in MARKET.items() if name != "triggerPrice"}
TRAILING |= {"type": "TRAILING_STOP_MARKET", "callbackRate": "1"}


class Stuck(NoFaults):
    """Whatever triggers is held for a second."""

    def on_trigger(self, triggering: Triggering, now_ms: Millis) -> TriggerFault:
        return TriggerFault(name="stuck", fault="1", held=True, hold_ms=Millis(1_000), cancel_code=-4117)


@pytest.fixture
def marked(desk):
    """The quiet market with mark and last price given by the source."""
    desk.mark("65800")
    desk.trade("65800.0", "0.001", "BUY")
    return desk


@pytest.mark.parametrize(
    ("code", "base", "changes"),
    [
        (-1100, TRAILING, {"callbackRate": "-1"}),
        (-1102, STOP, {"price": _GONE}),
        (-1102, STOP, {"quantity": _GONE}),
        (-1102, STOP, {"triggerPrice": _GONE}),
        (-1102, STOP, {"timeInForce": "GTD"}),
        (-1102, TRAILING, {"callbackRate": _GONE}),
        (-1104, STOP, {"stopPrice": "65700"}),
        (-1106, STOP, {"priceMatch": "QUEUE"}),
        (-1106, STOP, {"callbackRate": "1"}),
        (-1106, STOP, {"goodTillDate": 9_999_999_999_999}),
        (-1106, MARKET, {"price": "65690"}),
        (-1106, MARKET, {"activatePrice": "65690"}),
        (-1106, TRAILING, {"price": "65690"}),
        (-1115, STOP, {"timeInForce": "RPI"}),
        (-1115, MARKET, {"timeInForce": "IOC"}),
        (-1130, STOP, {"algoType": "TWAP"}),
        (-1136, STOP, {"newOrderRespType": "FULL"}),
        (-2007, TRAILING, {"callbackRate": "0.09"}),
        (-2007, TRAILING, {"callbackRate": "20.1"}),
        (-2021, TRAILING, {"triggerPrice": "65700"}),
        (-2021, TRAILING, {"activatePrice": "65800"}),
        (-2021, TRAILING, {"side": "BUY", "activatePrice": "65800"}),
        (-2021, STOP, {"triggerPrice": "65900"}),
        (-2021, STOP, {"type": "TAKE_PROFIT"}),
        (-4001, STOP, {"price": "0"}),
        (-4014, STOP, {"price": "65690.05"}),
        (-4014, TRAILING, {"activatePrice": "65900.05"}),
        (-4060, STOP, {"positionSide": "UP"}),
        (-4061, STOP, {"positionSide": "SHORT"}),
        (-4135, TRAILING, {"activatePrice": "0"}),
        (-4136, STOP, {"closePosition": "true", "quantity": _GONE}),
        (-4136, TRAILING, {"closePosition": "true", "quantity": _GONE}),
        (-4138, MARKET, {"closePosition": "true", "quantity": _GONE, "reduceOnly": "false"}),
        (-4164, STOP, {"quantity": "0.001"}),
        (-4183, STOP, {"side": "BUY", "triggerPrice": "65900", "price": "69200"}),
        (-4184, STOP, {"price": "62000"}),
        (-4509, MARKET, {"timeInForce": "GTE_GTC"}),
        (-5037, STOP, {"price": _GONE, "priceMatch": "OPPONENT_10"}),
        (-5038, MARKET, {"priceMatch": "QUEUE"}),
        (-5039, STOP, {"selfTradePreventionMode": "X"}),
        (-5040, STOP, {"timeInForce": "GTD", "goodTillDate": 1}),
    ],
)
def test_refused_and_nothing_waits(marked, code, base, changes):
    listing = marked.twin.usdm.floor.listings["BTCUSDT"]
    listing.instrument = listing.instrument.but(min_notional=D(100))
    terms = {name: value for name, value in (base | changes).items() if value is not _GONE}
    assert marked.code("POST", ALGO, **terms) == code
    assert marked.ok("GET", "v1/openAlgoOrders") == []


class TestLimitChildren:
    @pytest.mark.parametrize(
        ("side", "kind", "trigger", "price", "fires_at"),
        [
            ("SELL", "STOP", "65700", "65690", "65700"),
            ("BUY", "STOP", "65900", "65910", "65900"),
            ("SELL", "TAKE_PROFIT", "65900", "65890", "65900"),
            ("BUY", "TAKE_PROFIT", "65700", "65710", "65700"),
        ],
    )
    def test_at_the_trigger_a_limit_order_meets_the_book(self, marked, side, kind, trigger, price, fires_at):
        marked.listen()
        terms = STOP | {"side": side, "type": kind, "triggerPrice": trigger, "price": price, "clientAlgoId": "s"}
        placed = marked.ok("POST", ALGO, **terms)
        assert (placed["orderType"], placed["price"], placed["timeInForce"]) == (kind, f"{price}.00", "GTC")
        marked.trade(fires_at, "0.001", "SELL")
        child = marked.order("s")
        assert (child["type"], child["origType"], child["price"]) == ("LIMIT", kind, f"{price}.00")
        assert child["stopPrice"] == f"{trigger}.00"
        assert marked.algo("s")["actualType"] == "LIMIT"
        update = marked.events("ORDER_TRADE_UPDATE")[0]["o"]
        assert (update["o"], update["ot"], update["sp"], update["c"]) == ("LIMIT", kind, f"{trigger}.00", "s")

    def test_it_may_rest_and_the_algo_is_triggered_until_it_ends(self, marked):
        marked.ok("POST", ALGO, **STOP | {"price": "65850", "clientAlgoId": "s"})
        marked.trade("65700", "0.001", "SELL")
        assert marked.algo("s")["algoStatus"] == "TRIGGERED"
        assert marked.order("s")["status"] == "NEW"
        assert marked.ok("GET", "v1/openAlgoOrders") == []
        assert marked.code("DELETE", ALGO, clientAlgoId="s") == -2011
        marked.ok("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="s")
        assert marked.algo("s")["algoStatus"] == "FINISHED"

    @pytest.mark.parametrize(
        ("tif", "price", "end"),
        [
            ("GTX", "65690", ("REJECTED", "-5022")),
            ("FOK", "65850", ("REJECTED", "-5021")),
            ("IOC", "65850", ("FINISHED", "")),
        ],
    )
    def test_its_time_in_force_counts_at_the_trigger(self, marked, tif, price, end):
        marked.ok("POST", ALGO, **STOP | {"price": price, "timeInForce": tif, "clientAlgoId": "s"})
        marked.trade("65700", "0.001", "SELL")
        assert marked.algo("s")["algoStatus"] == end[0]
        assert [str(record.code) for record in marked.log(Kind.REJECT)] == ([end[1]] if end[1] else [])

    def test_price_match_is_found_at_the_trigger(self, marked):
        terms = {name: value for name, value in STOP.items() if name != "price"} | {"priceMatch": "QUEUE"}
        placed = marked.ok("POST", ALGO, **terms | {"clientAlgoId": "s"})
        assert (placed["price"], placed["priceMatch"]) == ("0.00", "QUEUE")
        marked.top("65700.0", "65700.1")
        marked.trade("65700", "0.001", "SELL")
        assert (marked.order("s")["price"], marked.order("s")["priceMatch"]) == ("65700.10", "QUEUE")

    def test_the_band_of_the_day_of_the_trigger_counts(self, marked):
        marked.ok("POST", ALGO, **STOP | {"price": "65690", "clientAlgoId": "s"})
        marked.mark("70000")
        marked.trade("65700", "0.001", "SELL")
        assert marked.log(Kind.REJECT)[-1].code == -4024


class TestTrailing:
    def test_without_an_activation_price_it_trails_from_here(self, marked):
        marked.listen()
        placed = marked.ok("POST", ALGO, **TRAILING | {"clientAlgoId": "t"})
        assert (placed["activatePrice"], placed["callbackRate"], placed["triggerPrice"]) == ("65800.00", "1", "0.00")
        [new] = marked.events("ALGO_UPDATE")
        assert (new["o"]["X"], new["o"]["ia"], new["o"]["cr"], new["o"]["AP"]) == ("NEW", True, "1", "65800")
        marked.trade("66000", "0.001", "BUY")
        marked.trade("65340.1", "0.001", "SELL")
        assert marked.algo("t")["algoStatus"] == "NEW"
        marked.trade("65340", "0.001", "SELL")
        assert marked.algo("t")["algoStatus"] == "FINISHED"
        child = marked.order("t")
        assert (child["origType"], child["type"]) == ("TRAILING_STOP_MARKET", "MARKET")
        assert (child["activatePrice"], child["priceRate"]) == ("65800.00", "1")

    def test_activation_is_told_by_a_second_new(self, marked):
        marked.listen()
        marked.ok("POST", ALGO, **TRAILING | {"activatePrice": "66000", "clientAlgoId": "t"})
        marked.trade("65000", "0.001", "SELL")
        assert marked.algo("t")["algoStatus"] == "NEW"
        marked.trade("66000", "0.001", "BUY")
        told = [(event["o"]["X"], event["o"]["ia"]) for event in marked.events("ALGO_UPDATE")]
        assert told == [("NEW", False), ("NEW", True)]
        marked.trade("65340", "0.001", "SELL")
        assert marked.algo("t")["algoStatus"] == "FINISHED"

    def test_a_buy_follows_the_price_down(self, marked):
        terms = TRAILING | {"side": "BUY", "activatePrice": "65700", "clientAlgoId": "t", "callbackRate": "0.1"}
        marked.ok("POST", ALGO, **terms)
        for price in ("65700", "65000", "65064.9"):
            marked.trade(price, "0.001", "SELL")
        assert marked.algo("t")["algoStatus"] == "NEW"
        marked.trade("65065", "0.001", "BUY")
        assert marked.algo("t")["algoStatus"] == "FINISHED"

    def test_by_the_mark(self, marked):
        marked.ok("POST", ALGO, **TRAILING | {"workingType": "MARK_PRICE", "clientAlgoId": "t"})
        marked.trade("65000", "0.001", "SELL")
        assert marked.algo("t")["algoStatus"] == "NEW"
        marked.mark("65142")
        assert marked.algo("t")["algoStatus"] == "FINISHED"

    def test_cancel(self, marked):
        marked.ok("POST", ALGO, **TRAILING | {"clientAlgoId": "t"})
        marked.ok("DELETE", ALGO, clientAlgoId="t")
        marked.trade("60000", "0.001", "SELL")
        assert marked.algo("t")["algoStatus"] == "CANCELED"

    @settings(max_examples=100, deadline=None)
    @given(
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 200),
        st.integers(-50, 50),
        st.lists(st.integers(-300, 300), max_size=30),
    )
    def test_it_fires_where_a_plain_reading_of_the_rule_says(self, side, rate, ahead, walk):
        desk = Desk()
        desk.mark("65800")
        desk.top("65799.9", "65800.0")
        desk.trade("65800.0", "0.001", "BUY")
        sign = 1 if side == "SELL" else -1
        activate = D(65800) + sign * (abs(ahead) + 1) * 10
        more = {"side": side, "callbackRate": str(D(rate) / 10), "activatePrice": str(activate), "clientAlgoId": "t"}
        desk.ok("POST", ALGO, **TRAILING | more)
        best, fired = None, False
        for step in walk:
            price = D(65800) + step * 10
            desk.trade(str(price), "0.001", "BUY")
            if best is None and (price - activate) * sign >= 0:
                best = price
            if best is not None:
                best = max(best, price) if sign > 0 else min(best, price)
                fired = (best - price) * sign >= best * D(rate) / 1000
            assert (desk.algo("t")["algoStatus"] != "NEW") is fired
            if fired:
                return


class TestPriceProtection:
    def test_it_waits_while_last_and_mark_are_far_apart(self, marked):
        marked.ok("POST", ALGO, **MARKET | {"priceProtect": "true", "clientAlgoId": "p"})
        marked.mark("69500")
        marked.trade("65690", "0.001", "SELL")
        assert marked.algo("p")["algoStatus"] == "NEW"
        marked.mark("66000")
        assert marked.algo("p")["algoStatus"] == "FINISHED"
        assert marked.order("p")["priceProtect"] is True

    def test_without_it_nothing_waits(self, marked):
        marked.ok("POST", ALGO, **MARKET | {"clientAlgoId": "p"})
        marked.mark("69100")
        marked.trade("65690", "0.001", "SELL")
        assert marked.algo("p")["algoStatus"] != "NEW"

    def test_a_protected_one_can_still_be_canceled(self, marked):
        marked.ok("POST", ALGO, **MARKET | {"priceProtect": "true", "clientAlgoId": "p"})
        marked.mark("69500")
        marked.trade("65690", "0.001", "SELL")
        marked.ok("DELETE", ALGO, clientAlgoId="p")
        assert marked.ok("GET", "v1/openAlgoOrders") == []


class TestLives:
    def test_a_dated_one_expires_before_it_triggers(self, marked):
        until = marked.now + HOUR
        terms = STOP | {"timeInForce": "GTD", "goodTillDate": until, "clientAlgoId": "d"}
        assert marked.ok("POST", ALGO, **terms)["goodTillDate"] == until
        marked.now = until
        marked.twin.tick(marked.now)
        assert marked.algo("d")["algoStatus"] == "EXPIRED"

    def test_a_dated_child_goes_on_to_its_date(self, marked):
        until = marked.now + HOUR
        terms = STOP | {"price": "65850", "timeInForce": "GTD", "goodTillDate": until, "clientAlgoId": "d"}
        marked.ok("POST", ALGO, **terms)
        marked.trade("65700", "0.001", "SELL")
        marked.now = until
        marked.twin.tick(marked.now)
        assert (marked.order("d")["status"], marked.algo("d")["algoStatus"]) == ("EXPIRED", "FINISHED")

    def test_bound_to_the_position_with_a_quantity_too(self, marked):
        marked.market("BUY", "0.1")
        terms = MARKET | {"timeInForce": "GTE_GTC", "reduceOnly": "true", "clientAlgoId": "g"}
        assert marked.ok("POST", ALGO, **terms)["timeInForce"] == "GTE_GTC"
        marked.market("SELL", "0.1")
        assert marked.algo("g")["algoStatus"] == "EXPIRED"


class TestTriggering:
    def test_held_it_stays_visible_and_cannot_be_canceled(self, marked):
        marked.twin.faults = Stuck()
        marked.ok("POST", ALGO, **MARKET | {"clientAlgoId": "h"})
        marked.trade("65700", "0.001", "SELL")
        assert marked.algo("h")["algoStatus"] == "TRIGGERING"
        assert [row["algoStatus"] for row in marked.ok("GET", "v1/openAlgoOrders", symbol="BTCUSDT")] == ["TRIGGERING"]
        assert marked.code("DELETE", ALGO, clientAlgoId="h") == -4117
        marked.ok("DELETE", "v1/algoOpenOrders", symbol="BTCUSDT")
        assert marked.algo("h")["algoStatus"] == "TRIGGERING"
        marked.now += 1_000
        marked.twin.tick(marked.now)
        assert marked.algo("h")["algoStatus"] == "FINISHED"

    def test_turned_away_it_is_rejected_with_the_reason(self, marked):
        def turn_away(algo):
            raise Refusal(-2022)

        marked.listen()
        marked.twin.usdm.desk.gate = turn_away
        marked.ok("POST", ALGO, **MARKET | {"clientAlgoId": "h"})
        marked.trade("65700", "0.001", "SELL")
        last = marked.events("ALGO_UPDATE")[-1]["o"]
        assert (last["X"], last["rm"]) == ("REJECTED", "ReduceOnly Order is rejected.")


def test_lists_of_what_waits(marked):
    for name in "ab":
        marked.ok("POST", ALGO, **MARKET | {"clientAlgoId": name})
    rows = marked.ok("GET", "v1/openAlgoOrders")
    assert [row["clientAlgoId"] for row in rows] == ["a", "b"]
    assert marked.ok("GET", "v1/openAlgoOrders", algoId=rows[1]["algoId"], algoType="CONDITIONAL") == rows[1:]
    assert marked.code("GET", "v1/openAlgoOrders", algoType="VP") == -1130
    assert marked.raw_response("GET", "v1/openAlgoOrders").headers["X-MBX-USED-WEIGHT-1M"]
