"""How many slices: what walking the book costs against what the price does until the last slice.

    slip(q) = a q                                  bps, of a child that takes q in quote asset: least squares through 0
    cost(n) = a T^2 / (n N)  +  (D + u) gap (n - 1) / 2

with N the notional of an intent, T what of it was taken and not made, D what the mid moves against us in a second while
we trade, and u what a second is worth: n slices take n-th parts, and wait for half of n - 1 gaps on average. A line is
all that the rows can tell of sizes that were never sent, so a row moves by one slice at a time. What slices lose by
queueing anew is not in it: where makers get most of an order, little is taken, and nothing is gained by cutting it.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

from chimera.learn.shadow import Compared, apart, drawn_over
from chimera.tca.worked import Traded, Worked
from chimera.trading.money import BPS, ZERO, Millis
from chimera.trading.routes import Row, Terms, Twap
from chimera.trading.value import Value

INTENTS_MIN: Final = 200
GRAIN_BPS: Final = 0.05  # less is not worth a slice
SLICES_MOST: Final = 4  # ``S4_TWAP_MAX_SLICES``


class Cut(Value, tag=False):
    """One intent: quote asset, bps, seconds. ``squares`` and ``slips``: sums of q q and q slip(q) over its takers."""

    at_ms: Millis
    notional: Decimal
    taken: float
    squares: float
    slips: float
    drift_bps: float
    seconds: float


class SlicesFit(Value, tag=False):
    slices: int
    proposed: int
    gap_ms: int
    intents: int
    saves_bps: float | None = None
    shadow: Compared | None = None
    reasons: tuple[str, ...] = ()

    @property
    def moves(self) -> bool:
        return self.proposed != self.slices

    @property
    def better(self) -> bool:
        return self.moves and self.shadow is not None and self.shadow.better

    def onto(self, twap: Twap) -> Twap:
        return twap.but(slices=self.proposed, gap_ms=self.gap_ms) if self.moves else twap


def cuts(works: Iterable[Worked]) -> tuple[Cut, ...]:
    """In order of time; intents of which a mid or a touch is not known are left out."""
    found = [cut for work in works if (cut := _cut(work)) is not None]
    return tuple(sorted(found, key=lambda cut: cut.at_ms))


def _cut(work: Worked) -> Cut | None:
    mid, last = work.arrival_mid, work.fills[-1] if work.fills else None
    if mid is None or last is None or last.mid is None:
        return None
    children: dict[str, list[Traded]] = {}
    for fill in work.fills:
        if not fill.maker:
            children.setdefault(fill.ref, []).append(fill)
    taken = squares = slips = 0.0
    for fills in children.values():
        size = slip = ZERO
        for fill in fills:
            if fill.touch is None:
                return None
            size += fill.qty * mid
            slip += fill.qty * mid * (fill.price - fill.touch) / fill.touch * BPS * work.side.sign
        taken += float(size)
        squares += float(size * size)
        slips += float(slip)  # q slip(q)
    return Cut(
        at_ms=work.accepted_ms,
        notional=work.filled * mid,
        taken=taken,
        squares=squares,
        slips=slips,
        drift_bps=float((last.mid - mid) / mid * BPS * work.side.sign),
        seconds=max(last.at_ms - work.accepted_ms, 1) / 1_000,
    )


def fit_slices(
    found: Sequence[Cut], row: Row, terms: Terms, *, urgency: float, most: int, block_ms: int, resamples: int, seed: int
) -> SlicesFit:
    """One slice more or less at most. A wait must fit into the gap, or it would be cut to it."""
    now, gap_ms = row.twap.slices, max(row.twap.gap_ms, row.maker_wait_ms + terms.chase_ms, 1_000)
    stays = SlicesFit(slices=now, proposed=now, gap_ms=row.twap.gap_ms, intents=len(found))
    if row.twap.slice_usdt is not None:
        return stays.but(reasons=("its slices are sized by slice_usdt",))
    learned, held_out = apart(found, block_ms)
    if len(found) < INTENTS_MIN or not learned or not held_out:
        return stays.but(reasons=(f"{len(found)} intents; {INTENTS_MIN} are needed to cut otherwise",))

    def saved(part: Sequence[Cut], to: int) -> float:
        return _cost(part, now, gap_ms, urgency) - _cost(part, to, gap_ms, urgency)

    near = [to for to in (now - 1, now + 1) if 1 <= to <= most]
    best = max(near, key=lambda to: saved(learned, to), default=now)
    gain = saved(learned, best)
    if gain < GRAIN_BPS:
        return stays.but(reasons=(f"another slice or one less would save {gain:.3f} bps at most",))
    shadow = drawn_over(
        held_out, lambda part: -saved(part, best), block_ms=block_ms, resamples=resamples, seed=seed, what="it"
    )
    told = f"{best} slices instead of {now} save {gain:.3f} bps by what takers paid beyond the touch"
    return stays.but(proposed=best, gap_ms=gap_ms, saves_bps=round(gain, 4), shadow=shadow, reasons=(told, shadow.why))


def _cost(part: Sequence[Cut], slices: int, gap_ms: int, urgency: float) -> float:
    """The module's formula over these intents, bps; a price that comes towards us is not counted on."""
    squares = sum(cut.squares for cut in part)
    slope = max(sum(cut.slips for cut in part) / squares, 0.0) if squares else 0.0
    walked = slope * sum(cut.taken**2 for cut in part) / float(sum(cut.notional for cut in part)) / slices
    drift = max(sum(cut.drift_bps for cut in part) / sum(cut.seconds for cut in part), 0.0)
    return walked + (drift + urgency) * gap_ms / 1_000 * (slices - 1) / 2
