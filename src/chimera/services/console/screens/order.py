"""One order from decision to protection, by its order, client or intent id."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from chimera.services.console import timeline
from chimera.services.console.acting.cancel import CANCEL
from chimera.services.console.others import Others
from chimera.services.console.rows import ChildSeen, DecisionRow, OrderRow, OrderSeen, position_name, read_row
from chimera.services.console.same import Same
from chimera.services.console.screen import Group, Look, Params, Screen, Section, Shown, Span
from chimera.services.console.seen import Seen
from chimera.services.logs import redacted
from chimera.trading.order import FINAL

EVERY_S: Final = 1.0
RAW_MOST: Final = 40


async def _ask(others: Others, params: Params) -> OrderSeen | None:
    found = await others.router.order(params["name"])
    return None if found is None or found.get("kind") == "CHILD" else read_row(found, OrderSeen)


def _decision(seen: Seen, order: OrderSeen) -> DecisionRow | None:
    return next((row for row in seen.decisions if row.intent_id == order.intent_id), None)


def _order(shown: Shown) -> Mapping[str, object]:
    order: OrderSeen | None = shown.looked["order"]
    if order is None:
        return {"order": None}
    decision = _decision(shown.seen, order)
    return {
        "order": order,
        "decision": decision,
        "is_over": order.done_ms is not None or order.status in FINAL,
        "latencies": timeline.latencies(order, decision, shown.seen.stops_live_ms),
        "position": position_name(order.symbol, order.market),
    }


def _chart(shown: Shown) -> Mapping[str, object]:
    order: OrderSeen | None = shown.looked["order"]
    spark = None if order is None else shown.seen.sparks.get(order.symbol)
    return {"chart": None if order is None else timeline.drawn(order, spark, shown.now_ms), "order": order}


def _timeline(shown: Shown) -> Mapping[str, object]:
    order: OrderSeen | None = shown.looked["order"]
    if order is None:
        return {"lines": ()}
    records = timeline.of_order(order, tuple(shown.seen.records))
    return {"lines": timeline.lines(order, records, _decision(shown.seen, order))}


def _children(shown: Shown) -> Mapping[str, object]:
    """S4 answers with the parts as they were when the order was done; what the streams told since is newer."""
    order: OrderSeen | None = shown.looked["order"]
    sent = () if order is None else (*order.children, *order.legs)
    return {"rows": tuple(_by_now(part, shown.seen.orders.get(part.client_order_id)) for part in sent)}


def _by_now(part: ChildSeen, told: OrderRow | None) -> ChildSeen:
    return part if told is None or part.status in FINAL else part.but(status=told.status, filled_qty=told.filled_qty)


def _raw(shown: Shown) -> Mapping[str, object]:
    order: OrderSeen | None = shown.looked["order"]
    records = () if order is None else timeline.of_order(order, tuple(shown.seen.records))[-RAW_MOST:]
    raw = [
        (record, redacted(msgspec.json.format(msgspec.json.encode(dict(record.data)), indent=1).decode()))
        for record in records
    ]
    return {"raw": raw}


def _same(params: Params) -> tuple[Same, ...]:
    return (Same(path=f"/orders/{quote(params['name'], safe='')}", cli=f"chimera show {params['name']}"),)


SCREEN: Final = Screen(
    name="order",
    title="Order",
    path="/orders/{name:path}",
    says="One order, from the decision to its protection.",
    group=Group.NOW,
    under="orders",
    acts=(CANCEL,),
    looks=(Look("order", EVERY_S, _ask),),
    sections=(
        Section("order", "What it is", reads=("order", "decisions"), content=_order, same=_same),
        Section("chart", "The price around it", reads=("order", "pulse"), content=_chart, span=Span.WIDE),
        Section("children", "What was sent", reads=("order", "orders"), content=_children, span=Span.SIDE),
        Section("timeline", "Timeline", reads=("order", "records", "decisions"), content=_timeline),
        Section("raw", "As it came, secrets hidden", reads=("order", "records"), content=_raw),
    ),
)
