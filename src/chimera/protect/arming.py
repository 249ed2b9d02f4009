"""The duty of watching: what should be protected, and is not by an order at the venue, is watched by a guard here.

Level-triggered, after the duty of protection: it compares what should stand with what stands. A guard fires by closing
the position at market, once; it also fires where the price of this moment has passed it already, so that a restart or
a jump while nobody looked needs nothing of its own. It is never counted as cover: ``patient`` says how long it may
stand in for a stop that the venue takes in no form, and then the position is closed.
"""

from typing import Final

from chimera.trading.bracket import Bracket
from chimera.trading.execution import STOP_CROSSED, TARGET_CROSSED, Exit
from chimera.trading.facts import Touched
from chimera.trading.guard import Gauge, Guard, GuardRef
from chimera.trading.holding import Holding
from chimera.trading.ids import IntentId
from chimera.trading.intent import WorkingType
from chimera.trading.money import ZERO, Millis, Price, Qty
from chimera.trading.order import FIRING, Order, Role, Status
from chimera.trading.scene import Scene

_REASONS: Final = {Role.STOP: STOP_CROSSED, Role.TARGET: TARGET_CROSSED}


def watched(holding: Holding, wanted: Bracket | None, scene: Scene) -> Holding:
    """With the guards that it needs now; with a close begun where one of them is passed."""
    if wanted is None and holding.exposure and not holding.flattening:
        return _fire(holding, scene)  # no price known, or a gap: what is watched stays so
    bare = ZERO if wanted is None or holding.flattening else _bare_qty(holding, scene)
    guards: list[Guard] = []
    if wanted is not None and not holding.flattening:
        if wanted.stop_price is not None and bare and _needs_stop(holding):
            guards.append(_guard(holding, Role.STOP, wanted, wanted.stop_price, Qty(bare), scene))
        if wanted.target_price is not None and _needs_target(holding):
            guards.append(_guard(holding, Role.TARGET, wanted, wanted.target_price, wanted.qty, scene))
    if tuple(guards) != holding.guards:
        holding = holding.but(guards=tuple(guards))
    return _fire(_timed(holding, bool(bare), scene), scene)


def touched(holding: Holding, fact: Touched, scene: Scene) -> Holding:
    """A price reached a guard. One that is armed no more, or elsewhere by now, stays as it is."""
    guard = next((each for each in holding.guards if each.ref == fact.ref), None)
    if guard is None or not guard.touched_by(fact.price):
        return holding
    return _close(holding, guard, scene)


def patient(holding: Holding, scene: Scene) -> bool:
    """Whether a guard may still stand in for a stop that nobody takes: not for longer than the policy, never blind."""
    if scene.policy.guard_ms <= 0 or scene.near is None:
        return False
    return holding.guard_until_ms is None or scene.now_ms < holding.guard_until_ms


def _bare_qty(holding: Holding, scene: Scene) -> Qty:
    """Base asset that no live stop would close, in whole steps; less the fee that a fill may have cost (spot)."""
    held = abs(holding.exposure)
    owed = ZERO if holding.key.market.reduces_only else max(held - abs(holding.position.qty), ZERO) * scene.fees.taker
    return scene.instrument.floor_to_step(max(held - holding.covered_qty - owed, ZERO))


def _needs_stop(holding: Holding) -> bool:
    """Bare, and no stop is at its work; one that is just being placed gets its chance before a guard is armed."""
    stops = [order for order in holding.in_role(Role.STOP) if order.episode == holding.position.closed_count]
    if any(order.status in FIRING for order in stops):
        return False
    return _standing(holding, Role.STOP) is not None or not any(_comes(order) for order in stops)


def _needs_target(holding: Holding) -> bool:
    """No target stands or comes: on spot where its list was refused, on futures after a refusal."""
    if holding.exit is not None or any(not order.status.final for order in holding.in_role(Role.TARGET)):
        return False
    if any(order.status in FIRING for order in holding.in_role(Role.STOP)):
        return False
    refused = bool(holding.target_tries or holding.refused_target_forms)
    return refused if holding.key.market.reduces_only else not any(map(_comes, holding.in_role(Role.STOP)))


def _comes(order: Order) -> bool:
    return order.status is Status.PENDING_NEW


def _standing(holding: Holding, role: Role) -> Guard | None:
    return next((guard for guard in holding.guards if guard.role is role), None)


def _guard(holding: Holding, role: Role, wanted: Bracket, price: Price, qty: Qty, scene: Scene) -> Guard:
    known = _standing(holding, role)
    by_mark = holding.key.market.reduces_only and wanted.working_type is WorkingType.MARK_PRICE
    return Guard(
        ref=GuardRef(f"{holding.key}:{role.name}"),
        role=role,
        side=wanted.side,
        price=price,
        qty=qty,
        gauge=Gauge.MARK if by_mark else Gauge.MID,
        armed_ms=scene.now_ms if known is None else known.armed_ms,
        intent_id=_whose(holding),
    )


def _whose(holding: Holding) -> IntentId | None:
    if holding.position.lots:
        return holding.position.lots[0].intent_id
    return next((work.intent_id for work in holding.opening()), None)


def _timed(holding: Holding, bare: bool, scene: Scene) -> Holding:
    """Patience counts from the first arming, over stops that stand for a moment only, until one has stood a while."""
    if _standing(holding, Role.STOP) is not None:
        if holding.guard_until_ms is None:
            return holding.but(guard_until_ms=Millis(scene.now_ms + scene.policy.guard_ms))
        return holding
    calm = not (bare or holding.stop_tries or holding.refused_stop_forms)
    over = calm or not holding.exposure
    return holding.but(guard_until_ms=None) if over and holding.guard_until_ms is not None else holding


def _fire(holding: Holding, scene: Scene) -> Holding:
    for guard in holding.guards:
        price = guard.gauge.read(scene.touch, scene.mark)
        if price is not None and guard.touched_by(price):
            return _close(holding, guard, scene)
    return holding


def _close(holding: Holding, guard: Guard, scene: Scene) -> Holding:
    """At market, all of it: the guards are armed no more, so that each fires once."""
    holding = holding.but(guards=())
    if holding.flattening:
        return holding
    return holding.but(exit=Exit(reason=_REASONS[guard.role], asked_ms=scene.now_ms))
