"""The inbox of doubt: what is in it, what it counts for, and what would settle it."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.reconcile.doubts import About, Doubt, doubts, row
from chimera.services.router.doubting import Inbox
from chimera.trading.events import Alert
from chimera.trading.facts import CancelUnanswered, CloseAsked, Found, PlaceUnanswered, Ticked
from chimera.trading.intent import MakerThenTaker
from chimera.trading.money import Millis, Price
from chimera.trading.order import Role, Status
from support.desk import KEY, SYMBOL, T0, Desk, a_long, an_intent
from support.standing import StubOwner

NEAR = {SYMBOL: Price(Decimal(65000))}


def of(desk: Desk) -> tuple[Doubt, ...]:
    return doubts([desk.holding], dict(NEAR))


def unanswered(desk: Desk, role: Role) -> None:
    desk.hear(PlaceUnanswered(ref=desk.placed(role).ref, dead_after_ms=Millis(T0 + 14_000)))


def test_what_is_known_is_no_doubt() -> None:
    assert of(a_long()) == ()


@pytest.mark.req("S4-IDEM-1")
def test_an_entry_in_doubt_says_what_it_counts_for_and_when_it_will_be_dead() -> None:
    desk = Desk()
    desk.submit(an_intent(qty="0.02"))
    unanswered(desk, Role.TAKER)
    [doubt] = of(desk)
    assert (doubt.about, doubt.role, doubt.intent_id, doubt.since_ms) == (About.OUTCOME, "TAKER", "i1", T0)
    assert doubt.counted == Decimal(1300)
    assert "not found counts once the venue can no longer take it" in doubt.settles
    assert doubt.dead_after_ms == T0 + 14_000
    assert (row(doubt)["notional_counted"], row(doubt)["market"]) == ("1300", "FUT")
    desk.hear(Found(order=desk.word(desk.placed(Role.TAKER), Status.FILLED, "0.02")))
    [doubt] = of(desk)
    assert (doubt.about, doubt.qty) == (About.TRADES, Decimal("0.02"))


def test_a_close_in_doubt_counts_nothing_and_is_sent_again() -> None:
    desk = a_long()
    desk.hear(CloseAsked(reason="TEST"))
    unanswered(desk, Role.EXIT)
    [doubt] = of(desk)
    assert doubt.counted == 0
    assert doubt.settles.endswith("it is sent again under the same id")


def test_a_cancel_that_nobody_confirmed_is_in_it() -> None:
    desk = Desk()
    desk.submit(an_intent(policy=MakerThenTaker(wait_ms=1_000, slices=1, gap_ms=0)), wait_ms=1_000)
    desk.ack(desk.placed(Role.MAKER))
    desk.later(1_500).hear(Ticked())
    assert desk.canceled() == [desk.placed(Role.MAKER).ref]
    assert [(doubt.about, doubt.since_ms) for doubt in of(desk)] == [(About.CANCEL, desk.now)], "not since it was made"
    desk.later(10).hear(CancelUnanswered(ref=desk.placed(Role.MAKER).ref))
    [doubt] = of(desk)
    assert (doubt.about, doubt.since_ms) == (About.CANCEL, desk.now)
    assert "gone or filled" in doubt.settles


@pytest.mark.req("I2")
def test_one_that_lasts_is_told_once_and_again_after_it_was_settled() -> None:
    desk = Desk()
    desk.submit(an_intent())
    unanswered(desk, Role.TAKER)
    told: list[Alert] = []
    owners: Any = {KEY: StubOwner(desk.holding)}
    clock: Any = type("Clock", (), {"now_ms": lambda self: desk.now})()
    inbox = Inbox(owners, scene=lambda holding: desk.scene, clock=clock, alert_ms=60_000, tell=told.append)
    desk.later(59_999)
    inbox.look()
    assert told == []
    desk.later(1)
    inbox.look()
    inbox.look()
    [alert] = told
    assert alert.code == "DOUBT_OLD"
    assert "s3-btc-i1-t1: OUTCOME unknown for 60 s" in alert.text
    assert [each["client_order_id"] for each in inbox.rows()] == ["s3-btc-i1-t1"]
