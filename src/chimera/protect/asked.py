"""Stops on their own (S4-API-10): somebody's word about where the stop of a position belongs, and until when it counts.

It is a wish, not an order: ``bracket`` reads it, and the duty of protection places the new stop before it takes the old
one away (spot: the list first, since a balance is locked once). The newest word counts. It is over when it is taken
back, when a newer one comes, or when the position it was meant for is gone; then the lots' own stops count again.
"""

from chimera.trading.execution import SOLD, Phase, Working
from chimera.trading.holding import Holding
from chimera.trading.intent import StopSpec
from chimera.trading.money import ZERO, Price, text
from chimera.trading.scene import Scene


def asked_stop(holding: Holding) -> Working | None:
    """The word that counts now."""
    return holding.standing


def settled(holding: Holding, scene: Scene) -> Holding:
    """With those ended that are over, and those on the tick that are not: it may have grown since they were asked."""
    newest, intents = asked_stop(holding), dict(holding.intents)
    for key, work in holding.intents.items():
        if work.phase is not Phase.STANDING:
            continue
        reason = _over(work, newest, holding)
        if reason is not None:
            intents[key] = work.but(phase=Phase.DONE, reason=reason, done_ms=scene.now_ms)
        elif (price := work.stop_price) is not None and not scene.instrument.on_tick(price):
            intents[key] = _rounded(work, price, scene)
    return holding.but(intents=intents) if intents != holding.intents else holding


def _rounded(work: Working, price: Price, scene: Scene) -> Working:
    """Its own side is the exit's. The venue would refuse the price as it was asked, however often."""
    taken = scene.instrument.stop_toward_entry(price, work.intent.side)
    stop = StopSpec() if work.intent.stop is None else work.intent.stop
    told = f"its price {text(price)} is off the venue's tick by now: {text(taken)}"
    return work.but(intent=work.intent.but(stop=stop.but(price=taken))).noting(told, scene.now_ms)


def _over(work: Working, newest: Working | None, holding: Holding) -> str | None:
    """Why it is; None: it counts."""
    if work.canceling:
        return work.reason
    flipped = holding.exposure * work.intent.side.sign > 0
    if not holding.exposure or flipped or work.episode != holding.position.closed_count:
        sold = sum((order.cum_qty + order.owed_qty for order in holding.carrying_out(work)), ZERO)
        if sold:
            return SOLD
        return "FLAT" if holding.exit is None else holding.exit.reason
    if newest is not None and newest is not work:
        return f"REPLACED_BY_{newest.root}"
    return None
