"""An intent on its way to S4, on both tracks: the flat body of ``POST /orders``, and the record of ``orders:intent``.

The stream record carries the same body as JSON in ``body``, so S4 reads both with one parser, and the two tracks of one
intent have one body hash. Amounts are strings of plain digits.
"""

import json
from typing import Any

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
from chimera.wire.codec import SCHEMA_VERSION


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
        "body": json.dumps(order_body(intent), separators=(",", ":")),
    }


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
