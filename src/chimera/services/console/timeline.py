"""An order's life on one line of time: what S3 decided, S4 took and planned, each child's states, fills, protection.

Pure. Each line says whose clock its moment is by, and how long after the one before and after the beginning it came.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from chimera.services.console import shown
from chimera.services.console.charts import Chart, Level, Mark, chart
from chimera.services.console.rows import ChildSeen, DecisionRow, OrderSeen
from chimera.services.console.seen import Record, Spark
from chimera.services.logs import redacted
from chimera.trading.value import Value
from chimera.wire.keys import ROUTER_EVENTS

AROUND_MS: Final = 15_000  # of the chart, before the decision and after the end
PROTECTS: Final = ("STOP", "TARGET")


class Stage(StrEnum):
    """Of which part of its life a line is."""

    DECIDE = "decide"
    ADMIT = "admit"
    PLAN = "plan"
    MAKER = "maker"
    TAKER = "taker"
    FILL = "fill"
    PROTECT = "protect"
    EXIT = "exit"
    END = "end"


class Line(Value, tag=False):
    """``clock``: whose. ``after_ms``: since the line before; ``from_ms``: since the first."""

    at_ms: int
    stage: Stage
    what: str
    clock: str
    ref: str = ""
    loud: bool = False
    after_ms: int = 0
    from_ms: int = 0


class Latency(Value, tag=False):
    """One measured stretch; None: it has not come to that, or was not seen."""

    words: str
    ms: int | None


def of_order(order: OrderSeen, records: Sequence[Record]) -> tuple[Record, ...]:
    """Those of the streams that are about it, oldest first: its own, its children's and its protection's."""
    refs = {child.client_order_id for child in (*order.children, *order.legs)}

    def about(data: Mapping[str, Any]) -> bool:
        named = {str(data.get(name)) for name in ("client_order_id", "ref", "order_id", "intent_id")}
        return order.intent_id in named or order.client_order_id in named or bool(refs & named)

    return tuple(record for record in records if about(record.data))


def lines(order: OrderSeen, records: Sequence[Record], decision: DecisionRow | None) -> tuple[Line, ...]:
    """Oldest first."""
    found = sorted(_lines(order, records, decision), key=lambda line: line.at_ms)
    begun_ms = found[0].at_ms if found else 0
    before_ms = begun_ms
    told = []
    for line in found:
        told.append(line.but(after_ms=line.at_ms - before_ms, from_ms=line.at_ms - begun_ms))
        before_ms = line.at_ms
    return tuple(told)


def _lines(order: OrderSeen, records: Iterable[Record], decision: DecisionRow | None) -> Iterator[Line]:
    if decision is not None:
        yield Line(at_ms=decision.t0, stage=Stage.DECIDE, what=decision.reason, clock="S3", ref=decision.signal_id)
    states = [_state(each) for each in records if each.stream == ROUTER_EVENTS and each.data.get("kind") == "CHILD"]
    yield from states
    for moment in order.timeline:
        told_better = moment.what.startswith("fill ") or (states and moment.what.startswith("order "))
        if not told_better:
            yield Line(at_ms=moment.at_ms, stage=_stage(moment.what), what=moment.what, clock="S4")
    for fill in order.fills:
        slip = "" if fill.slip_bps is None else f", slippage {shown.signed(fill.slip_bps)} bps"
        what = (
            f"{'maker' if fill.maker else 'taker'} fill: {shown.amount(fill.qty)} at {shown.amount(fill.price)}{slip}"
        )
        yield Line(at_ms=fill.timestamp, stage=Stage.FILL, what=what, clock="venue", ref=fill.client_order_id)


def _state(record: Record) -> Line:
    data = record.data
    role, status = str(data.get("role", "")), str(data.get("status", ""))
    stage = Stage.PROTECT if role in PROTECTS else Stage(role.lower()) if role in ("MAKER", "TAKER") else Stage.EXIT
    price = data.get("trigger_price") or data.get("price")
    where = f" at {price}" if price else ""
    said = f": {data['refusal']}" if data.get("refusal") else ""
    is_now = status.lower().replace("_", " ")
    what = redacted(f"{role.lower()} {data.get('side', '')} {data.get('qty', '')}{where} is {is_now}{said}")
    ref = str(data.get("client_order_id", ""))
    loud = status in ("IN_DOUBT", "REJECTED")
    return Line(at_ms=int(data.get("at_ms") or record.at_ms), stage=stage, what=what, clock="S4", ref=ref, loud=loud)


def _stage(what: str) -> Stage:
    if what.startswith(("accepted", "first acknowledged")):
        return Stage.ADMIT
    if what.startswith("done"):
        return Stage.END
    return Stage.PLAN


def latencies(order: OrderSeen, decision: DecisionRow | None, stops_live_ms: Mapping[str, int]) -> tuple[Latency, ...]:
    """From decision to protection."""
    accepted, first_fill = order.accepted_ms, min((fill.timestamp for fill in order.fills), default=None)
    live = [at_ms for ref, at_ms in stops_live_ms.items() if ref.startswith(f"{order.client_order_id}-")]
    stop = min((at_ms for at_ms in live if first_fill is not None and at_ms >= first_fill), default=None)
    return (
        Latency(words="decided to taken", ms=_between(None if decision is None else decision.t0, accepted)),
        Latency(words="taken to first acknowledged", ms=_between(accepted, order.first_ack_ms)),
        Latency(words="taken to first fill", ms=_between(accepted, first_fill)),
        Latency(words="first fill to stop live", ms=_between(first_fill, stop)),
        Latency(words="taken to over", ms=_between(accepted, order.done_ms)),
    )


def _between(since_ms: int | None, until_ms: int | None) -> int | None:
    return None if since_ms is None or until_ms is None else until_ms - since_ms


def drawn(order: OrderSeen, spark: Spark | None, now_ms: int) -> Chart | None:
    """The price around it, with its fills, its mean, and the stop and target that stand."""
    fills = [fill.timestamp for fill in order.fills]
    begun = order.accepted_ms or min(fills, default=now_ms)
    over = max([order.done_ms or now_ms, *fills])
    since_ms, until_ms = begun - AROUND_MS, min(now_ms, over + AROUND_MS)
    marks = [
        Mark(
            kind=order.side.lower(),
            at_ms=fill.timestamp,
            price=fill.price,
            words=f"{shown.amount(fill.qty)} at {shown.amount(fill.price)}",
        )
        for fill in order.fills
    ]
    if order.mid_at_send is not None:
        words = f"mid when it was sent, {shown.amount(order.mid_at_send)}"
        marks.append(Mark(kind="mid", at_ms=begun, price=order.mid_at_send, words=words))
    points = [] if spark is None else spark.between(since_ms, until_ms)
    return chart(points, _levels(order.legs), marks, (since_ms, until_ms))


def _levels(legs: Iterable[ChildSeen]) -> list[Level]:
    priced = ((leg, leg.stop_price or leg.price) for leg in legs if leg.leg in PROTECTS)
    return [
        Level(kind=leg.leg.lower(), price=price, words=f"{leg.leg.lower()} at {shown.amount(price)}")
        for leg, price in priced
        if price is not None
    ]
