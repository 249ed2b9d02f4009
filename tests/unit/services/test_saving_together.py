"""What nobody waits for is saved with the news of the next moment; what somebody waits for is saved at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from typing import Any, cast

import pytest
from desk import Desk, an_intent
from standing import CLOCK

from chimera.services.router import owner as owners
from chimera.services.router.owner import Owner
from chimera.trading.facts import CloseAsked, Ticked
from chimera.trading.holding import Holding

pytestmark = pytest.mark.req("I28")


class Disk:
    def __init__(self) -> None:
        self.saved: list[Holding] = []

    async def save(self, holding: Holding, *, rev: int, fence: int) -> int:
        self.saved.append(holding)
        return rev + 1


class Hand:
    """Never sends."""

    async def carry_out(self, *_: object) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def saving(desk: Desk) -> AsyncIterator[tuple[Owner, Disk]]:
    disk = Disk()
    parts = cast("Any", {"ledger": disk, "sender": Hand(), "relay": None})
    owner = Owner(desk.holding, rev=1, fence=1, clock=CLOCK, scene=lambda _: desk.scene, **parts)
    owner._saving.begin(asyncio.get_running_loop().create_future(), copy_context())
    try:
        yield owner, disk
    finally:
        await owner._saving.end()
        for each in tuple(owner._tasks):
            each.cancel()
            with suppress(asyncio.CancelledError):
                await each
        if owner._timer is not None:
            owner._timer.cancel()


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def news(owner: Owner) -> None:
    """A change that sends nothing."""
    held = owner.holding
    owner.holding = held.but(event_seq=held.event_seq + 1)
    owner._version += 1
    owner._saving.want()


@pytest.fixture(autouse=True)
def no_moment_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "LINGERS_S", 3_600)


async def test_news_of_one_breath_are_one_save() -> None:
    async with saving(Desk()) as (owner, disk):
        news(owner)
        await turns()
        news(owner)
        await turns()
        assert disk.saved == []
        await owner.saved()
        assert disk.saved == [owner.holding]


@pytest.mark.parametrize("lingers", [True, False])
async def test_what_an_answer_waits_for_is_saved_at_once(lingers: bool) -> None:
    async with saving(Desk()) as (owner, disk):
        news(owner)
        if lingers:
            await turns()
            assert disk.saved == []
        async with asyncio.timeout(5):
            await owner.saved()
        news(owner)
        await turns()
        assert len(disk.saved) == 1, "the next news linger again"


async def test_what_nobody_waits_for_is_saved_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "LINGERS_S", 0)
    async with saving(Desk()) as (owner, disk):
        news(owner)
        await turns()
        assert disk.saved == [owner.holding]


async def test_what_a_command_waits_for_is_saved_at_once_also_while_it_lingers() -> None:
    desk = Desk()
    async with saving(desk) as (owner, disk):
        news(owner)
        await turns()
        desk.submit(an_intent())  # the desk's story is the owner's next fact
        owner.hear(CloseAsked(reason="TEST"))
        owner.hear(Ticked())
        owner._hold(cast("Any", desk.last[0]))
        await turns()
        assert disk.saved == [owner.holding]
