"""From an address to its place, and from a name somebody typed to the page that shows it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from starlette.routing import compile_path

from chimera.services.console.others import Others
from chimera.services.console.screen import Place, Screen, place_of
from chimera.trading.errors import ChimeraError

ORDER: Final = "/orders/"
DECISION: Final = "/decisions/"


def found_at(screens: Sequence[Screen], url: str) -> Place | None:
    """The place that an address of ours shows."""
    split = urlsplit(url)
    for screen in screens:
        found = compile_path(screen.path)[0].match(unquote(split.path))
        if found is not None:
            return place_of(screen, found.groupdict(), dict(parse_qsl(split.query)))
    return None


async def find_name(screens: Sequence[Screen], others: Others, asked: str) -> str:
    """Where to go for it: a screen by its name, else an order by any of its ids, else a decision by its own."""
    name = asked.strip()
    for screen in screens:
        if not screen.named and name.lower() in (screen.name, screen.title.lower(), screen.path):
            return screen.path
    with suppress(ChimeraError):
        if await others.router.order(name) is not None:
            return ORDER + quote(name, safe="")
    with suppress(ChimeraError):
        await others.explain.decision(name)
        return DECISION + quote(name, safe="")
    return ORDER + quote(name, safe="")
