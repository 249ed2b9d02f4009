"""Positions and orders in lines for people; ``--json`` is for programs. Times are UTC."""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from chimera.trading.money import text

_SHOWN = Decimal("0.0001")
_MOST_PLACES: Final = 8
_FINEST: Final = Decimal(1).scaleb(-_MOST_PLACES)


def left_out(what: str) -> None:
    """A capture that is not used, or what of one is not: said beside whatever is printed."""
    print(f"chimera: {what}", file=sys.stderr)


def position_told(row: Mapping[str, Any]) -> str:
    """One line, whatever the width of the terminal, and one for each guard. A symbol may be traded on both markets."""
    where = f"{row['symbol']} {row['market']}"
    if not Decimal(row["qty"]):
        realised = text(Decimal(row["realized_pnl"]).quantize(_SHOWN))
        return f"{where} flat, closed {row['closed_count']}, realised {realised}, fees {row['fees']}"
    guarded = "".join(f"\n  {guard_told(guard)}" for guard in row.get("guards") or ())
    return (
        f"{where} {row['qty']} at {row['entry_price']}, mark {row['mark_price']}, stop {_resting(row['stop'])},"
        f" target {_resting(row['target'])}, covered {row['covered_qty']}, unrealised {row['unrealized_pnl']}"
        f"{guarded}"
    )


def kill_told(kill: Mapping[str, Any]) -> str:
    where = f"{kill['scope']} {kill['name']}".rstrip()
    return f"killed: {where}, since {moment(kill['at_ms'])} by {kill['by']}: {kill['reason']}; no entry is taken there"


def guard_told(guard: Mapping[str, Any]) -> str:
    """A price that S4 watches itself, which covers nothing."""
    kind, gauge = str(guard["kind"]).lower(), str(guard["gauge"]).lower()
    since = clock(guard["armed_ms"])
    watched = f"S4 watches the {kind} {guard['price']} x {guard['qty']} by the {gauge} since {since}"
    return f"guard: {watched}; it covers nothing"


def doubt_told(row: Mapping[str, Any]) -> str:
    """What is not known, since when, what it counts for meanwhile, and what would settle it."""
    counted = row["notional_counted"]
    against = "" if counted is None or not Decimal(counted) else f", {text(Decimal(counted).quantize(_SHOWN))} counted"
    return (
        f"{row['symbol']} {row['market']} {row['client_order_id']} {str(row['role']).lower()} {row['qty']}:"
        f" {str(row['about']).lower()} unknown since {clock(row['since_ms'])}, asked {row['asks']} times{against}"
        f"\n  it takes {row['settles']}"
    )


def order_told(order: Mapping[str, Any]) -> Iterator[str]:
    """What was asked and became of it, why it went that way, each order at the venue, and every moment."""
    asked = f"{order['client_order_id']}  {order['side']} {order['qty']} {order['symbol']} {order['market']}"
    yield f"{asked}  {_status(order)}, filled {order['filled_qty']}{_at(order.get('avg_price'))}"
    if order.get("message") not in (None, order["status"]):
        yield f"  {order['message']}"
    for reason in (*(order.get("why") or ()), *(order.get("notes") or ())):
        yield f"  {reason}"
    yield from map(_part, order.get("children") or ())
    yield from map(_part, order.get("legs") or ())
    for moment in order.get("timeline") or ():
        yield f"  {clock(moment['at_ms'])}  {moment['what']}"


def _part(part: Mapping[str, Any]) -> str:
    price = part.get("stop_price") or part.get("price")
    refused = f": {part['message']}" if part.get("message") else ""
    sized = f"{part['side']} {part['qty']}{_at(price)}"
    return f"  {str(part['leg']).lower()} {part['client_order_id']}  {sized}  {_status(part)}{refused}"


def _status(row: Mapping[str, Any]) -> str:
    return f"{row['status']}{' (in doubt)' if row.get('in_doubt') else ''}"


def _at(price: object) -> str:
    return f" at {price}" if price else ""


def _resting(leg: Mapping[str, Any] | None) -> str:
    return "none" if leg is None else f"{leg['price']} x {leg['qty']}"


def figure(value: object) -> str:
    """With as many places as a venue prices in at most: a quotient has no end."""
    shown = "none" if value is None else str(value)
    whole, _, places = shown.partition(".")
    is_number = whole.lstrip("-").isdecimal() and places.isdecimal()
    return text(Decimal(shown).quantize(_FINEST)) if is_number and len(places) > _MOST_PLACES else shown


def moment(at_ms: object) -> str:
    return datetime.fromtimestamp(int(str(at_ms)) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(at_ms: object) -> str:
    at = datetime.fromtimestamp(int(str(at_ms)) / 1000, UTC)
    return f"{at:%H:%M:%S}.{int(str(at_ms)) % 1000:03d}"
