"""A word to somebody outside, once a minute, that alerts would be told: when it stays away, he tells.

What takes the whole machine (power, network, its provider) takes the alerts with it, and who is dead tells nobody. Any
watcher that waits for requests will do, and tells by ways of his own. It is withheld while no alert would come through;
that the watcher himself cannot be reached is told by the channels.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
import structlog
from yarl import URL

from chimera.services.alerts.channels import Undelivered, asked
from chimera.services.alerts.desk import FAILS_TOLD, UNDELIVERED
from chimera.services.alerts.watch import Raise
from chimera.trading.events import Severity

EVERY_S: Final = 60.0
AGAIN_S: Final = 15.0  # after one that was not taken
SOON_S: Final = 1.0  # after one that was withheld
SUBJECT: Final = "outside"

log = structlog.get_logger(__name__)


class Beat:
    """``mute``: why no alert would come through just now, or None."""

    def __init__(self, url: str, session: aiohttp.ClientSession, mute: Callable[[], str | None], raised: Raise) -> None:
        self._url = URL(url)
        self._session = session
        self._mute = mute
        self._raise = raised
        self._missed = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            pause_s = await self.look()
            await asyncio.sleep(pause_s)

    async def look(self) -> float:
        """Once: how long to wait for the next."""
        mute = self._mute()
        if mute is not None:
            log.info("alerts_beat_withheld", why=mute)
            return SOON_S
        try:
            await asked(self._session, self._url)
        except Undelivered as failed:
            self._missed += 1
            log.warning("alerts_beat_not_taken", why=str(failed), attempts=self._missed)
            if self._missed >= FAILS_TOLD:
                self._raise(UNDELIVERED, f"the watcher outside: {failed}", SUBJECT, Severity.ERROR)
            return AGAIN_S
        self._missed = 0
        self._raise(UNDELIVERED, None, SUBJECT, Severity.ERROR)
        return EVERY_S
