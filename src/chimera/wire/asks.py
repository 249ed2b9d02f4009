"""What a caller asks of S4 beside orders, from JSON to domain values: a cancel, a close, a kill, an arming, a patience.

Every function raises ``Refused`` for what it cannot read. Whether the order, the position or the standstill is there is
decided elsewhere.
"""

import re
from collections.abc import Mapping
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.execution import CloseName
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis, Qty
from chimera.trading.standstill import Kill, Scope
from chimera.trading.value import Value
from chimera.wire import bodies, closes, shape
from chimera.wire.requests import Instruments, check_qty, instrument_of, read_key

MAX_WAIT_S: Final = 60


class CancelAsk(Value):
    """One order by one of its names. ``escalate``: flatten what it leaves."""

    by_client_id: bool
    name: str
    reason: str
    escalate: bool
    cascade: bool


class CloseAsk(Value):
    """``qty`` None: all of it."""

    market: Market
    symbol: Symbol
    qty: Qty | None
    reason: str
    name: CloseName | None


class ArmAsk(Value):
    """``confirm`` None: the first of two steps."""

    scope: Scope
    name: str
    by: str
    reason: str
    confirm: str | None


def cancel(document: Mapping[str, object]) -> CancelAsk:
    """A ``POST /cancel`` body: ``order_id`` XOR ``client_order_id``."""
    body = shape.fit(document, bodies.CancelRequest)
    name = body.order_id or body.client_order_id
    if name is None or (body.order_id and body.client_order_id):
        given = "both" if name else "neither"
        raise Refused(
            "ONE_NAME",
            f"exactly one of order_id and client_order_id names the order; {given} was sent",
            field="order_id",
            accepted="order_id or client_order_id",
        )
    return CancelAsk(
        by_client_id=body.order_id is None,
        name=name,
        reason=body.reason.value,
        escalate=body.escalate is bodies.Escalate.MARKET,
        cascade=body.cascade_oco,
    )


def close(
    document: Mapping[str, object], symbol: str, instruments: Instruments, *, idempotency_key: str | None = None
) -> CloseAsk:
    """A ``POST /positions/{symbol}/close`` body, where an empty object closes all."""
    body = shape.fit(document, bodies.CloseRequest)
    instrument = instrument_of(instruments, body.market, symbol)
    if body.qty is not None:
        check_qty(body.qty, "qty", instrument)
    qty = None if body.qty is None else Qty(body.qty)
    name, key = body.close_id, read_key(idempotency_key)
    if name is not None and key not in (None, name):
        told = "Idempotency-Key is the same key as close_id, and does not equal it"
        raise Refused("KEY_MISMATCH", told, field="Idempotency-Key", value=key, accepted=name)
    asked = CloseAsk(market=body.market, symbol=instrument.symbol, qty=qty, reason=body.reason.value, name=None)
    return asked if (named := name or key) is None else asked.but(name=_named(named, asked))


def survey(document: Mapping[str, object], symbol: str, instruments: Instruments) -> tuple[Market, Symbol]:
    """A ``POST /positions/{symbol}/survey`` body: of which market, and the symbol as it is traded."""
    body = shape.fit(document, bodies.SurveyRequest)
    return body.market, instrument_of(instruments, body.market, symbol).symbol


def _named(close_id: str, ask: CloseAsk) -> CloseName:
    return closes.named(close_id, market=ask.market, symbol=ask.symbol, qty=ask.qty, reason=ask.reason)


def kill(document: Mapping[str, object], now_ms: Millis) -> Kill:
    """A ``POST /kill`` body."""
    body = shape.fit(document, bodies.KillRequest)
    name = _place(body.scope, body.name)
    return Kill(scope=body.scope, name=name, by=body.by, reason=body.reason, at_ms=now_ms, flatten=body.flatten)


def arm(document: Mapping[str, object]) -> ArmAsk:
    """A ``POST /arm`` body."""
    body = shape.fit(document, bodies.ArmRequest)
    name = _place(body.scope, body.name)
    return ArmAsk(scope=body.scope, name=name, by=body.by, reason=body.reason, confirm=body.confirm)


def _place(scope: Scope, name: str) -> str:
    """The name that the scope needs, or none."""
    if scope is Scope.GLOBAL:
        if name:
            raise Refused("OUT_OF_RANGE", "GLOBAL has no name", field="name", value=name, accepted="no name")
        return name
    if not name:
        raise Refused("MISSING_FIELD", f"scope {scope} needs a name", field="name")
    if scope is Scope.MARKET and name not in tuple(Market):
        accepted = ", ".join(Market)
        raise Refused("OUT_OF_RANGE", "no such market", field="name", value=name, accepted=accepted)
    return name


def wait_ms(prefer: str | None) -> int | None:
    """Patience from a ``Prefer`` header (RFC 7240): None is the default policy, 0 answers at once.

    ``wait=N`` (seconds, at most 60) wins over ``respond-async``; what is not understood is ignored, as the RFC asks.
    """
    wished = [part.strip().lower() for part in (prefer or "").split(",")]
    for wish in wished:
        found = re.fullmatch(r"wait\s*=\s*\"?([0-9]{1,6})\"?", wish, re.ASCII)
        if found:
            return min(int(found.group(1)), MAX_WAIT_S) * 1000
    return 0 if "respond-async" in wished else None
