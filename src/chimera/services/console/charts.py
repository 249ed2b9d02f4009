"""A price chart as shares of its box: a line, levels, and marks; drawn by the server, in SVG. Pure."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from chimera.trading.value import Value

ROOM: Final = Decimal("0.08")  # of the height, above and below
WIDE: Final = 1000
HIGH: Final = 240


class Level(Value, tag=False):
    """A price that holds over the whole time; ``kind``: stop, target, mean."""

    kind: str
    price: Decimal
    words: str


class Mark(Value, tag=False):
    """Something that happened at a price; ``kind``: buy, sell, mid."""

    kind: str
    at_ms: int
    price: Decimal
    words: str


class Placed(Value, tag=False):
    """Where one of them stands: percent from the left and from the top."""

    kind: str
    x: str
    y: str
    words: str
    price: Decimal


class Chart(Value, tag=False):
    line: str  # the ``points`` of a polyline in a box ``WIDE`` by ``HIGH``; empty below two
    levels: tuple[Placed, ...]
    marks: tuple[Placed, ...]
    low: Decimal
    high: Decimal
    since_ms: int
    until_ms: int


def chart(
    points: Sequence[tuple[int, Decimal]], levels: Sequence[Level], marks: Sequence[Mark], span_ms: tuple[int, int]
) -> Chart | None:
    """None where there is no price to draw."""
    since_ms, until_ms = span_ms
    prices = [price for _, price in points] + [level.price for level in levels] + [mark.price for mark in marks]
    if not prices:
        return None
    low, high = min(prices), max(prices)
    room = (high - low) * ROOM or high * Decimal("0.0001") or Decimal(1)
    low, high = low - room, high + room

    def across(at_ms: int) -> Decimal:
        return Decimal(max(0, min(at_ms, until_ms) - since_ms)) / max(1, until_ms - since_ms)

    def down(price: Decimal) -> Decimal:
        return (high - price) / (high - low)

    line = " ".join(f"{WIDE * across(at_ms):.1f},{HIGH * down(price):.1f}" for at_ms, price in points)
    return Chart(
        line=line if len(points) > 1 else "",
        levels=tuple(
            Placed(kind=each.kind, x="0", y=f"{100 * down(each.price):.2f}", words=each.words, price=each.price)
            for each in levels
        ),
        marks=tuple(
            Placed(
                kind=each.kind,
                x=f"{100 * across(each.at_ms):.2f}",
                y=f"{100 * down(each.price):.2f}",
                words=each.words,
                price=each.price,
            )
            for each in sorted(marks, key=lambda mark: mark.at_ms)
        ),
        low=low,
        high=high,
        since_ms=since_ms,
        until_ms=until_ms,
    )
