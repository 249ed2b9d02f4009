"""Whether this Redis is our account's alone. Keys and streams do not name the account: in one database two would trade
each other's intents.

The exchange's name of the account is claimed there for a minute, again and again; whoever finds another's claim takes
no entries and leaves the database alone (``claimed``) until it has run out. Who cannot ask, the exchange or Redis,
leaves it as it was: those have barriers of their own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from chimera.ports.streams import Bus
from chimera.services.claimed import WHY
from chimera.trading.errors import ChimeraError
from chimera.wire.keys import S4_ACCOUNT

log = structlog.get_logger()

EVERY_S: Final = 10.0
AGAIN_S: Final = 2.0  # who could not ask may be about to take entries
CLAIM_MS: Final = 60_000


class Apart:
    """Of one house. ``whose``: the exchange's name of its account; ``levels`` hear why it is another's, or None.

    ``known`` hears what it claims by, before it does: our S3 compares it with whose claim it finds.
    """

    def __init__(
        self,
        environment: str,
        whose: Callable[[], Awaitable[str]],
        bus: Bus,
        *levels: Callable[[str | None], None],
        known: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._environment = environment
        self._whose = whose
        self._bus = bus
        self._levels = levels
        self._known = known
        self._name = ""

    async def run(self) -> None:
        """For ever; the first look at once, while positions are still being loaded."""
        while True:
            pause_s = EVERY_S
            try:
                await self.look()
            except ChimeraError as away:
                log.info("account_unclaimed", error=str(away))
                pause_s = AGAIN_S
            await asyncio.sleep(pause_s)

    async def look(self) -> None:
        """Once. An account without a name claims nothing and finds nobody. Raises what the exchange or Redis raises."""
        self._name = self._name or await self._whose()
        claim = f"{self._environment}:{self._name}"
        if self._name:
            self._known(claim)
        ours = not self._name or await self._claimed(claim)
        for hears in self._levels:
            hears(None if ours else WHY)

    async def _claimed(self, claim: str) -> bool:
        """Whether it is ours for a minute more. Never written over another's: ours may have run out just now."""
        kept = await self._bus.prolong(S4_ACCOUNT, claim, CLAIM_MS)
        return kept or await self._bus.acquire(S4_ACCOUNT, claim, CLAIM_MS)
