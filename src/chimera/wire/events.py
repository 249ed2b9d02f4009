"""Where each event lands: rows in collections, records on streams, snapshots under keys.

One table, event by event. Every write is safe to repeat: rows are put by key and sequence, fills are inserted once,
stream records carry the event's id.
"""

from typing import Any

from chimera.trading.events import (
    Alert,
    CancelRecorded,
    CloseTaken,
    DustLeft,
    Event,
    FillRecorded,
    GuardChanged,
    IntentChanged,
    OrderChanged,
    PairArmed,
    PairResolved,
    PositionChanged,
    ProtectionArmed,
)
from chimera.trading.ids import PositionKey
from chimera.trading.market import Market
from chimera.trading.order import Role
from chimera.trading.trace import TraceId
from chimera.trading.value import Value
from chimera.wire import closes, keys
from chimera.wire.alerts import S4, described
from chimera.wire.codec import SCHEMA_VERSION, decode, encode, plain
from chimera.wire.order_claim import CLAIMED_MS, Claim, claim
from chimera.wire.sending import top3


class PutRow(Value):
    """Replace the document unless a newer one (by ``seq``) stands there."""

    collection: str
    key: str
    document: dict[str, Any]
    seq: int


class InsertRow(Value):
    collection: str
    key: str
    document: dict[str, Any]


class Publish(Value):
    stream: str
    event_id: str
    fields: dict[str, str]


class PutSnapshot(Value):
    key: str
    document: bytes
    ttl_ms: int | None = None


_KINDS = {PairResolved: "OCO_RESOLVE", DustLeft: "DUST", CancelRecorded: "CANCEL"}
DISARMED_TTL_MS = 3_600_000

Write = PutRow | InsertRow | Publish | PutSnapshot


def event_id(key: PositionKey, event: Event) -> str:
    return f"{key}:{event.seq}"


def writes(key: PositionKey, event: Event, trace: TraceId | None = None) -> tuple[Write, ...]:
    """Rows first, then streams and snapshots; all of them carry whose they are and the schema's version.

    ``trace``: of the intent that it happened for; None where it belongs to none.
    """
    name = event_id(key, event)
    common: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "event_id": name,
        "account_id": key.account,
        "market": str(key.market),
        "symbol": key.symbol,
        "position_side": "BOTH",
        "at_ms": event.at_ms,
    }
    if trace is not None:
        common["trace_id"] = trace
    body = event.body
    match body:
        case OrderChanged():
            return _order(name, event.seq, common, body)
        case FillRecorded():
            return _fill(name, common, body)
        case IntentChanged():
            return _intent(name, event.seq, common, body)
        case ProtectionArmed():
            row = common | plain(body) | {"kind": "TP_SL_PLACED", "protection": body.kind}
            armed = (_published(keys.RISK_SL_ARM, name, row),) if body.kind == "STOP" else ()
            return (*_told(name, row), *armed)
        case PairArmed():
            row = common | plain(body) | {"kind": "OCO_ARMED"}
            return (*_told(name, row), _published(keys.SPOT_OCO_ARMED, name, row))
        case PairResolved() | DustLeft() | CancelRecorded():
            return _told(name, common | plain(body) | {"kind": _KINDS[type(body)]})
        case CloseTaken():
            row = common | closes.document(body) | {"kind": "CLOSE"}
            taken = InsertRow(collection=keys.CLOSES, key=closes.row_key(key.account, body.name.id), document=row)
            return (taken, _published(keys.ROUTER_EVENTS, name, row))
        case GuardChanged():
            return _guard(key, name, common, body)
        case PositionChanged():
            row = common | plain(body) | {"kind": "POSITION", "why": body.why}
            return (
                InsertRow(collection=keys.POSITIONS_SNAPSHOTS, key=name, document=row),
                PutSnapshot(key=keys.position_key(key.account, key.market, key.symbol), document=encode(row)),
                _published(keys.ROUTER_EVENTS, name, row),
            )
        case Alert():
            return _told(name, common | _alert(key, event.at_ms, body), keys.ALERTS)


def _alert(key: PositionKey, at_ms: int, alert: Alert) -> dict[str, Any]:
    told = described(
        service=S4,
        account_id=key.account,
        severity=alert.severity,
        code=alert.code,
        text=alert.text,
        at_ms=at_ms,
        market=str(key.market),
        subject=alert.subject or key.symbol,
        since_ms=alert.since_ms,
        lasts=alert.lasts,
    )
    return told | {"kind": "ALERT"}


def _told(name: str, row: dict[str, Any], stream: str = keys.ROUTER_EVENTS) -> tuple[Write, ...]:
    """As one of the events that people read."""
    return InsertRow(collection=keys.STRATEGY_EVENTS, key=name, document=row), _published(stream, name, row)


def _published(stream: str, name: str, row: dict[str, Any]) -> Publish:
    return Publish(stream=stream, event_id=name, fields=fields_of(row))


def _guard(key: PositionKey, name: str, common: dict[str, Any], body: GuardChanged) -> tuple[Write, ...]:
    """The mirror of an armed guard, for whoever watches S4: nothing reads it back, the holding is what counts."""
    guard = body.guard
    row = common | {
        "kind": "GUARD_ARMED" if body.armed else "GUARD_DISARMED",
        "guard": str(guard.ref),
        "role": guard.role.name,
        "side": str(guard.side),
        "price": plain(guard.price),
        "qty": plain(guard.qty),
        "gauge": str(guard.gauge),
        "intent_id": guard.intent_id,
        "armed": body.armed,
        "armed_at": guard.armed_ms,
        "reason": body.reason,
    }
    mirror = {field: row[field] for field in ("schema_version", "armed", "armed_at", "price", "qty", "role")}
    told: tuple[Write, ...] = (
        InsertRow(collection=keys.STRATEGY_EVENTS, key=name, document=row),
        _published(keys.ROUTER_EVENTS, name, row),
    )
    if guard.role is Role.STOP:
        place = keys.guard_key(key.symbol, guard.intent_id or str(guard.ref))
        ttl_ms = None if body.armed else DISARMED_TTL_MS
        told += (PutSnapshot(key=place, document=encode(mirror), ttl_ms=ttl_ms),)
    if key.market is Market.SPOT and body.armed:
        told += (_published(keys.GUARD_SPOT_ARM, name, row),)
    return told


def _order(name: str, seq: int, common: dict[str, Any], body: OrderChanged) -> tuple[Write, ...]:
    order = body.order
    row = common | {
        "kind": "CHILD",
        "client_order_id": order.ref,
        "intent_id": order.intent_id,
        "strategy_id": body.strategy_id,
        "venue_order_id": order.venue_id,
        "role": order.role.name,
        "status": str(order.status),
        "side": str(order.request.side),
        "type": str(order.request.type),
        "qty": plain(order.qty),
        "price": plain(order.request.price),
        "trigger_price": plain(order.request.trigger_price),
        "reduce_only": order.request.reduce_only,
        "filled_qty": plain(order.cum_qty),
        "avg_price": plain(order.avg_px),
        "refusal": order.refusal,
        "created_ms": order.created_ms,
    }
    told: tuple[Write, ...] = (
        PutRow(collection=keys.ORDERS, key=order.ref, document=row, seq=seq),
        _published(keys.ROUTER_EVENTS, name, row),
    )
    if order.status.final:
        told += (_published(keys.ORDER_RESULTS, name, row),)
    return told


def _fill(name: str, common: dict[str, Any], body: FillRecorded) -> tuple[Write, ...]:
    row = common | {
        "kind": "FILL",
        **{field: value for field, value in plain(body.fill).items() if field != "is"},
        "intent_id": body.intent_id,
        "strategy_id": body.strategy_id,
        "mid_at_send": plain(body.mid_at_send),
        "slippage_bps": plain(body.slippage_bps),
        "book_top3": top3(body.book_top3),
    }
    fill = body.fill
    return (
        InsertRow(collection=keys.FILLS, key=keys.fill_key(fill.market, fill.symbol, fill.trade_id), document=row),
        _published(keys.ORDER_RESULTS, name, row),
    )


def _intent(name: str, seq: int, common: dict[str, Any], body: IntentChanged) -> tuple[Write, ...]:
    told = decode(body.row, dict[str, Any])
    row = common | told | {"kind": "PARENT", "intent_kind": told.get("kind"), "done": body.done}
    writes: tuple[Write, ...] = (
        PutRow(collection=keys.ORDERS, key=body.client_order_id, document=row, seq=seq),
        PutSnapshot(
            key=keys.idempotency_key(body.client_order_id),
            document=encode(claim(Claim.DONE if body.done else Claim.IN_PROGRESS, row.get("body_hash"))),
            ttl_ms=CLAIMED_MS,
        ),
    )
    if body.done:
        fields = fields_of(row | {"filled": row.get("filled_qty", "0")})
        writes += (Publish(stream=keys.ORDERS_EXECUTED, event_id=name, fields=fields),)
    return writes


def fields_of(row: dict[str, Any]) -> dict[str, str]:
    """Flat text fields beside the whole row as JSON in ``data``: both readings that the requirements name."""
    flat = {
        field: str(value).lower() if isinstance(value, bool) else str(value)
        for field, value in row.items()
        if value is not None and not isinstance(value, dict | list) and field != "is"
    }
    return flat | {"data": encode(row).decode()}
