"""An intent on its way to S4, on both tracks: the flat body of ``POST /orders``, and the record of ``orders:intent``.

The stream record carries the same body as JSON in ``body``, so S4 reads both with one parser, and the two tracks of one
intent have one body hash. Amounts are strings of plain digits.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from chimera.trading.errors import Refused
from chimera.trading.intent import (
    ExecPolicy,
    Intent,
    MakerThenTaker,
    MarketNow,
    OrderList,
    StopAlone,
    StopSpec,
    TargetKind,
    TargetSpec,
)
from chimera.trading.money import text
from chimera.wire import request_json
from chimera.wire.codec import SCHEMA_VERSION
from chimera.wire.traceparent import TRACEPARENT, traceparent

MAX_BODY_BYTES: Final = 65_536  # an order has some hundreds; parsing this much keeps the loop well under 10 ms
REFUSED: Final = "INTENT_REFUSED"  # the event's kind
_ID_CHARS: Final = 128


def order_body(intent: Intent) -> dict[str, Any]:
    """The flat shape (S4-API-2, S4-API-3); a stop without a price is left out: S4's default distance."""
    body: dict[str, Any] = {
        "intent_id": intent.intent_id,
        "client_order_id": intent.client_order_id,
        "market": intent.market.value,
        "symbol": intent.symbol,
        "side": intent.side.value,
        "qty": text(intent.qty),
        "reduce_only": intent.reduce_only,
        "leverage": intent.leverage,
        "account_id": intent.account_id,
        "strategy_id": intent.strategy_id,
        "position_side": intent.position_side.value,
        "created_ms": intent.created_ms,
    }
    if isinstance(intent.policy, OrderList):
        body["exec_policy"] = _oco(intent)
    elif isinstance(intent.policy, StopAlone):
        body["exec_policy"] = _alone(intent)
        body["kind"] = intent.kind.value
        if not intent.qty:
            del body["qty"]
    else:
        body["exec_policy"] = _policy(intent.policy)
        if intent.stop is not None and intent.stop.price is not None:
            body["sl"] = _stop(intent.stop)
        if intent.target is not None:
            body["tp"] = _target(intent.target)
    optional = {
        "max_hold_s": intent.max_hold_s,
        "valid_until_ms": intent.valid_until_ms,
        "trace_id": intent.trace_id or None,
    }
    return body | {name: value for name, value in optional.items() if value is not None}


def intent_record(intent: Intent) -> dict[str, str]:
    """Fields of ``orders:intent``; the event id is the intent's id."""
    return {
        "schema_version": str(SCHEMA_VERSION),
        "intent_id": intent.intent_id,
        "client_order_id": intent.client_order_id,
        "account_id": intent.account_id,
        "market": intent.market.value,
        "symbol": intent.symbol,
        TRACEPARENT: traceparent(intent),
        "body": json.dumps(order_body(intent), separators=(",", ":")),
    }


def read_record(fields: Mapping[str, str]) -> dict[str, object]:
    """The body in a record of ``orders:intent``, as ``POST /orders`` would have it. Raises ``Refused``."""
    version = fields.get("schema_version", str(SCHEMA_VERSION))
    if not version.isascii() or not version.isdecimal() or not 1 <= int(version[:9]) <= SCHEMA_VERSION:
        told, accepted = "written by another version of Chimera", f"schema_version {SCHEMA_VERSION}"
        raise Refused("MALFORMED", told, field="schema_version", value=version, accepted=accepted)
    if "body" not in fields:
        told, accepted = "the record has no body", "a body of POST /orders, as JSON"
        raise Refused("MISSING_FIELD", told, field="body", accepted=accepted)
    body = fields["body"].encode("utf-8", "surrogateescape")
    if len(body) > MAX_BODY_BYTES:
        raise Refused("TOO_LARGE", f"the body has {len(body)} bytes", field="body", accepted=f"{MAX_BODY_BYTES} bytes")
    return request_json.read_object(body)


def names_in(fields: Mapping[str, str], document: Mapping[str, object] | None) -> dict[str, str]:
    """Whose the intent says it is, by its body, and where that cannot be read by the record beside it."""
    inner = document.get("intent", document) if document else {}
    body = inner if isinstance(inner, Mapping) else {}
    wanted = ("intent_id", "client_order_id", "account_id", "market", "symbol")
    found = {name: body.get(name, fields.get(name)) for name in wanted}
    return {name: readable(value[:_ID_CHARS]) for name, value in found.items() if isinstance(value, str) and value}


def readable(words: str) -> str:
    """Text that every store takes: half a character is written out."""
    return words.encode("utf-8", "backslashreplace").decode("utf-8")


def _oco(intent: Intent) -> dict[str, Any]:
    if intent.stop is None or intent.stop.price is None or intent.target is None:
        raise AssertionError("an OCO has both prices")
    return {"type": "OCO", "tp_price": text(intent.target.value), "sl_price": text(intent.stop.price)}


def _alone(intent: Intent) -> dict[str, Any]:
    if intent.stop is None or intent.stop.price is None:
        raise AssertionError("a stop on its own has a price")
    body: dict[str, Any] = {"order_type": "STOP_MARKET", "stop_price": text(intent.stop.price)}
    return body | ({"working_type": intent.stop.working_type.value} if intent.stop.working_type else {})


def _policy(policy: ExecPolicy) -> dict[str, Any]:
    match policy:
        case MarketNow():
            return {"type": "MARKET"}
        case OrderList() | StopAlone():
            raise AssertionError("what has prices of its own is written with them")
        case MakerThenTaker(wait_ms=wait_ms):
            body: dict[str, Any] = {"type": "MakerThenTaker"}
            if wait_ms is not None:
                body["maker_wait_ms"] = wait_ms
            twap = {
                "slices": policy.slices,
                "gap_ms": policy.gap_ms,
                "slice_usdt": None if policy.slice_usdt is None else text(policy.slice_usdt),
                "curve": None if policy.shape is None else policy.shape.value,
            }
            if given := {name: value for name, value in twap.items() if value is not None}:
                body["twap"] = given
            return body


def _stop(stop: StopSpec) -> dict[str, Any]:
    if stop.price is None:
        raise AssertionError("only a priced stop has a body")
    body: dict[str, Any] = {"type": "STOP_MARKET", "price": text(stop.price)}
    return body | ({"working_type": stop.working_type.value} if stop.working_type else {})


def _target(target: TargetSpec) -> dict[str, Any]:
    body = {"type": "TAKE_PROFIT_MARKET", "target": target.kind.value, "value": text(target.value)}
    return body | ({"atr": "1"} if target.kind is TargetKind.ATR else {})  # the distance is reckoned already
