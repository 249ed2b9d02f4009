"""How orders fill, rest, end; queue position; reduce-only; self-trade prevention."""

from decimal import Decimal

import pytest

from chimera.simulate.venue.account_spec import AccountSpec
from chimera.simulate.venue.audit import Kind

D = Decimal


def test_a_taker_walks_the_book_and_leaves_it_thinner(deep_desk):
    answer = deep_desk.market("BUY", "1.2")

    fills = [(r.price, r.qty, r.maker) for r in deep_desk.log(Kind.FILL)]
    assert fills == [(D("65800.0"), D("0.5"), False), (D("65800.1"), D("0.7"), False)]
    assert (answer["status"], answer["executedQty"]) == ("FILLED", "1.200")

    deep_desk.market("BUY", "0.4")
    assert [(r.price, r.qty) for r in deep_desk.log(Kind.FILL)][2:] == [
        (D("65800.1"), D("0.3")),
        (D("65801.0"), D("0.1")),
    ]


def test_what_we_took_comes_back_when_the_market_restates_it_or_after_a_second(deep_desk):
    deep_desk.market("BUY", "0.5")
    deep_desk.depth({}, {"65800.0": "0.2"})
    deep_desk.market("BUY", "0.1")
    assert deep_desk.log(Kind.FILL)[-1].price == D("65800.0")

    deep_desk.market("BUY", "0.1")
    deep_desk.market("BUY", "0.1")
    assert deep_desk.log(Kind.FILL)[-1].price == D("65800.1")
    deep_desk.now += 1_000
    deep_desk.market("BUY", "0.1")
    assert deep_desk.log(Kind.FILL)[-1].price == D("65800.0")


def test_a_market_order_larger_than_the_band_expires_its_remainder(deep_desk):
    answer = deep_desk.market("SELL", "4")

    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "3.500")
    assert deep_desk.log(Kind.EXPIRE)[-1].reason == "er=9"


def test_behind_a_touch_without_depth_the_same_size_is_assumed_tick_by_tick(desk):
    desk.market("BUY", "7")
    assert [(r.price, r.qty) for r in desk.log(Kind.FILL)] == [(D("65800.0"), D(5)), (D("65800.1"), D(2))]


def test_ack_answers_before_matching_and_result_after(desk):
    ack = desk.market("BUY", "0.01", newOrderRespType="ACK", newClientOrderId="a")
    assert (ack["status"], ack["executedQty"]) == ("NEW", "0.000")
    assert desk.order("a")["status"] == "FILLED"
    assert desk.order("a")["avgPrice"] == "65800.00"


class TestQueue:
    """A resting order at the touch waits behind what was displayed there."""

    def test_trades_at_the_price_eat_the_queue_first(self, desk):
        desk.limit("BUY", "0.5", "65799.9", newClientOrderId="m")

        desk.trade("65799.9", "4", "SELL")
        assert desk.order("m")["executedQty"] == "0.000"
        desk.trade("65799.9", "1.2", "SELL")
        assert (desk.order("m")["status"], desk.order("m")["executedQty"]) == ("PARTIALLY_FILLED", "0.200")
        desk.trade("65799.9", "9", "SELL")

        fills = desk.log(Kind.FILL)
        assert [(r.qty, r.maker) for r in fills] == [(D("0.2"), True), (D("0.3"), True)]
        assert fills[0].fee == D("0.2") * D("65799.9") * D("0.0002")

    def test_a_shrinking_level_shortens_it(self, desk):
        desk.limit("BUY", "0.5", "65799.9", newClientOrderId="m")
        desk.top("65799.9", "65800.0", bid_qty="1")
        desk.trade("65799.9", "1.5", "SELL")
        assert desk.order("m")["status"] == "FILLED"

    def test_a_growing_level_does_not_lengthen_it(self, desk):
        desk.limit("BUY", "0.5", "65799.9", newClientOrderId="m")
        desk.top("65799.9", "65800.0", bid_qty="50")
        desk.trade("65799.9", "5.5", "SELL")
        assert desk.order("m")["status"] == "FILLED"

    def test_aggression_of_the_other_side_does_not_fill_it(self, desk):
        desk.limit("BUY", "0.5", "65799.9", newClientOrderId="m")
        desk.trade("65800.0", "50", "BUY")
        assert desk.order("m")["status"] == "NEW"

    def test_when_the_level_before_us_is_gone_we_are_first(self, desk):
        desk.limit("BUY", "0.5", "65799.9", newClientOrderId="m")
        desk.top("65799.8", "65800.0")
        desk.trade("65799.9", "0.1", "SELL")
        assert desk.order("m")["executedQty"] == "0.100"

    def test_beyond_the_deepest_level_shown_the_queue_is_not_known_until_it_is_seen(self, deep_desk):
        """A snapshot holds so many levels and no more."""
        deep_desk.limit("SELL", "0.1", "65900.0", newClientOrderId="far")
        deep_desk.limit("SELL", "0.1", "65800.5", newClientOrderId="within")
        gone = {"65800.0": "0", "65800.1": "0", "65801.0": "0"}
        deep_desk.depth({}, gone | {"65900.0": "3"})
        deep_desk.trade("65900.0", "2.9", "BUY")
        assert (deep_desk.order("within")["status"], deep_desk.order("far")["status"]) == ("FILLED", "NEW")
        deep_desk.trade("65900.0", "0.2", "BUY")
        assert deep_desk.order("far")["status"] == "FILLED"

    def test_two_of_ours_share_one_trade_in_time_order(self, desk):
        for name in ("first", "second"):
            desk.limit("BUY", "0.5", "65799.9", newClientOrderId=name)
        desk.trade("65799.9", "5.7", "SELL")
        assert (desk.order("first")["executedQty"], desk.order("second")["executedQty"]) == ("0.500", "0.200")

    def test_inside_the_spread_we_are_alone(self, desk):
        desk.top("65790.0", "65800.0")
        desk.limit("BUY", "0.5", "65795.0", newClientOrderId="m")
        desk.trade("65795.0", "0.1", "SELL")
        assert desk.order("m")["executedQty"] == "0.100"

    def test_a_trade_through_the_price_fills_all(self, desk):
        desk.limit("BUY", "3", "65799.9", newClientOrderId="m")
        desk.trade("65799.8", "0.001", "SELL")
        assert desk.order("m")["status"] == "FILLED"
        assert desk.log(Kind.FILL)[-1].price == D("65799.9")

    def test_a_quote_through_the_price_fills_all_and_one_at_it_only_its_size(self, desk):
        desk.limit("SELL", "3", "65801.0", newClientOrderId="m")
        desk.top("65801.0", "65801.1", bid_qty="1")
        assert desk.order("m")["executedQty"] == "1.000"
        desk.top("65801.0", "65801.1", bid_qty="1")
        assert desk.order("m")["executedQty"] == "1.000", "the same size stated again is not new size"
        desk.top("65801.1", "65801.2", bid_qty="1")
        assert desk.order("m")["status"] == "FILLED"

    def test_behind_an_unseen_level_we_wait_until_it_is_the_touch(self, desk):
        desk.limit("BUY", "0.5", "65790.0", newClientOrderId="m")
        desk.trade("65790.0", "900", "SELL")
        assert desk.order("m")["executedQty"] == "0.000"
        desk.top("65790.0", "65790.1", bid_qty="2")
        desk.trade("65790.0", "2.1", "SELL")
        assert desk.order("m")["executedQty"] == "0.100"

    def test_a_level_that_diffs_never_named_is_not_taken_for_empty(self, desk):
        desk.depth({"65799.0": "2"}, {})
        desk.limit("BUY", "0.5", "65798.0", newClientOrderId="m")
        desk.trade("65798.0", "900", "SELL")
        assert desk.order("m")["executedQty"] == "0.000"
        desk.depth({"65798.0": "1"}, {})
        desk.trade("65798.0", "1.1", "SELL")
        assert desk.order("m")["executedQty"] == "0.100"

    def test_with_depth_the_queue_is_the_level(self, deep_desk):
        deep_desk.limit("BUY", "0.5", "65799.0", newClientOrderId="m")
        deep_desk.trade("65799.0", "2.1", "SELL")
        assert deep_desk.order("m")["executedQty"] == "0.100"

    def test_a_share_of_what_is_displayed_is_a_less_careful_assumption(self, new_desk):
        for share, filled in (("1", "0.000"), ("0.5", "0.500"), ("0", "1.000")):
            desk = new_desk(queue_share=D(share))
            desk.top("65799.9", "65800.0", bid_qty="2")
            desk.limit("BUY", "1", "65799.9", newClientOrderId="m")
            desk.trade("65799.9", "1.5", "SELL")
            assert desk.order("m")["executedQty"] == filled

    def test_an_unseen_queue_is_endless_whatever_the_share_unless_there_is_none(self, new_desk):
        for share, filled in (("0.5", "0.000"), ("0", "0.100")):
            desk = new_desk(queue_share=D(share))
            desk.top("65799.9", "65800.0")
            desk.limit("BUY", "1", "65790.0", newClientOrderId="m")
            desk.trade("65790.0", "0.1", "SELL")
            assert desk.order("m")["executedQty"] == filled


class TestTimeInForce:
    def test_gtx_that_would_cross_is_refused_and_leaves_no_record(self, desk):
        terms = desk.limit_terms("BUY", "0.1", "65800.0") | {"timeInForce": "GTX", "newClientOrderId": "g"}
        assert desk.code("POST", "v1/order", **terms) == -5022
        assert desk.code("GET", "v1/order", symbol="BTCUSDT", origClientOrderId="g") == -2013
        assert desk.log(Kind.ACCEPT) == []

    def test_gtx_that_rests_is_maker(self, desk):
        assert desk.limit("BUY", "0.1", "65799.9", timeInForce="GTX")["status"] == "NEW"

    def test_ioc_expires_what_is_left(self, deep_desk):
        answer = deep_desk.limit("BUY", "1", "65800.0", timeInForce="IOC")
        assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.500")
        assert deep_desk.log(Kind.EXPIRE)[-1].reason == "er=2"

    def test_fok_fills_whole_or_is_refused(self, deep_desk):
        terms = deep_desk.limit_terms("BUY", "1", "65800.0") | {"timeInForce": "FOK"}
        assert deep_desk.code("POST", "v1/order", **terms) == -5021
        assert deep_desk.limit("BUY", "0.5", "65800.0", timeInForce="FOK")["status"] == "FILLED"

    def test_gtc_takes_then_rests(self, deep_desk):
        answer = deep_desk.limit("BUY", "1", "65800.0", newClientOrderId="m")
        assert (answer["status"], answer["executedQty"]) == ("PARTIALLY_FILLED", "0.500")
        assert [o["clientOrderId"] for o in deep_desk.ok("GET", "v1/openOrders", symbol="BTCUSDT")] == ["m"]


class TestIds:
    def test_an_open_id_is_refused_and_a_closed_one_taken_again(self, desk):
        """Binance's trap: acceptance of a repeated id proves nothing."""
        terms = desk.limit_terms("BUY", "0.1", "65790.0") | {"newClientOrderId": "x"}
        desk.ok("POST", "v1/order", **terms)
        assert desk.code("POST", "v1/order", **terms) == -4116
        desk.ok("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="x")
        desk.ok("POST", "v1/order", **terms)

        desk.market("BUY", "0.1", newClientOrderId="y")
        desk.market("BUY", "0.1", newClientOrderId="y")
        assert desk.position == D("0.2")

    def test_cancel_after_the_fill_is_unknown(self, desk):
        desk.market("BUY", "0.1", newClientOrderId="y")
        assert desk.code("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="y") == -2011
        assert desk.code("GET", "v1/openOrder", symbol="BTCUSDT", origClientOrderId="y") == -2013


class TestReduceOnly:
    def test_flat_or_same_direction_is_refused(self, desk):
        terms = desk.market_terms("SELL", "0.1") | {"reduceOnly": "true"}
        assert desk.code("POST", "v1/order", **terms) == -2022
        desk.market("SELL", "0.1")
        assert desk.code("POST", "v1/order", **terms) == -2022

    def test_more_than_the_position_is_clipped(self, desk):
        desk.market("BUY", "0.1")
        answer = desk.market("SELL", "5", reduceOnly="true")
        assert (answer["origQty"], answer["status"]) == ("0.100", "FILLED")
        assert desk.position == 0

    def test_a_resting_exit_blocks_another(self, desk):
        desk.market("BUY", "0.1")
        desk.limit("SELL", "0.1", "65900.0", reduceOnly="true")
        terms = desk.market_terms("SELL", "0.1") | {"reduceOnly": "true"}
        assert desk.code("POST", "v1/order", **terms) == -4118

    def test_a_resting_exit_shrinks_with_the_position_and_goes_with_it(self, desk):
        desk.market("BUY", "0.3")
        desk.limit("SELL", "0.3", "65900.0", reduceOnly="true", newClientOrderId="tp")
        desk.market("SELL", "0.1")
        assert desk.order("tp")["origQty"] == "0.200"
        assert desk.log(Kind.SHRINK)[-1].qty == D("0.2")
        desk.market("SELL", "0.2")
        assert desk.order("tp")["status"] == "EXPIRED"
        assert desk.log(Kind.EXPIRE)[-1].reason == "er=4"
        assert desk.position == 0

    def test_one_sweep_through_several_orders_never_reverses(self, desk):
        desk.market("BUY", "0.3")
        desk.limit("SELL", "0.3", "65900.0", reduceOnly="true", newClientOrderId="exit")
        desk.limit("SELL", "0.2", "65850.0", newClientOrderId="plain")
        desk.trade("66000.0", "50", "BUY")
        assert desk.position == 0
        assert [desk.order(name)["executedQty"] for name in ("plain", "exit")] == ["0.200", "0.100"]

    def test_a_close_position_stop_passes_a_resting_exit(self, desk):
        desk.market("BUY", "0.1")
        desk.limit("SELL", "0.1", "65900.0", reduceOnly="true", newClientOrderId="exit")
        desk.stop("SELL", "65700", closePosition="true", clientAlgoId="sl")
        desk.top("65600.0", "65600.1")
        assert desk.position == 0
        assert desk.algo("sl")["algoStatus"] == "FINISHED"
        assert desk.order("exit")["status"] == "EXPIRED"

    def test_it_is_exempt_from_minimum_notional(self, desk):
        desk.market("BUY", "0.1")
        desk.mark("4000")
        assert desk.code("POST", "v1/order", **desk.market_terms("SELL", "0.001")) == -4164
        desk.market("SELL", "0.001", reduceOnly="true")


class TestSelves:
    @pytest.mark.parametrize(
        ("mode", "maker", "taker"),
        [
            ("EXPIRE_MAKER", "EXPIRED_IN_MATCH", "FILLED"),
            ("EXPIRE_TAKER", "NEW", "EXPIRED_IN_MATCH"),
            ("EXPIRE_BOTH", "EXPIRED_IN_MATCH", "EXPIRED_IN_MATCH"),
            ("NONE", "FILLED", "FILLED"),
        ],
    )
    def test_meeting_ones_own_order(self, desk, mode, maker, taker):
        desk.top("65790.0", "65800.0")
        desk.limit("BUY", "0.1", "65795.0", newClientOrderId="maker")
        desk.market("SELL", "0.1", newClientOrderId="taker", selfTradePreventionMode=mode)
        assert (desk.order("maker")["status"], desk.order("taker")["status"]) == (maker, taker)

    def test_two_accounts_trade_with_each_other(self, desk, new_desk):
        other = new_desk(desk.twin, AccountSpec(name="b", api_key="other-key", secret="other-secret"))
        body = '{"name":"b","api_key":"other-key","secret":"other-secret"}'
        assert desk.raw("POST", "/sim/accounts", body=body)[0] == 200
        desk.top("65790.0", "65800.0")
        desk.limit("BUY", "0.1", "65795.0")
        other.market("SELL", "0.3")
        assert desk.position == D("0.1")
        assert other.position == D("-0.3")
        fills = desk.log(Kind.FILL)
        assert [(r.account, r.price, r.maker) for r in fills[:2]] == [
            ("main", D("65795.0"), True),
            ("b", D("65795.0"), False),
        ]
        assert fills[0].trade_id == fills[1].trade_id


def test_cancel_all_leaves_conditional_orders_alone(desk):
    desk.market("BUY", "0.1")
    desk.stop("SELL", "65000", quantity="0.1", reduceOnly="true")
    desk.limit("BUY", "0.1", "65700")
    answer = desk.ok("DELETE", "v1/allOpenOrders", symbol="BTCUSDT")
    assert answer == {"code": 200, "msg": "The operation of cancel all open order is done."}
    assert desk.ok("GET", "v1/openOrders") == []
    assert len(desk.ok("GET", "v1/openAlgoOrders")) == 1


def test_entry_and_break_even_follow_the_fills(desk):
    desk.listen()
    desk.market("BUY", "0.2")
    desk.market("SELL", "0.1")
    fee_each = D("65800") * D("0.0005")
    risk = desk.ok("GET", "v3/positionRisk")[0]
    assert D(risk["entryPrice"]) == D("65800")
    assert D(risk["breakEvenPrice"]) == D("65800") + fee_each
    desk.market("SELL", "0.1")
    flat = desk.events("ACCOUNT_UPDATE")[-1]["a"]["P"][0]
    assert (flat["pa"], flat["ep"], flat["bep"]) == ("0", "0", "0")


def test_through_zero_the_rest_opens_at_the_new_price(desk):
    desk.market("BUY", "0.1")
    desk.top("65900.0", "65900.1")
    desk.market("SELL", "0.3")
    risk = desk.ok("GET", "v3/positionRisk")[0]
    assert (D(risk["positionAmt"]), D(risk["entryPrice"])) == (D("-0.2"), D("65900"))
    assert desk.log(Kind.FILL)[-1].realized_pnl == D("10")
