"""What every ledger promises of leases (``ports.ledger.Leases``), on each adapter; and what is SQLite's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from chimera.adapters.embedded.leases import LeaseFile, Uptime, uptime
from chimera.adapters.embedded.ledger import SqliteLedger
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.ports.ledger import Leases
from chimera.trading.errors import StoreUnavailable
from chimera.trading.lease import Holder, Lease
from chimera.trading.money import Millis

pytestmark = [pytest.mark.req("DB-2"), pytest.mark.req("S4-ROUTE-6")]

NAME, TTL = "account:main", Millis(3_000)


@dataclass
class Hand:
    """A clock of the ledger's that moves when told."""

    ms: int = 1_000
    boot: str = "boot-1"

    def uptime(self) -> Uptime:
        return Uptime(self.boot, self.ms)


@dataclass
class Office:
    """Leases, the clock of whoever counts, and how another process reaches them.

    ``longer_ms``: by so much more than the lease another waits, who counts by a clock of its own.
    """

    leases: Leases
    hand: Hand
    another: Callable[[], Awaitable[Leases]]
    longer_ms: int = 0


@pytest.fixture(params=["sqlite", "memory", "arango-wire", "arango"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    hand = Hand()
    if request.param.startswith("arango"):
        pytest.importorskip("arangoasync", reason="ArangoDB's driver is not installed (chimera[arango])")
        async with on_arango(hand, real=request.param == "arango") as made:
            yield made
        return
    if request.param == "memory":
        ledger = MemoryLedger(monotonic_ms=lambda: hand.ms)

        async def same() -> Leases:
            return ledger

        yield Office(ledger, hand, same)
        return
    opened: list[LeaseFile] = []

    async def another() -> Leases:
        opened.append(LeaseFile(tmp_path / "leases", hand.uptime))
        return opened[-1]

    yield Office(await another(), hand, another)
    for each in opened:
        await each.close()


@asynccontextmanager
async def on_arango(hand: Hand, *, real: bool) -> AsyncIterator[Office]:
    from arango_homes import arango_home, arango_server  # noqa: PLC0415 - the driver is an extra

    from chimera.adapters.arango.leases import LONGER, ArangoLeases  # noqa: PLC0415 - likewise
    from chimera.adapters.arango.link import Link  # noqa: PLC0415 - likewise

    async with arango_server() if real else arango_home() as address, AsyncExitStack() as opened:

        async def another() -> Leases:
            link = Link(address)
            opened.push_async_callback(link.close)
            return ArangoLeases(link, link.until_done, lambda: hand.ms)

        yield Office(await another(), hand, another, TTL // LONGER)


async def taken(leases: Leases, owner: str = "a", name: str = NAME) -> Lease:
    lease = await leases.take(name, owner, url=f"http://{owner}", ttl_ms=TTL)
    assert isinstance(lease, Lease), lease
    return lease


async def test_one_holder_at_a_time_and_the_other_hears_who_and_where(office: Office) -> None:
    other = await office.another()
    lease = await taken(office.leases)
    assert lease == Lease(name=NAME, owner="a", fence=1, ttl_ms=TTL)
    for left_ms in (3_000, 2_000):
        held = await other.take(NAME, "b", url="http://b", ttl_ms=TTL)
        assert held == Holder(owner="a", url="http://a", left_ms=Millis(left_ms + office.longer_ms))
        office.hand.ms += 1_000


@pytest.mark.req("I19")
async def test_who_watches_it_end_is_granted_it_to_the_millisecond_and_never_sooner(office: Office) -> None:
    other, lease = await office.another(), await taken(office.leases)
    assert isinstance(await other.take(NAME, "b", url="http://b", ttl_ms=TTL), Holder)
    office.hand.ms += TTL
    assert not await office.leases.renew(lease)
    office.hand.ms += office.longer_ms - 1
    assert isinstance(await other.take(NAME, "b", url="http://b", ttl_ms=TTL), Holder)
    office.hand.ms += 1
    assert (await taken(other, "b")).fence == 2


async def test_a_renewed_one_goes_on_and_an_ended_one_is_never_renewed(office: Office) -> None:
    lease = await taken(office.leases)
    office.hand.ms += 2_900
    assert await office.leases.renew(lease)
    office.hand.ms += 2_900
    assert isinstance(await office.leases.take(NAME, "b", url="http://b", ttl_ms=TTL), Holder)
    office.hand.ms += 100
    assert not await office.leases.renew(lease)


async def test_who_asks_again_has_the_same_lease_for_longer(office: Office) -> None:
    """The first answer may have been lost."""
    first = await taken(office.leases)
    office.hand.ms += 2_000
    assert await taken(office.leases) == first
    office.hand.ms += 2_000
    assert await office.leases.renew(first)


async def test_fences_grow_with_every_grant_for_ever(office: Office) -> None:
    fences = []
    for owner in ("a", "b", "a", "a"):
        lease = await taken(office.leases, owner)
        fences.append(lease.fence)
        await office.leases.release(lease)
    office.hand.ms += 10 * TTL
    fences.append((await taken(office.leases, "a")).fence)
    assert fences == [1, 2, 3, 4, 5]


async def test_a_released_one_is_free_at_once(office: Office) -> None:
    lease = await taken(office.leases)
    await office.leases.release(lease)
    assert not await office.leases.renew(lease)
    assert (await taken(await office.another(), "b")).fence == 2


async def test_the_late_release_or_renewal_of_an_old_holder_touches_nobody(office: Office) -> None:
    old = await taken(office.leases)
    office.hand.ms += TTL + office.longer_ms
    new = await taken(office.leases, "b")
    await office.leases.release(old)
    assert not await office.leases.renew(old)
    assert isinstance(await office.leases.take(NAME, "a", url="http://a", ttl_ms=TTL), Holder)
    assert await office.leases.renew(new)


async def test_a_lease_of_before_its_end_is_not_the_one_of_after_it(office: Office) -> None:
    old = await taken(office.leases)
    office.hand.ms += TTL
    new = await taken(office.leases)
    await office.leases.release(old)
    assert not await office.leases.renew(old)
    assert await office.leases.renew(new)


async def test_names_are_apart(office: Office) -> None:
    await taken(office.leases)
    assert (await taken(office.leases, "b", "account:other")).fence == 1


async def test_of_many_who_ask_at_once_one_is_granted(office: Office) -> None:
    each = [await office.another() for _ in range(4)]
    asks = (leases.take(NAME, f"o{number}", url="http://o", ttl_ms=TTL) for number, leases in enumerate(each))
    answers = await asyncio.gather(*asks)
    assert sum(isinstance(answer, Lease) for answer in answers) == 1


# ── SQLite's own ──


async def test_a_boot_ends_every_lease_and_no_fence_falls(tmp_path: Path) -> None:
    hand = Hand(ms=900_000)
    leases = LeaseFile(tmp_path / "leases", hand.uptime)
    lease = await taken(leases)
    hand.boot, hand.ms = "boot-2", 5
    assert not await leases.renew(lease)
    assert (await taken(leases, "b")).fence == 2
    await leases.close()


async def test_uptime_is_of_this_boot_and_goes_on() -> None:
    first, second = uptime(), uptime()
    assert first.boot == second.boot
    assert len(first.boot) == 36
    assert 0 < first.ms <= second.ms


async def test_processes_share_a_ledger_by_its_leases_and_fences(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first = await SqliteLedger.open(path, shared=True)
    second = await SqliteLedger.open(path, shared=True)
    try:
        assert (await taken(first)).fence == 1
        assert isinstance(await second.take(NAME, "b", url="http://b", ttl_ms=TTL), Holder)
        await first.put("orders", "o-1", {"n": 1})
        await second.put("orders", "o-2", {"n": 2})
        assert [row["n"] for row in await first.find("orders")] == [2, 1]
        with pytest.raises(StoreUnavailable, match="in use"):
            await SqliteLedger.open(path)
    finally:
        await first.close()
        await second.close()
    alone = await SqliteLedger.open(path)
    assert [row["n"] for row in await alone.find("orders")] == [2, 1]
    with pytest.raises(StoreUnavailable, match="in use"):
        await SqliteLedger.open(path, shared=True)
    await alone.close()


async def test_who_closed_answers_no_more(tmp_path: Path) -> None:
    ledger = await SqliteLedger.open(tmp_path / "ledger.db")
    lease = await taken(ledger)
    await ledger.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await ledger.renew(lease)
