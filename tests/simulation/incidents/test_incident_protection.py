"""Incidents 2, 3, 4, 9, 10, 11, 13, 14, 21, 27, 30: the stop that is refused, orphaned, piled up, crossed or stuck."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import chimera.adapters.binance
from chimera.execute import hear
from chimera.protect import stops as protection
from chimera.protect import tries
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.commands import NOTHING
from chimera.trading.form import Form
from chimera.trading.holding import Holding
from chimera.trading.market import Side
from chimera.trading.money import Price, Qty
from chimera.trading.order import OrderType, Role, Status, TimeInForce
from support.incident_stage import SHOWN, Kind, Stage, Story, Told, a_wish, play, policy_of, role_of, steps, without
from world.plan import KillAt

STOPS = {"path": "/fapi/v1/algoOrder", "method": "POST"}
PATIENT = ("chimera.protect.stops", "_lose_patience", lambda holding, scene: holding)
LEAVES_ALL = ("chimera.protect.stops", "_dismiss", lambda holding, orders, scene: (holding, NOTHING))


def stops(told: Told, kind: Kind = Kind.ACCEPT) -> list[AuditRecord]:
    return told.only(kind, "s", conditional=True)


def uncovered_by_cancel(told: Told) -> list[str]:
    """Stops that were cancelled while something was held and no other stop stood."""
    return [
        record.client_order_id
        for record in stops(told, Kind.CANCEL)
        if told.position(record.at_us / 1e6) and not told.live(record.at_us / 1e6, "s")
    ]


# ── 2 ──


@pytest.mark.incident(2)
@pytest.mark.fault("B36")
def test_incident_02_where_no_form_of_a_stop_is_taken_the_position_is_closed_and_somebody_is_told() -> None:
    refused = ({"name": "stop_refused", "params": {"code": -4120}}, _everywhere(-4120))
    story = Story(wishes=(a_wish(),), faults=refused)
    told = play(story)

    assert told.broken == []
    assert told.longest_bare_ms < 1_500
    assert {"STOP_REFUSED", "STOP_TRY_REFUSED"} & set(told.alerts)
    assert told.position(8) == 0
    with without(PATIENT):
        assert any(each.startswith("I10") for each in play(story).broken)


def _everywhere(code: int) -> dict[str, Any]:
    """The conditional order is refused at the regular endpoint as well; a plain close is taken."""
    match = {"path": "/fapi/v1/order", "method": "POST", "client_id": "s3-w0-s"}
    return {"name": "refused", "params": {"code": code, "msg": "not here"}, "match": match}


@pytest.mark.incident(2)
@pytest.mark.fault("B36")
def test_incident_02_the_first_form_refused_gives_way_to_the_next_and_the_position_lives() -> None:
    told = play(Story(wishes=(a_wish(),), faults=({"name": "stop_refused", "params": {"code": -4120}, "count": 1},)))

    assert told.broken == []
    assert told.longest_bare_ms < 500
    assert told.live(10, "s") or told.live(10, "s", conditional=False)
    assert told.position(10) == steps(10)


# ── 3 ──


@pytest.mark.req("I14")
@pytest.mark.incident(3)
@pytest.mark.fault("A6", "A4")
@pytest.mark.parametrize(("move", "orphan"), [(-60, "p"), (50, "s")])
def test_incident_03_the_other_leg_of_a_pair_is_gone_before_it_could_strike_the_next_position(
    move: int, orphan: str
) -> None:
    """One leg fires while S4 is down; the market later passes the price of the other."""
    story = Story(
        wishes=(a_wish(target_bps=40), a_wish(1, 9.0, hold_s=10, stop_bps=200)),
        blows=(KillAt(at_s=6),),
        down_ms=2_000,
        moves=((6.5, move), (7.0, 0), (12.0, -move)),
    )
    told = play(story)

    assert told.broken == []
    assert [record.client_order_id for record in told.only(Kind.CANCEL, orphan)][:1] == [f"s3-w0-{orphan}{_no(orphan)}"]
    assert told.live(9.0) == []
    assert [fill.client_order_id for fill in told.only(Kind.FILL) if 9.5 < fill.at_us / 1e6 < 18] == []
    with without(LEAVES_ALL):
        assert any(each.startswith("I14") for each in play(story).broken)


def _no(letter: str) -> int:
    return 1 if letter == "s" else 2


# ── 4 ──


@pytest.mark.incident(4)
def test_incident_04_a_stop_for_the_whole_position_covers_it_and_no_second_one_is_armed() -> None:
    """The venue takes closePosition alone, whose quantity is null in every list; surveys go on for a minute."""
    refused = {"name": "stop_refused", "count": 1, "params": {"code": -4120}}
    told = play(story := Story(wishes=(a_wish(hold_s=20),), faults=(refused,), calm_s=60))

    assert told.broken == []
    assert [stop.close_position for stop in stops(told)] == [True]
    with without(("chimera.trading.order:Order", "closes", lambda order, held: order.leaves_qty)):
        blind = play(story)
    assert len(stops(blind)) > 1 or blind.broken or "STOP_REFUSED" in blind.alerts


@pytest.mark.incident(4)
@pytest.mark.fault("B32")
def test_incident_04_a_stop_that_somebody_else_placed_for_all_of_it_makes_no_second_of_ours() -> None:
    async def by_hand(stage: Stage) -> None:
        stop = {"type": OrderType.STOP_MARKET, "trigger_price": Price(Decimal(65_000)), "form": Form.WHOLE}
        await stage.place("by-hand-stop", Side.SELL, Qty(Decimal(0)), **stop)

    async def away(stage: Stage) -> None:
        await stage.cancel("by-hand-stop")

    told = play(Story(wishes=(a_wish(hold_s=20),), hands=((5.0, by_hand), (40.0, away)), calm_s=60))
    assert told.broken_but("HARNESS") == []
    assert len(stops(told)) == 1


# ── 9, 10 ──


@pytest.mark.incident(9)
@pytest.mark.fault("B24")
def test_incident_09_the_target_goes_before_the_close_and_the_stop_after_it() -> None:
    """The venue refuses two closes with -4118."""
    match = {"path": "/fapi/v1/order", "client_id": "s3-w0-x"}
    refused = {"name": "refused", "params": {"code": -4118, "msg": "reduceOnly"}, "match": match, "count": 2}
    story = Story(wishes=(a_wish(target_bps=40, hold_s=5),), faults=(refused,))
    told = play(story)

    assert told.broken == []
    (target,), (close,), (stop,) = (told.only(kind, role) for kind, role in ENDS_OF_A_CLOSE)
    assert target.at_us < told.only(Kind.FAULT, "x")[0].at_us < close.at_us < stop.at_us
    assert uncovered_by_cancel(told) == []
    with without(("chimera.execute.closing", "_in_the_way", lambda holding, wanted, scene: False)):
        hasty = play(story)
    assert hasty.only(Kind.FAULT, "x")[0].at_us <= hasty.only(Kind.CANCEL, "p")[0].at_us


@pytest.mark.incident(9)
@pytest.mark.fault("B24")
@pytest.mark.parametrize("ends", ["its hold is over", "its stop fires"])
def test_incident_09_a_reduce_only_order_of_somebody_else_keeps_no_close_back(ends: str) -> None:
    """A take-profit that the owner placed in the app, for all that is held: beside it the venue refuses each close, and
    the child of a stop that fired (-4118).
    """

    async def takes_profit(stage: Stage) -> None:
        more = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "price": Price(Decimal(68_000))}
        await stage.place("by-hand-target", Side.SELL, a_wish().qty, reduce_only=True, **more)

    moves = ((6.0, -60),) if ends == "its stop fires" else ()
    hold_s = 60 if moves else 8
    story = Story(wishes=(a_wish(hold_s=hold_s),), hands=((4.0, takes_profit),), moves=moves)
    told = play(story)

    assert told.broken == []
    assert "by-hand-target" in [record.client_order_id for record in told.only(Kind.CANCEL)]
    assert "CANCELED_IN_THE_WAY" in told.alerts
    with without(("chimera.execute.hindered", "_in_its_way", lambda orders, held: ())):
        assert play(story).broken != []


@pytest.mark.incident(9)
def test_incident_09_a_close_of_a_part_leaves_the_orders_of_somebody_else() -> None:
    """Two intents hold one position, for 8 and 18 s; the owner's take-profit is for all of it."""

    async def takes_profit(stage: Stage) -> None:
        more = {"type": OrderType.LIMIT, "time_in_force": TimeInForce.GTC, "price": Price(Decimal(68_000))}
        await stage.place("by-hand-target", Side.SELL, steps(20), reduce_only=True, **more)

    told = play(Story(wishes=(a_wish(hold_s=8), a_wish(1, 3.5, hold_s=18)), hands=((5.0, takes_profit),)))

    assert told.broken == []
    [gone] = [each for each in told.only(Kind.CANCEL) if each.client_order_id == "by-hand-target"]
    assert gone.at_us > 21_000_000, "the part's close was refused for ten seconds"


ENDS_OF_A_CLOSE = ((Kind.CANCEL, "p"), (Kind.FILL, "x"), (Kind.CANCEL, "s"))


@pytest.mark.incident(10)
@pytest.mark.fault("B12", "B20")
def test_incident_10_a_stop_goes_only_when_another_stands_or_nothing_is_held() -> None:
    """The position grows, then shrinks, and its closes are refused for three seconds."""
    refused = {
        "name": "refused",
        "params": {"code": -4118, "msg": "reduceOnly"},
        "when": {"from_ms": 10_000, "to_ms": 13_000},
    }
    story = Story(
        wishes=(a_wish(hold_s=8), a_wish(1, 5.0, qty=steps(5), hold_s=6)),
        faults=(refused | {"match": {"path": "/fapi/v1/order", "method": "POST"}},),
    )
    told = play(story)

    assert told.broken == []
    assert len(stops(told)) > 1
    assert len(told.only(Kind.FAULT, "x")) > 2
    assert uncovered_by_cancel(told) == []
    cancel_first = ("chimera.protect.stops", "_keep_one", _cancel_first(protection._keep_one))
    with without(cancel_first):  # what left as it was ordered is looked at once more at the last hop
        assert uncovered_by_cancel(play(story)) == []
    with without(cancel_first, ("chimera.admit.last_hop", "bares", lambda role, holding: False)):
        assert uncovered_by_cancel(play(story)) != []


def _cancel_first(keep_one: Any) -> Any:
    """The old stop is gone before the new one is placed."""

    def keep(holding: Holding, role: Role, wanted: Any, price: Any, scene: Any) -> Any:
        live = (order for order in holding.in_role(role) if order.live)
        wrong = tuple(order for order in live if not protection._serves(order, wanted, price, holding, scene))
        if wrong:
            return protection._dismiss(holding, wrong, scene)
        if any(order.status is Status.PENDING_CANCEL for order in holding.in_role(role)):
            return holding, NOTHING
        return keep_one(holding, role, wanted, price, scene)

    return keep


# ── 11 ──


@pytest.mark.incident(11)
@pytest.mark.fault("B19")
def test_incident_11_stops_do_not_pile_up_where_their_cancels_are_lost() -> None:
    lost = {"name": "timeout_before", "match": {"method": "DELETE", "path": "*algoOrder"}}
    story = Story(
        wishes=tuple(a_wish(n, 3 + n, qty=steps(3), hold_s=20 - n) for n in range(8)),
        faults=(lost | {"when": {"from_ms": 3_000, "to_ms": 9_000}},),
    )
    told = play(story)

    assert told.broken == []
    assert len(stops(told)) > 3
    assert "CANCEL_FAILED" in told.alerts
    assert len(told.live(14, "s")) == 1
    with without(LEAVES_ALL):
        heap = play(story)
    assert len(heap.live(14, "s")) > 3


# ── 13, 14 ──


@pytest.mark.incident(13)
@pytest.mark.fault("B23")
def test_incident_13_a_stop_that_the_market_has_passed_is_not_tried_again_but_closed() -> None:
    """The stop is under way for 150 ms; the market falls through its price meanwhile."""
    slow = {"name": "latency", "params": {"way": "in", "ms": 150}, "match": STOPS, "count": 1}
    story = Story(wishes=(a_wish(stop_bps=10),), moves=((3.12, -30),), faults=(slow,))
    told = play(story)

    assert told.broken == []
    assert "STOP_CROSSED" in told.alerts
    assert [fill.qty for fill in told.only(Kind.FILL, "x")] == [steps(10)]
    assert told.only(Kind.FILL, "x")[0].at_us < 3_300_000
    assert len(stops(told, Kind.REFUSE)) <= 2
    with without(PATIENT, ("chimera.protect.stops", "refused", _never_mind)):
        stubborn = play(story)
    assert len(stops(stubborn, Kind.REFUSE)) > 2


def _never_mind(holding: Holding, order: Any, no: Any, scene: Any) -> Holding:
    return tries.count_try(holding, order.role, scene)


@pytest.mark.incident(14)
@pytest.mark.fault("B27")
def test_incident_14_each_part_of_an_entry_has_its_stop_at_once() -> None:
    parts = tuple((3.5 + n * 0.5, Side.BUY, Qty(steps(6) + (SHOWN if n == 0 else 0))) for n in range(5))
    story = Story(wishes=(a_wish(qty=steps(40), policy=policy_of(wait_ms=6_000)),), trades=parts)
    told = play(story)

    assert told.broken == []
    filled = told.only(Kind.FILL, "m")
    assert len(filled) == 6  # the parts, and the rest, which chases
    assert len(stops(told)) >= len(filled)
    assert told.longest_bare_ms < 100
    assert any(each.startswith("I10") for each in play(story, "protect_fills").broken)


# ── 21, 27 ──


@pytest.mark.req("I11")
@pytest.mark.incident(21)
@pytest.mark.fault("B21")
def test_incident_21_a_stop_that_fired_and_does_not_fill_is_no_stop_after_a_second() -> None:
    """It goes on later, when the position is long closed: reduce-only, it finds nothing."""
    story = Story(wishes=(a_wish(),), moves=((6.0, -60),), faults=({"name": "stuck_triggering"},))
    told = play(story)

    assert told.broken == []
    assert "STOP_STUCK" in told.alerts
    (close,) = told.only(Kind.FILL, "x")
    assert 6.9 < close.at_us / 1e6 < 7.5
    assert told.position(60) == 0
    with without(PATIENT):
        assert any(each.startswith("I10") for each in play(story).broken)


@pytest.mark.req("I11")
@pytest.mark.incident(21)
@pytest.mark.fault("B40")
def test_incident_21_a_stop_that_found_half_a_book_leaves_the_rest_to_a_close() -> None:
    thin = {"name": "trigger_partial_fill", "params": {"share": "0.5"}, "count": 1}
    told = play(Story(wishes=(a_wish(),), moves=((6.0, -60),), faults=(thin,), bare_s=2.5))

    assert told.broken == []
    assert -1112 in {refused.code for refused in told.only(Kind.REFUSE, "x")}  # nobody buys for a while: it tries on
    assert sum(fill.qty or 0 for fill in told.only(Kind.FILL, "s")) == steps(5)
    assert told.position(8) == 0


@pytest.mark.req("I11")
@pytest.mark.incident(21)
@pytest.mark.fault("B41")
def test_incident_21_a_stop_that_is_never_triggered_is_no_stop_after_ten_seconds() -> None:
    """The venue's conditional orders stand still while orders trade: it says NEW whenever it is asked."""
    asleep = ("chimera.simulate.usdm.conditional:AlgoDesk", "fire_due", lambda desk, listing: False)
    story = Story(wishes=(a_wish(hold_s=60),), moves=((6.0, -60),))
    with without(asleep):
        told = play(story)

    assert told.broken == []
    assert "STOP_STUCK" in told.alerts
    (close,) = told.only(Kind.FILL, "x")
    assert 16 < close.at_us / 1e6 < 17
    with without(asleep, ("chimera.protect.stops", "overdue", lambda holding, scene: False)):
        assert play(story).position(60) == steps(10)


@pytest.mark.incident(27)
@pytest.mark.fault("B25")
def test_incident_27_what_the_venue_makes_of_a_quantity_is_the_quantity() -> None:
    """Somebody sells a part by hand, and the stop for all of it fires before S4 hears of that."""

    async def part(stage: Stage) -> None:
        await stage.place("by-hand", Side.SELL, steps(4), reduce_only=True)

    late = {"name": "frame_delay", "params": {"ms": 3_000}, "when": {"from_ms": 5_700, "to_ms": 5_990}}
    story = Story(wishes=(a_wish(),), hands=((5.8, part),), moves=((6.0, -60),), faults=(late,))
    told = play(story)

    assert told.broken == []
    assert sum(fill.qty or 0 for fill in told.only(Kind.FILL, "s")) == steps(6)
    (row,) = [order for order in told.stage.orders if order["client_order_id"] == "s3-w0-s1"]
    assert (row["status"], Decimal(str(row["qty"]))) == ("FILLED", steps(6))
    with without(("chimera.execute.advance", "hear", _by_our_word(hear.hear))):
        deaf = play(story)
    rows = {str(order["client_order_id"]): order for order in deaf.stage.orders}
    assert deaf.broken or Decimal(str(rows["s3-w0-s1"]["qty"])) != steps(6)


def _by_our_word(heard: Any) -> Any:
    """The venue's quantity of an order is not taken over."""
    return lambda order, word, scene: heard(order, word, scene).but(venue_qty=order.venue_qty)


# ── 30 ──


@pytest.mark.incident(30)
@pytest.mark.fault("B39")
def test_incident_30_the_venues_dead_man_timer_is_never_wound() -> None:
    """Where it also ends conditional orders it bares what they guard; no code of ours knows its path."""
    told = play(Story(wishes=(a_wish(target_bps=40), a_wish(1, 6.0, policy=policy_of())), blows=(KillAt(at_s=8),)))

    assert told.broken == []
    assert not [request.path for _, request in told.requests if "countdown" in request.path.lower()]
    ours = Path(chimera.adapters.binance.__file__).parent.rglob("*.py")
    assert [path.name for path in ours if "countdowncancelall" in path.read_text(encoding="utf-8").lower()] == []
    assert {role_of(record) for record in told.only(Kind.ACCEPT)} >= {"t", "s", "p"}
