"""Refusals of stops and targets, remembered: which forms, how often, and when the next may be placed."""

from typing import Final

from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.order import Order, Role, Status
from chimera.trading.scene import Scene

STOP_AGAIN_MS: Final = 100  # doubled with each refusal in a row, six times at most
MOVE_AGAIN_MS: Final = 5_000  # for a stop that was to be moved, while the one that stands covers everything
TARGET_AGAIN_MS: Final = 1_000  # likewise: nothing is bare without a target
_FAILED: Final = (Status.REJECTED, Status.EXPIRED)


def moved_lately(holding: Holding, scene: Scene) -> bool:
    """Whether a stop was just refused, or ended, that was to stand in place of one which covers everything."""
    if not (holding.covered and holding.stop_tries):
        return False
    ends = (order.ended_ms for order in holding.in_role(Role.STOP) if order.status in _FAILED)
    return any(ended_ms is not None and scene.now_ms < ended_ms + MOVE_AGAIN_MS for ended_ms in ends)


def strike_form(holding: Holding, order: Order) -> Holding:
    """The venue does not take it from this holding, until one of another form has stood for a while."""
    form = order.request.form
    if order.role is Role.STOP:
        return holding.but(refused_stop_forms=(*(f for f in holding.refused_stop_forms if f is not form), form))
    return holding.but(refused_target_forms=(*(f for f in holding.refused_target_forms if f is not form), form))


def forget_forms(holding: Holding, role: Role) -> Holding:
    if role is Role.STOP:
        return holding.but(refused_stop_forms=()) if holding.refused_stop_forms else holding
    return holding.but(refused_target_forms=()) if holding.refused_target_forms else holding


def at_once(holding: Holding, role: Role) -> Holding:
    """The next may be placed without a pause."""
    return holding.but(stop_retry_at_ms=None) if role is Role.STOP else holding.but(target_retry_at_ms=None)


def wait(holding: Holding, role: Role, scene: Scene, wait_ms: int) -> Holding:
    """The next may be placed after this pause. No try is counted: it is not the stop that is wrong."""
    due = Millis(scene.now_ms + wait_ms)
    return holding.but(stop_retry_at_ms=due) if role is Role.STOP else holding.but(target_retry_at_ms=due)


def count_try(holding: Holding, role: Role, scene: Scene) -> Holding:
    """One more that did not work, and when the next may be placed.

    A stop that could not be moved never is the try after which the position is closed: nothing is bare. Nor does it
    leave a pause that would hold up the next, where something is bare by then (``moved_lately``).
    """
    if role is Role.STOP and holding.covered:
        tries = max(holding.stop_tries, min(holding.stop_tries + 1, scene.policy.stop_refusals - 1))
        return holding.but(stop_tries=tries)
    if role is Role.STOP:
        pause = STOP_AGAIN_MS * 2 ** min(holding.stop_tries, 6)
        return holding.but(stop_tries=holding.stop_tries + 1, stop_retry_at_ms=Millis(scene.now_ms + pause))
    pause = TARGET_AGAIN_MS * 2 ** min(holding.target_tries, 6)
    return holding.but(target_tries=holding.target_tries + 1, target_retry_at_ms=Millis(scene.now_ms + pause))
