"""Changing an intent that lives (S4-API-11): cancel and replace, as the same intent under new terms.

Stop and target move at once: they are wishes, and the duty of protection places the new before it takes the old away.
Quantity and policy take effect between two children: what rests is cancelled, its end is known, and what is then left
goes under the next number. The new plan waits in the holding meanwhile, so whatever breaks off half way is finished by
the duty of entering, like any maker whose time is up.
"""

from decimal import Decimal

from chimera.trading.execution import PAUSE_MAX_MS, Phase, Plan, Slice, Working
from chimera.trading.facts import ChangeAsked
from chimera.trading.holding import Holding
from chimera.trading.intent import Intent
from chimera.trading.money import ZERO, Millis, Qty, text
from chimera.trading.position import Lot
from chimera.trading.scene import Scene


def change(holding: Holding, fact: ChangeAsked, scene: Scene) -> Holding:
    """The holding that knows of it; of an intent that is being cancelled, or gone, nothing changes."""
    working = holding.intents.get(fact.intent.intent_id)
    if working is None or working.canceling or (fact.plan is not None and working.phase is not Phase.WORKING):
        return holding
    after = working.but(intent=fact.intent).noting(f"change asked: {_told(working.intent, fact.intent)}", scene.now_ms)
    if fact.plan is not None:
        after = after.but(next_plan=fact.plan)
    holding = holding.but(intents={**holding.intents, working.intent_id: after})
    return _with_wishes(holding, fact.intent, scene.now_ms)


def without_list(holding: Holding, working: Working, reason: str) -> Holding:
    """Of an OCO that was bought: its list is to go. What it holds keeps a stop at the same price, and has no target."""
    if working.canceling or working.intent_id not in {lot.intent_id for lot in holding.position.lots}:
        return holding
    bare = working.intent.but(target=None)
    after = working.but(intent=bare, canceling=True, reason=reason)
    return _with_wishes(holding.but(intents={**holding.intents, working.intent_id: after}), bare, None)


def taken_up(working: Working, filled: Decimal, now_ms: Millis) -> Working:
    """Under its new plan, from the next child on. ``filled``: of the whole intent; nothing of it may still fill."""
    plan = working.next_plan
    if plan is None:
        return working
    left = Qty(max(working.intent.qty - filled, ZERO))
    now = (working.paused_ms or now_ms) - working.accepted_ms - working.rested_ms
    parts = plan.cut(left).slices or (Slice(qty=Qty(ZERO)),)
    first = Slice(qty=Qty(filled + parts[0].qty), after_ms=now + parts[0].after_ms)
    rest = tuple(part.but(after_ms=now + part.after_ms) for part in parts[1:])
    rested = min(working.rested_ms, PAUSE_MAX_MS)  # earlier pauses were no part of it: they do not move its deadline
    told = f"changed: {text(Qty(filled))} filled before, {text(left)} left for order {working.child_no + 1}"
    return (
        working.turning_to(0)
        .but(
            plan=_noted(plan.but(slices=(first, *rest), deadline_ms=Millis(plan.deadline_ms - rested)), working),
            next_plan=None,
            lag_ms=0,
            told_late=-1,
            reductions=0,
            begun=(),
            refusal_code="",
        )
        .noting(told, now_ms)
    )


def _noted(plan: Plan, working: Working) -> Plan:
    return plan.but(notes=(*working.plan.notes, *plan.notes))


def _with_wishes(holding: Holding, intent: Intent, now_ms: Millis | None) -> Holding:
    """Its lot wishes what it wishes. ``now_ms``: of a stop that is another, which then is the newer word."""
    lots = tuple(
        _wishing(lot, intent, now_ms) if lot.intent_id == intent.intent_id else lot for lot in holding.position.lots
    )
    return holding.but(position=holding.position.but(lots=lots)) if lots != holding.position.lots else holding


def _wishing(lot: Lot, intent: Intent, now_ms: Millis | None) -> Lot:
    named_ms = lot.stop_named_ms if now_ms is None or lot.stop == intent.stop else now_ms
    return lot.but(stop=intent.stop, target=intent.target, stop_named_ms=named_ms)


def _told(before: Intent, after: Intent) -> str:
    parts = []
    if before.qty != after.qty:
        parts.append(f"qty {text(before.qty)} to {text(after.qty)}")
    if before.policy != after.policy:
        parts.append("policy")
    for name, old, new in (("stop", before.stop, after.stop), ("target", before.target, after.target)):
        if old != new:
            parts.append(name)
    return ", ".join(parts)
