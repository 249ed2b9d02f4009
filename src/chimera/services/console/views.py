"""What screens read for themselves, while somebody has them open; all pages of one place share its looks.

Invariants: a look that fails or is slow holds up no other and keeps its last answer with its age and the reason; who
goes takes the looking with them. Bounded: places that nobody watches are forgotten, the oldest first.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import structlog

from chimera.services.console.others import Others
from chimera.services.console.screen import Look, Place
from chimera.services.console.seen import Seen, Source
from chimera.services.serving import end
from chimera.trading.errors import ChimeraError

KEPT: Final = 64
FIRST_S: Final = 1.5  # how long a page waits for what it has not read yet
AGAIN_S: Final = 1.0  # what was read this lately need not be read again for a page

log = structlog.get_logger(__name__)


@dataclass
class Looked:
    """One look's last answer."""

    source: Source
    value: Any = None
    revision: int = 0


@dataclass
class View:
    """One place: what was read for it, and what is drawn of it."""

    place: Place
    looked: dict[str, Looked]
    watchers: int = 0
    drawn: dict[str, Any] = field(default_factory=dict)  # ``page``'s


class Views:
    """All places that are or were open."""

    def __init__(self, others: Others, seen: Seen) -> None:
        self._others = others
        self._seen = seen
        self._views: OrderedDict[str, View] = OrderedDict()
        self._looking: dict[str, list[asyncio.Task[None]]] = {}

    async def glance(self, place: Place) -> View:
        """For a page's first drawing: what is not known yet is read now, and waited for a moment."""
        view = self.at(place)
        mono_ms = self._others.clock.monotonic_ms()
        wanted = [look for look in place.screen.looks if _is_old(view.looked[look.name], mono_ms)]
        if wanted:
            looks = [asyncio.create_task(self._look(view, look)) for look in wanted]
            try:
                await asyncio.wait(looks, timeout=FIRST_S)
            finally:
                for look in looks:
                    await end(look)
        return view

    @asynccontextmanager
    async def watched(self, place: Place) -> AsyncIterator[View]:
        """Its looks go on while this is open."""
        view = self.at(place)
        view.watchers += 1
        if view.watchers == 1:
            self._looking[place.url] = [
                asyncio.create_task(self._keep_looking(view, look), name=f"look {look.name} at {place.url}")
                for look in place.screen.looks
            ]
        try:
            yield view
        finally:
            view.watchers -= 1
            if not view.watchers:
                for looking in self._looking.pop(place.url):
                    await end(looking)

    def at(self, place: Place) -> View:
        """The one view of a place, read or not."""
        view = self._views.pop(place.url, None)
        if view is None:
            view = View(place, {look.name: Looked(Source(look.name)) for look in place.screen.looks})
        self._views[place.url] = view
        for url in [url for url, each in self._views.items() if not each.watchers][: max(0, len(self._views) - KEPT)]:
            if url != place.url:
                del self._views[url]
        return view

    async def _keep_looking(self, view: View, look: Look) -> None:
        while True:
            await self._look(view, look)
            await asyncio.sleep(look.every_s)

    async def _look(self, view: View, look: Look) -> None:
        looked = view.looked[look.name]
        try:
            value = await look.ask(self._others, view.place.params)
        except (ChimeraError, msgspec.MsgspecError) as error:
            self._seen.missed(looked.source, str(error))
        except Exception as error:  # the last net of one look: shown on its screen, and logged with its traceback
            log.exception("look_broke", look=look.name, place=view.place.url)
            self._seen.missed(looked.source, f"the console cannot read it: {error!r}")
        else:
            self._seen.heard(looked.source, self._others.clock.monotonic_ms())
            if value != looked.value or not looked.revision:
                looked.value = value
                looked.revision += 1
                self._seen.changed("looks")


def _is_old(looked: Looked, mono_ms: int) -> bool:
    heard_ms = looked.source.heard_ms
    return heard_ms is None or mono_ms - heard_ms > AGAIN_S * 1000
