"""What trading cost, by ``chimera report tca`` in a process of its own: a ledger of a year must not hold up a page.

One report at a time, at the lowest priority, kept for a minute and shared by all pages; one that takes too long is
ended. It reads files beside their owners, as the command does, and knows nothing of what is in them.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from chimera.ports.clock import Clock
from chimera.trading.errors import NotSent
from chimera.trading.money import Millis

KEPT_MS: Final = 60_000
TIMEOUT_S: Final = 120.0
DAYS: Final = 7
DAY_MS: Final = 86_400_000
WORDS_MOST: Final = 300
NICE: Final = 19


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
    command = [sys.executable, "-m", "chimera.cli.main", *words]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, stdin=asyncio.subprocess.DEVNULL)
    try:
        with suppress(ProcessLookupError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        async with asyncio.timeout(TIMEOUT_S):
            told, complaint = await process.communicate()
    except TimeoutError as late:
        raise NotSent(f"the report took more than {TIMEOUT_S:g} s; ask for it by hand: chimera {words[0]}") from late
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise NotSent(complaint.decode("utf-8", "replace").strip()[-WORDS_MOST:] or f"exit {process.returncode}")
    report: dict[str, Any] = json.loads(told)
    return report
