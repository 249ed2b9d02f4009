"""One account to a Redis database: the second finds the first's claim, and takes no entries while that stands."""

import asyncio
from typing import Any

import pytest

from chimera.adapters.memory.bus import MemoryBus
from chimera.services.router.apart import AGAIN_S, CLAIM_MS, EVERY_S, WHY, Apart
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown
from chimera.trading.money import Millis
from chimera.wire.keys import S4_ACCOUNT


class Hand:
    ms = 1_000

    def now_ms(self) -> Millis:
        return Millis(self.ms)

    def monotonic_ms(self) -> Millis:
        return Millis(self.ms)


class House:
    """An S4 of ``name`` in an environment."""

    def __init__(self, bus: MemoryBus, name: str, environment: str = "live") -> None:
        self.name = name
        self.why: str | None = "not asked"
        self.apart = Apart(environment, self._whose, bus, self._level)

    async def _whose(self) -> str:
        return self.name

    def _level(self, why: str | None) -> None:
        self.why = why

    async def looks(self) -> str | None:
        await self.apart.look()
        return self.why


@pytest.mark.req("S3-PER-2")
async def test_the_second_account_waits_until_the_first_one_s_claim_has_run_out() -> None:
    clock = Hand()
    bus = MemoryBus(clock)
    first, second = House(bus, "a"), House(bus, "b")
    assert await first.looks() is None
    for _ in range(20):
        clock.ms += CLAIM_MS // 4
        assert (await first.looks(), await second.looks()) == (None, WHY)
    clock.ms += CLAIM_MS
    assert (await second.looks(), await first.looks()) == (None, WHY)


@pytest.mark.req("S3-PER-2")
async def test_a_claim_that_ran_out_in_this_moment_is_not_written_over_another_s() -> None:
    """Between our looking at our claim and our writing of it the second one took it."""
    clock = Hand()

    class Late(MemoryBus):
        late = False

        async def _apply(self, operation: str, key: str, apply: Any) -> Any:
            answer = await super()._apply(operation, key, apply)
            if self.late:
                self.late = False
                clock.ms += CLAIM_MS
                await self.acquire(S4_ACCOUNT, "live:b", CLAIM_MS)
            return answer

    bus = Late(clock)
    first, second = House(bus, "a"), House(bus, "b")
    await first.looks()
    bus.late = True
    await first.looks()

    assert await bus.get(S4_ACCOUNT) == b"live:b"
    assert (await second.looks(), await first.looks()) == (None, WHY)


async def test_routers_of_one_account_share_a_claim_and_the_same_name_elsewhere_does_not() -> None:
    bus = MemoryBus(Hand())
    assert await House(bus, "a").looks() is None
    assert await House(bus, "a").looks() is None
    assert await House(bus, "a", "demo").looks() == WHY


async def test_an_account_without_a_name_claims_nothing() -> None:
    bus = MemoryBus(Hand())
    assert await House(bus, "").looks() is None
    assert await bus.get(S4_ACCOUNT) is None


async def test_who_could_not_ask_asks_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[str | ChimeraError] = [NotSent("starting"), OutcomeUnknown("no answer"), "a"]
    slept: list[float] = []
    levels: list[str | None] = []

    async def whose() -> str:
        answer = answers.pop(0)
        if isinstance(answer, ChimeraError):
            raise answer
        return answer

    async def sleep(seconds: float) -> None:
        slept.extend([seconds] if seconds else [])  # 0: a store that gives way
        if len(slept) == 4:
            raise asyncio.CancelledError

    monkeypatch.setattr("chimera.services.router.apart.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await Apart("live", whose, MemoryBus(Hand()), levels.append).run()
    assert (slept, levels) == ([AGAIN_S, AGAIN_S, EVERY_S, EVERY_S], [None, None])
