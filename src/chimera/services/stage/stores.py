"""Stores that are slow, away, or answer to nobody: the memory doubles behind a wire of their own.

Invariants: what a store has acknowledged stays (a bus may lose it in a fail-over, never a ledger); what it was asked is
carried through when the asker dies, or was torn before it reached the disk; a stall ends; a failure before the change
leaves nothing, one after it leaves the change, and the asker cannot tell which.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Final, TypeVar

from chimera.adapters.memory.faults import too_late
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.proc import Proc
from chimera.services.stage.tape import Tape
from chimera.trading.errors import StoreUnavailable
from chimera.trading.money import Millis

T = TypeVar("T")
# "torn": of the writes that were under way as their asker died, the share that never reached the disk.
MOST: Final[Mapping[str, float]] = {"fail_before": 0.05, "fail_after": 0.05, "slow": 0.10, "torn": 0.5}
ASKER: Final[ContextVar[Proc | None]] = ContextVar("asker", default=None)  # whose operation a store is carrying out
LEDGER_US: Final = 2_000  # a power-safe commit
BUS_US: Final = 300
NEVER_US: Final = 1 << 62


class StoreWeather:
    """``chimera.adapters.memory.faults.Faults``: latency, failures, and stall windows set by hand."""

    def __init__(self, loop: DetLoop, name: str, tape: Tape, rates: Mapping[str, float], *, typical_us: int) -> None:
        self.stalled_until_us = 0
        self.stalls: list[tuple[int, int]] = []  # from, to in us
        self._loop = loop
        self._name = name
        self._tape = tape
        self._rates = rates
        self._typical_us = typical_us

    def stall(self, seconds: float) -> None:
        """From now on nothing answers for so long."""
        self.stalled_until_us = self._loop.now_us + round(seconds * 1_000_000)
        self.stalls.append((self._loop.now_us, self.stalled_until_us))

    async def before(self, operation: str, key: str) -> None:
        await self._pass(self._wait_us(operation), NEVER_US)
        self._maybe_fail("fail_before", operation)

    async def after(self, operation: str, key: str) -> None:
        await self._pass(0, NEVER_US)
        self._maybe_fail("fail_after", operation)

    async def carry(self, deadline_ms: Millis, operation: str, key: str, apply: Callable[[], T]) -> T:
        """``chimera.adapters.memory.faults.Carrier``: what happens is known beforehand, no deadline needs a timer."""
        end_us = self._loop.now_us + deadline_ms * 1000
        if not await self._pass(self._wait_us(operation), end_us):
            raise too_late(deadline_ms, operation, key)
        self._maybe_fail("fail_before", operation)
        asker = ASKER.get()
        if asker is not None and not asker.alive:
            self._maybe_fail("torn", operation)
        answer = apply()
        if not await self._pass(0, end_us):
            raise too_late(deadline_ms, operation, key)
        self._maybe_fail("fail_after", operation)
        return answer

    def _wait_us(self, operation: str) -> int:
        about = f"{self._name}.{operation}"
        wait_us = self._tape.latency_us(about, self._typical_us)
        if self._tape.fires(f"{self._name}_slow:{operation}", self._rates.get(f"{self._name}_slow", 0)):
            wait_us += self._tape.whole(f"slow_us:{about}", 50_000, 3_000_000)
        return wait_us

    async def _pass(self, wait_us: int, end_us: int) -> bool:
        """Wait so long, and for the end of any stall; False when ``end_us`` came first."""
        loop = self._loop
        awake_us = loop.now_us + wait_us
        await asyncio.sleep((min(awake_us, end_us) - loop.now_us) / 1_000_000)
        while loop.now_us < end_us and self.stalled_until_us > loop.now_us:  # noqa: ASYNC110  # a new one may begin
            await asyncio.sleep((min(self.stalled_until_us, end_us) - loop.now_us) / 1_000_000)
        return loop.now_us < end_us

    def _maybe_fail(self, fault: str, operation: str) -> None:
        name = f"{self._name}_{fault}"
        rate = self._rates.get(name, 0)
        if rate and self._tape.fires(f"{name}:{operation}", rate):
            raise StoreUnavailable(f"{name}: {operation}")
