"""The log of revisions on every ledger and bus: numbers taken once, and what shows them brought up to date."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from chimera.decide.revisions import Deciding, Kind, Revision, Signature, activated, rolled_back
from chimera.ports.ledger import Ledger
from chimera.ports.streams import Bus
from chimera.services.strategy.revisions import ACTIVE, Revisions
from chimera.trading.errors import StoreUnavailable
from chimera.trading.money import Millis
from chimera.wire.keys import CFG_ACTIVE_REV, CFG_EVENTS, CONFIG_ACTIVE, CONFIG_REVISIONS

Announced = Callable[[], Awaitable[list[str]]]
_moments = itertools.count(1_763_000_000_000)  # a server outlives a test, and an announcement is made once


def by() -> Signature:
    return Signature(who="ann", why="calmer", at_ms=Millis(next(_moments)))


def to(bundle_id: str) -> Any:
    signature = by()
    return lambda standing: activated(standing, bundle_id, f"digest of {bundle_id}", signature)


@pytest.fixture
async def announced(bus: Bus) -> Announced:
    """Revisions that are announced from here on, on a bus that shows none."""
    await bus.put(CFG_ACTIVE_REV, b"0")
    before = await bus.tail(CFG_EVENTS, after="0", count=1000, block_ms=0)

    async def since() -> list[str]:
        entries = await bus.tail(CFG_EVENTS, after=before[-1].id if before else "0", count=1000, block_ms=0)
        return [entry.fields["rev"] for entry in entries]

    return since


async def shown(ledger: Ledger, bus: Bus) -> tuple[object, object, bytes | None]:
    document = await ledger.get(CONFIG_ACTIVE, ACTIVE)
    assert document is not None
    return document["rev"], document["bundle_id"], await bus.get(CFG_ACTIVE_REV)


@pytest.mark.req("S3-CFG-1")
async def test_a_step_is_in_the_log_in_the_ledger_and_in_redis_and_is_announced_once(
    ledger: Ledger, bus: Bus, announced: Announced
) -> None:
    log = Revisions(ledger, bus)

    line = await log.take(to("a"))
    await log.settle(line)  # again, as a look does
    again = await log.standing()

    assert again == line.standing
    assert await shown(ledger, bus) == (1, "a", b"1")
    assert await announced() == ["1"]
    assert (line.who, line.why, line.kind) == ("ann", "calmer", Kind.ACTIVATE)


@pytest.mark.req("S3-CFG-1")
async def test_those_who_activate_at_once_all_count_one_after_the_other(
    ledger: Ledger, bus: Bus, announced: Announced
) -> None:
    lines = await asyncio.gather(*(Revisions(ledger, bus).take(to(f"b{number}")) for number in range(5)))

    history = await Revisions(ledger, bus).history(10)
    assert sorted(await announced(), key=int) == ["1", "2", "3", "4", "5"]
    assert sorted(line.rev for line in lines) == [1, 2, 3, 4, 5]
    assert [line.rev for line in history] == [5, 4, 3, 2, 1]
    assert [line.before and line.before.rev for line in history] == [4, 3, 2, 1, None]
    assert await shown(ledger, bus) == (5, history[0].bundle_id, b"5")


async def test_going_back_is_a_new_revision_with_the_same_content(ledger: Ledger, bus: Bus) -> None:
    log = Revisions(ledger, bus)
    await log.take(to("a"))
    await log.take(to("b"))
    earlier = await log.bundle_of(1)
    assert earlier is not None

    back = await log.take(lambda standing: rolled_back(standing, earlier, by()))

    assert back.active == Deciding(rev=3, bundle_id="a", digest="digest of a")
    assert (back.kind, back.back_to, back.before and back.before.bundle_id) == (Kind.ROLLBACK, 1, "b")
    assert [line.bundle_id for line in await log.history(10)] == ["a", "b", "a"]
    assert await log.before(back.active) == back.before


@pytest.mark.req("S3-CFG-1")
async def test_what_was_activated_again_and_again_is_left_in_one_step_back(ledger: Ledger, bus: Bus) -> None:
    """An activation whose answer was lost is asked for once more; the way back leads to another bundle all the same."""
    log = Revisions(ledger, bus)
    first = await log.take(to("a"))
    await log.take(to("b"))
    await log.take(to("b"))
    again = await log.take(to("b"))
    assert again.active is not None
    earlier = await log.before(again.active)
    assert earlier == first.active

    back = await log.take(lambda standing: rolled_back(standing, earlier, by()))

    assert back.active is not None
    assert await log.before(back.active) == again.active, "twice is there and back"
    assert await log.before(first.active) is None


@pytest.mark.req("S3-CFG-1")
async def test_a_step_that_broke_off_after_its_line_is_carried_to_its_end_by_the_next_look(
    ledger: Ledger, bus: Bus, announced: Announced, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Revisions(ledger, bus)
    await log.take(to("a"))

    async def away(*_: Any) -> bool:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(ledger, "put_newer", away)
        line = await log.take(to("b"))
        assert await shown(ledger, bus) == (1, "a", b"1")

    assert await Revisions(ledger, bus).look() == line.standing
    assert await shown(ledger, bus) == (2, "b", b"2")
    assert await announced() == ["1", "2"]


async def test_a_configuration_written_by_hand_counts_and_the_log_goes_on_from_it(ledger: Ledger, bus: Bus) -> None:
    await ledger.put(CONFIG_ACTIVE, ACTIVE, {"rev": 7, "bundle_id": "by-hand"})
    log = Revisions(ledger, bus)

    line = await log.take(to("a"))
    assert (line.rev, line.before) == (8, Deciding(rev=7, bundle_id="by-hand"))
    assert await log.bundle_of(7) == line.before

    await ledger.put(CONFIG_ACTIVE, ACTIVE, {"rev": 12, "bundle_id": "by-hand-2"})
    assert (await log.standing()).active == Deciding(rev=12, bundle_id="by-hand-2")
    assert (await log.take(to("b"))).rev == 13


async def test_a_line_is_never_changed(ledger: Ledger, bus: Bus) -> None:
    line: Revision = await Revisions(ledger, bus).take(to("a"))

    assert not await ledger.insert(CONFIG_REVISIONS, f"{line.rev:012d}", {"rev": line.rev, "bundle_id": "other"})
    assert (await Revisions(ledger, bus).history(1))[0] == line
