"""An entry whose own stop's price comes before it has filled: what has not been bought by then is not wanted any more.

Whatever still rests, or waits for its slice or its retry, would be closed the moment it filled. Judged at every fact by
the price that the stop goes by; that a stop of the position sold is heard in ``hear``. An entry that leaves its stop to
the default distance has none before something of it has filled. Nothing is turned round: which way to trade is decided
in S3, which is told. The cancel and a fill may cross: what filled is protected, or closed, as ever.
"""

from typing import Final

from chimera.protect.asked import asked_stop
from chimera.protect.bracket import overruled, stop_price
from chimera.trading.execution import Phase, Working
from chimera.trading.guard import Gauge
from chimera.trading.holding import Holding
from chimera.trading.intent import WorkingType
from chimera.trading.money import Price, text
from chimera.trading.scene import Scene

STOP_FIRST: Final = "STOP_FIRST"  # begins the reason of an intent that ended so


def overtaken(working: Working, holding: Holding, scene: Scene) -> str | None:
    """Why nothing more of this intent may be entered; None: its stop has not been reached, or it has none."""
    if working.phase is not Phase.WORKING or working.canceling or working.intent.reduce_only:
        return None
    stop = _stop(working, holding, scene)
    if stop is None:
        return None
    gauge = _gauge(working, scene)
    price = gauge.read(scene.touch, scene.mark)
    if price is None or (stop - price) * working.intent.side.sign < 0:
        return None
    return f"{STOP_FIRST}: the {gauge.lower()} price {text(price)} reached the stop {text(stop)}"


def any_overtaken(holding: Holding, scene: Scene) -> bool:
    """Whether its owner should look at the time though nothing was heard."""
    return any(overtaken(working, holding, scene) is not None for working in holding.intents.values())


def _stop(working: Working, holding: Holding, scene: Scene) -> Price | None:
    """As it is placed, rounded toward the entry; a stop asked for on its own stands in for it where it has filled."""
    wish = working.intent.stop
    if wish is None:
        return None
    asked = asked_stop(holding)
    matters = asked is not None or wish.price is None  # many intents, and as many lots: each is not sought for nothing
    lots = holding.position.lots if matters else ()
    lot = next((lot for lot in lots if lot.intent_id == working.intent_id), None)
    if asked is not None and lot is not None and overruled(lot, asked):
        return asked.stop_price
    if wish.price is not None:
        return scene.instrument.stop_toward_entry(wish.price, working.intent.side.opposite)
    return None if lot is None else stop_price(lot, scene)


def _gauge(working: Working, scene: Scene) -> Gauge:
    wish = working.intent.stop
    named = None if wish is None else wish.working_type
    by_mark = (named or scene.policy.working_type) is WorkingType.MARK_PRICE
    return Gauge.MARK if by_mark and scene.instrument.market.reduces_only else Gauge.MID
