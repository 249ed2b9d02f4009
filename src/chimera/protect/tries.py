"""Refusals of stops and targets, remembered: which forms, how often, and when the next may be placed."""

from typing import Final

from chimera.trading.holding import Holding
from chimera.trading.money import Millis
from chimera.trading.order import Order, Role
from chimera.trading.scene import Scene

STOP_AGAIN_MS: Final = 100  # doubled with each refusal in a row, six times at most
TARGET_AGAIN_MS: Final = 1_000  # likewise: nothing is bare without a target


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
    """One more that did not work, and when the next may be placed."""
    if role is Role.STOP:
        pause = STOP_AGAIN_MS * 2 ** min(holding.stop_tries, 6)
        return holding.but(stop_tries=holding.stop_tries + 1, stop_retry_at_ms=Millis(scene.now_ms + pause))
    pause = TARGET_AGAIN_MS * 2 ** min(holding.target_tries, 6)
    return holding.but(target_tries=holding.target_tries + 1, target_retry_at_ms=Millis(scene.now_ms + pause))
