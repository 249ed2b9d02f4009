"""The route table fitted once a day, at ``S4_ROUTE_FIT_AT``, by a process of its own; off unless a setting asks for it.

A fit reads the ledger's file and reckons for seconds: in this process that would hold up what protects. So it is
``chimera route fit`` (``cli.route``), as a person calls it, handed paths and fees and no key. ``propose`` leaves the
rest to a person; ``automatic`` puts in force what held-out orders confirm, and S4 then reads the file again as after
any other change (``routing``). What goes wrong is a notice until it goes well, and changes nothing.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from chimera.ports.clock import Clock
from chimera.services.router.levels import Levels
from chimera.services.router.patience import Looks
from chimera.trading.events import Alert, Severity
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import BPS, DAY_MS, Millis, text
from chimera.trading.value import Value
from chimera.trading.venue import FeeRates

WITHIN_S: Final = 300.0
APART_MS: Final = 600_000  # spot's begins so long after futures': both write one file
_FAILED: Final = "ROUTE_FIT_FAILED"
_INHERITED: Final = ("HOME", "LANG", "PATH", "PYTHONPATH")


class FitMode(StrEnum):
    OFF = "off"
    PROPOSE = "propose"
    AUTOMATIC = "automatic"


class FitPolicy(Value):
    """``at_ms``: after midnight, UTC. ``redis``: where the curves go; empty: nowhere."""

    mode: FitMode = FitMode.OFF
    at_ms: int = 0
    ledger: Path = Path()
    table: Path = Path()
    redis: str = ""
    most_ms: int = 0
    slices_most: int = 1


class Fitting:
    """Of one market. ``fees``: what the account pays there, by symbol; the first stands for all."""

    def __init__(
        self,
        policy: FitPolicy,
        market: Market,
        fees: Mapping[Symbol, FeeRates],
        clock: Clock,
        tell: Callable[[Alert], None],
    ) -> None:
        self._policy, self._market, self._fees = policy, market, fees
        self._clock, self._tell = clock, tell
        self._notices = Levels(clock, tell)

    @property
    def looks(self) -> Looks:
        return {} if self._policy.mode is FitMode.OFF else {"route fit": self.run}

    async def run(self) -> None:
        """Until cancelled."""
        at_ms = self._policy.at_ms + (APART_MS if self._market is Market.SPOT else 0)
        while True:
            now_ms = self._clock.now_ms()
            await asyncio.sleep((next_ms(at_ms, now_ms) - now_ms) / 1_000)
            await self.once()

    async def once(self) -> None:
        """One fit, and what came of it told."""
        try:
            found = await self._fitted()
        except (TimeoutError, OSError, ValueError) as error:
            told = str(error) or f"not done in {WITHIN_S:g} s"
            self._notices.level(_FAILED, f"{self._market}: {told}; the table stays")
            return
        self._notices.level(_FAILED, None)
        done = f"rev {found['rev']} is in force" if found["in_force"] else "proposed; `chimera route approve`"
        if found["moves"]:
            self._tell(Alert(severity=Severity.INFO, code="ROUTE_FIT", text=f"{self._market}: {done}"))

    def words(self) -> tuple[str, ...]:
        """The command, with what this account pays."""
        policy, fees = self._policy, next(iter(self._fees.values()))
        auto = ("--auto",) if policy.mode is FitMode.AUTOMATIC else ()
        return (
            *("-m", "chimera.cli.main", "route", "fit", "--json", *auto),
            *("--ledger", str(policy.ledger), "--table", str(policy.table), "--of", self._market.value),
            *("--maker-bps", text(fees.maker * BPS), "--taker-bps", text(fees.taker * BPS)),
            *("--most-ms", str(policy.most_ms), "--most-slices", str(policy.slices_most)),
        )

    async def _fitted(self) -> Mapping[str, Any]:
        """Its answer. Raises ``TimeoutError``, ``OSError``, or ``ValueError`` with its own words."""
        environ = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        if self._policy.redis:
            environ["S4_REDIS_ADDRESSES"] = self._policy.redis
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self.words(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environ,
        )
        try:
            async with asyncio.timeout(WITHIN_S):
                said, trouble = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise ValueError((trouble or said).decode("utf-8", "replace").strip()[-300:])
        found: Mapping[str, Any] = json.loads(said)
        return found


def next_ms(at_ms: int, now_ms: Millis) -> Millis:
    """The first moment after ``now_ms`` that is ``at_ms`` after a midnight, UTC."""
    today = now_ms // DAY_MS * DAY_MS + at_ms % DAY_MS
    return Millis(today if today > now_ms else today + DAY_MS)
