"""The venue's key changed while S4 runs: its files are read again when they change, or at once on SIGHUP.

Invariants: what is in force stays in force until the venue has taken the new pair for the same account, by signed
questions that change nothing; a request in flight ends under the pair that signed it; no log has either. Files are
looked at until two looks find them the same, since a key and its secret are two files.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import structlog

from chimera.services.logs import keep_secret
from chimera.services.router.hosting import Pair
from chimera.services.router.levels import Levels
from chimera.services.secret_files import SUFFIX, read_secret_files
from chimera.trading.errors import ChimeraError, Refused
from chimera.trading.events import Alert, Severity

LOOK_S: Final = 2.0
AGAIN_LOOKS: Final = 5  # looks until a pair of which the venue said nothing is tried again
NOT_ROTATED: Final = "KEY_NOT_ROTATED"

log = structlog.get_logger(__name__)


class KeyFiles(NamedTuple):
    key: Path
    secret: Path

    def read(self) -> Pair:
        """Raises ``Refused`` with every fault; none shows what is in them."""
        given = {f"KEY{SUFFIX}": str(self.key), f"SECRET{SUFFIX}": str(self.secret)}
        faults = read_secret_files(given, ("KEY", "SECRET"))
        if faults:
            raise Refused("KEY_FILES", "; ".join(faults))
        return Pair(given["KEY"], given["SECRET"])


class Trial(Protocol):
    """Asks the venue."""

    async def learn(self) -> None:
        """Whose the account is, while the pair in force can ask; raises nothing of the venue's."""
        ...

    async def __call__(self, pair: Pair) -> None:
        """Raises ``Refused`` with what is wrong with the pair, and what the venue raised where it said nothing."""
        ...


class Rotating:
    """``take`` makes a pair the one that signs; ``hurry`` is set by whoever wants a look now."""

    def __init__(
        self,
        files: KeyFiles,
        now: Pair,
        trial: Trial,
        take: Callable[[Pair], None],
        notices: Levels,
        tell: Callable[[Alert], None],
        hurry: asyncio.Event,
    ) -> None:
        self._files = files
        self._now = now
        self._trial = trial
        self._take = take
        self._notices = notices
        self._tell = tell
        self._last: Pair | None = None  # of the look before
        self._refused: Pair | None = None  # by the venue: not asked about again until the files change
        self._wait = 0
        self._hurry = hurry

    async def run(self) -> None:
        """For ever. What goes wrong here leaves what is in force."""
        while True:
            asked = False
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    asked = await self._hurry.wait()
            self._hurry.clear()
            await self.look(asked=asked)

    async def look(self, *, asked: bool = False) -> None:
        """Once. ``asked``: somebody says that both files are written, and that what was refused may be good now."""
        if asked:
            self._refused, self._wait = None, 0
        await self._trial.learn()
        try:
            pair = self._files.read()
        except Refused as refused:
            self._level(refused.message)
            return
        settled = asked or pair == self._last
        self._last = pair
        if pair == self._now:
            self._level(None)
        elif settled and pair != self._refused:
            await self._try(pair)

    async def _try(self, pair: Pair) -> None:
        if self._wait:
            self._wait -= 1
            return
        keep_secret(*pair)
        try:
            await self._trial(pair)
        except Refused as refused:
            self._refused = pair
            self._level(f"the venue does not take the new key: {refused.message}")
        except (ChimeraError, TimeoutError) as away:
            self._wait = AGAIN_LOOKS
            self._level(f"the venue said nothing of the new key: {away or 'no answer in time'}")
        else:
            self._take(pair)
            self._now = pair
            self._level(None)
            log.warning("key_rotated")
            self._tell(Alert(severity=Severity.INFO, code="KEY_ROTATED", text="the venue's new key signs from now on"))

    def _level(self, why: str | None) -> None:
        told = None if why is None else f"{why}; the key that was in force stays so"
        self._notices.level(NOT_ROTATED, told, severity=Severity.ERROR)
