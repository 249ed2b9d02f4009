"""Entries: sized by what is filled and what may still fill, maker first, never resent while they may live."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.trading.commands import Ask, Cancel, Place
from chimera.trading.execution import Phase
from chimera.trading.facts import (
    CancelAsked,
    CancelRefused,
    Found,
    NotFound,
    PlaceNotSent,
    PlaceUnanswered,
    Restarted,
    Ticked,
)
from chimera.trading.ids import IntentId
from chimera.trading.intent import MakerThenTaker
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.trading.order import OrderType, Role, Status, TimeInForce
from support.desk import Desk, an_intent
from support.refusals import said_no

I1 = IntentId("i1")


def test_market_intent_takes_at_once() -> None:
    desk = Desk()
    desk.submit(an_intent())

    order = desk.placed(Role.TAKER)
    assert (order.type, order.qty, order.side, order.reduce_only) == (
        OrderType.MARKET,
        Decimal("0.01"),
        Side.BUY,
        False,
    )


@pytest.mark.req("S4-ROUTE-3")
def test_maker_rests_post_only_at_the_passive_touch_then_the_rest_is_taken() -> None:
    desk = Desk()
    desk.submit(an_intent(), wait_ms=1500)
    maker = desk.placed(Role.MAKER)
    assert (maker.price, maker.time_in_force) == (desk.bid, TimeInForce.GTX)
    desk.ack(maker)
    desk.fill(maker, "0.004", "65000.0")

    assert not desk.later(1400).hear(Ticked())
    assert [type(c) for c in desk.later(100).hear(Ticked())] == [Cancel]
    desk.hear(Found(order=desk.word(maker, Status.CANCELED, "0.004")))

    assert desk.placed(Role.TAKER).qty == Decimal("0.006")


@pytest.mark.req("S4-ROUTE-3")
@pytest.mark.fault("B18", "G11")
def test_fill_racing_the_cancel_is_counted_once() -> None:
    """The cancel is refused because the order filled; the stream tells the fill twice."""
    desk = Desk()
    desk.submit(an_intent(), wait_ms=1500)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.later(1500).hear(Ticked())
    asked = desk.hear(CancelRefused(ref=maker.ref, code=-2011, message="Unknown order sent."))
    assert any(isinstance(command, Ask) for command in asked)
    desk.fill(maker, "0.01", "65000.0")
    desk._trades -= 1
    desk.fill(maker, "0.01", "65000.0")

    assert desk.holding.position.qty == Decimal("0.01")
    assert desk.count(Role.TAKER) == 0


@pytest.mark.req("S4-ROUTE-4")
def test_post_only_refusal_reprices_and_at_last_takes() -> None:
    desk = Desk()
    desk.submit(an_intent(), wait_ms=1500)
    for _ in range(3):
        desk.hear(said_no(ref=desk.placed(Role.MAKER).ref, code=-5022, message="post only"))
        desk.later(100).hear(Ticked())

    assert desk.count(Role.MAKER) == 3
    assert len({c.order.ref for c in desk.told if isinstance(c, Place)}) == 4
    assert desk.placed(Role.TAKER).qty == Decimal("0.01")


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.fault("B2")
@pytest.mark.incident(15)
def test_unanswered_entry_is_asked_for_and_never_resent() -> None:
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    dead_after = Millis(desk.now + 14_000)
    first = desk.hear(PlaceUnanswered(ref=entry.ref, dead_after_ms=dead_after))
    assert [type(c) for c in first] == [Ask]
    while desk.now < dead_after:
        desk.later(500).hear(Ticked())
        desk.hear(NotFound(ref=entry.ref, asked_server_ms=desk.now))

    assert desk.count(Role.TAKER) == 1
    assert I1 in desk.holding.intents  # it still counts
    desk.later(500).hear(NotFound(ref=entry.ref, asked_server_ms=Millis(dead_after + 1)))
    assert I1 in desk.holding.engaged, "one silence of four"
    desk.later(500).survey()
    desk.later(500).hear(NotFound(ref=entry.ref, asked_server_ms=desk.now))
    assert desk.count(Role.TAKER) == 1, "past its deadline nothing more is sent"
    assert I1 not in desk.holding.engaged


def test_late_acceptance_after_proof_of_death_is_found_and_protected() -> None:
    """Our proof was wrong: the trade counts, whatever we believed."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.hear(PlaceUnanswered(ref=entry.ref, dead_after_ms=desk.now))
    desk.later(20_000).hear(NotFound(ref=entry.ref, asked_server_ms=desk.now))
    desk.fill(entry, "0.01")

    assert desk.holding.position.qty == Decimal("0.01")
    assert desk.placed(Role.STOP).qty == Decimal("0.01")


def test_not_sent_tries_again_under_a_new_id_until_the_deadline() -> None:
    desk = Desk()
    desk.submit(an_intent())
    first = desk.placed(Role.TAKER)
    desk.hear(PlaceNotSent(ref=first.ref, reason="refused", retry_after_ms=Millis(400)))
    assert not desk.later(300).hear(Ticked())
    desk.later(100).hear(Ticked())

    assert desk.placed(Role.TAKER).ref != first.ref


@pytest.mark.req("S4-ROUTE-5")
def test_slices_come_at_their_own_time_and_sum_exactly() -> None:
    desk = Desk()
    desk.submit(an_intent(), "0.005", "0.005", gap_ms=600)
    first = desk.placed(Role.TAKER)
    desk.ack(first)
    desk.fill(first, "0.005")
    assert desk.count(Role.TAKER) == 1
    desk.later(599).hear(Ticked())
    assert desk.count(Role.TAKER) == 1
    desk.later(1).hear(Ticked())
    second = desk.placed(Role.TAKER)
    desk.ack(second)
    desk.fill(second, "0.005")

    assert desk.holding.position.qty == Decimal("0.01")
    assert desk.holding.intents[I1].phase is Phase.DONE


@pytest.mark.req("S4-API-6")
def test_cancel_stops_the_maker_and_sends_no_taker() -> None:
    desk = Desk()
    desk.submit(an_intent(), wait_ms=1500)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(CancelAsked(intent_id=I1, reason="OPERATOR"))
    assert desk.canceled() == [maker.ref]
    desk.hear(Found(order=desk.word(maker, Status.CANCELED)))

    assert desk.count(Role.TAKER) == 0
    assert I1 not in desk.holding.engaged


@pytest.mark.fault("A2")
@pytest.mark.incident(17)
def test_restart_puts_what_was_pending_in_doubt_and_asks_before_anything() -> None:
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    commands = desk.hear(Restarted())

    assert desk.holding.orders[entry.ref].status is Status.IN_DOUBT
    assert not any(isinstance(c, Place) for c in commands)
    assert any(isinstance(c, Ask) and c.order.ref == entry.ref for c in commands)


_FACTS = st.sampled_from(["ack", "part", "full", "cancel_ok", "unanswered", "refused", "not_sent", "tick", "restart"])


@pytest.mark.req("S4-LIM-1")
@given(story=st.lists(_FACTS, max_size=30), slices=st.integers(1, 3), wait=st.sampled_from([0, 500]))
@pytest.mark.incident(16)
def test_filled_plus_leaves_never_exceed_the_intent(story: list[str], slices: int, wait: int) -> None:
    """Whatever the venue answers, in whatever order: I4 holds after every fact."""
    desk = Desk()
    parts = ["0.004"] * slices
    desk.submit(an_intent(qty=str(Decimal("0.004") * slices)), *parts, wait_ms=wait, gap_ms=200)
    intended = Decimal("0.004") * slices
    for event in story:
        entries = [c.order for c in desk.told if isinstance(c, Place) and c.role in (Role.MAKER, Role.TAKER)]
        order = entries[-1]
        known = desk.holding.orders.get(order.ref)
        match event:
            case "ack":
                desk.ack(order)
            case "part" if known and known.leaves_qty > Decimal("0.001"):
                desk.fill(order, "0.001")
            case "full" if known and known.leaves_qty:
                desk.fill(order, str(known.leaves_qty))
            case "cancel_ok" if known:
                desk.hear(Found(order=desk.word(order, Status.CANCELED, str(known.cum_qty))))
            case "unanswered":
                desk.hear(PlaceUnanswered(ref=order.ref, dead_after_ms=Millis(desk.now + 14_000)))
            case "refused":
                desk.hear(said_no(ref=order.ref, code=-5022, message="x"))
            case "not_sent":
                desk.hear(PlaceNotSent(ref=order.ref, reason="x"))
            case "restart":
                desk.hear(Restarted())
        desk.later(300).hear(Ticked())
        orders = desk.holding.of_intent(I1)
        assert sum((o.cum_qty + o.leaves_qty for o in orders), Decimal(0)) <= intended
        assert desk.holding.position.qty <= intended


@pytest.mark.req("S4-RETRY-1")
def test_a_maker_that_never_left_keeps_its_tries() -> None:
    desk = Desk()
    desk.submit(an_intent(policy=MakerThenTaker(wait_ms=5_000, slices=1, gap_ms=0)), wait_ms=5_000)
    for _ in range(desk.scene.policy.maker_tries + 1):
        desk.hear(
            PlaceNotSent(
                ref=desk.placed(Role.MAKER).ref, reason="BREAKER_OPEN: x", retry_after_ms=Millis(300), held=True
            )
        )
        desk.later(400).hear(Ticked())
    assert desk.count(Role.TAKER) == 0, "its wait is not over"
    assert desk.count(Role.MAKER) == desk.scene.policy.maker_tries + 2
