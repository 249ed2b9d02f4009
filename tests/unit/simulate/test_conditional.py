"""The Algo service: triggers, children, refusals, ends."""

from decimal import Decimal

import pytest

from chimera.simulate.usdm.algos import TRANSITIONS, AlgoStatus
from chimera.simulate.venue.audit import Kind

D = Decimal


@pytest.fixture
def long(desk):
    """Long 0.1 with the mark given by the source."""
    desk.mark("65800")
    desk.trade("65800.0", "0.001", "BUY")
    desk.market("BUY", "0.1")
    return desk


def test_a_stop_triggers_by_mark_and_not_by_last(long):
    long.stop("SELL", "65700", closePosition="true", workingType="MARK_PRICE", clientAlgoId="sl")
    long.trade("65600.0", "1", "SELL")
    assert long.algo("sl")["algoStatus"] == "NEW"
    long.mark("65700")
    assert long.algo("sl")["algoStatus"] == "FINISHED"
    assert long.position == 0


def test_a_stop_triggers_by_last_and_not_by_mark(long):
    long.stop("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId="sl")
    long.mark("65600")
    assert long.algo("sl")["algoStatus"] == "NEW"
    long.trade("65699.9", "1", "SELL")
    assert long.algo("sl")["algoStatus"] == "FINISHED"


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "fires_at"),
    [
        ("SELL", "STOP_MARKET", "65700", "65700"),
        ("SELL", "TAKE_PROFIT_MARKET", "65900", "65900"),
        ("BUY", "STOP_MARKET", "65900", "65900"),
        ("BUY", "TAKE_PROFIT_MARKET", "65700", "65700"),
    ],
)
def test_direction_of_each_type(desk, side, kind, trigger, fires_at):
    desk.mark("65800")
    desk.market("BUY" if side == "SELL" else "SELL", "0.1")
    terms = desk.stop_terms(side, trigger, closePosition="true", workingType="MARK_PRICE", clientAlgoId="x")
    desk.ok("POST", "v1/algoOrder", **terms | {"type": kind})
    desk.mark("65800.1")
    desk.mark("65799.9")
    assert desk.algo("x")["algoStatus"] == "NEW"
    desk.mark(fires_at)
    assert desk.algo("x")["algoStatus"] == "FINISHED"


def test_the_child_has_its_own_order_id_and_the_algos_client_id(long):
    long.stop("SELL", "65700", closePosition="true", clientAlgoId="sl")
    assert long.code("GET", "v1/order", symbol="BTCUSDT", origClientOrderId="sl") == -2013
    assert long.algo("sl")["actualOrderId"] == ""
    long.trade("65600", "1", "SELL")
    child = long.order("sl")
    assert str(child["orderId"]) == long.algo("sl")["actualOrderId"]
    assert (child["type"], child["origType"], child["reduceOnly"]) == ("MARKET", "STOP_MARKET", True)


def test_no_margin_is_asked_before_the_trigger_and_the_refusal_shows_at_it(long):
    long.stop("BUY", "65900", quantity="90", clientAlgoId="big")
    long.trade("65900", "1", "BUY")
    assert long.algo("big")["algoStatus"] == "REJECTED"
    rejected = long.log(Kind.REJECT)[-1]
    assert (rejected.code, rejected.client_order_id) == (-2019, "big")


def test_a_reduce_only_stop_without_position_is_rejected_at_the_trigger(desk):
    desk.listen()
    desk.stop("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId="orphan")
    desk.top("65600", "65600.1")
    last = desk.events("ALGO_UPDATE")[-1]["o"]
    assert (last["X"], last["rm"], last["ai"]) == ("REJECTED", "ReduceOnly Order is rejected.", "")


def test_close_position_needs_a_position_in_the_right_direction(long):
    assert long.code("POST", "v1/algoOrder", **long.stop_terms("BUY", "65900", closePosition="true")) == -4509
    long.market("SELL", "0.1")
    assert long.code("POST", "v1/algoOrder", **long.stop_terms("SELL", "65700", closePosition="true")) == -4509


def test_one_stop_and_one_target_per_direction(long):
    long.stop("SELL", "65700", closePosition="true")
    second = long.stop_terms("SELL", "65600", closePosition="true")
    assert long.code("POST", "v1/algoOrder", **second) == -4130
    target = long.stop_terms("SELL", "65900", closePosition="true") | {"type": "TAKE_PROFIT_MARKET"}
    long.ok("POST", "v1/algoOrder", **target)
    long.stop("SELL", "65600", quantity="0.1", reduceOnly="true")


def test_close_position_algos_expire_with_the_position_and_quantity_ones_stay(long):
    long.stop("SELL", "65700", closePosition="true", clientAlgoId="whole")
    long.stop("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId="part")
    long.market("SELL", "0.1", reduceOnly="true")
    assert long.algo("whole")["algoStatus"] == "EXPIRED"
    assert long.algo("part")["algoStatus"] == "NEW"


def test_ids_are_unique_among_open_algos_only(long):
    terms = long.stop_terms("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId="sl")
    long.ok("POST", "v1/algoOrder", **terms)
    assert long.code("POST", "v1/algoOrder", **terms) == -4116
    long.ok("DELETE", "v1/algoOrder", clientAlgoId="sl")
    long.ok("POST", "v1/algoOrder", **terms)
    long.trade("65600", "1", "SELL")
    assert long.algo("sl")["algoStatus"] == "FINISHED"
    long.trade("65800", "1", "BUY")
    long.market("BUY", "0.1")
    long.ok("POST", "v1/algoOrder", **terms)


def test_a_trigger_already_passed_is_refused(long):
    for side, trigger in (("SELL", "65800"), ("BUY", "65800")):
        assert long.code("POST", "v1/algoOrder", **long.stop_terms(side, trigger, quantity="0.1")) == -2021


def test_at_most_two_hundred_wait(long):
    for _ in range(200):
        long.stop("SELL", "65700", quantity="0.001", reduceOnly="true")
    terms = long.stop_terms("SELL", "65700", quantity="0.001", reduceOnly="true")
    assert long.code("POST", "v1/algoOrder", **terms) == -4045


def test_cancel_answers_with_a_string_code_and_only_once(long):
    placed = long.stop("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId="sl")
    answer = long.ok("DELETE", "v1/algoOrder", algoId=placed["algoId"])
    assert answer == {"algoId": placed["algoId"], "clientAlgoId": "sl", "code": "200", "msg": "success"}
    assert long.code("DELETE", "v1/algoOrder", clientAlgoId="sl") == -2011
    assert long.algo("sl")["algoStatus"] == "CANCELED"


def test_stop_and_target_are_not_linked(long):
    long.stop("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId="sl")
    target = long.stop_terms("SELL", "65900", quantity="0.1", reduceOnly="true", clientAlgoId="tp")
    long.ok("POST", "v1/algoOrder", **target | {"type": "TAKE_PROFIT_MARKET"})
    long.trade("65900", "1", "BUY")
    assert (long.algo("tp")["algoStatus"], long.algo("sl")["algoStatus"]) == ("FINISHED", "NEW")


def test_the_child_can_trigger_the_next_by_its_own_trade(long):
    """A taker's fill is the last price too: consequences run until nothing more happens."""
    long.top("65600.0", "65600.1")
    long.stop("SELL", "65750", quantity="0.05", reduceOnly="true", clientAlgoId="one")
    long.stop("SELL", "65650", quantity="0.05", reduceOnly="true", clientAlgoId="two")
    long.trade("65740", "1", "SELL")
    assert (long.algo("one")["algoStatus"], long.algo("two")["algoStatus"]) == ("FINISHED", "FINISHED")
    assert long.position == 0


def test_several_due_at_once_all_fire_even_if_some_are_refused(long):
    for name in ("a", "b", "c"):
        long.stop("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId=name)
    long.trade("65600", "1", "SELL")
    assert [long.algo(name)["algoStatus"] for name in ("a", "b", "c")] == ["FINISHED", "REJECTED", "REJECTED"]


def test_every_event_of_a_trigger_in_order(long):
    long.listen()
    long.stop("SELL", "65700", closePosition="true", clientAlgoId="sl")
    long.trade("65600", "1", "SELL")
    told = [(e["e"], e["o"]["X"]) for e in long.events() if e["e"] in ("ALGO_UPDATE", "ORDER_TRADE_UPDATE")]
    assert told == [
        ("ALGO_UPDATE", "NEW"),
        ("ALGO_UPDATE", "TRIGGERING"),
        ("ALGO_UPDATE", "TRIGGERED"),
        ("ORDER_TRADE_UPDATE", "NEW"),
        ("ORDER_TRADE_UPDATE", "FILLED"),
        ("ALGO_UPDATE", "FINISHED"),
    ]


@pytest.mark.parametrize("before", list(AlgoStatus))
@pytest.mark.parametrize("after", list(AlgoStatus))
def test_every_pair_of_states(long, before, after):
    """Legal ones move, illegal ones raise and change nothing."""
    long.stop("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId="sl")
    algo = long.twin.usdm.floor.algos.find(long.twin.usdm.floor.accounts["main"], None, "sl")
    algo.status = before
    if after in TRANSITIONS.get(before, frozenset()):
        algo.move(after, 1)
        assert algo.status is after
    else:
        with pytest.raises(ValueError, match="->"):
            algo.move(after, 1)
        assert algo.status is before


def test_a_child_with_the_client_id_of_an_open_order_does_not_free_that_id(long):
    """Orders and conditional orders have two name spaces; a child brings its id into the other one."""
    resting = long.limit("BUY", "0.01", "60000", newClientOrderId="same")
    long.stop("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId="same")
    long.trade("65699.9", "1", "SELL")
    assert long.algo("same")["algoStatus"] == "FINISHED"
    assert long.code("POST", "v1/order", **long.limit_terms("BUY", "0.01", "60000"), newClientOrderId="same") == -4116
    assert long.order("same")["orderId"] == resting["orderId"]
    gone = long.ok("DELETE", "v1/order", symbol="BTCUSDT", origClientOrderId="same")
    assert (gone["orderId"], gone["status"]) == (resting["orderId"], "CANCELED")
    assert long.order("same")["status"] == "FILLED", "the newest of those that ended"


def test_a_stop_is_not_filled_better_than_the_print_that_triggers_it(long):
    """The bid still displayed at 65,799.9 is gone, or nobody would have sold at 65,600."""
    long.stop("SELL", "65700", quantity="0.1", reduceOnly="true", clientAlgoId="sl")
    long.trade("65600.0", "1", "SELL")
    assert D(long.order("sl")["avgPrice"]) == 65_600


def test_the_next_quote_says_what_a_taker_gets(long):
    long.trade("65600.0", "1", "SELL")
    long.top("65799.9", "65800.0")
    long.market("SELL", "0.05", newClientOrderId="after")
    long.trade("65799.9", "1", "SELL")
    long.market("SELL", "0.05", newClientOrderId="touch")
    assert {D(long.order(each)["avgPrice"]) for each in ("after", "touch")} == {D("65799.9")}
