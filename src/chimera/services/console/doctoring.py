"""``chimera doctor``, run for the page: in a process of its own, one at a time, its answer shared for some seconds.

Where the ledgers are on this machine it looks at the machine, the settings and the key as well; elsewhere this machine
is the console's alone, and only what the services say counts.
"""

import asyncio
import json
from pathlib import Path
from typing import Any, Final

from chimera.ports.clock import Clock
from chimera.services.console import child
from chimera.trading.errors import NotSent
from chimera.trading.money import Millis

KEPT_MS: Final = 5_000
TIMEOUT_S: Final = 60.0


class Doctor:
    """``state``: of a house on this machine; None: it is elsewhere."""

    def __init__(
        self, clock: Clock, *, s3_url: str, s4_url: str, alerts_url: str, sim_url: str, state: Path | None = None
    ) -> None:
        self._clock = clock
        where = ["--services"] if state is None else ["--state", str(state)]
        asked = ["--s3", s3_url, "--s4", s4_url, "--alerts", alerts_url, "--sim", sim_url]
        self._words = ["doctor", "--json", *where, *asked]
        self._turn = asyncio.Lock()
        self._kept: tuple[Millis, dict[str, Any]] | None = None

    async def examine(self) -> dict[str, Any]:
        """Its ``checks``. Raises ``NotSent`` with what the command said."""
        async with self._turn:
            now_ms = self._clock.monotonic_ms()
            if self._kept is None or now_ms - self._kept[0] > KEPT_MS:
                ended = await child.run(self._words, timeout_s=TIMEOUT_S)
                if not ended.said:
                    raise NotSent(ended.complaint)
                self._kept = self._clock.monotonic_ms(), json.loads(ended.said)  # its code only says what is in it
            return self._kept[1]
