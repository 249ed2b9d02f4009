"""Venue health: is it heard, how far its clock is off, what is left of its limits, what it refused, and the breaker."""

from collections.abc import Mapping
from itertools import islice
from typing import Final

from chimera.services.console import health
from chimera.services.console.acting.breaker import RETRY
from chimera.services.console.same import Same
from chimera.services.console.screen import Badge, Group, Screen, Section, Shown, Span
from chimera.services.console.seen import Seen
from chimera.services.console.verdicts import GLYPHS, Tone
from chimera.wire.alerts import about
from chimera.wire.runbook import codes_of

CODES: Final = codes_of(
    "breaker-open",
    "exchange-maintenance-or-the-network",
    "the-exchange-changed-its-api",
    "user-stream-silent-listen-key",
    "key-refused-key-rotation",
    "clock-skew",
    "rate-limit-ban",
) | {"VENUE_UNAVAILABLE"}
NEWS: Final = 12


def _markets(shown: Shown) -> Mapping[str, object]:
    return {"markets": health.pictures(shown.seen.health), "glyphs": GLYPHS, "least": health.LEAST}


def _news(shown: Shown) -> Mapping[str, object]:
    told = (alert for alert in reversed(shown.seen.alerts) if about(alert.code).code in CODES)
    return {"alerts": tuple(islice(told, NEWS))}


def _badge(seen: Seen) -> Badge | None:
    open_ = sum(each.breaker.state == "OPEN" for each in health.pictures(seen.health))
    return Badge(text=str(open_), tone=Tone.BAD) if open_ else None


SCREEN: Final = Screen(
    name="venue",
    title="Venue",
    path="/venue",
    key="v",
    says="How the venue is, and our way to it.",
    group=Group.HOUSE,
    badge=_badge,
    acts=(RETRY,),
    sections=(
        Section("venue", "Streams, clock, limits", reads=("health",), content=_markets, span=Span.WIDE,
                same=lambda _: (Same(path="/health", cli="chimera doctor"),)),
        Section("breaker", "Breaker", reads=("health",), content=_markets, span=Span.SIDE),
        Section("refusals", "What it refused", reads=("health",), content=_markets, span=Span.WIDE),
        Section("news", "Lately", reads=("alerts",), content=_news, span=Span.SIDE),
    ),
)  # fmt: skip
