"""Whether the ledger still knows what the venue knows of us: asked at each start, before anything may enter."""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.router.remembering import Remembering
from chimera.services.router.restoring import Restoring
from chimera.trading.errors import OutcomeUnknown, Refused, StoreUnavailable
from chimera.trading.events import Alert
from chimera.trading.ids import DEFAULT_ACCOUNT, ClientOrderId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import Millis, Qty
from chimera.trading.order import OrderType, Role, Status
from chimera.trading.standstill import Kill
from chimera.trading.venue import AccountSnapshot, VenueOrder
from chimera.wire import keys
from support.desk import SYMBOL, T0, Desk, an_intent
from support.grounds import a_ground
from support.standing import Desks


def an_order(ref: str, *, at_ms: int = T0, status: Status = Status.FILLED, reduce_only: bool = False) -> VenueOrder:
    return VenueOrder(
        symbol=SYMBOL, ref=ClientOrderId(ref), conditional=False, venue_id=None, side=Side.BUY, type=OrderType.MARKET,
        status=status, qty=Qty(an_intent().qty), updated_ms=Millis(at_ms), reduce_only=reduce_only,
    )  # fmt: skip


class House:
    """A ledger, owners and a kill switch, all real, and a venue with a past."""

    def __init__(
        self, ledger: MemoryLedger, desk: Desk, *placed: VenueOrder, resting: tuple[VenueOrder, ...] = (),
        empty: bool = False,
    ) -> None:  # fmt: skip
        desks = Desks(ledger, [desk.holding])
        self.owners, self.controls = desks.owners, desks.controls
        clock = cast("Any", type("Clock", (), {"now_ms": lambda self: T0})())
        ground = a_ground(self.owners, clock=clock)
        self.barriers = ground.barriers
        self.placed, self.resting = placed, resting
        self.silent = 0
        how = {"records": cast("Any", self), "ledger": ledger, "controls": self.controls}
        self.memory = Remembering(ground, restoring=Restoring(ground, **how), **how)
        self.memory.empty = empty

    async def placed_lately(self, symbol: Symbol) -> tuple[VenueOrder, ...]:
        if self.silent:
            self.silent -= 1
            assert self.barriers.before(SYMBOL) is not None
            raise OutcomeUnknown("no answer")
        return self.placed

    async def whole(self) -> AccountSnapshot:
        return AccountSnapshot(asked_ms=T0, orders=self.resting, positions=())

    async def started(self) -> tuple[Kill, ...]:
        """The kills in force once the question is answered."""
        await self.controls.load()
        saving = asyncio.create_task(self.controls.run())
        self.memory.hold()
        assert self.barriers.before(SYMBOL) is not None
        asking = asyncio.create_task(self.memory.run())
        await asyncio.wait_for(self.memory.checked.wait(), 5)
        for task in (asking, saving):
            task.cancel()
        assert self.barriers.before(SYMBOL) is None
        return self.controls.standstill.kills


def knowing() -> Desk:
    """A desk that sent an entry."""
    desk = Desk()
    desk.submit(an_intent())
    return desk


@pytest.fixture
def ledger() -> MemoryLedger:
    return MemoryLedger()


async def test_a_new_account_and_a_ledger_that_knows_all_are_not_killed(ledger: MemoryLedger) -> None:
    assert await House(ledger, Desk(), empty=True).started() == ()
    desk = knowing()
    assert await House(ledger, desk, an_order(desk.placed(Role.TAKER).ref)).started() == ()


async def test_another_programs_orders_prove_nothing(ledger: MemoryLedger) -> None:
    theirs = an_order("web_abc")
    assert await House(ledger, Desk(), theirs, resting=(theirs,), empty=True).started() == ()


async def test_a_row_of_an_order_that_ended_long_ago_is_enough(ledger: MemoryLedger) -> None:
    await ledger.put(keys.ORDERS, "s3-btc-old-t1", {"client_order_id": "s3-btc-old-t1"})
    assert await House(ledger, Desk(), an_order("s3-btc-old-t1")).started() == ()


async def test_an_order_whose_row_is_still_in_the_outbox_is_known(ledger: MemoryLedger) -> None:
    desk = knowing()
    ref = desk.placed(Role.TAKER).ref
    desk.holding = desk.holding.but(orders={})
    assert await House(ledger, desk, an_order(ref)).started() == ()


@pytest.mark.req("S4-REC-2")
async def test_an_empty_ledger_and_an_entry_of_ours_at_the_venue_kill_everything_but_what_protects(
    ledger: MemoryLedger,
) -> None:
    [kill] = await House(ledger, Desk(), an_order("s3-btc-i1-t1"), empty=True).started()
    assert (kill.scope, kill.name, kill.by, kill.flatten) == ("GLOBAL", "", "LEDGER_LOST", False)
    assert kill.reason == (
        "the ledger is empty, and the venue shows orders of ours: BTCUSDT s3-btc-i1-t1; protecting and closing only"
    )


async def test_an_empty_ledger_and_nothing_of_ours_but_a_stop_is_lost_too(ledger: MemoryLedger) -> None:
    stop = an_order("s3-btc-i1-s1", status=Status.NEW, reduce_only=True)
    [kill] = await House(ledger, Desk(), resting=(stop,), empty=True).started()
    assert "s3-btc-i1-s1" in kill.reason


async def test_a_stop_that_outran_its_saving_is_no_proof_where_the_ledger_has_something(ledger: MemoryLedger) -> None:
    stop = an_order("s3-btc-i1-s1", status=Status.NEW, reduce_only=True)
    assert await House(ledger, Desk(), stop, resting=(stop,)).started() == ()


@pytest.mark.req("S4-REC-2")
@pytest.mark.fault("E6")
async def test_an_old_copy_of_the_ledger_does_not_know_the_newest_entry(ledger: MemoryLedger) -> None:
    desk = knowing()
    known, later = an_order(desk.placed(Role.TAKER).ref), an_order("s3-btc-i2-t1", at_ms=T0 + 1)
    [kill] = await House(ledger, desk, later, known).started()
    assert kill.reason.startswith("the ledger does not know all, and the venue shows orders of ours: BTCUSDT s3-btc-i2")


async def test_once_armed_the_same_traces_kill_no_more_and_newer_ones_do(ledger: MemoryLedger) -> None:
    lost = House(ledger, Desk(), an_order("s3-btc-i1-t1"), empty=True)
    [kill] = await lost.started()
    again = House(ledger, Desk(), an_order("s3-btc-i1-t1"), empty=True)
    assert await again.started() == (kill,)  # latched
    word = again.controls.word(kill.scope, kill.name)
    await again.controls.arm(kill.scope, kill.name, by="me", reason="looked", confirm=word)
    assert await House(ledger, Desk(), an_order("s3-btc-i1-t1"), empty=True).started() == ()
    assert await House(ledger, Desk(), an_order("s3-btc-i9-t1", at_ms=T0 + 5)).started() != ()


async def test_entries_wait_for_as_long_as_the_venue_does_not_say(
    ledger: MemoryLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A19."""
    monkeypatch.setattr("chimera.services.router.patience.BOOT_PAUSE_S", 0)
    house = House(ledger, Desk())
    house.silent = 3
    assert await house.started() == ()
    assert house.silent == 0


@pytest.mark.req("S4-REC-2")
async def test_what_may_have_been_traded_before_the_loss_is_refused_for_ever(ledger: MemoryLedger) -> None:
    """A redelivered intent must not trade a second time only because somebody armed; a close may always come."""
    lost = House(ledger, Desk(), an_order("s3-btc-i1-t1"), empty=True)
    lost.memory.refuse_old(an_intent())
    await lost.started()
    later = House(ledger, Desk(), an_order("s3-btc-i1-t1"))
    await later.started()
    for memory in (lost.memory, later.memory):
        with pytest.raises(Refused) as refused:
            memory.refuse_old(an_intent())
        assert (refused.value.code, refused.value.field) == ("STALE_INTENT", "created_ms")
        memory.refuse_old(an_intent(reduce_only=True))
        memory.refuse_old(an_intent().but(created_ms=T0 + 1))


class KillUnsaved(MemoryLedger):
    """The kill finds no disk for a while; the note beside it would."""

    away = True

    async def put(self, collection: str, key: str, document: Mapping[str, object]) -> None:
        if self.away and key == DEFAULT_ACCOUNT:
            raise StoreUnavailable("no disk")
        assert not self.away, "noted before the kill was on disk: a crash now would lose both"
        await super().put(collection, key, document)


async def test_the_note_waits_for_the_kill_and_the_kill_for_nobody() -> None:
    ledger = KillUnsaved()
    house = House(ledger, Desk(), an_order("s3-btc-i1-t1"), empty=True)

    async def back() -> None:
        while not house.controls.killed:  # noqa: ASYNC110 - until it is spoken
            await asyncio.sleep(0)
        assert not house.memory.checked.is_set()
        await asyncio.sleep(0.05)
        ledger.away = False

    await asyncio.gather(house.started(), back())
    assert house.controls.saved


@pytest.mark.fault("B29")
@pytest.mark.req("S4-ALR-1")
async def test_what_is_held_of_a_symbol_that_was_delisted_while_we_were_away_is_told() -> None:
    """Nobody owns it, and no page shows it: it was in the log alone."""
    ledger, desk, told = MemoryLedger(), knowing(), list[Alert]()
    desk.fill(desk.placed(Role.TAKER), "0.01")
    key, flat = desk.holding.key, Desk().holding.but(key=desk.holding.key.but(symbol=Symbol("OLDUSDT")))
    for holding in (desk.holding, flat):
        await ledger.save(holding, rev=0, fence=await ledger.fence(holding.key, "s4"))
    clock = cast("Any", type("Clock", (), {"now_ms": lambda self: T0})())
    ground = a_ground(clock=clock, tell=told.append)
    how = {"records": cast("Any", None), "ledger": ledger, "controls": cast("Any", None)}
    memory = Remembering(ground, restoring=Restoring(ground, **how), **how)
    await memory.rest(key)
    await memory.rest(flat.key)

    assert [(each.code, each.severity, each.subject) for each in told] == [("SYMBOL_NOT_TRADING", "FATAL", SYMBOL)]
    assert "0.01 of it open" in told[0].text
