"""One symbol is decided once at a time: here by a lock of this process, elsewhere by ``lock:pos:{symbol}``.

The lock is held at most ``LOCK_MS`` and let go on every path. No answer waits for that; the symbol's next decision in
this process does, so that it never meets its own lock. What a decision looks at is read while the lock is asked for:
no fact that counts for two decisions is among it but the budget, which is judged again when an entry is announced.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, Generic, NamedTuple, TypeVar

from chimera.ports.clock import Clock
from chimera.ports.streams import Locks
from chimera.services.strategy.ids import new_uuid
from chimera.trading.decision import Code, Verdict
from chimera.trading.errors import StoreUnavailable
from chimera.trading.money import Millis
from chimera.wire.keys import position_lock_key

LOCK_MS: Final = 3_000
SPARE_MS: Final = 500  # of the lock, left for the write that makes a decision durable
USABLE_MS: Final = LOCK_MS - SPARE_MS

T = TypeVar("T")


class Turn(NamedTuple, Generic[T]):
    """``locked_out``: why it is not ours. ``until_ms`` (monotonic): what is to be stored must be handed in by then."""

    locked_out: Verdict | None
    until_ms: Millis
    seen: T


class Turns:
    def __init__(self, locks: Locks, clock: Clock, rng: random.Random) -> None:
        self._locks = locks
        self._clock = clock
        self._rng = rng
        self._here: dict[str, asyncio.Lock] = {}
        self._letting_go: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def of(self, symbol: str, look: Callable[[], Awaitable[T]]) -> AsyncIterator[Turn[T]]:
        """The symbol's next turn, and what ``look`` saw as it began."""
        key, token = position_lock_key(symbol), new_uuid(self._rng)
        here = self._here.setdefault(symbol, asyncio.Lock())
        await here.acquire()
        try:
            until_ms = Millis(self._clock.monotonic_ms() + USABLE_MS)
            locked_out, seen = await asyncio.gather(self._asked(symbol, key, token), look())
            yield Turn(locked_out, until_ms, seen)
        finally:
            asyncio.get_running_loop().call_soon(self._begin_to_let_go, here, key, token)

    async def _asked(self, symbol: str, key: str, token: str) -> Verdict | None:
        try:
            if await self._locks.acquire(key, token, LOCK_MS):
                return None
        except StoreUnavailable as away:
            return Verdict(code=Code.BUS_AWAY, passed=False, name=key, text=f"the lock cannot be had: {away}")
        return Verdict(code=Code.LOCKED, passed=False, name=key, text=f"another process is deciding on {symbol}")

    def _begin_to_let_go(self, here: asyncio.Lock, key: str, token: str) -> None:
        going = asyncio.create_task(self._let_go(here, key, token))
        self._letting_go.add(going)  # the loop holds no task
        going.add_done_callback(self._letting_go.discard)

    async def _let_go(self, here: asyncio.Lock, key: str, token: str) -> None:
        try:
            with suppress(StoreUnavailable):  # it ends by itself
                await self._locks.release(key, token)
        finally:
            here.release()
