"""The stores as one incarnation reaches them: over a wire that its death ends, or that its machine has lost.

Invariants: the dead ask nothing; a write that has begun is carried through though its asker dies, a read is not.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar, cast

from chimera.adapters.memory.ledger import DEADLINE_MS
from chimera.ports.ledger import Ledger
from chimera.ports.streams import Bus
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.proc import Proc
from chimera.services.stage.stores import ASKER
from chimera.trading.errors import StoreUnavailable
from world.spans import Span

T = TypeVar("T")
# They change nothing, or wait for news of which a dead reader's must not take any: nobody carries them through.
_READS: Final = frozenset({"read", "tail", "get", "get_many", "find", "page", "span", "load", "keys", "ping"})


class Reach:
    """Which stores one machine cannot reach just now, though others can."""

    def __init__(self, loop: DetLoop) -> None:
        self.cuts: dict[str, list[Span]] = {}
        self._loop = loop

    def lose(self, store: str, seconds: float) -> None:
        """For so long from now on."""
        now_us = self._loop.now_us
        self.cuts.setdefault(store, []).append((now_us, now_us + round(seconds * 1_000_000)))

    def heal(self) -> None:
        """Each is there again."""
        now_us = self._loop.now_us
        self.cuts = {store: [(at, min(end, now_us)) for at, end in cuts] for store, cuts in self.cuts.items()}

    async def through(self, store: str, about: str) -> None:
        """One way of a question; raises ``StoreUnavailable`` where it is not through within the store's deadline."""
        end_us = self._loop.now_us + DEADLINE_MS * 1000
        while (cut_us := self._cut_us(store)) > self._loop.now_us:
            if self._loop.now_us >= end_us:
                raise StoreUnavailable(f"{store} is out of reach: {about}")
            await asyncio.sleep((min(cut_us, end_us) - self._loop.now_us) / 1_000_000)

    def _cut_us(self, store: str) -> int:
        return max((end for _, end in self.cuts.get(store, ())), default=0)


class _Wire:
    """Any store, asked over a wire by one incarnation."""

    def __init__(self, proc: Proc, name: str, store: object, reach: Reach | None) -> None:
        self._proc = proc
        self._name = name
        self._store = store
        self._reach = reach

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._store, name)

        async def ask(*args: Any, **kwargs: Any) -> Any:
            self._proc.check()
            if self._reach is None:
                return await self._asked(name, method(*args, **kwargs))
            await self._reach.through(self._name, name)
            answer = await self._asked(name, method(*args, **kwargs))
            await self._reach.through(self._name, name)
            return answer

        return ask

    async def _asked(self, name: str, work: Coroutine[Any, Any, T]) -> T:
        return await (work if name in _READS else self._proc.remote(self._named(work)))

    async def _named(self, work: Coroutine[Any, Any, T]) -> T:
        ASKER.set(self._proc)
        return await work


def ledger_of(proc: Proc, ledger: Ledger, reach: Reach | None = None) -> Ledger:
    """The ledger as this incarnation reaches it."""
    return cast("Ledger", _Wire(proc, "ledger", ledger, reach))


def bus_of(proc: Proc, bus: Bus, reach: Reach | None = None) -> Bus:
    """The bus as this incarnation reaches it."""
    return cast("Bus", _Wire(proc, "bus", bus, reach))
