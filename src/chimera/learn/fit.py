"""The daily proposal: for each row of the route table the wait that would have cost least, by a bounded step.

A row moves only where enough orders rested and filled, only by ``Bounds.step`` of its wait, and only within the
longest wait that was seen, or by a smaller step beyond it where the end of it still paid. The proposal is compared on
orders that it was not fitted on (``shadow``). Slices, theta and chases are not fitted: rows do not tell what another
cut would have cost.
"""

from collections.abc import Sequence
from decimal import Decimal

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

    @property
    def moves(self) -> bool:
        return self.proposed_ms != self.wait_ms

    @property
    def better(self) -> bool:
        """Whether orders that it was not fitted on say so, too: what may go ahead by itself."""
        return self.moves and self.shadow is not None and self.shadow.better


class Proposal(Value, tag=False):
    """``table`` has the next revision, and every row as proposed; ``sure`` moves the rows alone that are ``better``."""

    of_rev: int
    rows: tuple[RowFit, ...]
    table: RouteTable
    sure: RouteTable

    @property
    def moves(self) -> bool:
        return any(row.moves for row in self.rows)

    @property
    def sure_moves(self) -> bool:
        return any(row.better for row in self.rows)


def fit(
    trials: Sequence[Trial],
    table: RouteTable,
    fees: FeeRates,
    bounds: Bounds,
    *,
    market: Market = Market.FUT,
    seed: int = 0,
) -> Proposal:
    """The same trials, table and seed give the same proposal. Rows of the other market alone stay as they are."""
    rates = Rates(maker=float(fees.maker * BPS), taker=float(fees.taker * BPS), urgency_per_s=bounds.urgency_bps_per_s)
    rows = table.of(market)
    groups = by_row(trials, [row.notional_usdt_max for row in rows])
    fits = tuple(
        _row(
            groups.get(number, ()), row.notional_usdt_max, row.maker_wait_ms, rates, float(gain_bps(fees)), bounds, seed
        )
        for number, row in enumerate(rows)
    )
    waits = [found.proposed_ms for found in fits]
    sure = [found.proposed_ms if found.better else found.wait_ms for found in fits]
    return Proposal(of_rev=table.rev, rows=fits, table=_waiting(table, rows, waits), sure=_waiting(table, rows, sure))


def _waiting(table: RouteTable, fitted: Sequence[Row], waits: Sequence[int]) -> RouteTable:
    """The waits are of ``fitted``, rows of the table."""
    after = {row: row.but(maker_wait_ms=wait) for row, wait in zip(fitted, waits, strict=True)}
    return table.but(rev=table.rev + 1, rows=tuple(after.get(row, row) for row in table.rows))


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
