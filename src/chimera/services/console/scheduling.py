"""Orders that are worked in slices: the schedule against what is done, and when the next slice begins. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from chimera.services.console.deciding import number
from chimera.services.console.rows import position_name
from chimera.trading.money import ZERO
from chimera.trading.order import FINAL
from chimera.trading.value import Value


class Slice(Value, tag=False):
    """``left`` and ``wide`` are of a hundred of the whole quantity; ``done`` of the slice, 0 to 1."""

    number: int
    qty: Decimal
    filled: Decimal
    due_ms: int
    began_ms: int | None
    left: str
    wide: str
    done: str

    @property
    def state(self) -> str:
        if self.filled >= self.qty:
            return "filled"
        return "waits" if self.began_ms is None else "working"


class Working(Value, tag=False):
    """``due``: the share that the schedule would have by now; ``done`` what has filled; None: no slice is left."""

    name: str
    symbol: str
    market: str
    side: str
    status: str
    qty: Decimal
    filled: Decimal
    avg_price: Decimal | None
    paused: bool
    accepted_ms: int
    slices: tuple[Slice, ...]
    due: Decimal
    done: Decimal
    next_ms: int | None
    next_qty: Decimal | None
    last_word: str

    @property
    def behind(self) -> bool:
        return self.due - self.done > Decimal("0.1")


def working(rows: Iterable[Mapping[str, Any] | None], now_ms: int) -> tuple[Working, ...]:
    """Those that go on, the oldest first."""
    found = [row for row in rows if row and row.get("done_ms") is None and row.get("status") not in FINAL]
    return tuple(sorted((_working(row, now_ms) for row in found), key=lambda each: each.accepted_ms))


def _working(row: Mapping[str, Any], now_ms: int) -> Working:
    given: Sequence[Mapping[str, Any]] = row.get("slices") or ()
    qty, filled = number(row.get("qty")) or ZERO, number(row.get("filled_qty")) or ZERO
    whole = sum((number(each.get("qty")) or ZERO for each in given), ZERO) or qty or Decimal(1)
    due = sum((number(each.get("qty")) or ZERO for each in given if int(each["due_ms"]) <= now_ms), ZERO)
    slices, left = [], ZERO
    for place, each in enumerate(given):
        part = number(each.get("qty")) or ZERO
        slices.append(_slice(place, each, part, left / whole, part / whole))
        left += part
    coming = next((each for each in slices if each.began_ms is None), None)
    timeline = row.get("timeline") or ()
    return Working(
        name=str(row.get("client_order_id") or row.get("order_id")),
        symbol=str(row.get("symbol")),
        market=str(row.get("market")),
        side=str(row.get("side")),
        status=str(row.get("status")),
        qty=qty,
        filled=filled,
        avg_price=number(row.get("avg_price")),
        paused=bool(row.get("paused")),
        accepted_ms=int(row.get("accepted_ms") or 0),
        slices=tuple(slices),
        due=due / whole if given else Decimal(0),
        done=filled / whole,
        next_ms=None if coming is None else coming.due_ms,
        next_qty=None if coming is None else coming.qty,
        last_word=str(timeline[-1]["what"]) if timeline else "",
    )


def _slice(place: int, each: Mapping[str, Any], qty: Decimal, left: Decimal, wide: Decimal) -> Slice:
    filled = number(each.get("filled_qty")) or ZERO
    return Slice(
        number=place + 1,
        qty=qty,
        filled=filled,
        due_ms=int(each["due_ms"]),
        began_ms=each.get("began_ms"),
        left=f"{left * 100:.2f}",
        wide=f"{wide * 100:.2f}",
        done=f"{(min(filled / qty, Decimal(1)) if qty else ZERO) * wide * 100:.2f}",
    )


class Armed(Value, tag=False):
    """A price that S4 watches itself. ``intents``: whose target it may be."""

    position: str
    symbol: str
    market: str
    role: str
    price: Decimal
    qty: Decimal
    gauge: str
    armed_ms: int
    intents: tuple[str, ...]


def armed(rows: Iterable[Mapping[str, Any]]) -> tuple[Armed, ...]:
    """Of all positions."""
    return tuple(
        Armed(
            position=position_name(str(row["symbol"]), str(row.get("market", "FUT"))),
            symbol=str(row["symbol"]),
            market=str(row.get("market", "FUT")),
            role=str(guard["kind"]),
            price=number(guard["price"]) or ZERO,
            qty=number(guard["qty"]) or ZERO,
            gauge=str(guard.get("gauge")),
            armed_ms=int(guard.get("armed_ms") or 0),
            intents=tuple(str(intent) for intent in row.get("intents") or ()),
        )
        for row in rows
        for guard in row.get("guards") or ()
    )
