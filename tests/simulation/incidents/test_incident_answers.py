"""Incidents 5, 6, 7, 8, 15, 16 and 22: an answer that is late, lost or wrong must not become a second deed."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.adapters.binance.futures import order_params
from chimera.execute import entry
from chimera.trading.holding import Holding
from chimera.trading.market import Market
from chimera.trading.order import NewOrder, Order, Trigger
from chimera.trading.venue import OrderRef
from support.incident_stage import (
    SHOWN,
    Kind,
    Qty,
    Side,
    Story,
    a_wish,
    asked,
    play,
    policy_of,
    steps,
    without,
)

ORDER = {"path": "/fapi/v1/order", "method": "POST"}
STOPS = {"path": "/fapi/v1/algoOrder", "method": "POST"}


def without_reduce_only(order: NewOrder) -> dict[str, str]:
    """On the wire an exit is an order like any other."""
    return {name: value for name, value in order_params(order).items() if name != "reduceOnly"}


OPENING_CLOSE = ("chimera.adapters.binance.futures", "order_params", without_reduce_only)


# ── 5 ──


@pytest.mark.req("I1")
@pytest.mark.incident(5)
@pytest.mark.fault("B4", "C1")
def test_incident_05_an_entry_whose_answer_comes_after_its_events_is_sent_once() -> None:
    late = {"name": "late_ack", "params": {"ms": 5_000}, "match": ORDER, "count": 1}
    told = play(Story(wishes=(a_wish(),), faults=(late,)))

    assert told.broken == []
    assert told.answers == {"w-0": "FILLED"}
    assert len(told.entries) == 1
    assert told.bought == steps(10)


@pytest.mark.req("I13")
@pytest.mark.incident(5)
@pytest.mark.fault("B15", "A5")
def test_incident_05_a_duplicate_id_means_that_the_stop_lives() -> None:
    """Its answer and its event are lost; the second sending is refused as a duplicate."""
    lost = {"name": "timeout_after", "match": STOPS, "count": 1}
    unheard = {"name": "frame_drop", "match": {"event": "ALGO_UPDATE"}}
    unread = {"name": "read_lag", "params": {"ms": 900}, "match": {"path": "/fapi/v1/algoOrder"}, "count": 1}
    story = Story(wishes=(a_wish(),), faults=(lost, unheard, unread))
    told = play(story)

    assert told.broken == []
    assert -4116 in {refused.code for refused in told.only(Kind.REFUSE, "s")}
    assert len(told.only(Kind.ACCEPT, "s", conditional=True)) == 1
    assert "STOP_TRY_REFUSED" not in told.alerts
    with without(("chimera.execute.advance", "_lives", lambda order, refusal: False)):
        taken_for_refused = play(story)
    assert "STOP_TRY_REFUSED" in taken_for_refused.alerts


# ── 6 ──


@pytest.mark.req("S4-RETRY-2", "S4-LIM-1", "I1")
@pytest.mark.incident(6)
@pytest.mark.fault("B1", "B16")
def test_incident_06_an_entry_that_no_query_knows_may_have_filled() -> None:
    """No answer, no event, and for six seconds "no such order": it counts in full, and is sent no second time."""
    story = Story(
        wishes=(a_wish(qty=steps(60)), a_wish(1, 4.5, qty=steps(30))),  # together more than the limit
        faults=(
            {"name": "timeout_after", "match": ORDER, "count": 1},
            {"name": "read_lag", "params": {"ms": 6_000}, "match": {"path": "/fapi/v1/order"}, "count": 1},
            {"name": "frame_drop", "when": {"from_ms": 2_900, "to_ms": 9_000}},
        ),
        bare_s=3.5,  # nobody knows of the fill before the entry's own time-out of 3 s
    )
    told = play(story)

    assert told.broken == []
    assert len(told.entries) == 1
    assert told.answers["w-0"] == "FILLED"
    assert told.answers["w-1"].startswith(("REJECTED", "REFUSED LIMIT"))
    hasty = play(story, "wait_out_window")
    assert {violation.invariant for violation in hasty.violations} & {"I1", "I4"}


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.incident(6)
@pytest.mark.fault("B16")
def test_incident_06_position_and_trades_tell_of_a_fill_before_the_query_does() -> None:
    story = Story(
        wishes=(a_wish(),),
        faults=(
            {"name": "timeout_after", "match": ORDER, "count": 1},
            {"name": "read_lag", "params": {"ms": 6_000}, "match": {"path": "/fapi/v1/order"}, "count": 1},
            {"name": "frame_drop", "when": {"from_ms": 2_900, "to_ms": 9_000}},
        ),
        bare_s=3.5,
    )
    assert play(story).broken == []
    with without(("chimera.execute.advance", "look_elsewhere", lambda holding, order, scene: holding)):
        assert any(each.startswith("I10") for each in play(story).broken)


# ── 7, 8 ──


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.incident(7)
@pytest.mark.fault("B1", "B24")
def test_incident_07_a_close_that_filled_unseen_sells_nothing_more() -> None:
    story = Story(
        wishes=(a_wish(hold_s=5),),
        faults=(
            {"name": "timeout_after", "match": ORDER, "when": {"from_ms": 7_500}, "count": 1},
            {"name": "frame_drop", "when": {"from_ms": 7_500, "to_ms": 11_000}},
        ),
    )
    told = play(story)

    assert told.broken == []
    sold = told.only(Kind.FILL, "x")
    assert [fill.qty for fill in sold] == [steps(10)]
    assert told.position(60) == 0
    sent = [asked(request) for _, request in told.requests if request.method == "POST"]
    closes = [each for each in sent if each.get("side") == "SELL" and each.get("type") == "MARKET"]
    assert len(closes) > 1
    assert {(each["newClientOrderId"], each.get("reduceOnly")) for each in closes} == {("s3-w0-x2", "true")}
    with without(OPENING_CLOSE):
        assert any(each.startswith(("I1 ", "I4", "I7")) for each in play(story).broken)


@pytest.mark.incident(8)
@pytest.mark.fault("B3")
def test_incident_08_a_close_that_arrives_after_the_stop_fired_flips_nothing() -> None:
    story = Story(
        wishes=(a_wish(hold_s=5),),
        faults=({"name": "latency", "params": {"way": "in", "ms": 900}, "match": ORDER, "when": {"from_ms": 7_500}},),
        moves=((8.3, -60),),
    )
    told = play(story)

    assert told.broken == []
    assert -2022 in {refused.code for refused in told.only(Kind.REFUSE, "x")}
    assert [fill.client_order_id for fill in told.only(Kind.FILL) if fill.reduce_only] == ["s3-w0-s1"]
    with without(OPENING_CLOSE):
        flipped = play(story)
    assert flipped.position(10) < 0


# ── 15 ──


@pytest.mark.req("S4-RETRY-2", "I1")
@pytest.mark.incident(15)
@pytest.mark.fault("B1", "B2", "B5")
@pytest.mark.parametrize(
    ("fault", "bought"), [("timeout_after", 10), ("timeout_before", 0), ("unknown_503", 10), ("timeout_1007", 10)]
)
def test_incident_15_an_entry_without_an_answer_is_asked_for_and_not_sent_again(fault: str, bought: int) -> None:
    params = {"executed": 1} if fault in ("unknown_503", "timeout_1007") else {}
    struck = {"name": fault, "params": params, "match": ORDER, "count": 1}
    unheard = {"name": "frame_drop", "when": {"from_ms": 2_900, "to_ms": 3_500}}
    told = play(story := Story(wishes=(a_wish(),), faults=(struck, unheard), bare_s=3.5))

    assert told.broken == []
    assert told.bought == steps(bought)
    assert len(told.entries) == (1 if bought else 0)
    if bought:
        blind = play(story, "ask_before_resend")
        assert blind.bought > steps(bought)
        assert {violation.invariant for violation in blind.violations} & {"I1", "I4"}


# ── 16 ──


@pytest.mark.incident(16)
@pytest.mark.fault("B6", "B19")
def test_incident_16_a_slice_that_fails_and_a_cancel_that_is_lost_never_make_it_buy_more() -> None:
    """A maker fills in part, two cancels of it are lost, it fills on meanwhile, and the taker is refused once."""
    story = Story(
        wishes=(a_wish(qty=steps(40), policy=policy_of(wait_ms=600, slices=4, gap_ms=2_500), hold_s=30),),
        trades=((3.3, Side.BUY, Qty(SHOWN + steps(3))), (4.2, Side.BUY, steps(4))),
        faults=(
            {"name": "timeout_before", "match": {"method": "DELETE", "path": "/fapi/v1/order"}, "count": 2},
            {"name": "unavailable_503", "match": {"client_id": "s3-w0-t", "path": "/fapi/v1/order"}, "count": 1},
        ),
    )
    told = play(story)

    assert told.broken == []
    assert told.answers == {"w-0": "FILLED"}
    assert told.bought == steps(40)
    assert len(told.only(Kind.FAULT, "m")) == 2  # both cancels were lost
    cap = ("chimera.admit.last_hop", "beyond_parent", lambda working, holding: None)
    with without(("chimera.execute.entry", "_tend", _hasty(entry._tend)), cap):
        hasty = play(story)
    assert any(each.startswith("I4") for each in hasty.broken)


def _hasty(tend: Any) -> Any:
    """``_tend`` that takes a maker for gone as soon as its cancel is sent."""

    def hasty(holding: Holding, working: Any, alive: Any, scene: Any) -> Any:
        holding, commands = tend(holding, working, alive, scene)
        for command in commands:
            ref = command.order.ref
            holding = holding.with_order(holding.orders[ref].after(Trigger.CANCELED))
        return holding, commands

    return hasty


# ── 22 ──


@pytest.mark.incident(22)
@pytest.mark.fault("B22")
def test_incident_22_a_stop_is_asked_for_where_it_lives_before_and_after_it_fires() -> None:
    """Its answer is lost and no event tells of it; it is found at the Algo service, later by its child's trades."""
    lost = {"name": "timeout_after", "match": STOPS, "count": 1}
    unheard = {"name": "frame_drop", "match": {"event": "ALGO_UPDATE"}}
    story = Story(wishes=(a_wish(),), moves=((9, -60),), faults=(lost, unheard))
    told = play(story)

    assert told.broken == []
    assert len(told.only(Kind.ACCEPT, "s", conditional=True)) == 1
    looked = [request.path for _, request in told.requests if "s3-w0-s1" in request.query and request.method == "GET"]
    assert looked
    assert set(looked) == {"/fapi/v1/algoOrder"}
    with without(("chimera.execute.asking", "OrderRef", _Regular)):
        astray = play(story)
    assert any(request.path == "/fapi/v1/order" and "s1" in request.query for _, request in astray.requests)
    again, once = (len(each.only(Kind.REFUSE, "s")) for each in (astray, told))
    assert (once, again > 3) == (1, True)  # it never learns that the stop stands, and sends it over and over


class _Regular:
    """Everything is asked for at the regular endpoint."""

    @staticmethod
    def to(order: Order) -> OrderRef:
        return OrderRef.to(order).but(conditional=False)


@pytest.mark.req("S4-EXIT-1")
@pytest.mark.parametrize("seed", [1, 3, 6])
def test_a_part_that_is_closed_is_closed_once(seed: int) -> None:
    """Found by these stories: an answer that came before its trade made S4 close the part up to four times."""

    async def part(stage: Any) -> None:
        await stage.ask_s4("close", lambda router: router.close(Market.FUT, "BTCUSDT", Decimal("0.003"), "PART"))

    told = play(Story(wishes=(a_wish(),), hands=((6.0, part),), seed=seed))
    assert told.broken == []
    assert [fill.qty for fill in told.only(Kind.FILL, "x")] == [steps(3), steps(7)]
