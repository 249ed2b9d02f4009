"""What the leases in ArangoDB send, and what they make of each answer: refused, lost, late, and of what was lost."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest

pytest.importorskip("arangoasync", reason="ArangoDB's driver is not installed (chimera[arango])")

from arango_homes import address_at, bare_stub, stub_with_layout
from arango_stub import ArangoStub, Fault, Seen
from test_leases_contract import NAME, TTL, taken

from chimera.adapters.arango import aql
from chimera.adapters.arango.leases import LONGER, ArangoLeases
from chimera.adapters.arango.ledger import ArangoLedger
from chimera.adapters.arango.link import Link
from chimera.trading.errors import StoreUnavailable
from chimera.trading.lease import Holder, Lease

pytestmark = [pytest.mark.req("DB-1", "DB-2"), pytest.mark.req("I19")]

WATCHED = TTL + TTL // LONGER
PASSING = [(409, 1200), (412, 1200), (503, 1495), (503, 1496), (503, 1491), (503, 1429), (503, 1457), (503, 503)]


@dataclass
class Machine:
    """A process and its clock."""

    stub: ArangoStub
    leases: ArangoLeases
    ms: int = 0

    async def asks(self, owner: str) -> Lease | Holder:
        return await self.leases.take(NAME, owner, url=f"http://{owner}", ttl_ms=TTL)


@pytest.fixture
async def stub() -> AsyncIterator[ArangoStub]:
    async with stub_with_layout() as stub:
        yield stub


@pytest.fixture
async def machines(stub: ArangoStub) -> AsyncIterator[list[Machine]]:
    """Three, whose clocks began at different times."""
    made: list[Machine] = []
    links = [Link(address_at(stub)) for _ in range(3)]
    for number, link in enumerate(links):

        def now_ms(number: int = number) -> int:
            return made[number].ms

        made.append(Machine(stub, ArangoLeases(link, link.until_done, now_ms), 10_000 * number))
    yield made
    for link in links:
        await link.close()


def later(machines: list[Machine], ms: int) -> None:
    for each in machines:
        each.ms += ms


async def given_up(question: Coroutine[Any, Any, Any], met: Callable[[], object]) -> None:
    """As a tenancy does after a second; here once ``met``."""
    asking = asyncio.create_task(question)
    async with asyncio.timeout(10):
        while not met():  # noqa: ASYNC110 - the server's part runs beside
            await asyncio.sleep(0.001)
    asking.cancel()
    await asyncio.wait({asking})
    assert asking.cancelled()


async def refused(stub: ArangoStub, question: Coroutine[Any, Any, Any], number: int) -> None:
    """A leader dies."""
    away = Fault("refuse", times=99, number=number)
    stub.faults.append(away)
    await given_up(question, lambda: away.times < 98)
    stub.faults.clear()


def document(stub: ArangoStub) -> dict[str, Any]:
    return stub.databases["chimera"]["leases"].documents[NAME]


def of(*statements: str) -> Callable[[Seen], bool]:
    return lambda seen: seen.statement in statements


async def test_each_question_is_one_request_and_each_grant_two(stub: ArangoStub, machines: list[Machine]) -> None:
    one, other, _ = machines
    lease = await taken(one.leases)
    assert await one.leases.renew(lease)
    await other.asks("b")
    later(machines, WATCHED)
    await taken(other.leases, "b")
    await other.leases.release(Lease(name=NAME, owner="b", fence=2, ttl_ms=TTL))

    asked = [(each.statement, each.body["bindVars"]) for each in stub.seen]
    tokens = [bind.pop("by") for _, bind in asked if "by" in bind]
    was = asked[5][1].pop("was")
    terms = {"key": "account:main", "ttl_ms": TTL}
    assert asked == [
        (aql.LEASE, {"key": "account:main"}),
        (aql.NEW_LEASE, terms | {"fence": 1, "owner": "a", "url": "http://a"}),
        (aql.RENEW, {"key": "account:main", "fence": 1, "owner": "a"}),
        (aql.LEASE, {"key": "account:main"}),
        (aql.LEASE, {"key": "account:main"}),
        (aql.NEXT_LEASE, terms | {"fence": 2, "owner": "b", "url": "http://b"}),
        (aql.RELEASE, {"key": "account:main", "fence": 2, "owner": "b"}),
    ]
    assert was == tokens[1], "the grant names the sign of life that was watched"
    assert len(set(tokens)) == 4


def test_every_statement_names_what_it_changes_and_waits_for_the_disk() -> None:
    for statement in (aql.NEW_LEASE, aql.NEXT_LEASE, aql.RENEW, aql.RELEASE):
        assert "waitForSync: true" in statement
    for statement in (aql.NEXT_LEASE, aql.RENEW, aql.RELEASE):
        assert "ignoreRevs: false" in statement
    assert "FILTER l._key == @key AND l.by == @was UPDATE" in aql.NEXT_LEASE
    for statement in (aql.RENEW, aql.RELEASE):
        assert "FILTER l._key == @key AND l.fence == @fence AND l.owner == @owner UPDATE" in statement


async def test_the_ledger_grants_them_by_a_clock_of_this_machine(stub: ArangoStub) -> None:
    ledger = await ArangoLedger.open(address_at(stub))
    lease = await taken(ledger)
    assert await ledger.renew(lease)
    held = await ledger.take(NAME, "b", url="http://b", ttl_ms=TTL)
    assert isinstance(held, Holder)
    assert 0 < held.left_ms <= WATCHED
    await ledger.close()


async def test_a_database_of_before_leases_asks_for_init() -> None:
    async with bare_stub() as bare:
        ledger = ArangoLedger(Link(address_at(bare)))
        with pytest.raises(StoreUnavailable, match="chimera init"):
            await taken(ledger)
        await ledger.close()


# ── who watches ──


async def test_nobody_is_granted_it_on_what_another_has_seen(machines: list[Machine]) -> None:
    """An hour old, but seen for the first time: no two clocks are compared."""
    one, other, third = machines
    await taken(one.leases)
    await other.asks("b")
    later(machines, 3_600_000)
    held = await third.asks("c")
    assert isinstance(held, Holder)
    assert held.left_ms == WATCHED
    assert (await taken(other.leases, "b")).fence == 2
    later(machines, WATCHED)
    held = await third.asks("c")
    assert isinstance(held, Holder)
    assert (held.owner, held.left_ms) == ("b", WATCHED), "a new sign of life is watched anew"


@pytest.mark.fault("A11")
async def test_a_holder_whose_clock_slept_is_deposed_by_the_fence(machines: list[Machine]) -> None:
    """Its own count, which leaves its sleep out, says that the lease runs: the server says that it is another's."""
    one, other, _ = machines
    lease = await taken(one.leases)
    await other.asks("b")
    other.ms += WATCHED
    new = await taken(other.leases, "b")
    assert not await one.leases.renew(lease)
    await one.leases.release(lease)
    assert await other.leases.renew(new)


async def test_a_holder_that_woke_asks_nothing_once_its_own_count_is_over(
    stub: ArangoStub, machines: list[Machine]
) -> None:
    one = machines[0]
    lease = await taken(one.leases)
    one.ms += TTL
    before = len(stub.seen)
    assert not await one.leases.renew(lease)
    assert len(stub.seen) == before


# ── refused for now, answers that are lost ──


@pytest.mark.parametrize(("status", "number"), PASSING)
async def test_what_passes_is_tried_again(stub: ArangoStub, machines: list[Machine], status: int, number: int) -> None:
    one, other, _ = machines
    for statement in (aql.NEW_LEASE, aql.RENEW, aql.RELEASE, aql.NEXT_LEASE):
        stub.faults.append(Fault("refuse", of(statement), 2, status, number))
    lease = await taken(one.leases)
    assert await one.leases.renew(lease)
    await one.leases.release(lease)
    assert (await taken(other.leases, "b")).fence == 2
    assert [fault.times for fault in stub.faults] == [0] * 4


@pytest.mark.parametrize("how", ["lose", "drop"])
@pytest.mark.fault("E2")
async def test_a_renewal_or_grant_whose_answer_is_lost_is_one(
    stub: ArangoStub, machines: list[Machine], how: str
) -> None:
    one, other, _ = machines
    for statement in (aql.NEW_LEASE, aql.RENEW, aql.RELEASE):
        stub.faults.append(Fault(how, of(statement)))
    lease = await taken(one.leases)
    assert await one.leases.renew(lease)
    assert (document(stub)["owner"], document(stub)["fence"]) == ("a", lease.fence)
    await one.leases.release(lease)
    assert (await taken(other.leases, "b")).fence == lease.fence + 1


@pytest.mark.parametrize("before", [False, True])
async def test_a_grant_that_nobody_heard_of_is_the_askers_and_keeps_others_out(
    stub: ArangoStub, machines: list[Machine], before: bool
) -> None:
    """It may have been granted: who asked may not act on it, and need not wait for itself."""
    one, other, _ = machines
    if before:
        await one.leases.release(await taken(one.leases))
    lost = Fault("lose", of(aql.NEW_LEASE, aql.NEXT_LEASE))
    after = Fault("drop", lambda _: lost.times == 0, times=99)
    stub.faults += [lost, after]
    await given_up(one.asks("b"), lambda: after.times < 99)
    stub.faults.clear()
    unheard = document(stub)["fence"]
    assert isinstance(await other.asks("c"), Holder)
    assert (await taken(one.leases, "b")).fence == unheard + 1


async def test_a_renewal_that_nobody_heard_of_costs_the_holder_nothing(
    stub: ArangoStub, machines: list[Machine]
) -> None:
    one, other, _ = machines
    lease = await taken(one.leases)
    await other.asks("b")
    lost = Fault("lose", of(aql.RENEW), times=99)
    stub.faults.append(lost)
    await given_up(one.leases.renew(lease), lambda: lost.times < 98)
    stub.faults.clear()
    later(machines, TTL - 1)
    assert await one.leases.renew(lease)
    later(machines, WATCHED - TTL + 1)
    assert isinstance(await other.asks("b"), Holder)


async def test_who_watches_begins_anew_after_a_question_that_was_not_answered(
    stub: ArangoStub, machines: list[Machine]
) -> None:
    """What it saw may have been lost and come back meanwhile."""
    one, other, _ = machines
    await taken(one.leases)
    await other.asks("b")
    await refused(stub, other.asks("b"), 1496)
    later(machines, WATCHED)
    held = await other.asks("b")
    assert isinstance(held, Holder)
    assert held.left_ms == WATCHED


# ── what arrives late ──


async def test_no_two_requests_leave_the_same_sign_of_life(stub: ArangoStub, machines: list[Machine]) -> None:
    """The late one of two tries would show to others what they have watched long enough."""
    one = machines[0]
    lease = await taken(one.leases)
    stub.faults += [Fault("lose", of(aql.RENEW)), Fault("late", of(aql.RENEW))]
    await given_up(one.leases.renew(lease), lambda: stub.late)
    watched = document(stub)["by"]
    assert await one.leases.renew(lease)
    await stub.deliver()
    tokens = [each.body["bindVars"]["by"] for each in stub.seen if "by" in each.body["bindVars"]]
    assert document(stub)["by"] != watched
    assert len(set(tokens)) == len(tokens) == 4


@pytest.mark.parametrize("statement", ["RENEW", "RELEASE"])
async def test_the_late_word_of_a_deposed_holder_changes_nothing(
    stub: ArangoStub, machines: list[Machine], statement: str
) -> None:
    one, other, _ = machines
    lease = await taken(one.leases)
    await other.asks("b")
    stub.faults.append(Fault("late", of(getattr(aql, statement))))
    question = one.leases.renew(lease) if statement == "RENEW" else one.leases.release(lease)
    await given_up(question, lambda: stub.late)
    later(machines, WATCHED)
    new = await taken(other.leases, "b")
    stands = dict(document(stub))
    await stub.deliver()
    assert document(stub) == stands
    assert await other.leases.renew(new)


async def test_a_late_grant_deposes_nobody(stub: ArangoStub, machines: list[Machine]) -> None:
    one, other, third = machines
    await taken(one.leases)
    for each, owner in ((other, "b"), (third, "c")):
        await each.asks(owner)
    later(machines, WATCHED)
    stub.faults.append(Fault("late", of(aql.NEXT_LEASE)))
    await given_up(other.asks("b"), lambda: stub.late)
    new = await taken(third.leases, "c")
    await stub.deliver()
    assert await third.leases.renew(new)


# ── what a fail-over has lost ──


async def test_a_lost_grant_deposes_its_holder_though_the_fence_is_given_again(
    stub: ArangoStub, machines: list[Machine]
) -> None:
    one, other, third = machines
    await one.leases.release(await taken(one.leases))
    before = deepcopy(document(stub))
    lost = await taken(other.leases, "b")
    document(stub).update(before)
    new = await taken(third.leases, "c")
    assert new.fence == lost.fence
    assert not await other.leases.renew(lost)
    assert await third.leases.renew(new)


async def test_who_saw_an_older_sign_of_life_before_the_fail_over_watches_it_anew(
    stub: ArangoStub, machines: list[Machine]
) -> None:
    """Another was granted it meanwhile, the fail-over lost that, and what stands there again was seen long ago."""
    one, other, third = machines
    await taken(one.leases)
    for each, owner in ((other, "b"), (third, "c")):
        await each.asks(owner)
    before = deepcopy(document(stub))
    later(machines, WATCHED)
    await taken(other.leases, "b")
    await refused(stub, third.asks("c"), 1495)
    document(stub).update(before)
    held = await third.asks("c")
    assert isinstance(held, Holder)
    assert held.left_ms == WATCHED
