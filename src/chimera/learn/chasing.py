"""``theta``, the share of a slice that a maker must have got for the rest to be chased, from what chases have saved.

One chase is a resting order priced better than the touch it was sent at, after a wait. It is compared with taking at
once what it held: the same mid, half the spread and the taker's fee. Only shares from ``theta`` on have chased, so the
question is asked at its edge: where chases of the shares just above it pay, ``theta`` goes down by a step; where they
cost, up. A table without chases, or one whose makers rest inside the spread themselves, tells nothing of it.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from chimera.learn.shadow import Compared, apart, drawn_over
from chimera.learn.trials import waits_of
from chimera.learn.waiting import Rates
from chimera.tca.rows import Rested
from chimera.tca.worked import Worked
from chimera.trading.money import BPS, ONE, ZERO, Millis, Qty
from chimera.trading.routes import Terms
from chimera.trading.value import Value

STEP: Final = Decimal("0.1")
EDGE: Final = 0.25  # shares from theta to so much above it
CHASES_MIN: Final = 50  # at the edge, half of them held out


class Chase(Value, tag=False):
    """``share`` of the slice that had filled before, ``saved_bps`` of what it held against taking that at once."""

    at_ms: Millis
    share: float
    saved_bps: float


class ThetaFit(Value, tag=False):
    theta: Decimal
    proposed: Decimal
    chases: int
    saved_bps: float | None = None
    shadow: Compared | None = None
    reasons: tuple[str, ...] = ()

    @property
    def moves(self) -> bool:
        return self.proposed != self.theta

    @property
    def better(self) -> bool:
        return self.moves and self.shadow is not None and self.shadow.better


def chases(works: Iterable[Worked], rests: Iterable[Rested], rates: Rates) -> tuple[Chase, ...]:
    """In order of time; those of which nobody knows what became of the rest are left out."""
    found = []
    for work, chain in waits_of(works, rests):
        last = chain[-1]
        if len(chain) > 1 and last.beats_touch and (chase := _chase(work, chain, rates)) is not None:
            found.append(chase)
    return tuple(sorted(found, key=lambda chase: chase.at_ms))


def _chase(work: Worked, chain: Sequence[Rested], rates: Rates) -> Chase | None:
    last = chain[-1]
    if last.mid is None or last.spread_bps is None:
        return None
    own = [fill for fill in work.fills if fill.ref == last.ref]
    after = [fill for fill in work.fills if not fill.maker and fill.ref != last.ref and fill.at_ms >= last.ended_ms]
    left, paid = last.qty, 0.0
    for fill in (*own, *after):
        part = min(fill.qty, left)
        left = Qty(left - part)
        moved = (fill.price - last.mid) / last.mid * BPS * work.side.sign
        paid += float(part / last.qty) * (float(moved) + (rates.maker if fill.maker else rates.taker))
    if left:
        return None
    before = sum((rest.maker_qty for rest in chain[:-1]), ZERO)
    share = float(before / (before + last.qty))
    return Chase(at_ms=last.sent_ms, share=share, saved_bps=float(last.spread_bps / 2) + rates.taker - paid)


def fit_theta(found: Sequence[Chase], terms: Terms, *, block_ms: int, resamples: int, seed: int) -> ThetaFit:
    """One step at most; the same chases and seed give the same."""
    theta = float(terms.theta)
    edge = [chase for chase in found if theta <= chase.share < theta + EDGE]
    stays = ThetaFit(theta=terms.theta, proposed=terms.theta, chases=len(edge))
    if not terms.chase_ms or terms.inside_bps:
        return stays.but(reasons=("nothing is chased by this table",))
    if len(edge) < CHASES_MIN:
        told = f"{len(edge)} chases of shares from {theta:g} to {theta + EDGE:g}; {CHASES_MIN} are needed"
        return stays.but(reasons=(told,))
    learned, held_out = apart(edge, block_ms)
    if not learned or not held_out:
        return stays.but(reasons=("the chases are of too short a time",))
    saved = _mean(learned)
    proposed = max(terms.theta - STEP, ZERO) if saved > 0 else min(terms.theta + STEP, ONE)
    told = f"chases at the edge saved {saved:+.3f} bps against taking at once"
    turn = 1 if saved > 0 else -1
    shadow = drawn_over(
        held_out, lambda part: -turn * _mean(part), block_ms=block_ms, resamples=resamples, seed=seed, what="it"
    )
    return stays.but(proposed=proposed, saved_bps=round(saved, 4), shadow=shadow, reasons=(told, shadow.why))


def _mean(part: Sequence[Chase]) -> float:
    return sum(chase.saved_bps for chase in part) / len(part)
