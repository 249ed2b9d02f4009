"""What trading cost, drawn: parts as bars on one scale, the chance of a maker's fill against the wait, tables side by
side. Pure, over ``chimera report tca``'s document and S4's route table; what is not known stays unknown, never 0.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from chimera.services.console.deciding import number
from chimera.tca.shortfall import PARTS
from chimera.trading.money import ZERO
from chimera.trading.value import Value

Document = Mapping[str, Any]
WORDS: Final = {
    "delay": "the market moved between decision and first sending",
    "spread": "half of the spread, paid or earned",
    "impact": "it moved while we worked, and takers went beyond the touch",
    "fees": "paid to the venue",
    "opportunity": "what never traded, at the mid when it was given up",
}
WIDE: Final = 320  # of the curve's drawing
HIGH: Final = 120
ROWS: Final = 20


class Bar(Value, tag=False):
    """One part in bps; ``left`` and ``wide`` are of a hundred, the zero line included. None: not known."""

    name: str
    words: str
    bps: Decimal | None
    left: str = "0"
    wide: str = "0"

    @property
    def tone(self) -> str:
        return "even" if not self.bps else "cost" if self.bps > 0 else "gain-bar"


class Parts(Value, tag=False):
    total: Decimal | None
    cost: Decimal | None
    intents: int
    bars: tuple[Bar, ...]
    zero: str  # where nought stands, of a hundred


def parts(group: Document | None) -> Parts | None:
    """Of one group since the decision; where no decision's mid is known, since arrival."""
    if not group:
        return None
    decided, arrived = group["decided"], group["arrived"]
    sums = decided if decided["complete"] else arrived
    bps = {name: number(sums["bps"].get(name)) for name in PARTS}
    known = [value for value in bps.values() if value is not None]
    low, high = min([ZERO, *known]), max([ZERO, *known])
    reach = high - low or Decimal(1)

    def at(value: Decimal) -> Decimal:
        return (value - low) / reach * 100

    bars = tuple(
        Bar(name=name, words=WORDS[name], bps=value)
        if value is None
        else Bar(
            name=name,
            words=WORDS[name],
            bps=value,
            left=f"{at(min(ZERO, value)):.2f}",
            wide=f"{abs(value) / reach * 100:.2f}",
        )
        for name, value in bps.items()
    )
    return Parts(
        total=number(sums["bps"].get("total")),
        cost=number(sums["cost"].get("total")),
        intents=int(sums["complete"]),
        bars=bars,
        zero=f"{at(ZERO):.2f}",
    )


class Mark(Value, tag=False):
    seconds: int
    maker: Decimal | None
    taker: Decimal | None
    known: int


def marks(told: Document | None) -> tuple[Mark, ...]:
    """By horizon; above 0 what was bought is worth less than was paid."""
    if not told:
        return ()
    maker = {int(each["horizon_ms"]): each for each in told.get("maker") or ()}
    taker = {int(each["horizon_ms"]): each for each in told.get("taker") or ()}
    return tuple(
        Mark(
            seconds=ms // 1_000,
            maker=number((maker.get(ms) or {}).get("bps")),
            taker=number((taker.get(ms) or {}).get("bps")),
            known=sum(int((each.get(ms) or {}).get("known", 0)) for each in (maker, taker)),
        )
        for ms in sorted({*maker, *taker})
    )


class Point(Value, tag=False):
    wait_ms: int
    chance: Decimal | None
    at_risk: int
    x: str
    y: str


class Curve(Value, tag=False):
    """The chance of a first fill within a wait; ``line`` is an SVG polyline's points, of what is known."""

    points: tuple[Point, ...]
    line: str


def curve(rests: Document | None) -> Curve:
    """Waits stand apart evenly: they grow by factors."""
    waits: Sequence[Document] = (rests or {}).get("by_wait") or ()
    last = max(len(waits) - 1, 1)
    points = []
    for place, wait in enumerate(waits):
        chance = number(wait.get("chance"))
        y = HIGH - (chance or ZERO) * HIGH
        points.append(
            Point(
                wait_ms=int(wait["wait_ms"]),
                chance=chance,
                at_risk=int(wait.get("at_risk") or 0),
                x=f"{WIDE * place / last:.1f}",
                y=f"{y:.1f}",
            )
        )
    return Curve(
        points=tuple(points), line=" ".join(f"{each.x},{each.y}" for each in points if each.chance is not None)
    )


# ── the route table ──


class RowPair(Value, tag=False):
    """One row of the table in force beside the proposed one; None: it has no such row."""

    market: str
    up_to: str
    now_ms: int | None
    then_ms: int | None
    now_slices: str
    then_slices: str

    @property
    def same(self) -> bool:
        return (self.now_ms, self.now_slices) == (self.then_ms, self.then_slices)


def side_by_side(in_force: Document | None, proposed: Document | None) -> tuple[RowPair, ...]:
    """By market and size."""
    now, then = _rows(in_force), _rows(proposed)
    return tuple(
        RowPair(
            market=key[0],
            up_to=key[1],
            now_ms=_wait(now.get(key)),
            then_ms=_wait(then.get(key)),
            now_slices=_slices(now.get(key)),
            then_slices=_slices(then.get(key)),
        )
        for key in dict.fromkeys((*now, *then))
    )


def _rows(table: Document | None) -> dict[tuple[str, str], Document]:
    rows: Iterable[Document] = (table or {}).get("rows") or ()
    return {(str(row.get("market") or "any"), str(row["notional_usdt_max"])): row for row in rows}


def _wait(row: Document | None) -> int | None:
    return None if row is None else int(row["maker_wait_ms"])


def _slices(row: Document | None) -> str:
    if row is None:
        return ""
    twap = row.get("twap") or {}
    count = twap.get("slices", 1)
    return "1" if count == 1 else f"{count} by {twap.get('gap_ms', 0)} ms"
