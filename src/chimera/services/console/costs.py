"""What trading cost, by ``chimera report tca`` in a process of its own: a ledger of a year must not hold up a page.

One report at a time (``child``), kept for a minute and shared by all pages. It reads files beside their owners, as the
command does, and knows nothing of what is in them.
"""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chimera.ports.clock import Clock
from chimera.services.console import child
from chimera.trading.errors import NotSent
from chimera.trading.money import DAY_MS, Millis

KEPT_MS: Final = 60_000
TIMEOUT_S: Final = 120.0
DAYS: Final = 7


class Costs:
    """``ledger`` is S4's file, ``signals`` S3's; ``captures`` as ``--market`` takes them, for markouts."""

    def __init__(self, clock: Clock, ledger: Path, signals: Path | None = None, captures: str = "") -> None:
        self._clock = clock
        self._files = ["--ledger", str(ledger)]
        if signals is not None:
            self._files += ["--signals", str(signals)]
        if captures:
            self._files += ["--market", captures]
        self._turn = asyncio.Lock()
        self._kept: tuple[Millis, dict[str, Any]] | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """The command, for whoever wants all of it."""
        return ("report", "tca", *self._files)

    async def report(self) -> dict[str, Any]:
        """Of the last days. Raises ``NotSent`` with what the command said."""
        async with self._turn:
            now_ms = self._clock.monotonic_ms()
            if self._kept is None or now_ms - self._kept[0] > KEPT_MS:
                since_ms = (self._clock.now_ms() // DAY_MS - DAYS + 1) * DAY_MS
                self._kept = now_ms, await _run([*self.words, "--from", str(max(since_ms, 0)), "--json"])
            return self._kept[1]


async def _run(words: Sequence[str]) -> dict[str, Any]:
    ended = await child.run(words, timeout_s=TIMEOUT_S)
    if ended.code:
        raise NotSent(ended.complaint)
    report: dict[str, Any] = json.loads(ended.said)
    return report
