"""The daily proposal: the waits, slices and ``theta`` that would have cost least, each by a bounded step.

A row moves only where enough orders rested and filled, only by ``Bounds.step`` of its wait, and only within the
longest wait that was seen, or by a smaller step beyond it where the end of it still paid. The proposal is compared on
orders that it was not fitted on (``shadow``). How slices and ``theta`` are judged stands in ``cutting`` and
``chasing``; a row whose wait moves keeps its slices that day, so that one thing changes at a time.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from chimera.learn.chasing import Chase, ThetaFit, fit_theta
from chimera.learn.cutting import SLICES_MOST, Cut, SlicesFit, fit_slices
from chimera.learn.shadow import Compared, apart, compared
from chimera.learn.trials import Trial, by_row
from chimera.learn.waiting import Rates, Waiting
from chimera.route.by_fees import gain_bps
from chimera.trading.market import Market
from chimera.trading.money import BPS
from chimera.trading.routes import RouteTable, Row
from chimera.trading.value import Value
from chimera.trading.venue import FeeRates


class Bounds(Value, tag=False):
    """How far one fit may go. Times ms, ``step`` a share of the present wait."""

    samples_min: int = 200  # orders that rested, of one row
    fills_min: int = 30
    step: float = 0.5
    beyond: float = 0.25  # the step where nobody has waited so long yet
    grain_ms: int = 50  # waits are whole multiples of it
    first_ms: int = 500  # the step from 0, or back to it
    most_ms: int = 3_000  # ``S4_MAKER_MAX_WAIT_MS``
    slices_most: int = SLICES_MOST
    urgency_bps_per_s: float = 0.0
    resamples: int = 200
    block_ms: int = 60_000  # of time, as the shadow comparison draws it


class RowFit(Value, tag=False):
    """Of one row. Costs in bps against the arrival's mid; None: not known."""

    notional_usdt_max: Decimal
    trials: int
    fills: int
    wait_ms: int
    best_ms: int | None
    proposed_ms: int
    cost_bps: float | None = None
    proposed_cost_bps: float | None = None
    markout_bps: float | None = None
    shadow: Compared | None = None
    reasons: tuple[str, ...] = ()
    slices: SlicesFit | None = None

    @property
    def moves(self) -> bool:
        return self.proposed_ms != self.wait_ms

    @property
    def better(self) -> bool:
        """Whether orders that it was not fitted on say so, too: what may go ahead by itself."""
        return self.moves and self.shadow is not None and self.shadow.better


class Proposal(Value, tag=False):
    """``table`` has the next revision, and all as proposed; ``sure`` moves that alone which is ``better``."""

    of_rev: int
    rows: tuple[RowFit, ...]
    theta: ThetaFit
    table: RouteTable
    sure: RouteTable

    @property
    def fits(self) -> Sequence[RowFit | SlicesFit | ThetaFit]:
        return (*self.rows, *(row.slices for row in self.rows if row.slices is not None), self.theta)

    @property
    def moves(self) -> bool:
        return any(each.moves for each in self.fits)

    @property
    def sure_moves(self) -> bool:
        return any(each.better for each in self.fits)

    @property
    def reasons(self) -> tuple[str, ...]:
        """For the log, each with what it is of."""
        told = [(f"up to {row.notional_usdt_max}", reason) for row in self.rows for reason in row.reasons]
        told += [
            (f"slices up to {row.notional_usdt_max}", reason)
            for row in self.rows
            if row.slices is not None
            for reason in row.slices.reasons
        ]
        return tuple(f"{of}: {reason}" for of, reason in (*told, *(("theta", each) for each in self.theta.reasons)))


class Learned(Value, tag=False):
    """What a ledger told beside the waits."""

    chases: tuple[Chase, ...] = ()
    cuts: tuple[Cut, ...] = ()


NOTHING_BESIDE: Final = Learned()


def fit(
    trials: Sequence[Trial],
    table: RouteTable,
    fees: FeeRates,
    bounds: Bounds,
    *,
    market: Market = Market.FUT,
    learned: Learned = NOTHING_BESIDE,
    seed: int = 0,
) -> Proposal:
    """The same samples, table and seed give the same proposal. Rows of the other market alone stay as they are."""
    rates = Rates(maker=float(fees.maker * BPS), taker=float(fees.taker * BPS), urgency_per_s=bounds.urgency_bps_per_s)
    rows, gain = table.of(market), float(gain_bps(fees))
    limits = [row.notional_usdt_max for row in rows]
    waits, cuts = by_row(trials, limits), by_row(learned.cuts, limits)
    drawn = {"block_ms": bounds.block_ms, "resamples": bounds.resamples, "seed": seed}
    fits = []
    for number, row in enumerate(rows):
        found = _row(waits.get(number, ()), row.notional_usdt_max, row.maker_wait_ms, rates, gain, bounds, seed)
        if not found.moves:
            most, urgency = bounds.slices_most, bounds.urgency_bps_per_s
            cut = fit_slices(cuts.get(number, ()), row, table.terms, urgency=urgency, most=most, **drawn)
            found = found.but(slices=cut)
        fits.append(found)
    theta = fit_theta(learned.chases, table.terms, **drawn)
    return Proposal(
        of_rev=table.rev,
        rows=tuple(fits),
        theta=theta,
        table=_moved(table, rows, fits, theta, sure=False),
        sure=_moved(table, rows, fits, theta, sure=True),
    )


def _moved(
    table: RouteTable, rows: Sequence[Row], fits: Sequence[RowFit], theta: ThetaFit, *, sure: bool
) -> RouteTable:
    """With what moves, or with that of it alone which held-out orders confirm. ``fits`` are of ``rows``."""

    def goes(each: RowFit | SlicesFit | ThetaFit) -> bool:
        return each.better if sure else each.moves

    after: dict[Row, Row] = {}
    for row, found in zip(rows, fits, strict=True):
        twap = found.slices.onto(row.twap) if found.slices is not None and goes(found.slices) else row.twap
        after[row] = row.but(maker_wait_ms=found.proposed_ms if goes(found) else row.maker_wait_ms, twap=twap)
    terms = table.terms.but(theta=theta.proposed) if goes(theta) else table.terms
    return table.but(rev=table.rev + 1, rows=tuple(after.get(row, row) for row in table.rows), terms=terms)


def _row(
    trials: Sequence[Trial], most: Decimal, wait_ms: int, rates: Rates, gain: float, bounds: Bounds, seed: int
) -> RowFit:
    fills = sum(trial.filled for trial in trials)
    stays = RowFit(
        notional_usdt_max=most, trials=len(trials), fills=fills, wait_ms=wait_ms, best_ms=None, proposed_ms=wait_ms
    )
    if not trials and not wait_ms and gain > 0:
        first = min(bounds.first_ms, bounds.most_ms)
        told = f"nothing has rested, and a maker pays {gain:g} bps less: {first} ms to learn from"
        return stays.but(proposed_ms=first, reasons=(told,))
    if len(trials) < bounds.samples_min or fills < bounds.fills_min:
        told = f"{len(trials)} orders rested and {fills} filled; {bounds.samples_min} and {bounds.fills_min} are needed"
        return stays.but(reasons=(told,))
    learned, held_out = apart(trials, bounds.block_ms)
    waiting = Waiting(learned, rates)
    if not waiting.known:
        return stays.but(reasons=("what a fill loses is not known: neither a capture nor a mid of the taking",))
    best = best_wait(waiting, bounds)
    proposed, reasons = _stepped(waiting, best, wait_ms, bounds)
    whole = Waiting(trials, rates)
    found = stays.but(
        best_ms=best,
        proposed_ms=proposed,
        cost_bps=_told(whole.cost(min(wait_ms, whole.support_ms))),
        proposed_cost_bps=_told(whole.cost(proposed)) if proposed <= whole.support_ms else None,
        markout_bps=_told(whole.markout or 0.0),
        reasons=reasons,
    )
    if not found.moves:
        return found
    shadow = compared(
        held_out, rates, wait_ms, proposed, block_ms=bounds.block_ms, resamples=bounds.resamples, seed=seed
    )
    return found.but(shadow=shadow, reasons=(*reasons, shadow.why))


def best_wait(waiting: Waiting, bounds: Bounds) -> int:
    """Of the waits that were seen: the cheapest, of equals the shortest."""
    last = min(waiting.support_ms, bounds.most_ms)
    return min(range(0, last + 1, bounds.grain_ms), key=lambda wait: (waiting.cost(wait), wait))


def _stepped(waiting: Waiting, best: int, wait_ms: int, bounds: Bounds) -> tuple[int, tuple[str, ...]]:
    """Towards the best, by one step at most."""
    reasons = [f"cheapest of the waits seen (up to {waiting.support_ms} ms): {best} ms"]
    edge = min(waiting.support_ms, wait_ms)
    aim, share = best, bounds.step
    if best >= edge - 2 * bounds.grain_ms and best < bounds.most_ms and edge:
        aim, share = bounds.most_ms, bounds.beyond
        reasons.append("the end of what was seen still paid")
    reach = max(int(wait_ms * share), bounds.first_ms if wait_ms <= bounds.first_ms else bounds.grain_ms)
    step = max(-reach, min(reach, aim - wait_ms))
    proposed = min(max(round((wait_ms + step) / bounds.grain_ms) * bounds.grain_ms, 0), bounds.most_ms)
    if proposed not in (aim, wait_ms):
        reasons.append(f"one step: {wait_ms} ms becomes {proposed} ms")
    return proposed, tuple(reasons)


def _told(bps: float) -> float:
    return round(bps, 4)
