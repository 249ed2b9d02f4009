"""An id asked again: the same answer from memory and from the ledger; a cancel as often as one likes."""

import asyncio
from collections import Counter
from typing import Any, cast

import pytest
from desk import KEY, Desk, an_intent

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.ledger import Claim
from chimera.services.clock import SystemClock
from chimera.services.router import canceling
from chimera.services.router import intake as intake_module
from chimera.services.router.intake import Intake
from chimera.services.router.owner import Owner
from chimera.trading.errors import Refused
from chimera.trading.events import Event, IntentChanged
from chimera.trading.execution import Phase
from chimera.trading.facts import CancelAsked, Fact
from chimera.trading.ids import ClientOrderId, IntentId, stem_of
from chimera.trading.money import Millis
from chimera.trading.order import Role
from chimera.wire import keys
from chimera.wire.codec import encode
from chimera.wire.events import PutRow, writes
from chimera.wire.failures import ORDER_NAMES
from chimera.wire.results import answer_of, order_result

ID = an_intent().intent_id
NAME = an_intent().client_order_id


class StubOwner:
    """Whatever it hears, its holding is ``after`` then."""

    def __init__(self, desk: Desk) -> None:
        self.holding = self.after = desk.holding
        self.heard: list[Fact] = []

    def hear(self, fact: Fact) -> None:
        self.heard.append(fact)
        self.holding = self.after

    async def saved_soon(self) -> bool:
        return True

    def untold(self, intent_id: str) -> bool:
        return False


class Ticking(SystemClock):
    """No two moments of it are the same."""

    asked = 0

    def now_ms(self) -> Millis:
        Ticking.asked += 1
        return Millis(super().now_ms() + Ticking.asked)


def an_intake(ledger: MemoryLedger, owner: StubOwner | None = None) -> Intake:
    owned = {} if owner is None else {KEY: cast("Owner", owner)}
    return Intake(owned, ledger, Ticking())


def at_work() -> Desk:
    desk = Desk()
    desk.submit(an_intent(), wait_ms=3_000)
    return desk


def stored(row: dict[str, Any], *, done: bool) -> dict[str, Any]:
    """The ledger's row of this answer."""
    told = encode(row | {"body_hash": "h"})
    body = IntentChanged(intent_id=IntentId(ID), client_order_id=NAME, row=told, done=done)
    first = writes(KEY, Event(seq=7, at_ms=Millis(1), body=body))[0]
    assert isinstance(first, PutRow)
    return dict(first.document)


@pytest.mark.req("S4-IDEM-1", "ACC-9")
def test_the_ledgers_row_is_the_answer_that_memory_gave() -> None:
    answer = order_result(at_work().holding, ID)

    assert answer_of(stored(answer, done=True)) == answer


@pytest.mark.req("S4-IDEM-1")
@pytest.mark.parametrize("done", [False, True])
async def test_while_a_start_still_loads_only_an_end_is_final(*, done: bool) -> None:
    """Found by real kills: a repeat in that moment heard an hour-old "0 filled" as if it were the end."""
    ledger = MemoryLedger()
    row = stored(order_result(at_work().holding, ID), done=done)
    await ledger.put_newer(keys.ORDERS, NAME, row, 7)
    intake = an_intake(ledger)

    known = await intake.known(an_intent(), "h")
    assert known is not None
    outcome = await intake.await_end(None, ID, known, None)

    assert outcome.done is done


async def asked_to_cancel(intake: Intake, *, escalate: bool = False, loaded: bool = True) -> dict[str, object]:
    return await canceling.cancel(intake, NAME, by="order_id", reason="TEST", escalate=escalate, loaded=loaded)


@pytest.mark.req("S4-IDEM-2")
async def test_a_cancel_in_flight_is_under_way_however_often_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canceling, "WAIT_MS", 0)
    owner = StubOwner(at_work())
    intake = an_intake(MemoryLedger(), owner)

    first, second = await asked_to_cancel(intake), await asked_to_cancel(intake)

    assert first == second
    assert first["message"] == "cancel is under way"


@pytest.mark.req("S4-IDEM-2")
async def test_what_was_cancelled_is_cancelled_now_later_and_after_a_restart() -> None:
    owner = StubOwner(at_work())
    owner.after = owner.holding.but(intents={ID: owner.holding.intents[ID].but(phase=Phase.DONE)})
    intake = an_intake(MemoryLedger(), owner)
    ledger = MemoryLedger()

    first, second = await asked_to_cancel(intake), await asked_to_cancel(intake)
    await ledger.put_newer(keys.ORDERS, NAME, stored(order_result(owner.holding, ID), done=True), 7)
    reborn = await asked_to_cancel(an_intake(ledger))

    assert [each["status"] for each in (first, second, reborn)] == ["CANCELED"] * 3
    assert [each["message"] for each in (first, second, reborn)] == ["canceled", "already ended", "already ended"]
    assert len(owner.heard) == 1


@pytest.mark.req("S4-IDEM-2")
async def test_what_filled_is_refused_and_no_refusal_for_who_wants_it_gone() -> None:
    """It fills first while it is being cancelled; later, and after a restart, the answer is the same."""
    desk = at_work()
    owner, ledger = StubOwner(desk), MemoryLedger()
    desk.fill(desk.placed(Role.MAKER), str(an_intent().qty))
    owner.after = desk.holding
    intake = an_intake(ledger, owner)
    await ledger.put_newer(keys.ORDERS, NAME, stored(order_result(desk.holding, ID), done=True), 7)

    for asked in (intake, intake, an_intake(ledger)):
        with pytest.raises(Refused) as refused:
            await asked_to_cancel(asked)
        assert refused.value.code == "ALREADY_FILLED"
        assert (await asked_to_cancel(asked, escalate=True))["status"] == "FILLED"


@pytest.mark.req("S4-IDEM-2")
async def test_before_the_holdings_are_loaded_nobody_says_that_it_has_ended() -> None:
    ledger = MemoryLedger()
    await ledger.put_newer(keys.ORDERS, NAME, stored(order_result(at_work().holding, ID), done=False), 7)

    with pytest.raises(Refused) as refused:
        await asked_to_cancel(an_intake(ledger), loaded=False)

    assert refused.value.code == "NOT_READY"


@pytest.mark.req("S4-IDEM-2")
async def test_what_lives_by_its_row_and_has_no_owner_here_is_not_said_to_be_gone() -> None:
    """Its symbol is not listed any more, or its router is the other market's: it may still trade."""
    ledger = MemoryLedger()
    await ledger.put_newer(keys.ORDERS, NAME, stored(order_result(at_work().holding, ID), done=False), 7)

    with pytest.raises(Refused) as refused:
        await asked_to_cancel(an_intake(ledger))

    assert refused.value.code == "NOT_READY"


@pytest.mark.req("S4-IDEM-2")
async def test_what_the_other_market_is_claiming_just_now_is_not_taken_for_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An order is named without its market, so whoever is asked first may be the wrong one."""
    monkeypatch.setattr(intake_module, "ORPHAN_POLL_S", 0)
    ledger, claiming, kept = MemoryLedger(), Counter[str](), asyncio.Event()
    futures, spot = (Intake({}, ledger, Ticking(), claiming=claiming) for _ in range(2))
    claim = ledger.claim

    async def slow(asked: Claim, *, synced: bool = False) -> Claim:
        won = await claim(asked, synced=synced)
        if asked.body_hash == "h":
            await kept.wait()
        return won

    monkeypatch.setattr(ledger, "claim", slow)
    taking = asyncio.create_task(spot.claim(an_intent(), "h"))
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await asked_to_cancel(futures)
    kept.set()

    assert refused.value.code == "NOT_READY"
    assert await taking
    assert not claiming


@pytest.mark.req("S4-IDEM-2")
async def test_a_child_order_is_nobodys_to_cancel() -> None:
    ledger = MemoryLedger()
    await ledger.put_newer(keys.ORDERS, NAME, {"kind": "CHILD", "status": "NEW"}, 7)

    with pytest.raises(Refused) as refused:
        await asked_to_cancel(an_intake(ledger))

    assert (refused.value.code, refused.value.accepted) == ("NOT_FOUND", ORDER_NAMES)


@pytest.mark.req("S4-IDEM-2")
async def test_news_that_the_relay_has_not_written_yet_is_found_by_the_orders_name_too() -> None:
    """Found by a real process: for a moment after its end an order was still ACCEPTED by its client id."""
    ledger = MemoryLedger()
    answer = order_result(at_work().holding, ID)
    await ledger.put_newer(keys.ORDERS, NAME, stored(answer, done=False), 7)
    intake = an_intake(ledger)
    news = encode(answer | {"status": "CANCELED"})
    intake.heard(
        (Event(seq=8, at_ms=Millis(1), body=IntentChanged(intent_id=ID, client_order_id=NAME, row=news, done=True)),)
    )

    found = await intake.find(NAME)

    assert found is not None
    assert found["status"] == "CANCELED"


@pytest.mark.req("S4-IDEM-2")
@pytest.mark.parametrize("name", [ID, NAME])
async def test_what_was_cancelled_before_it_came_is_never_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its caller heard NOT_FOUND and went to sleep; the stream, or a retry, must not trade it later."""
    ledger = MemoryLedger()

    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await canceling.cancel(an_intake(ledger), name, by="order_id", reason="T", escalate=False, loaded=True)
        assert (refused.value.code, refused.value.accepted) == ("NOT_FOUND", ORDER_NAMES)
    for _ in range(2):
        with pytest.raises(Refused) as refused:
            await an_intake(ledger).claim(an_intent(), "h")
        assert refused.value.code == "CANCELED"
    other = an_intent().but(intent_id=IntentId("another"), client_order_id=ClientOrderId("s3-another"))
    assert await an_intake(ledger).claim(other, "h")


@pytest.mark.req("S4-IDEM-2")
async def test_what_is_just_being_taken_is_cancelled_and_not_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canceling, "WAIT_MS", 0)
    monkeypatch.setattr(intake_module, "ORPHAN_POLL_S", 0)
    ledger, desk = MemoryLedger(), Desk()
    owner = StubOwner(desk)
    intake = an_intake(ledger, owner)
    assert await intake.claim(an_intent(), "h")

    asked = asyncio.create_task(asked_to_cancel(intake))
    await asyncio.sleep(0)
    owner.holding = owner.after = at_work().holding

    assert (await asked)["message"] == "cancel is under way"
    assert [type(each) for each in owner.heard] == [CancelAsked]


@pytest.mark.req("S4-IDEM-2")
async def test_what_was_claimed_by_a_call_that_died_is_carried_on_or_cancelled_and_never_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake_module, "ORPHAN_POLL_S", 0)
    for cancel_first in (True, False):
        ledger = MemoryLedger()
        assert await an_intake(ledger).claim(an_intent(), "h")
        carrying = an_intake(ledger)
        if cancel_first:
            with pytest.raises(Refused, match="none by this name is taken any more"):
                await asked_to_cancel(an_intake(ledger))
            with pytest.raises(Refused, match="cancelled before it came"):
                await carrying.claim(an_intent(), "h")
        else:
            assert await carrying.claim(an_intent(), "h")
            with pytest.raises(Refused) as refused:
                await asked_to_cancel(carrying)
            assert refused.value.code == "NOT_READY"


@pytest.mark.req("S4-IDEM-2")
async def test_what_is_claimed_just_now_is_not_taken_for_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is slower than our patience."""
    monkeypatch.setattr(intake_module, "ORPHAN_POLL_S", 0)
    ledger, kept = MemoryLedger(), asyncio.Event()
    intake, claim = an_intake(ledger), ledger.claim

    async def slow(asked: Claim, *, synced: bool = False) -> Claim:
        won = await claim(asked, synced=synced)
        if asked.body_hash == "h":
            await kept.wait()
        return won

    monkeypatch.setattr(ledger, "claim", slow)
    taking = asyncio.create_task(intake.claim(an_intent(), "h"))
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refused:
        await asked_to_cancel(intake)
    kept.set()

    assert refused.value.code == "NOT_READY"
    assert await taking


@pytest.mark.req("LED-4", "S4-IDEM-1")
async def test_a_long_name_is_claimed_by_what_the_venue_shows_of_it_as_well() -> None:
    """The venue sees the stem of a name that has no room for a child's number: a restore finds that, and claims it."""
    intent = an_intent().but(client_order_id=ClientOrderId("s3-" + "x" * 33))
    stem = stem_of(intent.client_order_id)
    used = Claim(id=keys.order_claim(stem), intent_id=IntentId(""), body_hash="used", at_ms=intent.created_ms)
    ledger = MemoryLedger()
    assert stem != intent.client_order_id
    await ledger.claim(used)
    with pytest.raises(Refused) as refused:
        await an_intake(ledger).claim(intent, "h")
    assert (refused.value.code, refused.value.field) == ("DUPLICATE_ID", "client_order_id")
