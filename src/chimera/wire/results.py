"""The one projection from a holding to the answer about one of its intents (``OrderResult``, S4-API-5).

Everything that shows an order (HTTP answer, ``orders`` row, ``GET /orders``, streams) shows this. Amounts are strings
of plain digits, which ``answers`` writes as numbers on HTTP. ``order_id`` is our parent order and equals
``client_order_id``, which is claimed once for ever; ids in ``order_ids`` and in ``legs`` are the venue's. CLOSED does
not exist here: a filled entry stays FILLED after its exit. It reads the children that the holding still has: the owner
keeps an intent's children as long as the intent.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from chimera.trading.execution import SOLD, Phase, Working
from chimera.trading.fill import Fill
from chimera.trading.holding import Holding
from chimera.trading.ids import IntentId
from chimera.trading.intent import Intent, IntentKind, OrderList, StopAlone, StopSpec
from chimera.trading.money import ZERO, Price, text
from chimera.trading.order import FINAL, OPEN, Order, Role, Status
from chimera.trading.trace import trace_of
from chimera.wire.failures import remedy
from chimera.wire.sending import slippage, top3
from chimera.wire.shown import OrderStatus

_PX: Final = Decimal("1e-8")  # a mean price is shown to eight decimals, half to even
_SHOWN: Final = {
    Status.PENDING_NEW: OrderStatus.ACCEPTED,
    Status.IN_DOUBT: OrderStatus.ACCEPTED,
    Status.NEW: OrderStatus.NEW,
    Status.TRIGGERING: OrderStatus.NEW,
    Status.PARTIALLY_FILLED: OrderStatus.PARTIALLY_FILLED,
    Status.FILLED: OrderStatus.FILLED,
    Status.CANCELED: OrderStatus.CANCELED,
    Status.EXPIRED: OrderStatus.CANCELED,
    Status.REJECTED: OrderStatus.REJECTED,
}
_OVER: Final = frozenset(_SHOWN[status] for status in FINAL)
_STORED_ONLY: Final = ("schema_version", "event_id", "at_ms", "body_hash", "done", "intent_kind")
_ON_THE_BOOK: Final = (*OPEN, Status.PENDING_CANCEL)


def parent_order_id(intent: Intent) -> str:
    """The name under which we sell the order: the client's own, or the one derived for it."""
    return intent.client_order_id


def order_result(holding: Holding, intent_id: IntentId) -> dict[str, Any]:
    """The answer as plain JSON; raises ``KeyError`` when the holding has no such intent."""
    work = holding.intents[intent_id]
    intent = work.intent
    children = sorted((o for o in holding.orders.values() if o.intent_id == intent_id), key=_age)
    legs = sorted((o for o in holding.orders.values() if _protects(o, holding, intent_id)), key=_age)
    if isinstance(intent.policy, StopAlone):
        legs = sorted(holding.carrying_out(work), key=_age)
        children = [order for order in legs if order.fills]
        legs = [order for order in legs if not order.status.final]
    sent = [(fill, child.mid_at_send) for child in children for fill in child.fills.values()]
    sent.sort(key=lambda pair: (pair[0].at_ms, pair[0].trade_id))
    fills = [fill for fill, _ in sent]
    filled = sum((fill.qty for fill in fills), ZERO) + sum((child.untold_qty for child in children), ZERO)
    status = _status_alone(work, filled) if isinstance(intent.policy, StopAlone) else _status(work, children, filled)
    listed = isinstance(intent.policy, OrderList) and status is OrderStatus.FILLED and _holds(holding, intent_id)
    if listed:  # bought, and its list stands or is to stand; FILLED when that has sold
        status = OrderStatus.CANCELED if work.canceling else OrderStatus.ACCEPTED
    return {
        "result": "FAIL" if status is OrderStatus.REJECTED else "OK",
        "status": status.value,
        "in_doubt": in_doubt(holding, intent_id),
        "order_id": parent_order_id(intent),
        "order_ids": [str(child.venue_id) for child in children if child.venue_id is not None],
        **asked(intent),
        **_got(work, sent, filled),
        "legs": [leg(each) for each in legs],
        "children": [_sent(child) for child in children],
        "working_type": _working_type(intent.stop, legs),
        "message": None if listed and not work.canceling else work.reason or None,  # that of its end is not yet so
        **_refused(work, status),
        "notes": list(work.plan.notes),
        "why": list(work.plan.why),
        "slices": _slices(work, sum((child.cum_qty for child in children), ZERO)),
        "paused": work.paused_ms is not None,
        "accepted_ms": work.accepted_ms,
        "first_ack_ms": work.first_ack_ms,
        "done_ms": work.done_ms,
        "timeline": _timeline(work, children, fills),
    }


def done(holding: Holding, intent_id: IntentId) -> bool:
    """Whether the answer is final (HTTP 200); until then, and while anything is in doubt, it is not (202).

    An OCO is done when its legs stand, or when there is nothing to stand for any more; a stop on its own when it
    stands.
    """
    work = holding.intents[intent_id]
    if work.phase is Phase.STANDING:
        return any(order.live for order in holding.carrying_out(work))
    if work.phase is not Phase.DONE or in_doubt(holding, intent_id):
        return False
    if not isinstance(work.intent.policy, OrderList) or holding.exit is not None or not _holds(holding, intent_id):
        return True
    return _armed(holding, intent_id)


def _holds(holding: Holding, intent_id: IntentId) -> bool:
    return any(lot.intent_id == intent_id for lot in holding.position.lots)


def _armed(holding: Holding, intent_id: IntentId) -> bool:
    """Whether a stop of its position stands, and nothing of its protection is still on the way."""
    legs = [order for order in holding.orders.values() if _protects(order, holding, intent_id)]
    standing = all(order.live for order in legs)
    return standing and any(order.role is Role.STOP for order in legs)


def answer_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A stored row as the answer that it was, so that an id asked again, also after a restart, hears the same."""
    answer = {field: value for field, value in row.items() if field not in _STORED_ONLY}
    if answer.get("kind") == "PARENT":
        exits = IntentKind.EXIT if row.get("reduce_only") else IntentKind.ENTRY
        answer["kind"] = row.get("intent_kind", exits.value)  # rows of versions before 0.4 do not carry it
    return answer


def in_doubt(holding: Holding, intent_id: IntentId) -> bool:
    """Whether some child of the entry may or may not have happened."""
    return any(o.intent_id == intent_id and o.status is Status.IN_DOUBT for o in holding.orders.values())


def _status(work: Working, children: list[Order], filled: Decimal) -> OrderStatus:
    """What the parent has come to. A final partial fill is CANCELED with its ``filled_qty``, as on the venue.

    While a child is in doubt nothing is final: never REJECTED, never CANCELED.
    """
    wanted = work.intent.qty if work.reductions else work.plan.total
    if filled and filled >= wanted:
        return OrderStatus.FILLED
    doubt = any(child.status is Status.IN_DOUBT for child in children)
    if work.phase is Phase.DONE and not doubt:
        return OrderStatus.REJECTED if work.refused and not filled else OrderStatus.CANCELED
    if filled:
        return OrderStatus.PARTIALLY_FILLED
    if doubt:
        return OrderStatus.ACCEPTED
    return OrderStatus.NEW if any(child.status in _ON_THE_BOOK for child in children) else OrderStatus.ACCEPTED


def _status_alone(work: Working, sold: Decimal) -> OrderStatus:
    """Of a stop on its own: FILLED where it closed the position, CANCELED where it did not and is over."""
    if work.phase is Phase.DONE:
        return OrderStatus.FILLED if work.reason == SOLD else OrderStatus.CANCELED
    return OrderStatus.PARTIALLY_FILLED if sold else OrderStatus.ACCEPTED


def _refused(work: Working, status: OrderStatus) -> dict[str, Any]:
    """Why it is no order, and of a refusal of ours what to write instead."""
    code = work.refusal_code if status is OrderStatus.REJECTED else ""
    field, value, accepted = remedy(code, asked(work.intent))
    return {"code": work.refusal_code or None, "field": field, "value": value, "accepted": accepted}


def asked(intent: Intent) -> dict[str, Any]:
    """What a caller wanted, by the names of his own body."""
    return {
        "intent_id": intent.intent_id,
        "client_order_id": intent.client_order_id,
        "account_id": intent.account_id,
        "strategy_id": intent.strategy_id,
        "position_side": intent.position_side.value,
        "kind": intent.kind.value,
        "market": intent.market.value,
        "symbol": intent.symbol,
        "side": intent.side.value,
        "qty": text(intent.qty),
        "reduce_only": intent.reduce_only,
        "trace_id": trace_of(intent),
    }


def _got(work: Working, sent: list[tuple[Fill, Price | None]], filled: Decimal) -> dict[str, Any]:
    """Quantities and prices, each fill with the mid at its child's sending; the mean is of those that were told.

    The slippage of the whole is against the mid at the first sending; None where that is not known.
    """
    told = sum((fill.qty for fill, _ in sent), ZERO)
    vwap = Price(sum((fill.price * fill.qty for fill, _ in sent), ZERO) / told) if told else None
    mean = None if vwap is None else text(vwap.quantize(_PX, ROUND_HALF_EVEN))
    mid, side = work.mid_at_send, work.intent.side
    return {
        "filled_qty": text(filled),
        "avg_price": mean,
        "filled_avg": mean,
        **slippage(vwap, mid, side),
        "mid_at_send": None if mid is None else text(mid),
        "fills": [_fill(fill, at_send) for fill, at_send in sent],
    }


def _fill(fill: Fill, mid: Price | None) -> dict[str, Any]:
    return {
        "fill_id": fill.trade_id,
        "order_id": fill.venue_id,
        "client_order_id": fill.ref,
        "price": text(fill.price),
        "qty": text(fill.qty),
        "size": text(fill.qty),
        "fee": text(fill.fee),
        "fee_asset": fill.fee_asset,
        "maker": fill.maker,
        "mid_at_send": None if mid is None else text(mid),
        **slippage(fill.price, mid, fill.side),
        "timestamp": fill.at_ms,
    }


def _protects(order: Order, holding: Holding, intent_id: IntentId) -> bool:
    """Whether it is a live stop or target of the position in which this intent still has a lot."""
    if not order.role.protective or order.status.final:
        return False
    return _holds(holding, intent_id)


def _sent(order: Order) -> dict[str, Any]:
    """A child of the entry or exit, with the market as it was when it was sent."""
    mid = order.mid_at_send
    return leg(order) | {"mid_at_send": None if mid is None else text(mid), "book_top3": top3(order.book_at_send)}


def leg(order: Order) -> dict[str, Any]:
    """A stop or target, or any child order, as it is shown."""
    asked = order.request
    return {
        "leg": order.role.name,
        "order_id": order.venue_id,
        "client_order_id": asked.ref,
        "type": asked.type.value,
        "status": _leg_status(order.status, filled=bool(order.cum_qty)).value,
        "in_doubt": order.status is Status.IN_DOUBT,
        "side": asked.side.value,
        "qty": text(order.qty),
        "filled_qty": text(order.cum_qty),
        "price": None if asked.price is None else text(asked.price),
        "stop_price": None if asked.trigger_price is None else text(asked.trigger_price),
        "working_type": None if asked.working_type is None else asked.working_type.value,
        "reduce_only": asked.reduce_only,
        "message": order.refusal or None,
    }


def leg_now(then: Mapping[str, Any], child: Mapping[str, Any]) -> dict[str, Any]:
    """One that was shown so, after its own stored row (``events``)."""
    status, filled = Status(child["status"]), child["filled_qty"]
    return {
        **then,
        "order_id": child["venue_order_id"],
        "status": _leg_status(status, filled=bool(Decimal(filled))).value,
        "in_doubt": status is Status.IN_DOUBT,
        "filled_qty": filled,
        "message": child["refusal"] or None,
    }


def over(shown: Mapping[str, Any]) -> bool:
    """Whether nothing can become of it any more."""
    return shown["status"] in _OVER


def _leg_status(status: Status, *, filled: bool) -> OrderStatus:
    if status is Status.PENDING_CANCEL:
        return OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.NEW
    return _SHOWN[status]


def _working_type(stop: StopSpec | None, legs: Iterable[Order]) -> str | None:
    """The live stop's; else the one that was asked for; None is the router's default."""
    live = next((o.request.working_type for o in legs if o.role is Role.STOP and o.request.working_type), None)
    chosen = live or (stop.working_type if stop else None)
    return None if chosen is None else chosen.value


def _timeline(work: Working, children: list[Order], fills: list[Fill]) -> list[dict[str, Any]]:
    moments: list[tuple[int, str]] = [(work.accepted_ms, "accepted")]
    moments += [(step.at_ms, step.what) for step in work.steps]
    moments += [(child.created_ms, f"order {child.ref} made") for child in children]
    if work.first_ack_ms is not None:
        moments.append((work.first_ack_ms, "first acknowledged by the venue"))
    moments += [(fill.at_ms, f"fill {fill.trade_id}: {text(fill.qty)} at {text(fill.price)}") for fill in fills]
    if work.done_ms is not None:
        moments.append((work.done_ms, f"done: {work.reason}" if work.reason else "done"))
    return [{"at_ms": at_ms, "what": what} for at_ms, what in sorted(moments, key=lambda moment: moment[0])]


def _slices(work: Working, filled: Decimal) -> list[dict[str, Any]]:
    """The schedule as planned, and how each slice went; ``filled`` is of the whole intent."""
    fills = work.slice_fills(filled)
    return [
        {
            "qty": text(part.qty),
            "due_ms": work.accepted_ms + part.after_ms,
            "began_ms": work.begun[number].at_ms if number < len(work.begun) else None,
            "filled_qty": text(fills[number]) if number < len(fills) else "0",
        }
        for number, part in enumerate(work.plan.slices)
    ]


def _age(order: Order) -> tuple[int, str]:
    return order.created_ms, order.ref
