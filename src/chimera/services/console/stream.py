"""The one event stream of a page: everything at first, then what has changed, numbered, and a heartbeat with the ages.

``id:`` is the number of the state that the update brought the page to. A page that comes back names it, and is given
the sections that were drawn since; numbers only grow, over a restart too, so that nobody is left with an older picture.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from chimera.ports.clock import Clock
from chimera.services.console.page import Page
from chimera.services.console.screen import Place
from chimera.services.console.seen import Seen
from chimera.services.console.views import Views

UPDATE_S: Final = 0.1  # ten updates a second at most
HEARTBEAT_MS: Final = 1_000


class Streams:
    """All that are open."""

    def __init__(self, seen: Seen, page: Page, views: Views, clock: Clock) -> None:
        self.open = 0
        self._seen = seen
        self._page = page
        self._views = views
        self._clock = clock
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Every stream ends now; the server calls it before it waits for its connections."""
        self._ended.set()

    async def updates(self, place: Place, known_seq: int = -1) -> AsyncIterator[str]:
        """``known_seq``: the state that the page already shows; -1: none."""
        sent: dict[str, int] = {}
        spoke_ms = -HEARTBEAT_MS
        self.open += 1
        try:
            async with self._views.watched(place) as view:
                yield "retry: 1000\n\n"
                while not self._ended.is_set():
                    drawn = self._page.sections(view)
                    new = {name: each for name, each in drawn.items() if each.seq > sent.get(name, known_seq)}
                    mono_ms = self._clock.monotonic_ms()
                    if new or mono_ms - spoke_ms >= HEARTBEAT_MS:
                        sent |= {name: each.seq for name, each in new.items()}
                        spoke_ms, seq = mono_ms, self._seen.sequence
                        said = {
                            "seq": seq,
                            "now_ms": self._clock.now_ms(),
                            "ages": self._page.ages(view),
                            "badges": self._page.badges(),
                            "html": {name: each.html for name, each in new.items()},
                        }
                        yield f"id: {seq}\nevent: update\ndata: {json.dumps(said)}\n\n"
                    with suppress(TimeoutError):
                        async with asyncio.timeout(UPDATE_S):
                            await self._ended.wait()
        finally:
            self.open -= 1
