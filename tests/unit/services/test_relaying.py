"""The rows of what waits in the outbox go to the disk together; the world hears of it in order, of nothing early."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import pytest
from desk import Desk, a_long
from standing import CLOCK

from chimera.services.router.owner import GIVES_WAY_S, GIVES_WAY_TIMES, Owner
from chimera.services.router.relay import Relay
from chimera.trading.errors import StoreUnavailable
from chimera.trading.events import Alert, Event, Severity
from chimera.trading.holding import Holding
from chimera.wire import keys
from chimera.wire.events import event_id

pytestmark = pytest.mark.req("S4-EVT-1")


class Teller:
    """A relay that writes down what it is asked; ``fails``: whose rows the ledger, ``unheard``: whose news the bus does
    not take."""

    def __init__(self, fails: int = 0, unheard: int = 0) -> None:
        self.asked: list[str] = []
        self.told: list[int] = []
        self._fails = fails
        self._unheard = unheard

    async def keep(self, key: object, event: Event, trace: object) -> tuple[int]:
        self.asked.append(f"keep {event.seq}")
        await asyncio.sleep(0)
        self.asked.append(f"kept {event.seq}")
        if event.seq == self._fails:
            raise StoreUnavailable("away")
        return (event.seq,)

    async def spread(self, news: Sequence[int]) -> None:
        if self._unheard in news:
            raise StoreUnavailable("refused")
        self.told += news


async def turns(number: int = 20) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def relayed(desk: Desk, teller: Teller, turns: int = 20) -> Holding:
    """What the owner holds once it has told what it can."""
    parts = cast("Any", {"ledger": None, "sender": None, "relay": teller})
    owner = Owner(desk.holding, rev=1, fence=1, clock=CLOCK, scene=lambda _: desk.scene, **parts)
    relaying = asyncio.create_task(owner._relay_all())
    for _ in range(turns):
        await asyncio.sleep(0)
    relaying.cancel()
    with suppress(asyncio.CancelledError):
        await relaying
    return owner.holding


async def test_the_rows_of_all_events_are_asked_for_before_any_is_there() -> None:
    desk, teller = a_long(), Teller()
    count = len(desk.holding.outbox)
    left = await relayed(desk, teller)

    assert count > 3
    assert [word.split()[0] for word in teller.asked] == ["keep"] * count + ["kept"] * count
    assert teller.told == sorted(teller.told)
    assert len(teller.told) == count
    assert left.outbox == ()


async def test_an_event_whose_rows_are_not_there_is_not_told_nor_any_after_it() -> None:
    desk = a_long()
    seqs = [event.seq for event in desk.holding.outbox]
    teller = Teller(fails=seqs[2])
    left = await relayed(desk, teller)

    assert teller.told == seqs[:2]
    assert [event.seq for event in left.outbox] == seqs[2:]


async def test_an_event_that_the_bus_refuses_holds_up_none_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chimera.services.router.owner.STORE_AGAIN_S", 0)
    desk = a_long()
    seqs = [event.seq for event in desk.holding.outbox]
    assert len(seqs) > 4
    teller = Teller(unheard=seqs[4])
    left = await relayed(desk, teller, turns=200)

    assert teller.told == seqs[:4], "each once, in order"
    assert [event.seq for event in left.outbox] == seqs[4:]


async def test_what_stays_in_the_outbox_by_a_mistake_of_ours_is_not_told_without_a_pause() -> None:
    desk, teller = a_long(), Teller()
    count = len(desk.holding.outbox)

    def broken(_: object) -> Any:
        raise ValueError("our mistake")

    parts = cast("Any", {"ledger": None, "sender": None, "relay": teller})
    owner = Owner(desk.holding, rev=1, fence=1, clock=CLOCK, scene=broken, **parts)
    relaying = asyncio.create_task(owner._relay_all())
    for _ in range(100):
        await asyncio.sleep(0)
    relaying.cancel()
    with suppress(asyncio.CancelledError):
        await relaying
    if owner._timer is not None:
        owner._timer.cancel()
    assert (len(teller.told), owner.faults) == (count, 1)


@pytest.mark.parametrize("under_way", [True, False])
async def test_what_is_under_way_at_the_venue_goes_first_but_not_for_ever(under_way: bool) -> None:
    desk, teller, rested = a_long(), Teller(), list[float]()
    parts = cast("Any", {"ledger": None, "sender": None, "relay": teller})
    owner = Owner(desk.holding, rev=1, fence=1, clock=CLOCK, scene=lambda _: desk.scene, **parts)
    if under_way:
        owner._tasks.add(cast("Any", object()))

    async def rest(delay_s: float) -> None:
        assert not teller.asked, "it rests before it writes anything"
        rested.append(delay_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("chimera.services.router.owner.asyncio.sleep", rest)
        await owner._give_way()

    assert rested == ([GIVES_WAY_S] * GIVES_WAY_TIMES if under_way else [])


class Gone:
    """A ledger that takes nothing; a bus that takes what it is told, once it is there."""

    def __init__(self) -> None:
        self.away = False
        self.published: list[tuple[str, str, str]] = []

    async def save(self, holding: Holding, *, rev: int, fence: int) -> int:
        raise StoreUnavailable("disk full")

    async def publish(self, stream: str, event_id: str, fields: Mapping[str, str]) -> None:
        if self.away:
            raise StoreUnavailable("refused")
        self.published.append((stream, event_id, fields["code"]))


@pytest.mark.fault("E1", "E7")
async def test_an_alert_waits_for_no_ledger_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """It came after the state that it is of: a close that failed all night was told in the morning."""
    monkeypatch.setattr("chimera.services.router.owner.STATE_AGAIN_S", 0)
    desk, stores = a_long(), Gone()
    relay = Relay(cast("Any", stores), cast("Any", stores))
    parts = cast("Any", {"ledger": stores, "sender": None, "relay": relay})
    owner = Owner(desk.holding, rev=1, fence=1, clock=CLOCK, scene=lambda _: desk.scene, **parts)

    def happens(code: str) -> tuple[str, str, str]:
        """An alert, after something that is no news of such weight; how it is to be told."""
        held = owner.holding
        moved, alert = desk.holding.outbox[-1].body, Alert(severity=Severity.FATAL, code=code, text="")
        at_ms, seq = CLOCK.now_ms(), held.event_seq
        fresh = [Event(seq=seq + n, at_ms=at_ms, body=body) for n, body in enumerate((moved, alert), 1)]
        owner.holding = held.but(event_seq=seq + 2, outbox=(*held.outbox, *fresh))
        return keys.ALERTS, f"{event_id(held.key, fresh[1])}:{at_ms}", code

    stores.away = True
    first = happens("EXIT_FAILING")
    saving = asyncio.create_task(owner._save(owner.holding, 1))
    await turns()
    assert (owner.ledger_away, stores.published) == ("disk full", [])
    stores.away = False
    await turns()
    second = happens("CANCEL_FAILED")
    await turns()
    saving.cancel()
    with suppress(asyncio.CancelledError):
        await saving

    assert stores.published == [first, second], "each once, by a name that no other event can get after a crash"
    assert len(owner.holding.outbox) == len(desk.holding.outbox) + 4, "they are told again, with their rows"
