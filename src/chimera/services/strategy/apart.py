"""Whether the Redis that S3 uses is its S4's account's. Keys and streams do not name the account: in another's database
S3 would decide by that one's risk budget, and its intents would be traded there.

S4 claims its database by the exchange's name of its account (``router.apart``) and tells that name; whoever finds
another's claim in its own Redis decides nothing and leaves the database alone (``claimed``) until it has run out. Where
nothing is claimed there is nobody to keep out. Who cannot ask leaves it as it was; one who never could, and finds a
claim, does not know whose it is, and waits. S3 that goes by the stream alone may have no way to ask: it does not wait.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from chimera.ports.streams import Snapshots
from chimera.services.claimed import WHY
from chimera.services.strategy.alerts import Alerts
from chimera.trading.errors import ChimeraError, StoreUnavailable
from chimera.trading.events import Severity
from chimera.wire.keys import S4_ACCOUNT

EVERY_S: Final = 10.0
AGAIN_S: Final = 2.0  # while nobody knows
SUBJECT: Final = "redis"
UNTOLD: Final = (
    "this Redis database is claimed for an account, and S4 does not tell whose it trades:"
    " is S3_S4_URL right, and S3's key for it good (S3_S4_TOKEN_PATH)?"
)

log = structlog.get_logger(__name__)


class Apart:
    """``account``: what our S4 claims its database by, None while it does not tell. ``waits``: for its first answer."""

    def __init__(
        self,
        bus: Snapshots,
        account: Callable[[], Awaitable[str | None]],
        level: Callable[[str | None], None],
        alerts: Alerts,
        *,
        waits: bool,
    ) -> None:
        self._bus = bus
        self._account = account
        self._level = level
        self._alerts = alerts
        self._waits = waits
        self._is_known = False
        self._is_told = False

    async def run(self) -> None:
        """For ever; the first look at once."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY_S if self._is_known else AGAIN_S)

    async def look(self) -> None:
        """Once. Never raises for a store's or S4's sake."""
        try:
            claim = await self._bus.get(S4_ACCOUNT)
        except StoreUnavailable as away:
            self._unknown(str(away))
            return
        if claim is None:
            await self._know(None)
            return
        try:
            ours = await self._account()
        except ChimeraError as away:
            log.info("account_unknown", why=str(away))
            ours = None
        if ours is not None:
            await self._know(None if claim == ours.encode() else WHY)
        elif self._waits:
            self._unknown(UNTOLD)
        elif not self._is_known:
            self._level(None)

    def _unknown(self, why: str) -> None:
        if not self._is_known:
            self._level(why)

    async def _know(self, why: str | None) -> None:
        self._is_known = True
        self._level(why)
        if why is not None:
            self._is_told = True
            await self._alerts.say(Severity.ERROR, "REDIS_SHARED", SUBJECT, why, lasts=True)
        elif self._is_told:
            self._is_told = False
            words = "this Redis database is our account's"
            await self._alerts.say(Severity.INFO, "REDIS_SHARED_OVER", SUBJECT, words)
