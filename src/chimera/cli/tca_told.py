"""The report of transaction costs as lines for people and as CSV: plain functions over ``tca.report``'s document."""

import csv
import io
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from chimera.tca.shortfall import PARTS

SHOWN: Final = 20  # intents on a terminal
UNKNOWN: Final = {
    "decision_mid": "intents without the mid of their decision: no row of S3, or no capture of that moment",
    "arrival_mid": "intents without a mid at arrival",
    "end_mid": "intents that did not fill whole, without the mid at their end: give a capture of it by --market",
    "fill_mid": "fills without the mid at the sending of their order",
    "fill_touch": "fills as taker without the touch at the sending of their order",
    "fee_price": "fills whose fee's asset has no price: give it by --price (BNBUSDT=612.5)",
    "markout_1000_ms": "fills without a mid 1 s later",
    "markout_5000_ms": "fills without a mid 5 s later",
    "markout_60000_ms": "fills without a mid 60 s later",
}
MEASURES: Final = {
    "by_notional": "notional", "by_spread_bps": "spread, bps", "by_depth": "depth at the touch", "by_hour": "hour, UTC",
}  # fmt: skip
_PLAIN: Final = (
    "intent_id", "client_order_id", "account_id", "strategy_id", "market", "symbol", "quote", "kind", "side", "status",
    "qty", "filled_qty", "maker_qty", "vwap", "decided_ms", "accepted_ms", "done_ms", "decision_mid", "arrival_mid",
    "end_mid", "basis",
)  # fmt: skip


def lines(told: Mapping[str, Any]) -> Iterator[str]:
    """Costs are above 0."""
    if not told["intents"]:
        yield "no intent is over"
    else:
        yield f"{told['intents']} intents, {told['fills']} fills; bps of the notional, {told['sign']}"
    for group in told["groups"]:
        yield from _group(group)
    for marks in told["markouts"]:
        for word in ("maker", "taker"):
            yield f"markouts as {word}, {marks['quote'] or 'unknown asset'}: " + ", ".join(map(_mark, marks[word]))
    for rests in told["resting"]:
        yield from _resting(rests, told["refused_posts"])
    yield from _orders(told["orders"])
    yield from (f"unknown: {count} {UNKNOWN[what]}" for what, count in told["unknown"].items() if count)
    yield from (f"left out: {count} {what}" for what, count in told["left_out"].items() if count)


def _group(group: Mapping[str, Any]) -> Iterator[str]:
    name = " ".join(filter(None, (group["name"], group["quote"] or "unknown asset")))
    filled = group["filled"]
    ends = f"{filled['whole']} whole, {filled['part']} in part, {filled['none']} not"
    yield f"{name}: {group['intents']} intents ({ends})"
    for against, words in (("decided", "since the decision"), ("arrived", "since arrival")):
        sums = group[against]
        if sums["complete"]:
            parts = ", ".join(f"{part} {value}" for part, value in sums["bps"].items() if part != "total")
            of = f" of {sums['complete']}, {sums['incomplete']} incomplete" if sums["incomplete"] else ""
            yield f"  {words}{of}: {sums['bps']['total']} bps ({sums['cost']['total']} {group['quote']}): {parts}"
        else:
            yield f"  {words}: not known"


def _mark(mark: Mapping[str, Any]) -> str:
    seconds = mark["horizon_ms"] // 1_000
    if mark["bps"] is None:
        return f"{seconds} s unknown"
    return f"{seconds} s {mark['bps']} bps ({mark['known']} of {mark['known'] + mark['unknown']})"


def _resting(rests: Mapping[str, Any], refused: int) -> Iterator[str]:
    whole = rests["all"]
    yield (
        f"rested, {rests['quote'] or 'unknown asset'}: {whole['orders']} orders, {percent(whole['filled_share'])}"
        f" of their notional filled as maker; {refused} more were refused before they rested"
    )
    waits = (f"{wait['wait_ms']} ms {percent(wait['chance'])}" for wait in rests["by_wait"])
    yield "  first fill within: " + ", ".join(waits)
    for measure, words in MEASURES.items():
        groups = (f"{group['group']} {percent(group['filled_share'])} of {group['orders']}" for group in rests[measure])
        yield f"  by {words}: " + ", ".join(groups)


def _orders(orders: list[Mapping[str, Any]]) -> Iterator[str]:
    for row in orders[-SHOWN:]:
        parts = ", ".join(f"{part} {known(row['bps'][part])}" for part in PARTS)
        yield (
            f"{row['client_order_id']} {row['side']} {row['filled_qty']} of {row['qty']} {row['symbol']}"
            f" at {known(row['vwap'])}: {known(row['bps']['total'])} bps: {parts}"
        )
    if (left := len(orders) - SHOWN) > 0:
        yield f"and {left} before them: --csv and --json have all"


def known(value: object) -> str:
    return "?" if value is None else str(value)


def percent(share: str | None) -> str:
    return "?" if share is None else f"{Decimal(share) * 100:.2f} %"


def csv_lines(told: Mapping[str, Any]) -> str:
    """A header, then a line for each intent; what is not known is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(_columns({})), lineterminator="\n")
    writer.writeheader()
    writer.writerows(_columns(row) for row in told["orders"])
    return out.getvalue()


def _columns(row: Mapping[str, Any]) -> dict[str, Any]:
    """One intent flat; of an empty row the names of all columns."""
    marks = {mark["horizon_ms"]: mark for mark in row.get("markouts", ())}
    arrived = row.get("arrived", {})
    sums = (*PARTS, "total")
    return {
        **{name: row.get(name) for name in _PLAIN},
        **{f"{part}_cost": row.get("cost", {}).get(part) for part in sums},
        **{f"{part}_bps": row.get("bps", {}).get(part) for part in sums},
        "drift_cost": row.get("drift"),
        "walk_cost": row.get("walk"),
        "since_arrival_cost": arrived.get("cost", {}).get("total"),
        "since_arrival_bps": arrived.get("bps", {}).get("total"),
        **{f"markout_{at}_ms_bps": marks.get(at, {}).get("bps") for at in (1_000, 5_000, 60_000)},
    }
