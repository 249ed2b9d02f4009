"""The protection board, the console's home: every position, what guards it and where that rests."""

from collections.abc import Mapping
from itertools import islice
from typing import Final

from chimera.services.console.acting.close import CLOSE
from chimera.services.console.rows import totals
from chimera.services.console.same import Same
from chimera.services.console.screen import Badge, Group, Screen, Section, Shown, Span
from chimera.services.console.screens.why import DECISIONS
from chimera.services.console.seen import Seen
from chimera.services.console.verdicts import Tone

ROWS: Final = 10


def _positions(shown: Shown) -> Mapping[str, object]:
    return {"totals": totals(shown.seen.positions)}


def _fills(shown: Shown) -> Mapping[str, object]:
    return {"fills": tuple(islice(reversed(shown.seen.fills.values()), ROWS))}


def _alerts(shown: Shown) -> Mapping[str, object]:
    return {"alerts": tuple(islice(reversed(shown.seen.alerts), ROWS))}


def _badge(seen: Seen) -> Badge | None:
    bare = sum(row.bare for row in seen.positions)
    return Badge(text=str(bare), tone=Tone.BAD) if bare else None


SCREEN: Final = Screen(
    name="protection",
    title="Protection",
    path="/",
    key="b",
    says="Every position, and what guards it.",
    group=Group.NOW,
    thumb=True,
    badge=_badge,
    acts=(CLOSE,),
    sections=(
        Section(
            "positions",
            "Positions",
            reads=("positions",),
            content=_positions,
            same=lambda _: (Same(path="/positions", cli="chimera show"),),
        ),
        Section("market", "Market", reads=("market", "symbols"), framed=False),
        Section("fills", "Fills", reads=("fills",), content=_fills, span=Span.WIDE),
        DECISIONS,
        Section("alerts", "Alerts", reads=("alerts",), content=_alerts, span=Span.SIDE),
    ),
)
