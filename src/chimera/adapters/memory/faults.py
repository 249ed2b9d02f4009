"""Where the virtual-time world reaches into the memory stores: one hook before a change applies, one after.

A hook may wait (the store is slow), raise ``StoreUnavailable`` (before: nothing happened; after: it happened and the
caller does not know), or let its task be cancelled (the process was killed at this await). Even without faults both
give way to the loop once, because a real store never answers in the same breath.
"""

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar, cast

from chimera.trading.errors import StoreUnavailable
from chimera.trading.money import Millis

T = TypeVar("T")


class Faults(Protocol):
    """``operation`` is the port method's name; ``key`` what it is about (position, ``collection/key``, stream, id)."""

    async def before(self, operation: str, key: str) -> None:
        """Awaited before the operation applies."""
        ...

    async def after(self, operation: str, key: str) -> None:
        """Awaited after it applied, before its caller hears."""
        ...


class NoFaults:
    """A store in good health."""

    async def before(self, operation: str, key: str) -> None:
        await asyncio.sleep(0)

    async def after(self, operation: str, key: str) -> None:
        await asyncio.sleep(0)


class Carrier(Faults, Protocol):
    """Faults that know beforehand how long an operation takes, so that none needs a timer for its deadline."""

    async def carry(self, deadline_ms: Millis, operation: str, key: str, apply: Callable[[], T]) -> T:
        """As ``through``."""
        ...


async def through(faults: Faults, deadline_ms: Millis, operation: str, key: str, apply: Callable[[], T]) -> T:
    """Apply one change in one step between the hooks; ``StoreUnavailable`` when it takes longer than the deadline."""
    if hasattr(faults, "carry"):
        return await cast("Carrier", faults).carry(deadline_ms, operation, key, apply)
    try:
        async with asyncio.timeout(deadline_ms / 1000):
            await faults.before(operation, key)
            answer = apply()
            await faults.after(operation, key)
    except TimeoutError as error:
        raise too_late(deadline_ms, operation, key) from error
    return answer


def too_late(deadline_ms: Millis, operation: str, key: str) -> StoreUnavailable:
    """Whether it applied nobody can say."""
    return StoreUnavailable(f"{operation!r} of {key!r} was not done in {deadline_ms} ms; outcome unknown")
