"""Drawing what was seen: the whole page once, then the sections whose content has changed.

A section is drawn anew only when a topic it shows has changed or one of its sources has gone stale or come back, and
all open pages share the drawing. Ages tick in the page; the server says how old each source is with every update.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from chimera.ports.clock import Clock
from chimera.services.console import shown, verdicts
from chimera.services.console.rows import DecisionRow, OrderRow, totals
from chimera.services.console.seen import STALE_MS, Seen
from chimera.trading.order import FINAL
from chimera.wire.cash import moment

SHOWN_ROWS: Final = 12
RUNS_SHOWN: Final = 8


@dataclass(frozen=True)
class Run:
    """Decisions in a row with the same outcome: the newest of them, how many, and since when."""

    newest: DecisionRow
    count: int
    since_ms: int


@dataclass(frozen=True)
class Section:
    """What a part of the page shows, and when that is too old (by the clock and the monotonic hand)."""

    topics: tuple[str, ...]
    stale: Callable[[Seen, int, int], bool]


def _s4(seen: Seen, _: int, mono_ms: int) -> bool:
    return verdicts.is_stale(seen.s4, mono_ms)


def _s3(seen: Seen, _: int, mono_ms: int) -> bool:
    return verdicts.is_stale(seen.s3, mono_ms)


def _streams(seen: Seen, _: int, mono_ms: int) -> bool:
    return any(verdicts.is_stale(source, mono_ms) for source in seen.streams.values())


def _market(seen: Seen, now_ms: int, mono_ms: int) -> bool:
    age = verdicts.market_age_ms(seen, now_ms)
    return age is None or age > STALE_MS or verdicts.is_stale(seen.market, mono_ms)


def _never(_: Seen, __: int, ___: int) -> bool:
    """Its verdicts say it themselves."""
    return False


SECTIONS: Final = {
    "bar": Section(("health", "s3", "positions", "sources"), _never),
    "market": Section(("market", "positions"), _market),
    "receipts": Section(("closes",), _s4),
    "positions": Section(("positions",), _s4),
    "decisions": Section(("decisions",), _s3),
    "fills": Section(("fills",), _streams),
    "orders": Section(("orders",), _streams),
    "alerts": Section(("alerts",), _streams),
}


class Page:
    """Draws; ``seen`` is filled by the watch."""

    def __init__(self, seen: Seen, clock: Clock, versions: dict[str, str]) -> None:
        self._seen = seen
        self._clock = clock
        self._drawn: dict[str, tuple[tuple[object, ...], str]] = {}
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
            "glyphs": verdicts.GLYPHS,
            "STALE_MS": STALE_MS,
        }

    def whole(self, own_word: str = "1") -> str:
        """The page as it is now, complete without its script. ``own_word``: what its changes carry."""
        sections = {name: self.section(name) for name in SECTIONS}
        return self._jinja.get_template("page.html").render(
            sections=sections, ages=json.dumps(self.ages()), now_ms=self._clock.now_ms(), own_word=own_word
        )

    def sections(self) -> dict[str, str]:
        return {name: self.section(name) for name in SECTIONS}

    def section(self, name: str) -> str:
        """Its HTML; the same text while nothing in it has changed."""
        seen, now_ms, mono_ms = self._seen, self._clock.now_ms(), self._clock.monotonic_ms()
        section = SECTIONS[name]
        stale = section.stale(seen, now_ms, mono_ms)
        answers = self._verdicts(now_ms, mono_ms) if name == "bar" else {}
        key = (
            stale,
            *answers.values(),
            *(seen.revisions.get(topic, 0) for topic in section.topics),
        )
        drawn = self._drawn.get(name)
        if drawn is None or drawn[0] != key:
            html = self._jinja.get_template(f"{name}.html").render(
                stale=stale, ages=self.ages(), **answers, **self._content(name)
            )
            drawn = self._drawn[name] = (key, html)
        return drawn[1]

    def draw(self, template: str, **content: object) -> str:
        """A part that is not a section: the steps of a close."""
        return self._jinja.get_template(template).render(content)

    def ages(self) -> dict[str, int | None]:
        """How old each source is, ms; None: never heard."""
        seen, mono_ms = self._seen, self._clock.monotonic_ms()
        streams = [verdicts.age_ms(source, mono_ms) for source in seen.streams.values()]
        heard = [age for age in streams if age is not None]
        return {
            "market": verdicts.market_age_ms(seen, self._clock.now_ms()),
            "s4": verdicts.age_ms(seen.s4, mono_ms),
            "s3": verdicts.age_ms(seen.s3, mono_ms),
            "streams": max(heard) if len(heard) == len(streams) else None,
        }

    def _verdicts(self, now_ms: int, mono_ms: int) -> dict[str, verdicts.Verdict]:
        return {
            "trade": verdicts.may_trade(self._seen, mono_ms),
            "guarded": verdicts.protected(self._seen, mono_ms),
            "data": verdicts.fresh(self._seen, now_ms, mono_ms),
        }

    def _content(self, name: str) -> dict[str, object]:
        seen = self._seen
        match name:
            case "positions":
                return {"totals": totals(seen.positions)}
            case "decisions":
                latest = _latest(seen.decisions)
                earlier = tuple(decision for decision in seen.decisions if decision not in latest)
                return {"latest": latest, "runs": tuple(islice(_runs(earlier), RUNS_SHOWN))}
            case "fills":
                return {"fills": tuple(islice(reversed(seen.fills.values()), SHOWN_ROWS))}
            case "orders":
                return {"orders": _orders(tuple(seen.orders.values()))}
            case "alerts":
                return {"alerts": tuple(islice(reversed(seen.alerts), SHOWN_ROWS))}
            case _:
                return {}


def _latest(decisions: tuple[DecisionRow, ...]) -> tuple[DecisionRow, ...]:
    """The newest of each symbol; ``decisions`` stand newest first."""
    found: dict[str, DecisionRow] = {}
    for decision in decisions:
        found.setdefault(decision.symbol, decision)
    return tuple(found[symbol] for symbol in sorted(found))


def _runs(decisions: tuple[DecisionRow, ...]) -> Iterator[Run]:
    """Newest first; a symbol's own run is not broken by another symbol's decision."""
    open_runs: dict[str, list[DecisionRow]] = {}
    done: list[list[DecisionRow]] = []
    for decision in decisions:
        run = open_runs.get(decision.symbol)
        if run is not None and decision.decision == "skip" and _outcome(run[0]) == _outcome(decision):
            run.append(decision)
        else:
            open_runs[decision.symbol] = [decision]
            done.append(open_runs[decision.symbol])
    return (Run(run[0], len(run), run[-1].t0) for run in done)


def _outcome(decision: DecisionRow) -> tuple[str, tuple[str, ...]]:
    return decision.decision, decision.codes


def _orders(orders: tuple[OrderRow, ...]) -> tuple[OrderRow, ...]:
    """What is in doubt first, then what still works, then the newest."""

    def rank(order: OrderRow) -> tuple[int, int, int]:
        return (0 if order.status == "IN_DOUBT" else 1 if order.status not in FINAL else 2, -order.at_ms, -order.seq)

    return tuple(sorted(orders, key=rank)[:SHOWN_ROWS])
