"""Drawing what was seen: the whole page once, then the sections whose content has changed.

A section is drawn anew only when a topic or a look that it reads has changed or gone stale or come back, and all pages
of one place share the drawing. Each drawing has the number of the state it shows, so that a page that was away is given
what it missed and no more. One that cannot be drawn says so in its place; the rest of the page goes on.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined

from chimera.ports.clock import Clock
from chimera.services.console import shown, verdicts
from chimera.services.console.same import Terminal
from chimera.services.console.screen import Screen, Section, Shown
from chimera.services.console.seen import STALE_MS, Seen, Source
from chimera.services.console.views import View
from chimera.trading.order import FINAL
from chimera.wire.cash import moment

STALE_LOOKS: Final = 2.5  # of a look's own pause: later it is old
THEMES: Final = ("light", "dark")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Drawn:
    """A section as it was drawn; ``seq``: the number of the state then."""

    key: tuple[object, ...]
    html: str
    seq: int


@dataclass(frozen=True)
class Stale:
    """Why a section is old: whose silence it is, as words before the age and as the name of that age."""

    words: str
    age: str


_SILENT: Final = {
    "s4": "S4 last answered",
    "s4_health": "S4's health was last heard",
    "s3": "S3 last answered",
    "market": "the newest tick came",
    "streams": "the streams last spoke",
    "alerts": "whoever keeps the alerts last answered",
}
_HEARD_FROM: Final = {  # topic of ``seen``: the age it has
    "positions": "s4",
    "health": "s4_health",
    "s3": "s3",
    "decisions": "s3",
    "market": "market",
    "orders": "streams",
    "fills": "streams",
    "alerts": "streams",
    "tickets": "alerts",
}


class Page:
    """Draws; ``seen`` is filled by the watch, each view by its looks."""

    def __init__(
        self,
        seen: Seen,
        clock: Clock,
        screens: tuple[Screen, ...],
        versions: dict[str, str],
        terminal: Terminal,
        docs_url: str = "",
    ) -> None:
        self.screens = screens
        self._seen = seen
        self._clock = clock
        self._frame: dict[str, Drawn] = {}
        self._jinja = Environment(
            loader=PackageLoader("chimera.services.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._jinja.globals |= {
            "seen": seen,
            "versions": versions,
            "docs_url": docs_url.rstrip("/"),
            "screens": screens,
            "amount": shown.amount,
            "signed": shown.signed,
            "direction": shown.direction,
            "span": shown.span,
            "gap": shown.gap,
            "places_of": shown.places,
            "price_places": shown.price_places,
            "iso": moment,
            "clock_time": shown.clock_time,
            "spark_points": shown.spark_points,
            "ladder": shown.ladder,
            "curl": terminal.curl,
            "FINAL": FINAL,
        }
        self._jinja.filters["plain"] = shown.plain_json
        self._jinja.globals["ui"] = self._jinja.get_template("ui.html").module

    # ── the whole, and its parts ──

    def whole(self, view: View, *, own_word: str = "1", theme: str = "") -> str:
        """The page as it is now, complete without its script. ``own_word``: what its changes carry."""
        place = view.place
        drawn = self.sections(view)
        return self._jinja.get_template("frame.html").render(
            place=place,
            screen=place.screen,
            frame={name: drawn[name].html for name in ("bar", "deeds")},
            sections=[(section, drawn[section.name].html) for section in place.screen.sections],
            badges=self.badges(),
            ages=json.dumps(self.ages(view)),
            now_ms=self._clock.now_ms(),
            own_word=own_word,
            theme=theme if theme in THEMES else "",
        )

    def sections(self, view: View) -> dict[str, Drawn]:
        """Everything of one page that changes, by name."""
        found = {"bar": self._bar(), "deeds": self._deeds()}
        return found | {section.name: self._section(view, section) for section in view.place.screen.sections}

    def draw(self, template: str, **content: object) -> str:
        """What is no section: the steps of an act, the page to sign in."""
        return self._jinja.get_template(template).render(content)

    def badges(self) -> dict[str, dict[str, str]]:
        """By screen; empty text where there is none."""
        told = {}
        for screen in self.screens:
            badge = screen.badge(self._seen)
            told[screen.name] = {"text": badge.text, "tone": badge.tone} if badge else {"text": "", "tone": ""}
        return told

    def ages(self, view: View | None = None) -> dict[str, int | None]:
        """How old each source is, ms; None: never heard."""
        seen, mono_ms = self._seen, self._clock.monotonic_ms()
        streams = [verdicts.age_ms(source, mono_ms) for source in seen.streams.values()]
        heard = [age for age in streams if age is not None]
        told: dict[str, int | None] = {
            "market": verdicts.market_age_ms(seen, self._clock.now_ms()),
            "s4": verdicts.age_ms(seen.s4, mono_ms),
            "s4_health": verdicts.age_ms(seen.s4_health, mono_ms),
            "s3": verdicts.age_ms(seen.s3, mono_ms),
            "alerts": verdicts.age_ms(seen.keeper, mono_ms),
            "streams": max(heard) if len(heard) == len(streams) else None,
        }
        if view is not None:
            told |= {name: verdicts.age_ms(each.source, mono_ms) for name, each in view.looked.items()}
        return told

    # ── sections ──

    def _bar(self) -> Drawn:
        now_ms, mono_ms = self._clock.now_ms(), self._clock.monotonic_ms()
        answers = {
            "trade": verdicts.may_trade(self._seen, mono_ms),
            "guarded": verdicts.protected(self._seen, mono_ms),
            "data": verdicts.fresh(self._seen, now_ms, mono_ms),
        }
        key = (*answers.values(), *self._revisions("health", "s3", "positions", "sources"))
        return self._kept(
            self._frame, "bar", key, lambda: self._jinja.get_template("bar.html").render(answers, ages=self.ages())
        )

    def _deeds(self) -> Drawn:
        key = self._revisions("deeds")
        return self._kept(self._frame, "deeds", key, lambda: self._jinja.get_template("deeds.html").render())

    def _section(self, view: View, section: Section) -> Drawn:
        looked = {name: each for name, each in view.looked.items() if name in section.reads}
        topics = [name for name in section.reads if name not in view.looked]
        stale = self._stale(view, section)
        errors = tuple(each.source.error for each in looked.values() if each.source.error)
        key = (stale, errors, *self._revisions(*topics), *(each.revision for each in looked.values()))

        def drawn() -> str:
            about = Shown(
                seen=self._seen,
                params=view.place.params,
                looked={name: each.value for name, each in view.looked.items()},
                now_ms=self._clock.now_ms(),
            )
            template = self._jinja.get_template(f"screens/{view.place.screen.name}.html")
            common = {
                "stale": stale, "errors": errors, "ages": self.ages(view), "params": view.place.params,
                "now_ms": about.now_ms,
            }  # fmt: skip
            context = template.new_context({**common, **section.content(about)})
            return self._jinja.get_template("section.html").render(
                common,
                section=section,
                same=section.same(view.place.params),
                body="".join(template.blocks[section.name](context)),
            )

        return self._kept(view.drawn, section.name, key, drawn)

    def _kept(self, kept: dict[str, Drawn], name: str, key: tuple[object, ...], draw: Callable[[], str]) -> Drawn:
        known = kept.get(name)
        if known is not None and known.key == key:
            return known
        try:
            html = draw()
        except Exception as error:  # the last net of one section, which waits for nothing: shown in its place, logged
            log.exception("not_drawn", section=name)
            html = self._jinja.get_template("undrawn.html").render(name=name, error=repr(error))
        if known is not None and known.html == html:
            made = Drawn(key, html, known.seq)
        else:
            self._seen.sequence += 1
            made = Drawn(key, html, self._seen.sequence)
        kept[name] = made
        return made

    def _revisions(self, *topics: str) -> tuple[int, ...]:
        return tuple(self._seen.revisions.get(topic, 0) for topic in topics)

    def _stale(self, view: View, section: Section) -> Stale | None:
        """The first of what it reads that is too old."""
        now_ms, mono_ms = self._clock.now_ms(), self._clock.monotonic_ms()
        for name in section.reads:
            if name in view.looked:
                every_s = next(look.every_s for look in view.place.screen.looks if look.name == name)
                age = verdicts.age_ms(view.looked[name].source, mono_ms)
                if age is None or age > max(STALE_MS, STALE_LOOKS * every_s * 1000):
                    return Stale("it was last read", name)
            elif name in _HEARD_FROM and self._is_old(_HEARD_FROM[name], now_ms, mono_ms):
                return Stale(_SILENT[_HEARD_FROM[name]], _HEARD_FROM[name])
        return None

    def _is_old(self, age: str, now_ms: int, mono_ms: int) -> bool:
        if age == "market":
            ms = verdicts.market_age_ms(self._seen, now_ms)
            if ms is None or ms > STALE_MS:
                return True
        return any(verdicts.is_stale(source, mono_ms) for source in self._sources(age))

    def _sources(self, age: str) -> Iterator[Source]:
        seen = self._seen
        named: Mapping[str, Source] = {
            "s4": seen.s4, "s4_health": seen.s4_health, "s3": seen.s3, "market": seen.market,
            "alerts": seen.keeper,
        }  # fmt: skip
        yield from seen.streams.values() if age == "streams" else (named[age],)
