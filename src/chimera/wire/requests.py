"""An order as a caller asks S4 for it, in both of its shapes, from JSON to an intent; ``asks`` reads everything else.

The two shapes give equal intents, equal intents give equal hashes. An explicit price that the venue would not take is
the caller's error and is refused; the quantity stays as it was asked (rounding down to the step is the plan's, which
says so in its notes). ``sl`` absent is a stop at the default distance (``StopSpec`` without price), ``sl: null`` is no
stop. What needs the market or the position (minimum notional, side of the stop, reduce-only, limits) is decided
elsewhere.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.ids import (
    CLIENT_ID_MAX,
    DEFAULT_ACCOUNT,
    DEFAULT_STRATEGY,
    ClientOrderId,
    IntentId,
    StrategyId,
    Symbol,
    derived_id,
    is_client_order_id,
)
from chimera.trading.instrument import Instrument
from chimera.trading.intent import (
    ExecPolicy,
    Intent,
    IntentKind,
    OrderList,
    PositionSide,
    StopAlone,
    StopSpec,
    TargetKind,
    TargetSpec,
)
from chimera.trading.market import Market, Side
from chimera.trading.money import ZERO, Millis, Price, Qty, text
from chimera.wire import bodies, codec, policies, shape
from chimera.wire.policies import not_enabled
from chimera.wire.traceparent import Caller

Instruments = Callable[[Market, Symbol], Instrument | None]

_ID: Final = re.compile(bodies.ID_PATTERN)


def order_intent(
    document: Mapping[str, object],
    *,
    instruments: Instruments,
    now_ms: Millis,
    allow_unprotected: bool = False,
    idempotency_key: str | None = None,
) -> Intent:
    """The intent of a ``POST /orders`` body (``request_json.read_object``); raises ``Refused``.

    ``created_ms`` is the caller's where sent, else ``now_ms``.
    """
    if "intent" in document:
        _only_wrapper(document)
        wrapped, body = "intent.", shape.fit(document, bodies.WrappedOrder).intent
    else:
        wrapped, body = "", shape.fit(document, bodies.OrderIntentBody)
    try:
        return _intent(body, instruments, now_ms, allow_unprotected, idempotency_key)
    except Refused as no:
        if no.field and no.field != "Idempotency-Key":
            no.field = wrapped + no.field
        raise


def traced(intent: Intent, caller: Caller | None) -> Intent:
    """In its caller's trace, where it names none itself."""
    return intent if caller is None or intent.trace_id else intent.but(trace_id=caller.trace_id)


def body_hash(intent: Intent) -> str:
    """SHA-256 of what was asked: a repeated request hashes alike however it was written and whenever it came.

    Also one read back from a store: the encoder leaves out a default only where it is the very object.
    """
    account = DEFAULT_ACCOUNT if intent.account_id == DEFAULT_ACCOUNT else intent.account_id
    asked = intent.but(created_ms=Millis(0), trace_id="", account_id=account, strategy_id=_strategy(intent.strategy_id))
    return hashlib.sha256(json.dumps(codec.plain(asked), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _only_wrapper(document: Mapping[str, object]) -> None:
    beside = next((name for name in document if name != "intent"), None)
    if beside is not None:
        inside = beside in bodies.OrderIntentBody.model_fields
        hint = "; it belongs inside intent" if inside else ""
        raise Refused(
            "UNKNOWN_FIELD",
            f"{beside[:64]} is not a known field beside intent{hint}",
            field=beside[:64],
            accepted="intent alone",
        )


def _intent(
    body: bodies.OrderIntentBody, instruments: Instruments, now_ms: Millis, allow_unprotected: bool, key: str | None
) -> Intent:
    intent_id, client_order_id = _ids(body, key)
    _check_enabled(body)
    policy = policies.policy(body.exec_policy, body.market)
    instrument = instrument_of(instruments, body.market, body.symbol)
    kind, reduce_only = _kind(body, policy)
    qty_name, qty = _qty(body, kind)
    if kind is not IntentKind.PROTECT:
        check_qty(qty, qty_name, instrument)
    stop: StopSpec | None
    target: TargetSpec | None
    if isinstance(policy, StopAlone):
        for name in ("sl", "tp", "max_hold_s"):
            if getattr(body, name) is not None:
                raise not_enabled(name, "with a stop on its own")
        stop, target = alone_asked(body, body.market, instrument), None
    elif isinstance(policy, OrderList):
        stop, target = list_asked(body, instrument, reduce_only=reduce_only)
    else:
        stop = stop_asked(body, instrument, reduce_only=reduce_only, allow_unprotected=allow_unprotected)
        target = target_asked(body, instrument, reduce_only=reduce_only)
    check_sides(body.side, stop, target, "exec_policy.sl_price" if isinstance(policy, OrderList) else "sl.price")
    return Intent(
        intent_id=intent_id,
        client_order_id=client_order_id,
        market=body.market,
        symbol=instrument.symbol,
        side=body.side,
        qty=qty,
        policy=policy,
        created_ms=now_ms if body.created_ms is None else Millis(body.created_ms),
        kind=kind,
        account_id=DEFAULT_ACCOUNT,  # the object itself, here and below: an encoder leaves out what is the default
        strategy_id=_strategy(body.strategy_id),
        position_side=body.position_side or PositionSide.BOTH,
        reduce_only=reduce_only,
        stop=stop,
        target=target,
        leverage=_leverage(body),
        max_hold_s=body.max_hold_s,
        valid_until_ms=None if body.valid_until_ms is None else Millis(body.valid_until_ms),
        trace_id=body.trace_id or "",
    )


def _strategy(named: str | None) -> StrategyId:
    return DEFAULT_STRATEGY if named in (None, DEFAULT_STRATEGY) else StrategyId(named or "")


def read_key(header: str | None) -> str | None:
    """An ``Idempotency-Key``, quoted or not. Raises ``Refused``."""
    key = None if header is None else header.strip().removeprefix('"').removesuffix('"')
    if key is not None and not _ID.fullmatch(key):
        told, name = "Idempotency-Key is not an id", "Idempotency-Key"
        raise Refused("MALFORMED", told, field=name, value=key, accepted=bodies.ID_PATTERN)
    return key


def _ids(body: bodies.OrderIntentBody, key: str | None) -> tuple[IntentId, ClientOrderId]:
    """Both ids; the header stands in where the body names none."""
    key = read_key(key)
    named = body.client_order_id
    if named is not None and not is_client_order_id(named):
        raise Refused(
            "MALFORMED",
            f"client_order_id must have 1 to {CLIENT_ID_MAX} of the characters A-Z a-z 0-9 _ -",
            field="client_order_id",
            value=named,
            accepted=bodies.CLIENT_ID_PATTERN,
        )
    intent_id = body.intent_id or named or key
    if intent_id is None:
        raise Refused("MISSING_FIELD", "intent_id is missing", field="intent_id", accepted=bodies.ID_PATTERN)
    if key is not None and key not in (intent_id, named):
        raise Refused(
            "KEY_MISMATCH",
            "Idempotency-Key is the same key as intent_id or client_order_id, and equals neither",
            field="Idempotency-Key",
            value=key,
            accepted=f"{intent_id} or {named}" if named and named != intent_id else intent_id,
        )
    return IntentId(intent_id), ClientOrderId(named) if named else derived_id("s4", intent_id)


def _check_enabled(body: bodies.OrderIntentBody) -> None:
    sells = body.reduce_only or body.kind in (IntentKind.EXIT, IntentKind.PROTECT)
    if body.market is Market.SPOT and body.side is Side.SELL and not sells:
        told = "spot is long only: a SELL sells what is held"
        raise Refused("LONG_ONLY", told, field="side", value=body.side.value, accepted="BUY, or reduce_only true")
    if body.position_side not in (None, PositionSide.BOTH):
        raise not_enabled("position_side", body.position_side)
    if body.account_id not in (None, DEFAULT_ACCOUNT):
        raise not_enabled("account_id", body.account_id)


def instrument_of(instruments: Instruments, market: Market, symbol: str) -> Instrument:
    """The instrument; raises ``Refused`` where there is none."""
    found = instruments(market, Symbol(symbol)) if symbol.isascii() and len(symbol) <= 32 else None
    if found is None:
        raise Refused(
            "UNKNOWN_SYMBOL",
            f"{market} has no such symbol here",
            field="symbol",
            value=symbol,
            accepted="a symbol as the venue spells it, as in BTCUSDT",
        )
    return found


def _qty(body: bodies.OrderIntentBody, kind: IntentKind) -> tuple[str, Qty]:
    if body.qty is not None and body.size is not None and body.qty != body.size:
        raise Refused("MALFORMED", "qty and size are the same thing and differ", field="size", value=body.size)
    name, qty = ("size", body.size) if body.qty is None else ("qty", body.qty)
    if qty is None and kind is IntentKind.PROTECT:
        return name, Qty(ZERO)
    if qty is None:
        raise Refused("MISSING_FIELD", "qty is missing", field="qty", accepted="base asset, greater than 0")
    return name, Qty(qty)


def check_qty(qty: Decimal, name: str, instrument: Instrument) -> None:
    """Raises ``Refused`` for ``qty`` (base asset, the field ``name``) above the venue's most or under its least."""
    if instrument.max_qty and qty > instrument.max_qty:
        raise Refused(
            "OUT_OF_RANGE",
            f"{name} is more than the venue takes in one order",
            field=name,
            value=qty,
            accepted=f"at most {text(instrument.max_qty)} {instrument.base}",
        )
    least = max(instrument.step, instrument.min_qty)
    if qty < least:
        raise Refused(
            "BELOW_STEP",
            f"{name} is less than the least quantity of {instrument.symbol}",
            field=name,
            value=qty,
            accepted=f"at least {text(least)} {instrument.base}, in steps of {text(instrument.step)}",
        )


def _kind(body: bodies.OrderIntentBody, policy: ExecPolicy) -> tuple[IntentKind, bool]:
    """Reduce-only makes an exit, and an exit is reduce-only; so is a stop on its own, whatever kind it is called."""
    if isinstance(policy, StopAlone):
        if not (body.reduce_only or (body.kind is IntentKind.PROTECT and body.reduce_only is None)):
            told = "a stop on its own is reduce-only: it opens nothing"
            raise Refused("OUT_OF_RANGE", told, field="reduce_only", value=body.reduce_only, accepted="true")
        if body.kind is IntentKind.ENTRY:
            told = "a stop on its own is no ENTRY"
            raise Refused("OUT_OF_RANGE", told, field="kind", value=body.kind, accepted="PROTECT")
        return IntentKind.PROTECT, True
    if body.kind is IntentKind.PROTECT:
        accepted = "exec_policy.type STOP_MARKET with stop_price"
        raise Refused("MALFORMED", "a PROTECT is a stop on its own", field="exec_policy.type", accepted=accepted)
    if body.kind is IntentKind.EXIT and body.reduce_only is False:
        raise Refused("OUT_OF_RANGE", "an EXIT is reduce-only", field="reduce_only", value=False, accepted="true")
    reduce_only = bool(body.reduce_only) or body.kind is IntentKind.EXIT
    return (IntentKind.EXIT if reduce_only else IntentKind.ENTRY), reduce_only


def stop_asked(
    body: bodies.Wishes, instrument: Instrument, *, reduce_only: bool, allow_unprotected: bool
) -> StopSpec | None:
    sl = body.sl
    if reduce_only:
        if sl is not None:
            raise not_enabled("sl", "with reduce_only")
        return None
    if sl is None:
        if "sl" not in body.model_fields_set:
            return StopSpec()
        if not allow_unprotected:
            raise Refused(
                "UNPROTECTED",
                "an entry without a stop is not allowed here (S4_ALLOW_UNPROTECTED)",
                field="sl",
                accepted="an sl with a price, or no sl for the default stop",
            )
        return None
    name, price = ("sl.stop_price", sl.stop_price) if sl.price is None else ("sl.price", sl.price)
    if price is None:
        raise Refused(
            "STOP_PRICE_MISSING", "sl has no price", field="sl.price", accepted="a price on the tick, above 0"
        )
    if sl.stop_price is not None and sl.stop_price != price:
        raise Refused("MALFORMED", "sl.price and sl.stop_price differ", field="sl.stop_price", value=sl.stop_price)
    return StopSpec(price=_price(price, name, instrument), working_type=sl.working_type)


def target_asked(body: bodies.Wishes, instrument: Instrument, *, reduce_only: bool) -> TargetSpec | None:
    tp = body.tp
    if tp is None:
        return None
    if reduce_only:
        raise not_enabled("tp", "with reduce_only")
    kind = tp.target or (TargetKind.PRICE if tp.price is not None else None)
    if kind is None:
        accepted = ", ".join(TargetKind)
        raise Refused("MISSING_FIELD", "tp.target is missing", field="tp.target", accepted=accepted)
    if tp.price is not None and (kind is not TargetKind.PRICE or tp.value not in (None, tp.price)):
        raise Refused("MALFORMED", "tp.price contradicts tp.target or tp.value", field="tp.price", value=tp.price)
    if kind is TargetKind.ATR:
        return _multiple_of_range(tp)
    if tp.m is not None or tp.atr is not None:
        field = "tp.m" if tp.m is not None else "tp.atr"
        raise Refused("MALFORMED", f"{field} goes with target atr", field=field, accepted='target "atr"')
    name, value = ("tp.price", tp.price) if tp.value is None else ("tp.value", tp.value)
    if value is None:
        raise Refused("MISSING_FIELD", "tp.value is missing", field="tp.value", accepted="greater than 0")
    return TargetSpec(kind=kind, value=_price(value, name, instrument) if kind is TargetKind.PRICE else value)


def _multiple_of_range(tp: bodies.TargetBody) -> TargetSpec:
    if tp.m is not None and tp.value is not None and tp.m != tp.value:
        raise Refused("MALFORMED", "tp.m and tp.value are the same thing and differ", field="tp.m", value=tp.m)
    times = tp.value if tp.m is None else tp.m
    for name, given in (("tp.m", times), ("tp.atr", tp.atr)):
        if given is None:
            raise Refused("MISSING_FIELD", f"{name} is missing", field=name, accepted="greater than 0")
    assert times is not None and tp.atr is not None  # noqa: PT018 - looked at a line above
    return TargetSpec(kind=TargetKind.ATR, value=times * tp.atr)


def list_asked(body: bodies.Wishes, instrument: Instrument, *, reduce_only: bool) -> tuple[StopSpec, TargetSpec]:
    """Both prices of an OCO, which stand in ``exec_policy`` and nowhere else."""
    if reduce_only:
        raise not_enabled("exec_policy.type", "OCO with reduce_only")
    beside = "sl" if body.sl is not None else "tp" if body.tp is not None else None
    if beside is not None or body.exec_policy is None:
        told = "the prices of an OCO are sl_price and tp_price in exec_policy"
        raise Refused("MALFORMED", told, field=beside or "exec_policy", accepted=f"no {beside}")
    (stop_name, stop), (target_name, target) = policies.list_prices(body.exec_policy)
    return (
        StopSpec(price=_price(stop, stop_name, instrument)),
        TargetSpec(kind=TargetKind.PRICE, value=_price(target, target_name, instrument)),
    )


def alone_asked(body: bodies.Wishes, market: Market, instrument: Instrument) -> StopSpec:
    """A stop on its own: its price and what triggers it stand in ``exec_policy``."""
    asked = body.exec_policy
    assert asked is not None and asked.stop_price is not None  # noqa: PT018 - the policy was read from them
    if asked.working_type is not None and market is Market.SPOT:
        raise not_enabled("exec_policy.working_type", "on SPOT")
    return StopSpec(
        price=_price(asked.stop_price, "exec_policy.stop_price", instrument), working_type=asked.working_type
    )


def _leverage(body: bodies.OrderIntentBody) -> int:
    """20 where nothing is asked; spot has none."""
    if body.market is Market.FUT:
        return 20 if body.leverage is None else body.leverage
    if body.leverage not in (None, 1):
        raise Refused("OUT_OF_RANGE", "spot has no leverage", field="leverage", value=body.leverage, accepted="1")
    return 1


def _price(price: Decimal, field: str, instrument: Instrument) -> Price:
    """An explicit price, as the venue would take it: nothing is rounded for the caller."""
    low, high = instrument.min_price, instrument.max_price
    if price < low or (high and price > high):
        raise Refused(
            "OUT_OF_RANGE",
            f"{field} is outside the venue's bounds",
            field=field,
            value=price,
            accepted=f"{text(low)} to {text(high)}" if high else f"at least {text(low)}",
        )
    if not instrument.on_tick(price):
        below, above = instrument.price_at_or_below(price), instrument.price_at_or_above(price)
        raise Refused(
            "OFF_TICK",
            f"{field} is no multiple of the tick {text(instrument.tick)}",
            field=field,
            value=price,
            accepted=f"{text(below)} or {text(above)}",
        )
    return Price(price)


def check_sides(side: Side, stop: StopSpec | None, target: TargetSpec | None, field: str) -> None:
    """Stop and target against each other; against the market the router checks them."""
    if stop is None or stop.price is None or target is None or target.kind is not TargetKind.PRICE:
        return
    if (target.value - stop.price) * side.sign <= 0:
        where = "below" if side is Side.BUY else "above"
        raise Refused(
            "WRONG_SIDE_STOP",
            f"the stop of a {side} must be {where} its target",
            field=field,
            value=stop.price,
            accepted=f"{where} {text(target.value)}",
        )
