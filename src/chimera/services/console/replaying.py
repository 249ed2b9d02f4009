"""An order traded again, by ``chimera replay-order`` in a process of its own (``child``), one at a time.

What it reads (S4's ledger, captures) is the command's to say, so page and command cannot differ. An answer is kept, a
bounded number of them; one that a recording still growing may change is asked for again after half a minute.
"""

import asyncio
import json
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from chimera.ports.clock import Clock
from chimera.services.console import child
from chimera.trading.errors import NotSent
from chimera.trading.money import Millis

AGAIN_MS: Final = 30_000
KEPT_MOST: Final = 16
TIMEOUT_S: Final = 120.0  # an hour of a busy market is read in less


class Replays:
    """``ledger`` is S4's file; ``captures`` as ``--market`` takes them, empty: none."""

    def __init__(self, clock: Clock, ledger: Path, captures: str = "") -> None:
        self._clock = clock
        self._words = ["replay-order", "--json", "--ledger", str(ledger)]
        if captures:
            self._words += ["--market", captures]
        self._turn = asyncio.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[Millis, dict[str, Any]]] = OrderedDict()

    async def replay(self, order: str, way: str = "") -> dict[str, Any]:
        """In the usual ways, or in one. Raises ``NotSent`` with what the command said."""
        async with self._turn:
            asked = order, way
            if self._is_due(asked):
                ways = [f"--way={way}"] if way else []
                ended = await child.run([*self._words, *ways, "--", order], timeout_s=TIMEOUT_S)
                if ended.code:
                    raise NotSent(ended.complaint)
                self._kept[asked] = self._clock.monotonic_ms(), json.loads(ended.said)
                self._kept.move_to_end(asked)
                while len(self._kept) > KEPT_MOST:
                    self._kept.popitem(last=False)
            return self._kept[asked][1]

    def _is_due(self, asked: tuple[str, str]) -> bool:
        if asked not in self._kept:
            return True
        at_ms, told = self._kept[asked]
        return not told["complete"] and self._clock.monotonic_ms() - at_ms > AGAIN_MS
