"""A caller's hand on an intent that is being worked: pause, resume, finish now. Facts like any other, and kept.

A pause takes what rests from the book and sends nothing until it is over; a kill, a cancel and ``valid_until_ms`` go on
meanwhile. Finishing takes all that is left at once, whatever the market is like, but never beyond the worst price.
"""

from chimera.trading.execution import Phase, Slice, Working
from chimera.trading.facts import FinishAsked, PauseAsked, ResumeAsked
from chimera.trading.holding import Holding
from chimera.trading.money import ZERO, Millis, Qty
from chimera.trading.scene import Scene


def steer(holding: Holding, fact: PauseAsked | ResumeAsked | FinishAsked, scene: Scene) -> Holding:
    """The intent as it was told to be; asked again, or of one that is over, nothing changes."""
    working = holding.intents.get(fact.intent_id)
    if working is None or working.phase is not Phase.WORKING or working.canceling:
        return holding
    match fact:
        case PauseAsked():
            after = paused(working, fact.reason, scene.now_ms)
        case ResumeAsked():
            after = resumed(working, scene.now_ms)
        case FinishAsked():
            after = finishing(working, fact.reason, scene.now_ms)
    return holding if after is working else holding.but(intents={**holding.intents, fact.intent_id: after})


def paused(working: Working, reason: str, now_ms: Millis) -> Working:
    if working.paused_ms is not None:
        return working
    return working.but(paused_ms=now_ms).noting(f"paused: {reason}", now_ms)


def resumed(working: Working, now_ms: Millis) -> Working:
    """As it was when the pause began: what was left of waits and gaps is still left."""
    if working.paused_ms is None:
        return working
    rested = now_ms - working.paused_ms
    return working.but(
        paused_ms=None,
        rested_ms=working.rested_ms + rested,
        maker_until_ms=_later(working.maker_until_ms, rested),
        chase_until_ms=_later(working.chase_until_ms, rested),
    ).noting(f"resumed after {rested} ms", now_ms)


def finishing(working: Working, reason: str, now_ms: Millis) -> Working:
    """The slices to come join the present one, which takes."""
    if working.finishing:
        return working
    working, number = resumed(working, now_ms), working.slice_no
    now, rest = working.plan.slices[number], working.plan.slices[number:]
    whole = Slice(qty=Qty(sum((part.qty for part in rest), ZERO)), after_ms=now.after_ms)
    plan = working.plan.but(slices=(*working.plan.slices[:number], whole))
    told = working.noting(f"finishing now: {reason}", now_ms)
    return told.but(plan=plan, finishing=True, taker_tries=0, retry_at_ms=None)


def _later(moment_ms: Millis | None, by_ms: int) -> Millis | None:
    return None if moment_ms is None else Millis(moment_ms + by_ms)
