"""Two processes, one ledger, in virtual time: who runs a house, when it ends, and what it leaves behind."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from chimera.adapters.memory.ledger import MemoryLedger
from chimera.admit.tenure import EVERY_MS, TTL_MS
from chimera.services.router.tenancy import SUCCEEDING_S, Left, Tenancy, Terms
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.trading.errors import StoreUnavailable
from chimera.trading.lease import Lease

pytestmark = pytest.mark.req("S4-ROUTE-6")

NAME = "account:main"


class House:
    """Runs until it is cancelled, and then for ``lingers_s``."""

    def __init__(self, bench: "Bench", owner: str, left: Left) -> None:
        self.bench, self.owner, self.left = bench, owner, left
        self.held: list[tuple[float, str | None]] = []

    async def run(self) -> None:
        bench = self.bench
        bench.say(f"{self.owner} runs")
        if bench.fault is not None:
            raise bench.fault
        try:
            await asyncio.Event().wait()
        finally:
            assert self.left() == 0, "sending ends first"
            await asyncio.sleep(bench.lingers_s)
            bench.say(f"{self.owner} ended")

    def hold_entries(self, why: str | None) -> None:
        self.held.append((self.bench.now_s, why))

    def asks_nothing(self) -> bool:
        return self.bench.answered


class Bench:
    """One ledger and its processes."""

    def __init__(self, loop: DetLoop) -> None:
        self.clock = VirtualClock(loop)
        self.ledger = MemoryLedger(monotonic_ms=self.clock.monotonic_ms)
        self.said: list[tuple[float, str]] = []
        self.houses: list[House] = []
        self.lingers_s = 0.2
        self.answered = True
        self.fault: Exception | None = None

    @property
    def now_s(self) -> float:
        return round(self.clock.monotonic_ms() / 1000, 2)

    def say(self, what: str) -> None:
        self.said.append((self.now_s, what))

    def process(self, owner: str) -> "tuple[Tenancy, asyncio.Task[None]]":
        @asynccontextmanager
        async def build(_: Lease, left: Left) -> AsyncIterator[House]:
            self.houses.append(House(self, owner, left))
            yield self.houses[-1]

        tenancy = Tenancy(Terms(name=NAME, owner=owner, url=f"http://{owner}"), self.ledger, self.clock, build)
        return tenancy, asyncio.create_task(tenancy.run())

    def away(self) -> None:
        async def no(*_: Any, **__: Any) -> bool:
            raise StoreUnavailable("away")

        self.ledger.take = self.ledger.renew = no  # type: ignore[method-assign,assignment]  # the ledger is away

    def back(self) -> None:
        del self.ledger.take, self.ledger.renew


def played(story: Callable[[Bench], Coroutine[Any, Any, None]]) -> None:
    loop = DetLoop(1)

    async def whole() -> None:
        await story(Bench(loop))

    try:
        loop.run_until_complete(whole())
        assert loop.unheard() == []
    finally:
        loop.close()


async def ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.wait({task})


def test_a_restart_hands_over_at_once_and_the_house_ends_before_that() -> None:
    async def story(bench: Bench) -> None:
        first, running = bench.process("a")
        await asyncio.sleep(0.1)
        second, standing = bench.process("b")
        await asyncio.sleep(5)
        assert first.holder is None
        assert second.holder is not None
        assert second.holder.url == "http://a"
        began_s = bench.now_s
        await ended(running)
        await asyncio.sleep(1)
        assert [what for _, what in bench.said] == ["a runs", "a ended", "b runs"]
        assert bench.said[-1][0] - began_s <= bench.lingers_s + EVERY_MS / 1000 + 0.05
        await ended(standing)

    played(story)


def test_what_the_venue_has_not_answered_lets_the_lease_run_out() -> None:
    async def story(bench: Bench) -> None:
        _, running = bench.process("a")
        await asyncio.sleep(0.1)
        _, standing = bench.process("b")
        await asyncio.sleep(2)
        bench.answered = False
        began_s = bench.now_s
        await ended(running)
        await asyncio.sleep(5)
        took_s = bench.said[-1][0] - began_s
        assert bench.said[-1][1] == "b runs"
        assert (TTL_MS - EVERY_MS) / 1000 - 0.05 <= took_s <= (TTL_MS + EVERY_MS) / 1000
        await ended(standing)

    played(story)


def test_entries_wait_after_each_succession() -> None:
    async def story(bench: Bench) -> None:
        _, running = bench.process("a")
        await asyncio.sleep(5)
        (from_s, why), (until_s, over) = bench.houses[0].held
        assert why is not None
        assert over is None
        assert until_s - from_s == pytest.approx(SUCCEEDING_S, abs=0.02)
        await ended(running)

    played(story)


def test_with_the_ledger_away_for_longer_than_the_lease_nobody_acts_until_it_is_back() -> None:
    async def story(bench: Bench) -> None:
        _, running = bench.process("a")
        await asyncio.sleep(2)
        bench.away()
        await asyncio.sleep(10)
        ((_, first), (at_s, second)) = bench.said
        assert (first, second) == ("a runs", "a ended")
        assert at_s <= 2 + (TTL_MS / 1000) + bench.lingers_s + 0.05
        bench.back()
        await asyncio.sleep(1)
        assert [what for _, what in bench.said] == ["a runs", "a ended", "a runs"]
        assert bench.houses[1].left() > 0
        assert bench.houses[0].left() == 0, "what an ended house left behind acts by no later lease"
        await ended(running)

    played(story)


def test_a_hiccup_of_the_ledger_ends_nothing() -> None:
    async def story(bench: Bench) -> None:
        _, running = bench.process("a")
        await asyncio.sleep(2)
        bench.away()
        await asyncio.sleep(1.5)
        bench.back()
        await asyncio.sleep(3)
        assert [what for _, what in bench.said] == ["a runs"]
        await ended(running)

    played(story)


def test_a_fault_of_the_house_ends_the_process_and_the_lease_runs_out() -> None:
    async def story(bench: Bench) -> None:
        bench.fault = RuntimeError("deposed")
        _, running = bench.process("a")
        with pytest.raises(RuntimeError, match="deposed"):
            await running
        bench.fault, began_s = None, bench.now_s
        _, standing = bench.process("b")
        await asyncio.sleep(5)
        assert bench.said[-1][1] == "b runs"
        assert bench.said[-1][0] - began_s > 2
        await ended(standing)

    played(story)
