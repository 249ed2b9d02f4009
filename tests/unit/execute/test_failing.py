"""What fails again and again: bounded tries, a smaller entry where the margin is short, and somebody is told."""

import json
from decimal import Decimal
from typing import Any, cast

import pytest
from desk import Desk, a_long, an_intent

from chimera.execute.due import next_due_ms
from chimera.trading.commands import Place
from chimera.trading.events import Alert, IntentChanged, Severity
from chimera.trading.execution import Phase
from chimera.trading.facts import (
    CancelAsked,
    CancelUnanswered,
    CloseAsked,
    PlaceNotSent,
    Published,
    Ticked,
)
from chimera.trading.ids import IntentId
from chimera.trading.intent import MakerThenTaker
from chimera.trading.market import Side
from chimera.trading.money import Millis, Quote
from chimera.trading.order import Role, Status
from support.refusals import said_no

I1 = IntentId("i1")


def alerts(desk: Desk) -> list[tuple[str, Severity]]:
    bodies = [event.body for event in desk.holding.outbox]
    return [(body.code, body.severity) for body in bodies if isinstance(body, Alert)]


def told(desk: Desk) -> dict[str, Any]:
    """The newest answer about the intent; an ended one leaves memory."""
    rows = [event.body.row for event in desk.holding.outbox if isinstance(event.body, IntentChanged)]
    return cast("dict[str, Any]", json.loads(rows[-1]))


def not_taken(desk: Desk, role: Role = Role.TAKER, wait_ms: int | None = None, *, held: bool = False) -> None:
    wait = None if wait_ms is None else Millis(wait_ms)
    desk.hear(PlaceNotSent(ref=desk.placed(role).ref, reason="503: away", retry_after_ms=wait, held=held))


# ── the venue does not take it ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.req("S4-RETRY-1")
def test_whatever_is_heard_when_something_is_due_does_it() -> None:
    """The owner's timer is set anew after each fact, for moments to come: what is due then would never be done."""
    desk = Desk()
    desk.submit(an_intent())
    not_taken(desk)
    due = next_due_ms(desk.holding, desk.now)
    assert due is not None
    desk.later(due - desk.now).hear(Published(through=desk.holding.event_seq))
    assert desk.count(Role.TAKER) == 2


@pytest.mark.req("S4-RETRY-1", "ACC-6")
def test_three_more_tries_then_it_fails_and_is_told() -> None:
    desk = Desk()
    desk.submit(an_intent())
    for tried in range(1, 5):
        assert desk.count(Role.TAKER) == tried
        not_taken(desk)
        assert desk.count(Role.TAKER) == tried, "not before its pause is over"
        desk.later(400).hear(Ticked())
    assert desk.count(Role.TAKER) == 4
    row = told(desk)
    assert (row["result"], row["status"], row["code"]) == ("FAIL", "REJECTED", "VENUE_UNAVAILABLE")
    assert "503: away" in row["message"]
    assert alerts(desk) == [("VENUE_UNAVAILABLE", Severity.ERROR)]


@pytest.mark.req("S4-RETRY-1")
def test_the_venues_own_pause_is_kept() -> None:
    desk = Desk()
    desk.submit(an_intent())
    not_taken(desk, wait_ms=5_000)
    desk.later(4_999).hear(Ticked())
    assert desk.count(Role.TAKER) == 1
    desk.later(1).hear(Ticked())
    assert desk.count(Role.TAKER) == 2


@pytest.mark.req("S4-RETRY-1")
def test_pauses_of_two_intents_differ() -> None:
    """Fixed plus jitter: many entries that failed together do not come back together."""
    pauses = set()
    for name in ("i1", "i2", "i3", "i4"):
        desk = Desk()
        desk.submit(an_intent(name))
        not_taken(desk)
        retry = desk.holding.intents[IntentId(name)].retry_at_ms
        assert retry is not None
        assert 200 <= retry - desk.now < 400
        pauses.add(retry - desk.now)
    assert len(pauses) > 1


@pytest.mark.req("S4-RETRY-1")
def test_what_we_hold_back_ourselves_is_no_try() -> None:
    desk = Desk()
    desk.submit(an_intent())
    for _ in range(8):
        not_taken(desk, held=True)
        desk.later(400).hear(Ticked())
    assert desk.holding.intents[I1].phase is Phase.WORKING
    assert alerts(desk) == []


@pytest.mark.req("S4-RETRY-1")
def test_one_that_was_taken_forgives_the_failures_before_it() -> None:
    desk = Desk()
    desk.submit(an_intent(policy=MakerThenTaker(wait_ms=9_000, slices=1, gap_ms=0)), wait_ms=9_000)
    for _ in range(3):
        not_taken(desk, Role.MAKER)
        desk.later(400).hear(Ticked())
    desk.ack(desk.placed(Role.MAKER))
    desk.hear(Ticked())
    assert desk.holding.intents[I1].failures == 0


# ── the margin does not suffice ─────────────────────────────────────────────────────────────────────────────────────
def short(desk: Desk, role: Role = Role.TAKER) -> None:
    desk.hear(said_no(ref=desk.placed(role).ref, code=-2019, message="Margin is insufficient."))
    desk.later(400).hear(Ticked())


@pytest.mark.req("S4-RETRY-1")
def test_failures_between_which_something_was_taken_are_not_in_a_row() -> None:
    """A schedule of slices that each fill at once: what rests nowhere was taken all the same."""
    desk = Desk()
    desk.submit(an_intent(qty="0.10"), *["0.01"] * 10, gap_ms=1_000)
    for _ in range(8):
        desk.hear(PlaceNotSent(ref=desk.placed(Role.TAKER).ref, reason="503"))
        desk.later(500).hear(Ticked())
        desk.fill(desk.placed(Role.TAKER), "0.01")
        desk.later(1_000).hear(Ticked())

    assert desk.holding.position.qty == Decimal("0.08")
    assert desk.holding.intents[I1].phase is Phase.WORKING


@pytest.mark.req("S4-BAL-1")
@pytest.mark.fault("B14")
def test_an_entry_is_reduced_to_what_the_margin_carries() -> None:
    desk = Desk()
    desk.available = Quote(Decimal(15))
    desk.submit(an_intent(qty="0.01"))
    short(desk)
    left = desk.placed(Role.TAKER).qty
    assert left == Decimal("0.004"), "15 x 0.95 x 20 / 65,000, down to a step"
    desk.fill(desk.placed(Role.TAKER), "0.004")
    row = told(desk)
    assert (row["status"], row["filled_qty"], row["qty"]) == ("CANCELED", "0.004", "0.01"), "not what was asked for"
    assert "reduced from 0.01 to 0.004" in row["notes"][0]
    assert alerts(desk) == []


@pytest.mark.req("S4-BAL-1")
def test_it_is_halved_where_the_margin_is_not_known_and_given_up_after_two() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.01"))
    short(desk)
    assert desk.placed(Role.TAKER).qty == Decimal("0.005")
    short(desk)
    assert desk.placed(Role.TAKER).qty == Decimal("0.002")
    short(desk)
    assert desk.count(Role.TAKER) == 3
    row = told(desk)
    assert (row["status"], row["code"]) == ("REJECTED", "INSUFFICIENT_BALANCE")
    assert alerts(desk) == [("INSUFFICIENT_BALANCE", Severity.ERROR)]


@pytest.mark.req("S4-BAL-1")
@pytest.mark.fault("G13")
def test_what_would_be_too_small_for_the_venue_is_not_tried() -> None:
    desk = Desk()
    desk.available = Quote(Decimal("0.001"))
    desk.submit(an_intent(qty="0.01"))
    short(desk)
    assert desk.count(Role.TAKER) == 1
    assert alerts(desk) == [("INSUFFICIENT_BALANCE", Severity.ERROR)]


# ── a cancel, a close ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.req("S4-CANC-1")
@pytest.mark.fault("B19")
def test_a_cancel_that_fails_is_fatal_once_and_goes_on() -> None:
    desk = Desk()
    desk.submit(an_intent(policy=MakerThenTaker(wait_ms=60_000, slices=1, gap_ms=0)), wait_ms=60_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.hear(CancelAsked(intent_id=I1, reason="user"))
    for _ in range(6):
        desk.hear(CancelUnanswered(ref=maker.ref))
        desk.later(9_000).survey(desk.word(maker, Status.NEW))
    assert len(desk.canceled()) > 4, "every look at the venue finds it and tries again"
    assert alerts(desk) == [("CANCEL_FAILED", Severity.FATAL)]


@pytest.mark.req("S4-CANC-1")
@pytest.mark.fault("B12")
def test_a_close_that_fails_is_fatal_and_goes_on() -> None:
    desk = a_long()
    desk.hear(CloseAsked(reason="user"))
    for _ in range(5):
        desk.later(9_000).hear(Ticked())
        desk.hear(said_no(ref=desk.placed(Role.EXIT).ref, code=-1008, message="throttled"))
    desk.later(9_000).hear(Ticked())
    assert desk.count(Role.EXIT) >= 5
    assert [code for code, _ in alerts(desk)].count("EXIT_FAILING") == 1


@pytest.mark.req("S4-RETRY-1")
@pytest.mark.fault("B12")
def test_a_close_that_never_leaves_is_fatal_once_and_keeps_its_id() -> None:
    desk = a_long()
    desk.hear(CloseAsked(reason="user"))
    for _ in range(6):
        desk.hear(PlaceNotSent(ref=desk.placed(Role.EXIT).ref, reason="connection refused"))
        desk.later(2_000).hear(Ticked())

    assert len({c.order.ref for c in desk.told if isinstance(c, Place) and c.role is Role.EXIT}) == 1
    assert [code for code, _ in alerts(desk)].count("EXIT_FAILING") == 1


@pytest.mark.req("S4-RETRY-1")
def test_an_intent_that_reduces_is_not_given_up_before_its_deadline() -> None:
    desk = a_long()
    desk.submit(an_intent("out", side=Side.SELL, stop=None, reduce_only=True))
    for _ in range(6):
        desk.hear(PlaceNotSent(ref=desk.placed(Role.TAKER).ref, reason="503"))
        desk.later(500).hear(Ticked())
    desk.fill(desk.placed(Role.TAKER), "0.01")

    assert not desk.holding.position.lots
    assert alerts(desk) == [("EXIT_FAILING", Severity.FATAL)]
