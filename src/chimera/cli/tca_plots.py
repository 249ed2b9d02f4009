"""Plots of transaction costs as inline SVG; plain functions from numbers to text.

Each is drawn on 360 units of width, so that its words can be read on a telephone, and takes its colours from the page's
style sheet. What is unknown is not drawn. ``float`` serves coordinates alone; every figure that is told is the report's
own text.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from chimera.tca.shortfall import PARTS

WIDTH: Final = 360
_LEFT: Final = 46.0  # for the words of the axis
_RIGHT: Final = WIDTH - 10.0
_BAR: Final = 16
_ROW: Final = 44
_TOP, _BOTTOM, _HEIGHT = 12.0, 150.0, 180


def costs(groups: Sequence[Mapping[str, Any]]) -> str:
    """A bar for each group: parts that cost to the right of zero, parts that earned to the left, a mark at the sum."""
    known = [group for group in groups if group["decided"]["complete"]]
    if not known:
        return ""
    left, right = _reach(known)
    at = _scale(left, right, 8.0, _RIGHT)
    marks: list[str] = []
    for number, group in enumerate(known):
        top = number * _ROW
        sums = group["decided"]["bps"]
        label = f"{group['name']}: {sums['total']} bps of {group['decided']['complete']} intents"
        marks.append(f'<text x="8" y="{top + 13}">{escape(label)}</text>')
        marks += _stacked(sums, top + 19, at)
        marks += [_mark("zero", at(0), top + 16), _mark("sum", at(float(sums["total"])), top + 16)]
    return _svg("Cost since the decision by symbol, bps", len(known) * _ROW + 4, marks)


def _reach(groups: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    left = right = 0.0
    for group in groups:
        values = [float(group["decided"]["bps"][part]) for part in PARTS]
        left = min(left, sum(value for value in values if value < 0))
        right = max(right, sum(value for value in values if value > 0))
    return left, right


def _stacked(sums: Mapping[str, str], top: int, at: Any) -> Iterator[str]:
    ends = {True: 0.0, False: 0.0}
    for part in PARTS:
        value = float(sums[part])
        if not value:
            continue
        begin, ends[value > 0] = ends[value > 0], ends[value > 0] + value
        one, other = sorted((at(begin), at(begin + value)))
        told = escape(f"{part} {sums[part]} bps")
        shape = f'x="{one:.1f}" y="{top}" width="{max(other - one, 0.5):.1f}" height="{_BAR}"'
        yield f'<rect class="{part}" {shape}><title>{told}</title></rect>'


def _mark(kind: str, x: float, top: int) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{top + _BAR + 6}"/>'


def by_time(orders: Sequence[Mapping[str, Any]]) -> str:
    """A dot for each intent whose shortfall is known, by the moment of acceptance."""
    dots = [(row["accepted_ms"], float(row["bps"]["total"]), row) for row in orders if row["bps"]["total"] is not None]
    if not dots:
        return ""
    x = _scale(min(dot[0] for dot in dots), max(dot[0] for dot in dots), _LEFT, _RIGHT)
    low, high = min(0.0, *(dot[1] for dot in dots), 0.0), max(0.0, *(dot[1] for dot in dots), 0.0)
    y = _scale(low, high, _BOTTOM, _TOP)
    marks = _axes(low, high, y, ("first", "last"))
    for at_ms, value, row in dots:
        told = escape(f"{row['client_order_id']} {row['side']} {row['symbol']}: {row['bps']['total']} bps")
        marks.append(
            f'<circle class="dot" cx="{x(at_ms):.1f}" cy="{y(value):.1f}" r="4"><title>{told}</title></circle>'
        )
    return _svg("Shortfall of each intent over time, bps", _HEIGHT, marks)


def markouts(marks: Mapping[str, Any]) -> str:
    """Mean markout as maker and as taker by horizon."""
    lines = {word: [float(mark["bps"]) if mark["bps"] is not None else None for mark in marks[word]]
             for word in ("maker", "taker")}  # fmt: skip
    values = [value for line in lines.values() for value in line if value is not None]
    if not values:
        return ""
    low, high = min(0.0, *values, 0.0), max(0.0, *values, 0.0)
    y = _scale(low, high, _BOTTOM, _TOP)
    horizons = [f"{mark['horizon_ms'] // 1_000} s" for mark in marks["all"]]
    places = [
        _LEFT + 20 + number * (_RIGHT - _LEFT - 40) / max(len(horizons) - 1, 1) for number in range(len(horizons))
    ]
    drawn = _axes(low, high, y, ())
    drawn += [_below(place, name) for place, name in zip(places, horizons, strict=True)]
    for word, line in lines.items():
        points = [(place, y(value)) for place, value in zip(places, line, strict=True) if value is not None]
        drawn.append(_path(word, points))
        drawn += [f'<circle class="{word}" cx="{x:.1f}" cy="{at:.1f}" r="3.5"/>' for x, at in points]
    return _svg("Markout after a fill, bps, above 0 a cost", _HEIGHT, drawn)


def waits(by_wait: Sequence[Mapping[str, Any]]) -> str:
    """The chance of a first fill by waiting time: a bar for each wait of which anything is known."""
    return chances([(f"{wait['wait_ms']} ms", wait["chance"], wait["at_risk"]) for wait in by_wait],
                   "Chance of a first fill within a wait")  # fmt: skip


def chances(rows: Sequence[tuple[str, str | None, int]], title: str) -> str:
    """Bars from 0 to 1, each with its share and of how many orders it is."""
    known = [(name, share, count) for name, share, count in rows if share is not None]
    if not known:
        return ""
    drawn = []
    for number, (name, share, count) in enumerate(known):
        top = number * 22
        length = float(share) * 130
        drawn.append(f'<text x="122" y="{top + 14}" class="end">{escape(name)}</text>')
        drawn.append(f'<rect class="track" x="128" y="{top + 3}" width="130" height="14"/>')
        drawn.append(f'<rect class="maker" x="128" y="{top + 3}" width="{length:.1f}" height="14"/>')
        drawn.append(f'<text x="264" y="{top + 14}">{float(share) * 100:.1f} % of {count}</text>')
    return _svg(title, len(known) * 22 + 4, drawn)


def _scale(low: float, high: float, start: float, end: float) -> Any:
    """A straight line from values to places; all in the middle where there is one value."""
    span = high - low
    return (lambda value: start + (value - low) / span * (end - start)) if span else (lambda value: (start + end) / 2)


def _axes(low: float, high: float, y: Any, ends: tuple[str, ...]) -> list[str]:
    drawn = [f'<line class="zero" x1="{_LEFT}" x2="{_RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>']
    for value in sorted({low, 0.0, high}):
        drawn.append(f'<text class="end" x="{_LEFT - 4}" y="{y(value) + 4:.1f}">{value:.3g}</text>')
    for place, name in zip((_LEFT, _RIGHT), ends, strict=False):
        drawn.append(_below(place, name, "end" if place == _RIGHT else ""))
    return drawn


def _below(x: float, name: str, anchor: str = "middle") -> str:
    return f'<text class="{anchor}" x="{x:.1f}" y="{_BOTTOM + 20}">{escape(name)}</text>'


def _path(word: str, points: Sequence[tuple[float, float]]) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="line {word}" points="{joined}"/>'


def _svg(title: str, height: int, marks: Sequence[str]) -> str:
    name = escape(title)
    return (
        f'<figure><figcaption>{name}</figcaption><svg role="img" aria-label="{name}" viewBox="0 0 {WIDTH} {height}">'
        f"{''.join(marks)}</svg></figure>"
    )
