"""What a screen of the console is: its name and path, its sections, what each reads and how often, and its actions.

A screen is one module below ``screens`` and one template of the same name, with a block for each section. Everything
around the sections (navigation, status bar, ages, stale marks, copying) is the frame's, so a screen says only what is
its own. Plain values; how they are read is ``views``'s, how they are drawn ``page``'s.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode

from starlette.routing import compile_path

from chimera.services.console.same import Same
from chimera.services.console.seen import Seen
from chimera.services.console.verdicts import Tone
from chimera.trading.value import Value

if TYPE_CHECKING:
    from chimera.services.console.acts import Act
    from chimera.services.console.others import Others

VALUE_MOST: Final = 128  # characters of one parameter: no id is longer

Params = Mapping[str, str]


class Group(StrEnum):
    """Where a screen stands in the navigation."""

    NOW = "Now"
    WHY = "Why"
    STEER = "Steer"
    HOUSE = "House"


class Span(StrEnum):
    """How much of the page's width a section takes on a desk; on a phone each takes all of it."""

    FULL = "full"
    WIDE = "wide"
    SIDE = "side"


@dataclass(frozen=True)
class Look:
    """Something that a screen reads for itself, only while somebody has it open: its name, and how often.

    ``ask`` raises ``ChimeraError``; what it answers is kept with its age, and drawn as stale once that is too old.
    """

    name: str
    every_s: float
    ask: "Callable[[Others, Params], Awaitable[Any]]"


@dataclass(frozen=True)
class Shown:
    """What a section is drawn from. ``looked`` has each look's answer, None until it has answered."""

    seen: Seen
    params: Params
    looked: Mapping[str, Any]
    now_ms: int


def _nothing(_: Shown) -> Mapping[str, object]:
    return {}


def _no_same(_: Params) -> tuple[Same, ...]:
    return ()


@dataclass(frozen=True)
class Section:
    """A part of a screen, drawn anew when a topic of ``seen`` or a look named in ``reads`` has changed.

    ``name`` is also its block in the screen's template, ``content`` what that block is given.
    """

    name: str
    title: str
    reads: tuple[str, ...]
    content: Callable[[Shown], Mapping[str, object]] = _nothing
    span: Span = Span.FULL
    same: Callable[[Params], tuple[Same, ...]] = _no_same
    framed: bool = True  # a card with its title; else bare


class Badge(Value, tag=False):
    """A count beside a screen's name, where it wants to be looked at."""

    text: str
    tone: Tone


def _no_badge(_: Seen) -> Badge | None:
    return None


def _always(_: Seen) -> bool:
    return True


@dataclass(frozen=True)
class Screen:
    """``key``: pressed after ``g`` it opens the screen; empty where it needs a name. ``asks``: its query parameters."""

    name: str
    title: str
    path: str
    says: str
    group: Group
    sections: tuple[Section, ...]
    key: str = ""
    looks: tuple[Look, ...] = ()
    acts: "tuple[Act, ...]" = ()
    asks: tuple[str, ...] = ()
    badge: Callable[[Seen], Badge | None] = _no_badge
    open: Callable[[Seen], bool] = _always  # while it is not, neither the screen nor its acts are there
    thumb: bool = False  # in the bar at the thumb of a phone
    under: str = ""  # the screen that the navigation marks instead, for one that stands not in it

    @property
    def named(self) -> bool:
        """Whether it is reached by a link alone: its path has a parameter, or it stands under another screen."""
        return "{" in self.path or bool(self.under)


@dataclass(frozen=True)
class Place:
    """A screen with its parameters: what one page shows, and one address."""

    screen: Screen
    params: Params = field(default_factory=dict)

    @property
    def url(self) -> str:
        _, pattern, kinds = compile_path(self.screen.path)
        path = pattern.format(**{name: quote(self.params.get(name, ""), safe="") for name in kinds})
        query = {name: self.params[name] for name in self.screen.asks if self.params.get(name)}
        return path + (f"?{urlencode(query)}" if query else "")


def place_of(screen: Screen, path_params: Mapping[str, Any], query: Mapping[str, str]) -> Place:
    """With what the screen asks for and no more; a value too long to be a name is cut."""
    asked = {name: query[name] for name in screen.asks if query.get(name)}
    named = {name: str(value) for name, value in path_params.items()}
    return Place(screen, {name: value[:VALUE_MOST] for name, value in (named | asked).items()})
