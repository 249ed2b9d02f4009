"""Fills that come after their order had ended with nothing: they are their intent's all the same."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.execute.pruning import LINGER_MS
from chimera.trading.commands import Place
from chimera.trading.events import Alert, IntentChanged
from chimera.trading.facts import CancelAsked, Found, Reported, Restarted, Ticked
from chimera.trading.ids import IntentId
from chimera.trading.intent import StopSpec, TargetKind, TargetSpec
from chimera.trading.money import Price
from chimera.trading.order import NewOrder, Role, Status
from chimera.wire.codec import decode, encode
from support.desk import Desk, an_intent

STOP = StopSpec(price=Price(Decimal("64500.0")))
TARGET = TargetSpec(kind=TargetKind.PRICE, value=Decimal("66000.0"))
HOLD_S = 90


def _ended() -> tuple[Desk, NewOrder]:
    """A maker that was cancelled before anything filled, by its caller; the intent is over."""
    desk = Desk()
    desk.submit(an_intent(stop=STOP, target=TARGET, max_hold_s=HOLD_S), wait_ms=5_000)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.later(1_000).hear(CancelAsked(intent_id=IntentId("i1"), reason="CLIENT"))
    desk.later(10).hear(Found(order=desk.word(maker, Status.CANCELED)))
    return desk, maker


@pytest.mark.parametrize("after_ms", [10, 5_000, LINGER_MS - 1_000])
@pytest.mark.parametrize("by_survey", [False, True])
@pytest.mark.fault("C4")
def test_a_fill_after_the_cancel_is_its_intents(after_ms: int, by_survey: bool) -> None:
    desk, maker = _ended()
    desk.later(after_ms).hear(Ticked())
    trade = desk.a_fill(maker, "0.004", "65000.0", "77")
    if by_survey:
        desk.survey(qty="0.004", trades=(trade,))
    else:
        desk.hear(Reported(order=desk.word(maker, Status.CANCELED, cum="0.004"), fill=trade))

    (lot,) = desk.holding.position.lots
    assert (lot.intent_id, lot.qty, lot.stop, lot.target) == (IntentId("i1"), Decimal("0.004"), STOP, TARGET)
    assert lot.close_at_ms == desk.now + HOLD_S * 1_000
    stop = desk.placed(Role.STOP)
    assert (stop.trigger_price, stop.qty) == (STOP.price, Decimal("0.004"))
    assert desk.holding.orders[maker.ref].cum_qty == Decimal("0.004")
    assert (desk.count(Role.MAKER), desk.count(Role.TAKER)) == (1, 0), "the intent is over: it sends nothing more"
    told = [event.body for event in desk.holding.outbox]
    row = next(body.row for body in reversed(told) if isinstance(body, IntentChanged))
    assert decode(row, dict[str, Any])["filled_qty"] == "0.004"
    assert not [body.code for body in told if isinstance(body, Alert)]


def test_it_counts_once_whoever_brings_it() -> None:
    desk, maker = _ended()
    trade = desk.a_fill(maker, "0.004", "65000.0", "77")
    word = desk.word(maker, Status.CANCELED, cum="0.004")
    desk.later(1_000).hear(Reported(order=word, fill=trade))
    desk.ack(desk.placed(Role.STOP))
    desk.survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.004", trades=(trade,))
    desk.holding = decode(encode(desk.holding), type(desk.holding))
    desk.later(1_000).hear(Restarted())
    desk.hear(Reported(order=word, fill=trade))
    desk.survey(desk.word(desk.placed(Role.STOP), Status.NEW), qty="0.004", trades=(trade,))

    assert desk.holding.position.qty == Decimal("0.004")
    assert desk.count(Role.STOP) == 1


@pytest.mark.parametrize("down_ms", [1_000, LINGER_MS, 600_000])
def test_it_is_its_intents_where_it_came_while_nobody_listened(down_ms: int) -> None:
    """However long a process was dead: the first survey of the next tells what filled meanwhile."""
    desk, maker = _ended()
    trade = desk.a_fill(maker, "0.004", "65000.0", "77")
    desk.later(down_ms).hear(Restarted())
    desk.later(100).hear(Ticked())
    desk.survey(qty="0.004", trades=(trade,))

    assert [(lot.intent_id, lot.qty) for lot in desk.holding.position.lots] == [(IntentId("i1"), Decimal("0.004"))]
    assert desk.placed(Role.STOP).trigger_price == STOP.price


def test_a_plan_that_goes_on_counts_it() -> None:
    """The maker's place is taken by a taker over what is left: never filled + leaves + next > intended."""
    desk = Desk()
    desk.submit(an_intent(), wait_ms=500)
    maker = desk.placed(Role.MAKER)
    desk.ack(maker)
    desk.later(600).hear(Ticked())
    assert maker.ref in desk.canceled()
    desk.later(10)
    trade = desk.a_fill(maker, "0.004", "65000.0", "77")
    desk.hear(Reported(order=desk.word(maker, Status.CANCELED, cum="0.004"), fill=trade))
    assert desk.placed(Role.TAKER).qty == Decimal("0.006")


def test_what_can_fill_no_more_is_let_go() -> None:
    """A document is as small as what is alive."""
    desk, maker = _ended()
    desk.later(1).survey(qty="0")
    desk.later(LINGER_MS).hear(Ticked())
    assert (desk.holding.intents, maker.ref in desk.holding.orders) == ({}, False)

    desk.submit(an_intent("i2"))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.ack(desk.placed(Role.STOP))
    desk.fill(desk.placed(Role.STOP), "0.01", "64000")
    assert not desk.holding.intents, "it filled in full: nothing of it is to come"


def test_to_cancel_an_intent_that_is_over_closes_nobody_elses_position() -> None:
    desk, _ = _ended()
    desk.submit(an_intent("i2"))
    desk.fill(desk.placed(Role.TAKER), "0.01")
    desk.ack(desk.placed(Role.STOP))
    desk.hear(CancelAsked(intent_id=IntentId("i1"), reason="CLIENT", escalate=True))
    assert desk.holding.exit is None
    assert not any(isinstance(command, Place) for command in desk.last)

    desk.hear(CancelAsked(intent_id=IntentId("i2"), reason="CLIENT", escalate=True))
    assert desk.holding.flattening
