"""FC-4: the learned route table on markets of which the cheapest wait is known.

Each market is lived through day by day, from two beginnings: the fit sees what the wait in force let it see, most of
it cut short, and only what held-out waits confirm is put in force. What five-minute captures cannot show is in
``docs/routes-learning.md``: nothing here was learned from one.
"""

import sys
from decimal import Decimal
from importlib import import_module
from itertools import pairwise
from typing import Any, Final

from chimera.learn.fit import Bounds, fit
from chimera.learn.revisions import approve, begun, propose, roll_back
from chimera.trading.money import DAY_MS, Millis, Quote
from chimera.trading.routes import RouteTable, Row, Twap
from proofs.house import ROOT
from proofs.measured import Measured

sys.path.insert(0, str(ROOT / "tests"))

_REGIMES: Final[Any] = import_module("support.wait_regimes")  # the markets of the unit tests

BAR: Final = (
    "five markets with a known cheapest wait, two beginnings each: after 20 daily fits the wait in force costs at most "
    "0.05 bps more than the cheapest, no step was longer than its bound; a market that changed is followed to within "
    "0.05 bps in 20 days; 199 waits move nothing; of 20 samples in which no wait is better at most 2 move; a roll back "
    "is exact"
)
DAYS: Final = 20
A_DAY: Final = 600
KEPT_DAYS: Final = 5
REGRET_BPS: Final = 0.05
BEGIN_MS: Final = (300, 1_500)
SEED: Final = 11


def prove() -> Measured:
    lived = {
        f"{regime.name}, from {begin} ms": _lived([(regime, DAYS)], begin)
        for regime in _REGIMES.ALL
        for begin in BEGIN_MS
    }
    lived["late fills turn toxic after ten days"] = _lived([(_REGIMES.KEEN, 10), (_REGIMES.STALE, DAYS)], 1_500)
    floor = fit(_REGIMES.KEEN.day(SEED, 1_500, count=199), _table(1_500), _REGIMES.FUTURES, Bounds()).moves
    even = _REGIMES.Regime("no matter", lambda _: 0.5, lambda _: 3.01)
    moved = sum(
        fit(even.day(seed, 1_500, count=A_DAY), _table(1_500), _REGIMES.FUTURES, Bounds(), seed=seed).sure_moves
        for seed in range(20)
    )
    measured = {"markets": lived, "moved_below_floor": floor, "moved_for_nothing": moved, "back_is_exact": _back()}
    good = all(each["regret_bps"] <= REGRET_BPS and each["steps_in_bounds"] for each in lived.values())
    return Measured(measured, BAR, passed=good and not floor and moved <= 2 and _back(), seed=SEED)


def _lived(story: list[tuple[Any, int]], begin_ms: int) -> dict[str, Any]:
    table, path, past, number = _table(begin_ms), [begin_ms], [], 0
    for regime, days in story:
        bounds = Bounds(urgency_bps_per_s=regime.urgency_bps_per_s)
        for _ in range(days):
            number += 1
            past.append(regime.day(SEED * 1_000 + number, path[-1], A_DAY, from_ms=number * DAY_MS))
            past = past[-KEPT_DAYS:]
            table = fit([each for day in past for each in day], table, regime.fees, bounds, seed=number).sure
            path.append(table.rows[0].maker_wait_ms)
    regime, bounds = story[-1][0], Bounds()
    costs = regime.costs(bounds.most_ms)
    within = (
        abs(now - before) <= max(before * bounds.step, bounds.first_ms) + bounds.grain_ms
        for before, now in pairwise(path)
    )
    return {
        "waits_ms": path,
        "cheapest_ms": regime.best_ms(bounds.most_ms),
        "regret_bps": round(costs[path[-1] // 10] - min(costs), 4),
        "regret_at_begin_bps": round(costs[begin_ms // 10] - min(costs), 4),
        "steps_in_bounds": all(within),
    }


def _table(wait_ms: int) -> RouteTable:
    row = Row(notional_usdt_max=Quote(Decimal(200)), maker_wait_ms=wait_ms, twap=Twap(slices=1, gap_ms=0))
    return RouteTable(rev=1, rows=(row,))


def _back() -> bool:
    log = begun(_table(1_500), Millis(0))
    after = approve(propose(log, _table(2_000), (), Millis(1)), "proof", Millis(2))
    back = roll_back(after, 1, "proof", Millis(3))
    return back.in_force.rows == log.in_force.rows and (after.in_force.rev, back.in_force.rev) == (2, 3)
