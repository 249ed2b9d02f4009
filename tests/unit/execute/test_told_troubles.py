"""Alerts of one position: a maker whose time was up, and a stop that fired and does not fill."""

import pytest

from chimera.trading.events import Alert, Severity
from chimera.trading.facts import Found, Ticked
from chimera.trading.holding import Holding
from chimera.trading.order import Role, Status
from chimera.wire.codec import seal, unseal
from support.desk import Desk, a_long, an_intent
from support.refusals import said_no


def alerts(desk: Desk, code: str) -> list[Alert]:
    told = [event.body for event in desk.holding.outbox]
    return [body for body in told if isinstance(body, Alert) and body.code == code]


def timed_out(desk: Desk, name: str) -> None:
    """An intent whose maker rests in vain, and goes on as taker."""
    desk.submit(an_intent(name), wait_ms=1_500)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.fill(maker, "0.004", "65000.0")
    desk.later(1_500).hear(Ticked())
    desk.hear(Found(order=desk.word(maker, Status.CANCELED, "0.004")))
    taker = desk.placed(Role.TAKER)
    desk.ack(taker)
    desk.fill(taker, "0.006")


@pytest.mark.req("S4-ALR-1")
def test_each_maker_that_times_out_warns_once_with_the_count() -> None:
    desk = Desk()
    timed_out(desk, "i1")
    desk.later(50).hear(Ticked())
    timed_out(desk, "i2")

    first, second = alerts(desk, "MAKER_TIMEOUT")
    assert first.severity is Severity.WARN
    assert first.text == "i1: 0.006 of 0.01 taken after 1500 ms of resting; number 1 here"
    assert second.text.endswith("number 2 here")
    assert unseal(seal(desk.holding), Holding).maker_timeouts == 2  # the count outlives the process


@pytest.mark.req("S4-ALR-1")
def test_no_other_taker_is_a_maker_that_timed_out() -> None:
    desk = Desk()
    desk.submit(an_intent("i1"))
    desk.submit(an_intent("i2"), wait_ms=1_500)
    desk.fill(desk.placed(Role.MAKER), "0.01", "65000.0")
    desk.later(2_000).hear(Ticked())

    assert desk.count(Role.TAKER) == 1
    assert alerts(desk, "MAKER_TIMEOUT") == []


@pytest.mark.incident(21)
def test_a_stop_that_fired_and_does_not_fill_is_told_with_its_age_and_the_position_closes() -> None:
    desk = a_long()
    stop = desk.placed(Role.STOP)
    desk.later(5_000).hear(Found(order=desk.word(stop, Status.TRIGGERING)))
    desk.later(999).hear(Ticked())
    assert alerts(desk, "STOP_STUCK") == []
    desk.later(1).hear(Ticked())

    (told,) = alerts(desk, "STOP_STUCK")
    assert told.severity is Severity.ERROR
    assert told.text.endswith(": closing 0.01; fired 1000 ms ago and not filled")
    assert desk.count(Role.EXIT) == 1


@pytest.mark.req("S4-FUT-3")
def test_a_stop_whose_price_has_passed_is_told_with_what_is_held_by_the_venue_s_word() -> None:
    """Its trades are still on their way: by the position alone nothing would be closed."""
    desk = Desk()
    desk.submit(an_intent())
    entry = desk.placed(Role.TAKER)
    desk.hear(Found(order=desk.word(entry, Status.FILLED, "0.01")))
    desk.hear(said_no(ref=desk.placed(Role.STOP).ref, code=-2021))

    (told,) = alerts(desk, "STOP_CROSSED")
    assert desk.holding.position.qty == 0
    assert told.text.endswith(": closing 0.01")
