"""The kill switch against what happens at the same time: arming, a slow disk, a boot, a close under way."""

import asyncio
from typing import Any

import msgspec
import pytest
from desk import Desk, a_long, an_intent
from refusals import rejected
from standing import CLOCK, GLOBAL, Desks, StubOwner, Venue

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router.alarms import MOST_WAITING, Alarms
from chimera.services.router.controls import Controls
from chimera.services.stage.loop import DetLoop
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.events import Alert, Severity
from chimera.trading.ids import DEFAULT_ACCOUNT
from chimera.trading.money import Millis
from chimera.trading.standstill import Kill, Scope
from chimera.wire import keys

SYMBOL = Kill(scope=Scope.SYMBOL, name="BTCUSDT", by="me", reason="fire", at_ms=Millis(1))


class Gate(MemoryLedger):
    """A ledger whose writes of the controls wait to be let through; then they happen, and may lose their answer."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()
        self.loses = 0

    async def put(self, collection: str, key: str, document: Any) -> None:
        await self.open.wait()
        await super().put(collection, key, document)
        if self.loses:
            self.loses -= 1
            raise StoreUnavailable("the answer is lost")


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def after_a_crash(ledger: MemoryLedger) -> Controls:
    found = Desks(ledger).controls
    await found.load()
    return found


# ── arming ──


@pytest.mark.req("S4-KILL-1", "I17")
@pytest.mark.parametrize("again", [GLOBAL, SYMBOL])
async def test_a_kill_spoken_while_arming_waits_for_the_disk_survives(again: Kill) -> None:
    ledger = Gate()
    standing = Desks(ledger).controls
    await standing.load()
    saver = asyncio.create_task(standing.run())
    standing.kill(GLOBAL)
    await turns()
    assert standing.saved
    ledger.open.clear()
    word = standing.word(Scope.GLOBAL, "")
    arming = asyncio.create_task(standing.arm(Scope.GLOBAL, "", by="me", reason="over", confirm=word))
    await turns()
    standing.kill(again)
    assert not standing.saved  # the disk is being written: nobody knows what it says
    ledger.open.set()
    with pytest.raises(Refused) as refused:
        await arming
    assert refused.value.code == "KILL_SWITCH"
    kills = standing.standstill.kills
    assert again in kills
    assert GLOBAL in kills
    await turns()
    assert standing.saved
    assert (await after_a_crash(ledger)).standstill.kills == kills
    saver.cancel()


@pytest.mark.req("S4-KILL-1", "I17")
async def test_arming_that_got_no_answer_leaves_the_kill_on_disk() -> None:
    ledger = Gate()
    standing = Desks(ledger).controls
    await standing.load()
    saver = asyncio.create_task(standing.run())
    standing.kill(GLOBAL)
    await turns()
    ledger.loses = 1
    word = standing.word(Scope.GLOBAL, "")
    with pytest.raises(StoreUnavailable):
        await standing.arm(Scope.GLOBAL, "", by="me", reason="over", confirm=word)
    assert not standing.saved  # armed is what the disk says, killed is what holds
    await turns()
    assert standing.saved
    assert (await after_a_crash(ledger)).standstill.kills == (GLOBAL,)
    saver.cancel()


@pytest.mark.req("S4-KILL-1")
async def test_two_that_arm_at_once_both_arm() -> None:
    ledger = Gate()
    standing = Desks(ledger).controls
    await standing.load()
    standing.kill(GLOBAL)
    standing.kill(SYMBOL)
    places = [kill.place for kill in (GLOBAL, SYMBOL)]
    await asyncio.gather(
        *(standing.arm(*place, by="me", reason="over", confirm=standing.word(*place)) for place in places)
    )
    assert standing.standstill.kills == ()
    assert (await after_a_crash(ledger)).standstill.kills == ()


@pytest.mark.req("S4-KILL-1")
async def test_nothing_is_armed_before_what_is_killed_is_read() -> None:
    ledger = MemoryLedger()
    first = Desks(ledger).controls
    first.kill(SYMBOL)
    await first._save(first.standstill)
    booting = Desks(ledger).controls
    assert booting.shown()["killed"] is True
    booting.kill(GLOBAL)
    word = booting.word(Scope.GLOBAL, "")
    with pytest.raises(Refused) as refused:
        await booting.arm(Scope.GLOBAL, "", by="me", reason="over", confirm=word)
    assert refused.value.code == "NOT_READY"
    await booting.load()
    assert set(booting.standstill.kills) == {GLOBAL, SYMBOL}


@pytest.mark.req("S4-KILL-1")
async def test_a_row_that_is_no_document_counts_as_killed() -> None:
    class Torn(MemoryLedger):
        async def get(self, *_: Any) -> Any:
            raise msgspec.DecodeError("truncated")

    booting = Desks(Torn()).controls
    await booting.load()
    assert [(kill.scope, kill.by) for kill in booting.standstill.kills] == [(Scope.GLOBAL, "UNREADABLE")]


@pytest.mark.req("S4-KILL-1")
async def test_a_mistake_while_saving_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(MemoryLedger):
        failures = 1

        async def put(self, collection: str, key: str, document: Any) -> None:
            if self.failures:
                self.failures -= 1
                raise ValueError("odd")
            await super().put(collection, key, document)

    monkeypatch.setattr("chimera.services.router.controls.STORE_AGAIN_S", 0)
    standing = Desks(Odd()).controls
    await standing.load()
    saver = asyncio.create_task(standing.run())
    standing.kill(GLOBAL)
    await turns()
    assert not saver.done()
    assert standing.saved
    saver.cancel()


# ── receipts ──


@pytest.mark.req("S4-KILL-1")
async def test_nothing_is_verified_before_the_positions_are_loaded() -> None:
    desks = Desks(MemoryLedger(), complete=False)
    desks.controls.kill(GLOBAL)
    receipt = await desks.controls.receipt(GLOBAL, patience_s=0)
    assert (receipt["verified"], receipt["remains"]) == (False, ["positions are not loaded yet"])


@pytest.mark.req("S4-KILL-1")
async def test_nothing_is_verified_before_the_owner_has_heard_the_venue() -> None:
    desks = Desks(MemoryLedger(), [Desk().holding])
    [owner] = desks.owners.values()
    owner.recovered.clear()
    receipt = await desks.controls.receipt(desks.controls.kill(GLOBAL), patience_s=0)
    assert receipt["verified"] is False
    owner.recovered.set()
    assert (await desks.controls.receipt(GLOBAL, patience_s=0))["verified"] is True


@pytest.mark.req("S4-KILL-1")
@pytest.mark.parametrize(
    ("venue", "flatten", "remains"),
    [
        (Venue(), True, []),
        (Venue("0.5"), False, []),
        (Venue("0.5"), True, ["BTCUSD: 0.5 is still held"]),
        (  # mistyped
            Venue(says=rejected(-1121)),
            False,
            ["nothing that is traded here is under SYMBOL BTCUSD; traded: BTCUSDT"],
        ),
        (
            Venue(says=rejected(-2015)),
            False,
            [f"{where}BTCUSD: the venue was not heard: -2015: no" for where in ("", "SPOT ")],
        ),
    ],
)
async def test_a_kill_of_what_nobody_trades_is_verified_by_the_venue_s_word_alone_and_nobody_waits(
    venue: Venue, flatten: bool, remains: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    desks = Desks(MemoryLedger(), [Desk().holding], venue=venue)
    standing = desks.controls.kill(SYMBOL.but(name="BTCUSD", flatten=flatten))
    monkeypatch.setattr("chimera.services.router.receipts.FIRST_PAUSE_S", None)  # a pause would fall over
    receipt = await desks.controls.receipt(standing, patience_s=60)
    assert receipt["remains"] == remains
    assert receipt["verified"] is not bool(remains)


@pytest.mark.req("S4-KILL-1")
async def test_a_kill_that_was_armed_meanwhile_is_not_verified() -> None:
    desks = Desks(MemoryLedger(), [Desk().holding])
    await desks.controls.load()
    standing = desks.controls.kill(GLOBAL)
    word = desks.controls.word(Scope.GLOBAL, "")
    await desks.controls.arm(Scope.GLOBAL, "", by="me", reason="over", confirm=word)
    assert (await desks.controls.receipt(standing, patience_s=0))["verified"] is False


@pytest.mark.req("S4-KILL-1")
async def test_a_venue_that_hangs_costs_a_receipt_no_more_than_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chimera.services.router.receipts.ONE_LOOK_S", 0)
    monkeypatch.setattr(Venue, "survey", lambda *_: asyncio.Event().wait())
    desks = Desks(MemoryLedger(), [Desk().holding])
    receipt = await desks.controls.receipt(desks.controls.kill(GLOBAL), patience_s=0)
    assert (receipt["verified"], receipt["remains"]) == (False, ["the venue was not heard in time"])


# ── flatten ──


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chimera.services.router.controls.FLATTEN_AGAIN_S", 0)


@pytest.mark.req("S4-KILL-1")
@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("crashed", [False, True])
async def test_a_flatten_closes_what_is_loaded_after_it(crashed: bool) -> None:
    ledger = MemoryLedger()
    desks = Desks(ledger, complete=False)
    desks.controls.kill(GLOBAL.but(flatten=True))
    if crashed:
        await desks.controls._save(desks.controls.standstill)
        desks = Desks(ledger, complete=False)
        await desks.controls.load()
    task = asyncio.create_task(desks.controls.flatten())
    await turns()
    held = a_long().holding
    owner = desks.owners[held.key] = StubOwner(held)
    owner.recovered.clear()
    desks.complete = True
    await turns()
    assert owner.closes == 0  # what is on disk may be old
    owner.recovered.set()
    await turns()
    assert owner.closes
    owner.holding = Desk().holding  # flat
    await turns()
    owner.heard.clear()
    owner.holding = held  # somebody opens by hand: no business of a flatten that is over
    await turns()
    assert owner.closes == 0
    task.cancel()


@pytest.mark.req("S4-KILL-1")
@pytest.mark.usefixtures("at_once")
async def test_a_strategys_flatten_closes_what_fills_after_it() -> None:
    desk = Desk()
    desk.submit(an_intent())
    desks = Desks(MemoryLedger(), [desk.holding])
    await desks.controls.load()
    [owner] = desks.owners.values()
    task = asyncio.create_task(desks.controls.flatten())
    strategy = an_intent().strategy_id
    desks.controls.kill(
        Kill(scope=Scope.STRATEGY, name=strategy, by="me", reason="fire", at_ms=Millis(1), flatten=True)
    )
    await turns()
    assert owner.closes == 0
    owner.holding = a_long().holding
    await turns()
    assert owner.closes
    task.cancel()


# ── alerts ──


@pytest.mark.fault("G17", "G19")
async def test_an_alert_that_cannot_be_told_ends_nothing() -> None:
    class Odd(MemoryLedger):
        failures = 1

        async def insert(self, collection: str, key: str, document: Any) -> bool:
            if self.failures:
                self.failures -= 1
                raise ValueError("odd")
            return await super().insert(collection, key, document)

    ledger = Odd()
    alarms = Alarms(DEFAULT_ACCOUNT, "r", rows=ledger, bus=MemoryBus(CLOCK), clock=CLOCK)
    for code in ("A", "B"):
        alarms.tell(Alert(severity=Severity.INFO, code=code, text=""))
    task = asyncio.create_task(alarms.run())
    await turns()
    assert not task.done()
    assert [row["code"] for row in await ledger.find(keys.STRATEGY_EVENTS)] == ["B"]
    task.cancel()


def test_an_alert_dropped_while_it_is_told_costs_no_other() -> None:
    """In virtual time: a machine that stands still for a while would look like a ledger that is away."""
    DetLoop(1).run_until_complete(_dropped_while_it_is_told())


async def _dropped_while_it_is_told() -> None:
    class Slow(MemoryLedger):
        def __init__(self) -> None:
            super().__init__()
            self.open = asyncio.Event()

        async def insert(self, collection: str, key: str, document: Any) -> bool:
            await self.open.wait()
            return await super().insert(collection, key, document)

    ledger = Slow()
    alarms = Alarms(DEFAULT_ACCOUNT, "r", rows=ledger, bus=MemoryBus(CLOCK), clock=CLOCK)
    alarms.tell(Alert(severity=Severity.INFO, code="0", text=""))
    task = asyncio.create_task(alarms.run())
    await turns()
    for number in range(1, MOST_WAITING + 1):  # the one under way is dropped
        alarms.tell(Alert(severity=Severity.INFO, code=str(number), text=""))
    ledger.open.set()
    await turns(20 * MOST_WAITING)
    told = {row["code"] for row in await ledger.find(keys.STRATEGY_EVENTS, newest=MOST_WAITING + 1)}
    assert told == {str(number) for number in range(MOST_WAITING + 1)}
    task.cancel()
