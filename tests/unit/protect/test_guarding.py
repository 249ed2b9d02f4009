"""Protection: from the first fill, for the whole position, in place before the old one goes, or the position closes."""

from decimal import Decimal

import pytest

from chimera.trading.commands import Ask, Cancel, Place, waits_for_save
from chimera.trading.facts import (
    CancelUnanswered,
    Found,
    NotFound,
    PlaceNotSent,
    PlaceUnanswered,
    Restarted,
    Ticked,
)
from chimera.trading.intent import StopSpec, TargetKind, TargetSpec
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price
from chimera.trading.order import OrderType, Role, Status
from support.desk import Desk, a_long, an_intent
from support.refusals import said_no

STOP_AT_64000 = StopSpec(price=Price(Decimal(64000)))


@pytest.mark.req("S4-FUT-1")
@pytest.mark.incident(14)
def test_each_fill_is_protected_as_it_comes() -> None:
    """Incident 14: a partially filled entry has its stop at once, for what is filled."""
    desk = Desk()
    desk.submit(an_intent(stop=STOP_AT_64000))
    entry = desk.placed(Role.TAKER)
    desk.fill(entry, "0.004")
    first = desk.placed(Role.STOP)
    assert (first.qty, first.trigger_price, first.side) == (Decimal("0.004"), Decimal(64000), Side.SELL)
    assert (first.type, first.reduce_only) == (OrderType.STOP_MARKET, True)
    desk.ack(first)
    desk.fill(entry, "0.006")
    second = desk.placed(Role.STOP)
    assert second.qty == Decimal("0.01")
    assert first.ref not in desk.canceled(), "place new, then cancel old"
    desk.ack(second)
    assert desk.canceled() == [first.ref]


def test_a_stop_never_waits_for_the_disk_and_its_removal_does() -> None:
    desk = a_long()
    entry_place = next(c for c in desk.told if isinstance(c, Place) and c.role is Role.TAKER)
    stop_place = next(c for c in desk.told if isinstance(c, Place) and c.role is Role.STOP)
    assert waits_for_save(entry_place)
    assert not waits_for_save(stop_place)
    removals = [c for c in a_flat_again().told if isinstance(c, Cancel)]
    assert [waits_for_save(c) for c in removals if c.role is Role.STOP] == [True]


def a_flat_again() -> Desk:
    """A long closed by its target."""
    desk = a_long(target=TargetSpec(kind=TargetKind.PRICE, value=Decimal(66000)))
    target = desk.placed(Role.TARGET)
    desk.hear(Found(order=desk.word(target, Status.TRIGGERING)))
    desk.fill(target, "0.01", "66000")
    return desk


@pytest.mark.req("S4-FUT-4")
def test_when_the_target_closes_the_position_the_stop_goes() -> None:
    desk = a_flat_again()

    assert desk.holding.position.qty == 0
    assert desk.canceled() == [desk.placed(Role.STOP).ref]


@pytest.mark.req("S4-FUT-2")
@pytest.mark.parametrize("side", [Side.BUY, Side.SELL])
def test_net_profit_target_pays_both_fees(side: Side) -> None:
    """Filled at the target, what is left after both fees is at least the wish, and less than one tick more."""
    desk = Desk()
    wish = TargetSpec(kind=TargetKind.NET_PROFIT_USDT, value=Decimal(2))
    desk.submit(an_intent(side=side, target=wish))
    desk.fill(desk.placed(Role.TAKER), "0.01", "65000")
    price, qty, rate = desk.placed(Role.TARGET).trigger_price, Decimal("0.01"), Decimal("0.0005")
    assert price is not None
    profit = (price - 65000) * side.sign * qty - (price + 65000) * qty * rate

    assert Decimal(2) <= profit < Decimal(2) + Decimal("0.1") * qty * 2


@pytest.mark.req("S4-FUT-3")
@pytest.mark.parametrize("code", [-2021, -4142])
@pytest.mark.fault("B23")
@pytest.mark.incident(13)
def test_a_stop_whose_price_has_passed_means_close_now(code: int) -> None:
    """Incident 13."""
    desk = Desk()
    desk.submit(an_intent(stop=STOP_AT_64000))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=code, message="would trigger"))
    order = desk.placed(Role.EXIT)

    assert (order.type, order.qty, order.side, order.reduce_only) == (
        OrderType.MARKET, Decimal("0.01"), Side.SELL, True,
    )  # fmt: skip


@pytest.mark.req("S4-FUT-3")
def test_a_refused_stop_is_tried_once_more_then_the_position_closes() -> None:
    """Incident 2: a refused protective order is never only logged."""
    desk = Desk()
    desk.submit(an_intent())
    desk.fill(desk.placed(Role.TAKER), "0.01")
    first = desk.placed(Role.STOP)
    desk.hear(said_no(ref=first.ref, code=-4045, message="Reach max stop order limit."))
    desk.later(100).hear(Ticked())
    second = desk.placed(Role.STOP)
    assert second.ref != first.ref
    assert desk.count(Role.EXIT) == 0
    desk.hear(said_no(ref=second.ref, code=-4045, message="Reach max stop order limit."))

    assert desk.placed(Role.EXIT).qty == Decimal("0.01")


@pytest.mark.req("S4-RETRY-2")
def test_an_unanswered_stop_is_resent_at_once_under_the_same_id() -> None:
    desk = Desk()
    desk.submit(an_intent())
    desk.fill(desk.placed(Role.TAKER), "0.01")
    stop = desk.placed(Role.STOP)
    again = desk.hear(PlaceUnanswered(ref=stop.ref, dead_after_ms=Millis(desk.now + 14_000)))

    assert [c.order.ref for c in again if isinstance(c, Place)] == [stop.ref]


@pytest.mark.req("I13", "S4-RETRY-2")
@pytest.mark.fault("A5", "B15")
@pytest.mark.incident(5)
def test_duplicate_id_proves_life_but_not_quantity() -> None:
    """I13: the stop that lives under our id covers less than the position; the rest is covered by another."""
    desk = Desk()
    desk.submit(an_intent())
    desk.fill(desk.placed(Role.TAKER), "0.01")
    stop = desk.placed(Role.STOP)
    asked = desk.hear(said_no(ref=stop.ref, code=-4116, message="ClientOrderId is duplicated."))
    assert any(isinstance(c, Ask) for c in asked)
    assert desk.holding.covered_qty == 0
    smaller = desk.word(stop, Status.NEW).but(qty=Decimal("0.004"))
    desk.hear(Found(order=smaller))

    newest = desk.placed(Role.STOP)
    assert (newest.qty, newest.ref != stop.ref) == (Decimal("0.01"), True)


@pytest.mark.req("I11")
@pytest.mark.fault("B21")
@pytest.mark.incident(21)
def test_a_stop_that_triggers_and_does_not_fill_is_not_a_stop() -> None:
    """Incidents 21 and 34: stuck in TRIGGERING, so the position closes at market, reduce-only."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.hear(Found(order=desk.word(stop, Status.TRIGGERING)))
    desk.later(900).hear(Ticked())
    assert desk.count(Role.EXIT) == 0
    desk.later(100).hear(Ticked())

    assert desk.placed(Role.EXIT).reduce_only


@pytest.mark.req("I11")
@pytest.mark.fault("B31")
def test_a_live_stop_the_venue_no_longer_knows_is_placed_again() -> None:
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.survey(qty="0.01")
    desk.hear(NotFound(ref=stop.ref, asked_server_ms=desk.now))
    commands = desk.later(500).hear(Ticked())
    fresh = [c.order.ref for c in commands if isinstance(c, Place)]

    assert len(fresh) == 1
    assert fresh != [stop.ref], "an id that lived once is not sent again"


def test_not_sent_stop_goes_out_again_soon() -> None:
    desk = Desk()
    desk.submit(an_intent())
    desk.fill(desk.placed(Role.TAKER), "0.01")
    stop = desk.placed(Role.STOP)
    for _ in range(40):
        desk.hear(PlaceNotSent(ref=stop.ref, reason="connection refused"))
        desk.later(1_000).hear(Ticked())

    assert desk.count(Role.STOP) == 42
    assert {c.order.ref for c in desk.told if isinstance(c, Place) and c.role is Role.STOP} == {stop.ref}


@pytest.mark.req("I13")
def test_restart_after_a_lost_stop_answer_meets_its_own_id() -> None:
    """Crash between the stop's acceptance and its record: the survey lists it, the desk adopts it, no third one."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    before_fill = desk.holding
    desk.fill(entry, "0.01")
    stop = desk.placed(Role.STOP)
    reborn = Desk()
    reborn.holding = before_fill
    reborn.hear(Restarted())
    trade = reborn.a_fill(entry, "0.01", "65000.1", "1")
    reborn.survey(reborn.word(stop, Status.NEW), qty="0.01", trades=(trade,))

    assert reborn.holding.covered_qty == Decimal("0.01")
    assert reborn.count(Role.STOP) == 0


def test_a_stop_that_lives_a_second_time_is_known_again_and_cancelled() -> None:
    """Seed 1842: the resent stop is accepted anew after its first life had filled; flat, it must not stay."""
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.hear(Found(order=desk.word(stop, Status.TRIGGERING)))
    desk.fill(stop, "0.01", "64000")
    assert desk.holding.position.qty == 0
    desk.later(2_000).survey(desk.word(stop, Status.NEW))

    assert desk.canceled() == [stop.ref]


def test_after_a_restart_a_doubtful_stop_is_asked_for_before_it_is_sent_again() -> None:
    desk = Desk()
    desk.submit(an_intent())
    desk.fill(desk.placed(Role.TAKER), "0.01")
    stop = desk.placed(Role.STOP)
    commands = desk.hear(Restarted())
    assert [type(c) for c in commands if isinstance(c, Ask | Place)] == [Ask]
    resent = desk.hear(NotFound(ref=stop.ref, asked_server_ms=desk.now))
    assert [c.order.ref for c in resent if isinstance(c, Place)] == [stop.ref]
    silent = Desk()
    silent.submit(an_intent())
    silent.fill(silent.placed(Role.TAKER), "0.01")
    silent.hear(Restarted())
    assert [c for c in silent.later(1_000).hear(Ticked()) if isinstance(c, Place)], "nor is it waited for for long"


@pytest.mark.fault("C13")
def test_a_position_nobody_opened_gets_a_default_stop() -> None:
    """The ledger is lost: the venue's word, three times the same, is enough to protect."""
    desk = Desk()
    for _ in range(3):
        desk.later(200).survey(qty="0.02")

    assert desk.placed(Role.STOP).qty == Decimal("0.02")
    assert desk.placed(Role.STOP).side is Side.SELL


def test_cancel_of_an_old_stop_left_unanswered_is_asked_for() -> None:
    desk = a_flat_again()
    stop = desk.placed(Role.STOP)
    commands = desk.hear(CancelUnanswered(ref=stop.ref))
    assert any(isinstance(c, Ask) and c.order.ref == stop.ref for c in commands)
    desk.hear(Found(order=desk.word(stop, Status.NEW)))
    desk.later(250).hear(Ticked())

    assert desk.canceled() == [stop.ref, stop.ref]
