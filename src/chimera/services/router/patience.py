"""Asking until there is an answer, and looking again after a mistake of ours: what a router must not end of."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from chimera.trading.errors import ChimeraError, VenueRejected

log = structlog.get_logger()

T = TypeVar("T")

LOOK_AGAIN_S: Final = 1.0
BOOT_PATIENCE_S: Final = 1.5
BOOT_PAUSE_S: Final = 0.3


async def until_answered(question: Callable[[], Awaitable[T]]) -> T:
    """Asked again and again, each time not waited for for long: positions may be bare until the last of these answers.

    Raises ``VenueRejected``: a refusal does not change by asking.
    """
    while True:
        try:
            async with asyncio.timeout(BOOT_PATIENCE_S):
                return await question()
        except VenueRejected:
            raise
        except (TimeoutError, ChimeraError) as error:
            log.warning("venue_away_at_boot", error=str(error) or "no answer in time")
        await asyncio.sleep(BOOT_PAUSE_S)


async def going_on(name: str, look: Callable[[], Awaitable[None]]) -> None:
    """A mistake of ours in one of these must not end what protects: it is told, and begins again."""
    while True:
        try:
            await look()
        except Exception:  # any: the owners beside it go on protecting
            log.exception("look_fault", look=name)
        await asyncio.sleep(LOOK_AGAIN_S)
