"""Amounts, spans, moments and small drawings as the page shows them. Pure; nothing shown here is ever read back."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from chimera.services.console.rows import PositionRow
from chimera.trading.money import ZERO, text
from chimera.trading.value import Value

MINUS: Final = "\N{MINUS SIGN}"
NONE: Final = "\N{EN DASH}"
SPARK_WIDE: Final = 240
SPARK_HIGH: Final = 44
_CENT: Final = Decimal("0.01")


def amount(value: Decimal | None, places: int | None = None) -> str:
    """Digits with thousands apart; ``places`` rounds half to even, None shows all that matter."""
    if value is None:
        return NONE
    if places is not None:
        shown = format(value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), ",f")
    else:
        whole, dot, part = text(value).partition(".")
        shown = format(int(whole), ",d") + dot + part
        shown = "-" + shown if value < 0 and not shown.startswith("-") else shown
    return shown.replace("-", MINUS)


def signed(value: Decimal | None, places: int = 2) -> str:
    """With its sign, a true minus; zero has none."""
    if value is None:
        return NONE
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    if not rounded:
        return format(abs(rounded), "f")
    return ("+" if rounded > 0 else "") + amount(value, places)


def direction(value: Decimal | None) -> str:
    """gain, loss or even: the class, and the word for those who do not see the colour."""
    if value is None or abs(value) < _CENT / 2:
        return "even"
    return "gain" if value > 0 else "loss"


def span(ms: int | None) -> str:
    """A length of time in the largest fitting unit; the page's script writes the same."""
    if ms is None:
        return NONE
    if ms < 10_000:
        return f"{ms / 1000:.1f} s"
    seconds = ms // 1000
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def gap(ms: int) -> str:
    """A span that is mostly below a second."""
    return f"{ms} ms" if ms < 1000 else span(ms)


def price_places(row: PositionRow) -> int:
    """Decimals that show all of the row's prices alike: those of the tick; a mark may have more."""
    return places(row.entry_price, *(order.price for order in (row.stop, row.target) if order))


def places(*prices: Decimal | None) -> int:
    """Decimals of the one that has most."""
    return max((len(text(price).partition(".")[2]) for price in prices if price is not None), default=0)


def plain_json(document: object) -> str:
    """To be read, its amounts as the digits that they are."""
    return json.dumps(
        document, indent=2, sort_keys=True, default=lambda each: text(each) if isinstance(each, Decimal) else str(each)
    )


def clock_time(at_ms: int) -> str:
    """UTC; the page's script turns it into local time."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%SZ")


def spark_points(points: Sequence[tuple[int, Decimal]]) -> str:
    """The ``points`` of an SVG polyline in a box ``SPARK_WIDE`` by ``SPARK_HIGH``, newest right; empty below two."""
    if len(points) < 2:
        return ""
    low, high = min(mid for _, mid in points), max(mid for _, mid in points)
    begin, end = points[0][0], points[-1][0]
    wide, high_px = Decimal(SPARK_WIDE - 4), Decimal(SPARK_HIGH - 8)
    told = []
    for at_ms, mid in points:
        x = 2 + wide * (at_ms - begin) / max(1, end - begin)
        y = 4 + high_px * ((high - mid) / (high - low) if high > low else Decimal("0.5"))
        told.append(f"{x:.1f},{y:.1f}")
    return " ".join(told)


class Ladder(Value, tag=False):
    """Where stop, entry, mark and target stand between the outermost two: x from 0 to 100, loss left, gain right."""

    stop: str | None
    entry: str
    mark: str | None
    target: str | None


def ladder(row: PositionRow) -> Ladder | None:
    """None without an entry and at least one level to measure it against."""
    levels = {
        "stop": row.stop.price if row.stop else None,
        "entry": row.entry_price,
        "mark": row.mark_price,
        "target": row.target.price if row.target else None,
    }
    known = [price for price in levels.values() if price is not None]
    if row.entry_price is None or len(known) < 2 or max(known) == min(known):
        return None
    low, high = min(known), max(known)

    def place(price: Decimal | None) -> str | None:
        if price is None:
            return None
        share = (price - low) / (high - low)
        return f"{2 + 96 * (share if row.qty >= ZERO else 1 - share):.1f}"

    entry = place(row.entry_price)
    assert entry is not None
    return Ladder(stop=place(levels["stop"]), entry=entry, mark=place(levels["mark"]), target=place(levels["target"]))
