"""The protection board, the console's home: every position, what guards it and where that rests."""

from collections.abc import Mapping
from itertools import islice
from typing import Final

from chimera.services.console.acting.close import CLOSE
from chimera.services.console.rows import PositionRow, totals
from chimera.services.console.same import Same
from chimera.services.console.screen import Badge, Group, Screen, Section, Shown, Span
from chimera.services.console.screens.why import DECISIONS
from chimera.services.console.seen import Seen
from chimera.services.console.verdicts import Tone

ROWS: Final = 10


def _positions(shown: Shown) -> Mapping[str, object]:
    rows = shown.seen.positions
    return {"totals": totals(rows), "protected_in": {row.name: _protected_in_ms(shown.seen, row) for row in rows}}


def _protected_in_ms(seen: Seen, row: PositionRow) -> int | None:
    """From the newest fill before its stop stood until then; None where either was not seen."""
    live_ms = None if row.stop is None else seen.stops_live_ms.get(row.stop.client_order_id)
    if live_ms is None:
        return None
    fills = (fill.at_ms for fill in seen.fills.values() if fill.position == row.name and fill.at_ms <= live_ms)
    newest_ms = max(fills, default=None)
    return None if newest_ms is None else live_ms - newest_ms


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
            reads=("positions", "stops"),
            content=_positions,
            same=lambda _: (Same(path="/positions", cli="chimera show"),),
        ),
        Section("market", "Market", reads=("market", "symbols"), framed=False),
        Section("fills", "Fills", reads=("fills",), content=_fills, span=Span.WIDE),
        DECISIONS,
        Section("alerts", "Alerts", reads=("alerts",), content=_alerts, span=Span.WIDE),
    ),
)
