"""What is over leaves the router's memory within the hour; the ledger has it for ever (I30)."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from desk import KEY, a_long, an_intent

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.clock import Clock
from chimera.services.router.intake import RECENT_MS, RECENT_ROWS, Intake
from chimera.services.router.sender import SENT_MS, Sender
from chimera.trading.events import Event, IntentChanged
from chimera.trading.facts import CloseAsked
from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.money import Millis
from chimera.trading.order import Role


class HandClock:
    """Set by hand."""

    def __init__(self) -> None:
        self.ms = 0

    def now_ms(self) -> Millis:
        return Millis(self.ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.ms)


def ended(number: int) -> tuple[Event, ...]:
    """The news that intent ``number`` is done."""
    name = f"i-{number}"
    body = IntentChanged(
        intent_id=IntentId(name), client_order_id=ClientOrderId(name), row=b'{"status":"FILLED"}', done=True
    )
    return (Event(seq=number + 1, at_ms=Millis(0), body=body),)


@pytest.mark.req("I30")
async def test_an_answer_leaves_memory_after_its_hour_and_a_newer_one_stays() -> None:
    clock = HandClock()
    intake = Intake({}, MemoryLedger(), cast("Clock", clock))
    intake.heard(ended(1))
    intake.heard(ended(2))
    clock.ms = RECENT_MS
    intake.heard(ended(2))  # told again: young again
    assert intake.lives(IntentId("i-1"))
    clock.ms += 1
    intake.heard(ended(3))
    assert [intake.lives(IntentId(f"i-{number}")) for number in (1, 2, 3)] == [False, True, True]


@pytest.mark.req("I30")
def test_answers_are_bounded_by_number_too() -> None:
    intake = Intake({}, MemoryLedger(), cast("Clock", HandClock()))
    for number in range(RECENT_ROWS + 5):
        intake.heard(ended(number))
    assert not intake.lives(IntentId("i-4"))
    assert intake.lives(IntentId("i-5"))


@pytest.mark.req("I30")
def test_an_entrys_id_is_remembered_for_an_hour_and_not_for_ever() -> None:
    clock = HandClock()
    sender = Sender(*cast("Any", [None, None, None, type("Gates", (), {"breaker": None})(), clock, None]))
    for minute in range(200):
        clock.ms = minute * 60_000
        sender._remember(ClientOrderId(f"s3-{minute}-t1"))
    assert len(sender._entries_sent) == SENT_MS // 60_000 + 1
    assert "s3-199-t1" in sender._entries_sent
    assert "s3-138-t1" not in sender._entries_sent


@pytest.mark.req("S4-IDEM-1", "I30")
async def test_an_intent_whose_rows_are_held_up_is_known_for_as_long_as_that_lasts() -> None:
    """Streams that take nothing hold up the rows too; forgotten after its hour, the intent would be traded again."""
    desk = a_long()
    desk.hear(CloseAsked(reason="OPERATOR"))
    desk.fill(desk.placed(Role.EXIT), "0.01")
    intent = an_intent()
    assert intent.intent_id not in desk.holding.intents
    clock, ledger = HandClock(), MemoryLedger()
    owner = SimpleNamespace(holding=desk.holding)
    intake = Intake(cast("Any", {KEY: owner}), ledger, cast("Clock", clock))
    assert await intake.claim(intent, "h")
    intake.heard(desk.holding.outbox)
    clock.ms = RECENT_MS + 1
    intake.heard(ended(1))
    assert not intake.lives(intent.intent_id)

    known = await intake.known(intent, "h")

    assert known is not None
    assert (known["intent_id"], known["status"]) == (intent.intent_id, "FILLED")
