"""Guards of S4's own: armed where no order of the venue's stands, never counted as cover, fired once."""

from decimal import Decimal

import pytest

from chimera.trading.commands import Place
from chimera.trading.events import Alert, GuardChanged
from chimera.trading.execution import STOP_CROSSED, STOP_REFUSED, TARGET_CROSSED
from chimera.trading.facts import Reported, Restarted, Ticked, Touched
from chimera.trading.guard import Gauge, GuardRef
from chimera.trading.holding import Holding
from chimera.trading.ids import IntentId
from chimera.trading.intent import StopSpec
from chimera.trading.money import Millis, Price
from chimera.trading.order import NewOrder, Role, Status
from chimera.trading.refusal import Refusal
from chimera.trading.scene import Policy, Scene
from chimera.wire.codec import seal, unseal
from support.desk import Desk, an_intent
from support.refusals import said_no
from support.spot_desk import SpotDesk, a_spot_long, buy

TOO_MANY = -4045
AT_64000 = StopSpec(price=Price(Decimal(64000)))
STOP_GUARD = GuardRef("binance:main:FUT:BTCUSDT:STOP")
FUT = pytest.mark.req("S4-FUT-3")
SPOT = pytest.mark.req("S4-SPOT-4")


class PatientDesk(Desk):
    """A guard may stand in for a stop for this long."""

    guard_ms = 0
    blind = False

    @property
    def scene(self) -> Scene:
        scene = super().scene.but(policy=Policy(guard_ms=self.guard_ms))
        return scene.but(touch=None, mark=None) if self.blind else scene


def a_fill(guard_ms: int = 0) -> PatientDesk:
    """A long at 65000 whose stop at 64000 is on its way."""
    desk = PatientDesk()
    desk.guard_ms = guard_ms
    desk.submit(an_intent(stop=AT_64000))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    return desk


def refuse(desk: Desk, code: int = TOO_MANY) -> None:
    order = desk.placed(Role.STOP)
    desk.hear(said_no(ref=order.ref, code=code, message="no"))


def a_refused(guard_ms: int = 0) -> PatientDesk:
    desk = a_fill(guard_ms)
    refuse(desk)
    return desk


def news(desk: Desk) -> list[tuple[str, bool, str]]:
    told = [event.body for event in desk.holding.outbox if isinstance(event.body, GuardChanged)]
    return [(body.guard.role.name, body.armed, body.reason) for body in told]


def closes(desk: Desk) -> list[NewOrder]:
    return [each.order for each in desk.told if isinstance(each, Place) and each.role is Role.EXIT]


def touch(desk: Desk, price: str, ref: str = STOP_GUARD) -> None:
    desk.hear(Touched(ref=GuardRef(ref), price=Price(Decimal(price))))


def alerts(desk: Desk) -> list[tuple[str, bool]]:
    told = [event.body for event in desk.holding.outbox if isinstance(event.body, Alert)]
    return [(body.code, body.lasts) for body in told if body.code.startswith("GUARD_")]


@FUT
def test_a_stop_on_its_way_needs_no_guard() -> None:
    assert a_fill().holding.guards == ()


@FUT
def test_a_refused_stop_is_watched_and_counts_as_bare_all_the_same() -> None:
    desk = a_refused()

    (guard,) = desk.holding.guards
    assert (guard.ref, guard.price, guard.qty, guard.gauge) == (STOP_GUARD, 64000, Decimal("0.01"), Gauge.MARK)
    assert (guard.intent_id, guard.armed_ms) == (IntentId("i1"), desk.now)
    assert desk.holding.covered_qty == 0
    assert news(desk) == [("STOP", True, "")]


@FUT
def test_once_a_stop_stands_the_guard_is_gone() -> None:
    desk = a_refused()
    desk.later(200).hear(Ticked())
    assert desk.holding.guards  # the next stop is on its way, and does not stand yet
    desk.ack(desk.placed(Role.STOP))

    assert desk.holding.guards == ()
    assert news(desk)[1:] == [("STOP", False, "COVERED")]
    assert alerts(desk) == [("GUARD_STOP", True), ("GUARD_STOP_OVER", False)]


@FUT
@SPOT
def test_a_touch_closes_everything_once() -> None:
    desk = a_refused()
    touch(desk, "63999.9")
    touch(desk, "63999.9")

    assert [(order.qty, order.reduce_only) for order in closes(desk)] == [(Decimal("0.01"), True)]
    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == STOP_CROSSED
    assert desk.holding.guards == ()
    assert news(desk)[1:] == [("STOP", False, STOP_CROSSED)]


@FUT
def test_a_touch_of_what_is_not_armed_so_changes_nothing() -> None:
    desk = a_refused()
    touch(desk, "64000.1")
    touch(desk, "1", "another")

    assert closes(desk) == []
    assert desk.holding.guards


@FUT
def test_a_price_that_nobody_told_of_closes_too() -> None:
    desk = a_refused()
    desk.bid, desk.ask = Decimal("63990.0"), Decimal("63990.1")
    desk.later(10).hear(Ticked())

    assert len(closes(desk)) == 1


@SPOT
def test_an_armed_guard_outlives_a_restart_and_fires_at_the_first_look() -> None:
    desk = a_refused()
    desk.holding = unseal(seal(desk.holding), Holding)
    assert desk.holding.guards
    desk.bid, desk.ask = Decimal("63990.0"), Decimal("63990.1")
    desk.later(5_000).hear(Restarted())

    assert len(closes(desk)) == 1


@FUT
def test_the_last_step_is_to_close() -> None:
    """Unless a policy says for how long a guard may stand in."""
    desk = a_refused()
    desk.later(200).hear(Ticked())
    refuse(desk)

    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == STOP_REFUSED
    assert len(closes(desk)) == 1


def refused_for_ever(desk: PatientDesk, until_ms: int) -> None:
    """Every stop is refused, and time passes."""
    while desk.now < until_ms and desk.holding.exit is None:
        desk.later(50).hear(Ticked())
        if desk.holding.orders[desk.placed(Role.STOP).ref].status is Status.PENDING_NEW:
            refuse(desk)


@FUT
def test_a_guard_stands_in_for_as_long_as_the_policy_says() -> None:
    desk = a_refused(guard_ms=20_000)
    begun = desk.now
    refused_for_ever(desk, begun + 19_900)
    assert desk.holding.exit is None
    assert desk.holding.guards
    assert len([each for each in desk.told if isinstance(each, Place) and each.role is Role.STOP]) > 5  # trying on

    refused_for_ever(desk, begun + 20_100)
    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == STOP_REFUSED


@FUT
def test_stops_that_stand_for_a_moment_do_not_renew_its_patience() -> None:
    desk = a_refused(guard_ms=20_000)
    begun = desk.now
    while desk.holding.exit is None and desk.now < begun + 60_000:
        desk.later(50).hear(Ticked())
        stop = desk.placed(Role.STOP)
        if desk.holding.orders[stop.ref].status is Status.PENDING_NEW:
            desk.ack(stop)
            desk.hear(Reported(order=desk.word(stop, Status.EXPIRED)))

    assert desk.holding.exit is not None
    assert begun + 20_000 <= desk.now < begun + 30_000  # the last stop's own pause may be on then


@FUT
def test_a_guard_that_sees_no_price_is_none() -> None:
    desk = a_refused(guard_ms=20_000)
    desk.later(200).hear(Ticked())
    refuse(desk)
    assert desk.holding.exit is None
    desk.blind = True
    desk.later(10).hear(Ticked())

    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == STOP_REFUSED


@FUT
def test_a_close_by_anybody_ends_the_watch() -> None:
    desk = a_refused()
    desk.later(200).hear(Ticked())
    refuse(desk)
    desk.fill(closes(desk)[0], "0.01")

    assert desk.holding.guards == ()
    assert desk.holding.guard_until_ms is None


@FUT
def test_a_clock_that_was_set_back_does_not_lengthen_the_watch() -> None:
    desk = a_refused(guard_ms=20_000)
    until = desk.holding.guard_until_ms
    assert until is not None
    desk.now = Millis(desk.now - 3_600_000)
    desk.hear(Restarted())

    assert desk.holding.guard_until_ms == until - 3_600_000
    assert desk.holding.guards[0].armed_ms == desk.now


# ── spot ──


@SPOT
def test_where_lists_are_refused_the_stop_rests_and_the_target_is_watched() -> None:
    desk = SpotDesk().bought()
    desk.refuse(desk.pairs()[-1], Refusal.UNSUPPORTED)
    stop = desk.placed(Role.STOP)
    desk.ack(stop)

    (guard,) = desk.holding.guards
    assert (guard.role, guard.price, guard.gauge) == (Role.TARGET, 67000, Gauge.MID)
    assert alerts(desk) == [
        ("GUARD_STOP", True),
        ("GUARD_STOP_OVER", False),
    ]  # until the stop stood; none of the target
    touch(desk, "67000", guard.ref)
    assert desk.holding.exit is not None
    assert desk.holding.exit.reason == TARGET_CROSSED
    assert desk.holding.guards == ()


@SPOT
def test_while_a_list_is_moved_its_stop_is_watched() -> None:
    desk = a_spot_long()
    assert desk.holding.guards == ()
    desk.submit(buy("i2", qty="0.01", stop=StopSpec(price=Price(Decimal(64500)))))
    entry = desk.placed(Role.TAKER)
    desk.ack(entry)
    desk.fill(entry, str(entry.qty))
    if desk.holding.orders[desk.pairs()[0].stop.ref].status is Status.PENDING_CANCEL:
        desk.hear(Ticked())

    stops = [guard for guard in desk.holding.guards if guard.role is Role.STOP]
    assert [guard.price for guard in stops] == [64500]


@SPOT
def test_a_list_on_its_way_needs_no_guard() -> None:
    assert SpotDesk().bought().holding.guards == ()
