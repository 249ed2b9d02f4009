"""``POST /orders/{id}/replace``, from JSON to the intent as it is to be; what is not named stays as it was.

Prices are read by the words of ``POST /orders``. Whether the order still lives, and whether the market allows it, is
decided elsewhere.
"""

from collections.abc import Mapping
from typing import Any

from chimera.trading.errors import Refused
from chimera.trading.instrument import Instrument
from chimera.trading.intent import ExecPolicy, Intent, OrderList, StopAlone, TargetKind
from chimera.trading.money import Qty
from chimera.wire import bodies, policies, requests, shape
from chimera.wire.policies import not_enabled


def changed(document: Mapping[str, object], intent: Intent, instrument: Instrument) -> Intent:
    """The intent with what the body names changed, the quantity in whole steps; raises ``Refused``."""
    body = shape.fit(document, bodies.ReplaceRequest)
    if not body.model_fields_set:
        named = ", ".join(bodies.ReplaceRequest.model_fields)
        raise Refused("MISSING_FIELD", "nothing to change is named", accepted=f"at least one of {named}")
    changes: dict[str, Any] = {}
    if body.qty is not None:
        if isinstance(intent.policy, StopAlone):
            raise not_enabled("qty", "of a stop on its own")
        requests.check_qty(body.qty, "qty", instrument)
        changes["qty"] = Qty(instrument.floor_to_step(body.qty))
    if body.exec_policy is not None:
        changes |= _policy(body, intent, instrument)
    changes |= _wishes(body, intent, instrument)
    after = intent.but(**changes)
    field = "exec_policy.sl_price" if isinstance(intent.policy, OrderList) else "sl.price"
    requests.check_sides(after.side, after.stop, after.target, field)
    return after


def _policy(body: bodies.ReplaceRequest, intent: Intent, instrument: Instrument) -> dict[str, Any]:
    assert body.exec_policy is not None  # the caller has checked
    policy = policies.policy(body.exec_policy, intent.market)
    if _sort(policy) is not _sort(intent.policy):
        told = f"{type(intent.policy).__name__} stays what it is"
        raise Refused("MALFORMED", told, field="exec_policy.type", accepted="the same type, with other prices")
    if isinstance(policy, OrderList):
        stop, target = requests.list_asked(body, instrument, reduce_only=False)
        return {"stop": stop, "target": target}
    if isinstance(policy, StopAlone):
        return {"stop": requests.alone_asked(body, intent.market, instrument)}
    return {"policy": policy}


def _sort(policy: ExecPolicy) -> type[Any] | None:
    """Those whose prices are their policy, each by itself; None: trades by a plan."""
    return type(policy) if isinstance(policy, OrderList | StopAlone) else None


def _wishes(body: bodies.ReplaceRequest, intent: Intent, instrument: Instrument) -> dict[str, Any]:
    if intent.reduce_only or (body.exec_policy is not None and isinstance(intent.policy, OrderList | StopAlone)):
        given = next((name for name in ("sl", "tp") if getattr(body, name) is not None), None)
        if given is not None:
            raise not_enabled(
                given, "here: its prices are in exec_policy" if not intent.reduce_only else "with reduce_only"
            )
        return {}
    changes: dict[str, Any] = {}
    if "sl" in body.model_fields_set:
        changes["stop"] = requests.stop_asked(body, instrument, reduce_only=False, allow_unprotected=False)
    if "tp" in body.model_fields_set:
        target = requests.target_asked(body, instrument, reduce_only=False)
        if isinstance(intent.policy, OrderList) and (target is None or target.kind is not TargetKind.PRICE):
            raise Refused("MALFORMED", "the target of an OCO is a price", field="tp", accepted="tp.price")
        changes["target"] = target
    return changes
