"""The crash sweep: one small story told again and again, S4 killed at another of its steps each time (I26).

Invariants: the story without the kill has no fault in it, so whatever goes wrong was the kill's doing; with stride 1
every step that S4 takes from its start to the story's end has once been the first that it did not take.
"""

from collections.abc import Iterator
from typing import Final

from chimera.trading.intent import MakerThenTaker, MarketNow
from chimera.trading.market import MarketEvent, Side
from chimera.trading.money import Qty
from world.composed import INSTRUMENT
from world.flat import SHOWN, against, flat_market
from world.plan import CALM, KillAtStep
from world.run import CALLERS, Options, Script, Verdict, run
from world.workload import Wish

SEED: Final = 2
BEGIN_S, HOLD_S, STORY_S = 2.0, 4, 9.0  # by then the position is closed again
DOWN_MS: Final = 300
QTY: Final = Qty(INSTRUMENT.step * 30)
_OPTIONS: Final = Options(
    faults=False, who=CALLERS, fifo=True, safety_s=STORY_S, liveness_s=20, market_stops_s=2, recovery_s=8
)
_WISH: Final = Wish(
    number=0,
    at_s=BEGIN_S,
    side=Side.BUY,
    qty=QTY,
    policy=MarketNow(),
    stop_bps=60,
    target_bps=40,
    hold_s=HOLD_S,
)
STORIES: Final = {
    "market": _WISH,
    "maker_taker": _WISH.but(policy=MakerThenTaker(wait_ms=900, slices=1, gap_ms=0)),
    "twap": _WISH.but(policy=MakerThenTaker(wait_ms=300, slices=3, gap_ms=700)),
}


def _market() -> Iterator[MarketEvent]:
    """A maker who joined at the beginning is filled in two parts, and his time ends before the third."""
    trades = [against(Side.BUY, BEGIN_S + 0.3, Qty(SHOWN + QTY / 3)), against(Side.BUY, BEGIN_S + 0.6, Qty(QTY / 6))]
    return flat_market(trades, until_s=STORY_S + _OPTIONS.liveness_s)


def undisturbed(story: str) -> Verdict:
    """The story as it is meant."""
    return run(SEED, options=_OPTIONS, plan=CALM, story=[STORIES[story]], market=_market(), keep_audit=True)


def steps_of(story: str) -> int:
    """How many steps S4 takes from its start to the story's end, the last at which a blow still strikes."""
    short = _OPTIONS.but(liveness_s=0.001, market_stops_s=0)
    return run(SEED, options=short, plan=CALM, story=[STORIES[story]], market=_market()).counters["s4_rough_steps"]


def killed_at(step: int, story: str, script: Script | None = None) -> Verdict:
    """The story with S4 killed in place of this step, and back after ``DOWN_MS``; ``script`` looks on."""
    plan = CALM.but(blows=(KillAtStep(step=step),), restart_ms=(DOWN_MS, DOWN_MS))
    return run(SEED, options=_OPTIONS, plan=plan, story=[STORIES[story]], market=_market(), script=script)
