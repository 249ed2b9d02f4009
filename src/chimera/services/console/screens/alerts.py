"""Alerts: what stands and who looks at it, as it is kept; then all that was told in the last half hour."""

from collections.abc import Mapping
from typing import Final

from chimera.services.console.acting.alerts import ACKNOWLEDGE, OPEN, RESOLVE
from chimera.services.console.same import Same
from chimera.services.console.screen import Badge, Group, Screen, Section, Shown
from chimera.services.console.seen import Seen
from chimera.services.console.verdicts import Tone


def _standing(shown: Shown) -> Mapping[str, object]:
    keeper = shown.seen.keeper
    return {"tickets": shown.seen.tickets, "heard": keeper.heard_ms is not None, "silent": keeper.error}


def _told(shown: Shown) -> Mapping[str, object]:
    return {"alerts": tuple(reversed(shown.seen.alerts))}


def _badge(seen: Seen) -> Badge | None:
    """What nobody has acknowledged yet."""
    waiting = [row for row in seen.tickets if row.state == OPEN]
    if not waiting:
        return None
    warned = all(row.severity == "WARN" for row in waiting)
    return Badge(text=str(len(waiting)), tone=Tone.CAUTION if warned else Tone.BAD)


SCREEN: Final = Screen(
    name="alerts",
    title="Alerts",
    path="/alerts",
    key="a",
    says="What stands and who looks at it, then what was told.",
    group=Group.HOUSE,
    thumb=True,
    badge=_badge,
    acts=(ACKNOWLEDGE, RESOLVE),
    sections=(
        Section(
            "standing",
            "What stands",
            reads=("tickets", "sources"),
            content=_standing,
            same=lambda _: (Same(service="alerts", path="/alerts", cli="chimera alerts list"),),
        ),
        Section("alerts", "Told in the last half hour", reads=("alerts",), content=_told),
    ),
)
