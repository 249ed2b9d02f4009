"""Stores that are slow, away, or answer to nobody: the memory doubles behind a wire of their own.

Invariants: what a store was asked is carried through even when the asker dies; a stall ends; a failure before the
change leaves nothing, one after it leaves the change, and the asker cannot tell which.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, cast

from chimera.ports.ledger import Ledger
from chimera.ports.streams import Bus
from chimera.services.world.loop import DetLoop
from chimera.services.world.proc import Proc
from chimera.services.world.tape import Tape
from chimera.trading.errors import StoreUnavailable

MOST: Final[Mapping[str, float]] = {"fail_before": 0.05, "fail_after": 0.05, "slow": 0.10}
LEDGER_US: Final = 2_000  # a power-safe commit
BUS_US: Final = 300
_WAITING_READS: Final = frozenset({"read", "tail"})  # they wait for news: a dead reader's must not take any


class StoreWeather:
    """``chimera.adapters.memory.faults.Faults``: latency, failures, and stall windows set by hand."""

    def __init__(self, loop: DetLoop, name: str, tape: Tape, rates: Mapping[str, float], *, typical_us: int) -> None:
        self.stalled_until_us = 0
        self._loop = loop
        self._name = name
        self._tape = tape
        self._rates = rates
        self._typical_us = typical_us

    def stall(self, seconds: float) -> None:
        """From now on nothing answers for so long."""
        self.stalled_until_us = self._loop.now_us + round(seconds * 1_000_000)

    async def before(self, operation: str, key: str) -> None:
        about = f"{self._name}.{operation}"
        wait_us = self._tape.latency_us(about, self._typical_us)
        if self._tape.fires(f"{self._name}_slow:{operation}", self._rates.get(f"{self._name}_slow", 0)):
            wait_us += self._tape.whole(f"slow_us:{about}", 50_000, 3_000_000)
        await self._pass(wait_us)
        self._maybe_fail("fail_before", operation)

    async def after(self, operation: str, key: str) -> None:
        await self._pass(0)
        self._maybe_fail("fail_after", operation)

    async def _pass(self, wait_us: int) -> None:
        await asyncio.sleep(wait_us / 1_000_000)
        while (left_us := self.stalled_until_us - self._loop.now_us) > 0:  # noqa: ASYNC110  # a new stall may begin
            await asyncio.sleep(left_us / 1_000_000)

    def _maybe_fail(self, fault: str, operation: str) -> None:
        name = f"{self._name}_{fault}"
        if self._tape.fires(f"{name}:{operation}", self._rates.get(name, 0)):
            raise StoreUnavailable(f"{name}: {operation}")


class _Wire:
    """Any store, asked over a wire by one incarnation."""

    def __init__(self, proc: Proc, store: object) -> None:
        self._proc = proc
        self._store = store

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._store, name)

        async def ask(*args: Any, **kwargs: Any) -> Any:
            self._proc.check()
            if name in _WAITING_READS:
                return await method(*args, **kwargs)
            return await self._proc.remote(method(*args, **kwargs))

        return ask


def ledger_of(proc: Proc, ledger: Ledger) -> Ledger:
    """The ledger as this incarnation reaches it."""
    return cast("Ledger", _Wire(proc, ledger))


def bus_of(proc: Proc, bus: Bus) -> Bus:
    """The bus as this incarnation reaches it."""
    return cast("Bus", _Wire(proc, bus))
