"""Routers on machines of their own share leases in ArangoDB: whole tenancies in virtual time, over a line that fails.

The server's part is the stub's, statement by statement; the line delays, loses and brings late what is sent. Each
machine has a clock of its own, which began elsewhere and runs at another speed.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from copy import deepcopy
from typing import Any

import msgspec
import pytest

pytest.importorskip("arangoasync", reason="ArangoDB's driver is not installed (chimera[arango])")

from arango_stub import ArangoStub, Collection, Refused, Seen
from msgspec import Raw

from chimera.adapters.arango import layout
from chimera.adapters.arango.leases import ArangoLeases
from chimera.adapters.arango.link import Link, Passing
from chimera.services.router.tenancy import Left, Tenancy, Terms
from chimera.services.stage.loop import DetLoop
from chimera.trading.lease import Lease
from chimera.trading.money import Millis

pytestmark = [pytest.mark.slow, pytest.mark.req("I19", "S4-ROUTE-6", "DB-2")]

NAME, KEY = "account:main", "account:main"
SCHEMA = next(each.schema for each in layout.COLLECTIONS if each.name == "leases")
NEVER_S = 3_600.0


class Server:
    """The collection of the leases, and the stub's meaning of each statement."""

    def __init__(self) -> None:
        self.stub = ArangoStub()
        self.made = {"leases": Collection({"schema": SCHEMA})}

    @property
    def document(self) -> dict[str, Any]:
        return self.made["leases"].documents[KEY]

    async def answer(self, statement: str, bind: dict[str, Any]) -> list[Raw]:
        asked = Seen("POST", "/_api/cursor", {}, {}, {"query": statement, "bindVars": bind})
        try:
            return [Raw(msgspec.json.encode(row)) for row in await self.stub._query(self.made, asked)]
        except Refused as no:
            raise Passing(str(no)) from no


class Line:
    """As ``Link``: from one machine to the server."""

    until_done = Link.until_done
    address = "there"
    _deadline_s = 2.0

    def __init__(self, server: Server, chance: random.Random, trouble: float) -> None:
        self.server, self.chance, self.trouble = server, chance, trouble
        self.cut_until_s = 0.0
        self._late: set[asyncio.Task[Any]] = set()

    async def run(self, statement: str, **bind: Any) -> list[Raw]:
        await self._on_its_way()
        how = self.chance.choice(("lost", "late", "never")) if self.chance.random() < self.trouble else "well"
        if how in ("late", "never") or asyncio.get_running_loop().time() < self.cut_until_s:
            if how == "late":
                self._late.add(asyncio.create_task(self._arrives_late(statement, bind)))
            await asyncio.sleep(0.9)
            raise Passing("no answer in time")
        rows = await self.server.answer(statement, bind)
        await self._on_its_way()
        if how == "lost":
            raise Passing("the connection broke")
        return rows

    async def _arrives_late(self, statement: str, bind: dict[str, Any]) -> None:
        await asyncio.sleep(self.chance.uniform(0, 8))
        try:
            await self.server.answer(statement, bind)
        except Passing:
            return  # nobody is there to be told

    async def _on_its_way(self) -> None:
        slow = self.chance.random() < self.trouble
        await asyncio.sleep(self.chance.uniform(0.001, 0.6 if slow else 0.02))


class Clock:
    """Of one machine."""

    def __init__(self, loop: DetLoop, begun_ms: int, speed: float) -> None:
        self._loop, self._begun_ms, self._speed = loop, begun_ms, speed

    def monotonic_ms(self) -> Millis:
        return Millis(int(self._begun_ms + self._speed * self._loop.time() * 1000))

    now_ms = monotonic_ms


class House:
    async def run(self) -> None:
        await asyncio.Event().wait()

    def hold_entries(self, why: str | None) -> None: ...

    def asks_nothing(self) -> bool:
        return True


class Machine:
    """One router. ``may`` is what it may still do; a dead one may nothing."""

    def __init__(self, loop: DetLoop, name: str, server: Server, clock: Clock, line: Line) -> None:
        self.name, self.line, self._clock, self._lives = name, line, clock, 0
        self._server = server
        self._left: Left | None = None
        self.leases: list[Lease] = []
        self.start()

    def start(self) -> None:
        self._lives += 1
        leases = ArangoLeases(self.line, self.line.until_done, self._clock.monotonic_ms)  # type: ignore[arg-type]  # the line is one

        @asynccontextmanager
        async def build(lease: Lease, left: Left) -> AsyncIterator[House]:
            self._left = left
            self.leases.append(lease)
            yield House()

        terms = Terms(name=NAME, owner=f"{self.name}-{self._lives}", url=f"http://{self.name}")
        self.running = asyncio.create_task(Tenancy(terms, leases, self._clock, build).run())

    @property
    def may(self) -> bool:
        return self._left is not None and self._left() > 0

    async def killed(self) -> None:
        """With -9: nothing is given back."""
        self._left, self.line.cut_until_s = None, NEVER_S
        self.running.cancel()
        await asyncio.wait({self.running})
        self.line.cut_until_s = 0.0


Story = Callable[[list[Machine], Server], Awaitable[None]]


def played(seed: int, story: Story, *, trouble: float = 0.0, machines: int = 3) -> None:
    loop = DetLoop(seed)
    random.seed(seed)  # the pauses between two tries
    chance = random.Random(seed)

    async def whole() -> None:
        server = Server()
        each = [
            Machine(
                loop,
                f"s4-{number}",
                server,
                Clock(loop, chance.randrange(10**9), chance.uniform(0.96, 1.04)),
                Line(server, random.Random(f"{seed}:{number}"), trouble),
            )
            for number in range(machines)
        ]
        await story(each, server)
        for machine in each:
            await machine.killed()

    try:
        loop.run_until_complete(whole())
        assert loop.unheard() == []
    finally:
        loop.close()


async def acting(machines: list[Machine], within_s: float) -> Machine:
    async with asyncio.timeout(within_s):
        while not any(each.may for each in machines):  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.01)
    return next(each for each in machines if each.may)


@pytest.mark.parametrize("seed", range(24))
def test_never_two_at_a_time_whatever_the_line_does(seed: int) -> None:
    async def story(machines: list[Machine], server: Server) -> None:
        chance, acted = random.Random(f"story:{seed}"), 0
        for step in range(6_000):  # a minute
            await asyncio.sleep(0.01)
            now = [each.name for each in machines if each.may]
            assert len(now) <= 1, f"{now} at step {step}"
            acted += len(now)
            struck = chance.random()
            one = chance.choice(machines)
            if struck < 0.002:
                one.line.cut_until_s = asyncio.get_running_loop().time() + chance.uniform(0.5, 12)
            elif struck < 0.003:
                await one.killed()
                one.start()
        leases = {(lease.fence, lease.owner) for each in machines for lease in each.leases}
        assert acted > 2_000, "mostly somebody acts"
        assert len({fence for fence, _ in leases}) == len(leases), "a fence is of one life"

    played(seed, story, trouble=0.02)


@pytest.mark.parametrize("seed", range(10))
def test_a_dead_ones_account_is_taken_over_within_five_seconds(seed: int) -> None:
    async def story(machines: list[Machine], server: Server) -> None:
        first = await acting(machines, 5)
        await asyncio.sleep(random.Random(seed).uniform(2, 3))
        await first.killed()
        second = await acting(machines, 4.5)
        assert second is not first
        assert second.leases[-1].fence > first.leases[-1].fence

    played(seed, story)


def test_one_that_is_restarted_within_its_own_lease_waits_like_anybody() -> None:
    """It cannot know what its former life still has under way."""

    async def story(machines: list[Machine], server: Server) -> None:
        (only,) = machines
        await acting(machines, 1)
        await only.killed()
        only.start()
        died_s = asyncio.get_running_loop().time()
        await acting(machines, 5)
        assert 3 < asyncio.get_running_loop().time() - died_s < 4
        assert [lease.fence for lease in only.leases] == [1, 2]

    played(1, story, machines=1)


def test_a_server_that_comes_back_with_an_older_lease_lets_nobody_act_beside_the_holder() -> None:
    """Its leader died and took its last writes along: whoever held by them is deposed, and no old sight counts."""

    async def story(machines: list[Machine], server: Server) -> None:
        first = await acting(machines, 1)
        await asyncio.sleep(2)
        before = deepcopy(server.document)
        await first.killed()
        second = await acting(machines, 5)
        await asyncio.sleep(1)
        assert second is not first
        for each in machines:
            each.line.cut_until_s = asyncio.get_running_loop().time() + 1.5  # shorter than the lease
        await asyncio.sleep(1.4)
        server.document.update(before)
        for _ in range(600):
            await asyncio.sleep(0.01)
            assert sum(each.may for each in machines) <= 1
        await acting(machines, 1)

    played(3, story)
