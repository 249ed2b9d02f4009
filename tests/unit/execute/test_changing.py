"""Changing an order that lives: exactly what is left, under the next number, once the old one's end is known."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.commands import Cancel, Place
from chimera.trading.execution import Maker, Phase, Plan, Slice
from chimera.trading.facts import (
    CancelAsked,
    CancelUnanswered,
    ChangeAsked,
    Found,
    PauseAsked,
    Restarted,
    ResumeAsked,
    Ticked,
)
from chimera.trading.ids import IntentId
from chimera.trading.intent import MakerThenTaker, MarketNow, OrderList, StopSpec, TargetKind, TargetSpec
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, Role, Status
from chimera.wire.results import order_result
from support.desk import Desk, a_long, an_intent
from support.spot_desk import a_spot_long

pytestmark = pytest.mark.req("S4-API-11")

STOP = StopSpec(price=Price(Decimal(64000)))
ONE = IntentId("i1")


def a_resting(qty: str = "0.01") -> tuple[Desk, NewOrder]:
    """A maker in the book."""
    desk = Desk()
    desk.submit(an_intent(qty=qty, policy=MakerThenTaker(wait_ms=60_000), stop=STOP), wait_ms=60_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    return desk, maker


def ask(desk: Desk, wait_ms: int = 0, *parts: str, **changes: Any) -> None:
    """As the shell does: planned for what was left when it was asked."""
    working = desk.holding.intents[ONE]
    after = working.intent.but(**changes)
    filled = sum((order.cum_qty for order in desk.holding.of_intent(ONE)), Decimal(0))
    slices = tuple(Slice(qty=Qty(Decimal(part))) for part in parts) or (Slice(qty=Qty(after.qty - filled)),)
    deadline = Millis(desk.now + wait_ms + 10_000)
    trades = {"qty", "policy"} & changes.keys()
    plan = Plan(slices=slices, maker=Maker(wait_ms=wait_ms), deadline_ms=deadline) if trades else None
    desk.hear(ChangeAsked(intent=after, plan=plan))


def steps(desk: Desk) -> list[str]:
    return [step.what for step in desk.holding.intents[ONE].steps]


def gone(desk: Desk, order: NewOrder, cum: str = "0") -> None:
    desk.hear(Found(order=desk.word(order, Status.CANCELED, cum)))


def test_the_new_one_waits_for_the_old_ones_end_and_takes_exactly_what_is_left() -> None:
    desk, maker = a_resting()
    desk.fill(maker, "0.004")

    ask(desk, qty=Qty(Decimal("0.012")), policy=MarketNow())

    assert desk.canceled() == [maker.ref]
    assert desk.count(Role.TAKER) == 0
    desk.fill(maker, "0.001")  # it races the cancel
    assert desk.count(Role.TAKER) == 0
    gone(desk, maker, "0.005")
    taker = desk.placed(Role.TAKER)
    assert (taker.qty, taker.ref) == (Decimal("0.007"), "s3-btc-i1-t2")
    desk.ack(taker)
    desk.fill(taker, "0.007")
    row = order_result(desk.holding, ONE)
    assert (row["status"], row["filled_qty"], row["qty"]) == ("FILLED", "0.012", "0.012")
    assert [what for what in steps(desk) if what.startswith("change")] == [
        "change asked: qty 0.01 to 0.012, policy",
        "changed: 0.005 filled before, 0.007 left for order 2",
    ]


@pytest.mark.parametrize("break_off", ["cancel unanswered", "crash"])
def test_a_failure_half_way_is_finished_by_the_next_word(break_off: str) -> None:
    desk, maker = a_resting()
    ask(desk, qty=Qty(Decimal("0.02")), policy=MarketNow())

    if break_off == "crash":
        desk.hear(Restarted())
    else:
        desk.hear(CancelUnanswered(ref=maker.ref))
    desk.later(500).hear(Ticked())

    assert desk.count(Role.TAKER) == 0, "the old one may still fill"
    gone(desk, maker)
    desk.later(500).hear(Ticked())
    assert desk.placed(Role.TAKER).qty == Decimal("0.02")


def test_less_than_has_filled_by_then_ends_it_filled() -> None:
    desk, maker = a_resting()
    ask(desk, qty=Qty(Decimal("0.005")), policy=MarketNow())

    desk.fill(maker, "0.006")
    gone(desk, maker, "0.006")

    assert desk.count(Role.TAKER) == 0
    row = order_result(desk.holding, ONE)
    assert (row["status"], row["filled_qty"]) == ("FILLED", "0.006")


def test_a_slice_to_come_is_replanned_too() -> None:
    desk = Desk()
    desk.submit(an_intent(stop=STOP), "0.005", "0.005", gap_ms=60_000)
    first = desk.placed(Role.TAKER)
    desk.ack(first)
    desk.fill(first, "0.005")
    desk.later(1_000)

    ask(desk, 0, "0.003", qty=Qty(Decimal("0.008")))

    assert desk.placed(Role.TAKER).qty == Decimal("0.003")
    assert desk.placed(Role.TAKER).ref != first.ref


def test_stop_and_target_of_what_is_held_move_new_before_old() -> None:
    desk = a_long(stop=STOP)
    old = desk.placed(Role.STOP)

    ask(
        desk, stop=StopSpec(price=Price(Decimal(64500))), target=TargetSpec(kind=TargetKind.PRICE, value=Decimal(67000))
    )

    assert (desk.placed(Role.STOP).trigger_price, desk.placed(Role.TARGET).trigger_price) == (64500, 67000)
    assert old.ref not in desk.canceled()
    desk.ack(desk.placed(Role.STOP))
    assert desk.canceled() == [old.ref]


def test_an_order_that_is_over_trades_no_more() -> None:
    desk = a_long(stop=STOP)
    before = len(desk.told)

    ask(desk, qty=Qty(Decimal(1)))

    assert len(desk.told) == before
    assert desk.holding.intents[ONE].intent.qty == Decimal("0.01")


def test_a_cancel_outranks_a_change() -> None:
    desk, maker = a_resting()
    ask(desk, qty=Qty(Decimal("0.02")), policy=MarketNow())
    desk.hear(CancelAsked(intent_id=ONE, reason="USER_REQUEST"))

    gone(desk, maker)

    assert desk.count(Role.TAKER) == 0


@given(
    fills=st.lists(st.integers(1, 4), max_size=3),
    late=st.integers(0, 3),
    wanted=st.integers(1, 30),
)
def test_never_more_than_is_asked_for(fills: list[int], late: int, wanted: int) -> None:
    """Filled + leaves <= what the order is for, whatever fills before and during the cancel."""
    desk, maker = a_resting("0.02")
    done = 0
    for size in fills:
        desk.fill(maker, str(Decimal(size) / 1000))
        done += size
    if wanted <= done:
        return
    ask(desk, qty=Qty(Decimal(wanted) / 1000), policy=MarketNow())
    if late and done + late <= 20:
        desk.fill(maker, str(Decimal(late) / 1000))
        done += late
    assert desk.count(Role.TAKER) == 0
    gone(desk, maker, str(Decimal(done) / 1000))

    taken = [c.order.qty for c in desk.told if isinstance(c, Place) and c.role is Role.TAKER]
    assert taken == ([Qty(Decimal(wanted - done) / 1000)] if wanted > done else [])
    assert desk.holding.intents[ONE].phase is (Phase.WORKING if wanted > done else Phase.DONE)


# ── the list of an OCO ──


@pytest.mark.req("S4-API-6")
def test_cancelling_a_bought_oco_ends_its_list_and_leaves_a_stop() -> None:
    desk = a_oco()
    listed = desk.pairs()[-1]

    desk.hear(CancelAsked(intent_id=ONE, reason="USER_REQUEST"))

    assert [type(command) for command in desk.last] == [Cancel]
    desk.cancel_list(listed)
    alone = desk.placed(Role.STOP)
    assert (alone.trigger_price, alone.group) == (listed.stop.trigger_price, None)
    assert desk.count(Role.TARGET) == 0
    assert order_result(desk.holding, ONE)["status"] == "CANCELED"


@pytest.mark.req("S4-API-5")
def test_bought_and_listed_it_is_accepted_and_its_message_says_nothing_else() -> None:
    row = order_result(a_oco().holding, ONE)

    assert (row["status"], row["message"]) == ("ACCEPTED", None)


@pytest.mark.req("S4-API-6")
def test_without_cascade_its_list_stays() -> None:
    desk = a_oco()

    desk.hear(CancelAsked(intent_id=ONE, reason="USER_REQUEST", cascade=False))

    assert desk.last == ()
    assert order_result(desk.holding, ONE)["status"] == "ACCEPTED"


@pytest.mark.req("S4-API-6")
def test_with_escalation_what_was_bought_is_sold_once_the_list_has_ended() -> None:
    desk = a_oco()
    listed = desk.pairs()[-1]

    desk.hear(CancelAsked(intent_id=ONE, reason="USER_REQUEST", escalate=True))
    assert desk.count(Role.EXIT) == 0
    desk.cancel_list(listed)

    assert desk.placed(Role.EXIT).qty == Decimal("0.00999")


def a_oco() -> Any:
    return a_spot_long(policy=OrderList())


@pytest.mark.req("S4-FUT-2")
@pytest.mark.parametrize(("side", "at"), [("BUY", "65450.1"), ("SELL", "64550.1")])
def test_a_target_at_a_multiple_of_a_range_is_so_far_from_the_entry(side: str, at: str) -> None:
    spec = TargetSpec(kind=TargetKind.ATR, value=Decimal(450))

    desk = a_long(side=Side(side), target=spec, stop=StopSpec())

    assert desk.placed(Role.TARGET).trigger_price == Decimal(at)


def test_a_pause_of_before_a_change_does_not_lengthen_what_was_planned_after_it() -> None:
    """Kept back past its new deadline, it could have bought for another half an hour."""
    desk, maker = a_resting("0.02")
    desk.hear(PauseAsked(intent_id=ONE, reason="OPERATOR"))
    desk.hear(Found(order=desk.word(maker, Status.CANCELED)))
    desk.later(1_800_000).hear(ResumeAsked(intent_id=ONE))
    again = desk.placed(Role.MAKER)
    desk.ack(again)
    ask(desk, qty=Qty(Decimal("0.01")))
    ends = desk.holding.intents[ONE].next_plan
    desk.hear(Found(order=desk.word(again, Status.CANCELED)))

    assert ends is not None
    assert desk.holding.intents[ONE].ends_ms(desk.now) == ends.deadline_ms
