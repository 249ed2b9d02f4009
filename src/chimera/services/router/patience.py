"""Asking until there is an answer, and going on after a mistake of ours: neither may end a router.

A store that is away is tried again for ever; how soon is said here for all of them. Each try has its own deadline.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

import structlog

from chimera.trading.errors import ChimeraError, NotSent, StoreUnavailable, VenueRejected

log = structlog.get_logger()

T = TypeVar("T")
Looks = dict[str, Callable[[], Coroutine[Any, Any, None]]]  # what goes on for ever, by name (``going_on``)

LOOK_AGAIN_S: Final = 1.0
BOOT_PATIENCE_S: Final = 1.5
STATE_AGAIN_S: Final = 0.1  # an owner's state: entries, parts of closes and cancels of stops wait for it
STORE_AGAIN_S: Final = 0.25  # what else is kept, told or read
ALERT_AGAIN_S: Final = 0.5
BOOT_PAUSE_S: Final = 0.3
BOOT_LONGEST_PAUSE_S: Final = 2.0  # what was held back may leave sooner than was reckoned


async def until_answered(question: Callable[[], Awaitable[T]]) -> T:
    """Asked again and again, with little patience each time: positions may be bare until the last of these is answered.

    Where the venue, or our own governor, names a time, that is waited for, but not blindly.
    Raises ``VenueRejected``: a refusal does not change by asking.
    """
    while True:
        pause_s = BOOT_PAUSE_S
        try:
            async with asyncio.timeout(BOOT_PATIENCE_S):
                return await question()
        except VenueRejected:
            raise
        except (TimeoutError, ChimeraError) as error:
            log.warning("venue_away_at_boot", error=str(error) or "no answer in time")
            if isinstance(error, NotSent) and error.retry_after_ms is not None:
                pause_s = min(max(error.retry_after_ms / 1000, BOOT_PAUSE_S), BOOT_LONGEST_PAUSE_S)
        await asyncio.sleep(pause_s)


async def until_kept(question: Callable[[], Awaitable[T]]) -> T:
    """A question to the ledger, asked again for as long as it is away. What it refuses or cannot read it raises."""
    while True:
        try:
            return await question()
        except StoreUnavailable as error:
            log.warning("ledger_away_at_boot", error=str(error))
        await asyncio.sleep(STORE_AGAIN_S)


async def going_on(name: str, look: Callable[[], Awaitable[None]]) -> None:
    """A mistake of ours in one of these must not end what protects: it is told, and begins again."""
    while True:
        try:
            await look()
        except Exception:  # the last net of one look: logged, and the owners beside it go on protecting
            log.exception("look_fault", look=name)
        await asyncio.sleep(LOOK_AGAIN_S)
