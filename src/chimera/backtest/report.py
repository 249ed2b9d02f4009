"""A replay's outcomes as one document: what each way cost against the market order of the same intent.

``saving_share`` is (market - ours) / market and ``of_possible`` (market - ours) / (market - all maker), both of sums
over the same intents, in bps of each intent's notional at its arrival's mid. Above 0 is cheaper than the market order.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from chimera.backtest.bootstrap import Blocks, Estimate
from chimera.backtest.trials import Outcome, Way, all_maker_bps
from chimera.backtest.ways import MARKET
from chimera.trading.value import Value
from chimera.trading.venue import FeeRates


class Measured(Value, tag=False):
    """One way under one set of assumptions. Costs in bps; times in ms."""

    way: str
    queue: str
    latency_ms: int
    intents: int
    cost_bps: Estimate
    saving_bps: Estimate  # paired
    saving_share: Estimate
    of_possible: float | None  # None: a maker's fill would save nothing
    maker_share: float  # of the quantity, mean over intents
    took_ms: float
    took_p95_ms: float
    orders: float  # children a intent
    gave_up: int  # intents of which something was left, and priced as taken at the end
    ends: dict[str, int]


def measured(outcomes: Sequence[Outcome], ways: Sequence[Way], fees: FeeRates, blocks: Blocks) -> tuple[Measured, ...]:
    """In the order of ``ways``; each is held against the market order under its own assumptions.

    ``blocks`` are over the arrivals' times (``Replay.times``).
    """
    by_label: dict[str, list[Outcome]] = {way.label: [] for way in ways}
    for outcome in outcomes:
        by_label[outcome.way].append(outcome)
    for done in by_label.values():
        done.sort(key=lambda outcome: (outcome.arrival.number, outcome.arrival.side))
    first = next(iter(by_label.values()))
    if not first:
        return ()
    possible = [all_maker_bps(outcome.arrival, fees) for outcome in first]
    markets = {
        (way.queue, way.latency_ms): [outcome.cost_bps(fees) for outcome in by_label[way.label]]
        for way in ways
        if way.name == MARKET
    }
    return tuple(
        _one(way, by_label[way.label], markets[way.queue, way.latency_ms], possible, blocks, fees) for way in ways
    )


def _one(
    way: Way,
    done: Sequence[Outcome],
    market: Sequence[float],
    possible: Sequence[float],
    blocks: Blocks,
    fees: FeeRates,
) -> Measured:
    costs = [outcome.cost_bps(fees) for outcome in done]
    saved = [base - cost for base, cost in zip(market, costs, strict=True)]
    room = sum(market) - sum(possible)
    took = sorted(outcome.took_ms for outcome in done)
    return Measured(
        way=way.name,
        queue=way.queue.value,
        latency_ms=way.latency_ms,
        intents=len(done),
        cost_bps=blocks.of_mean(costs),
        saving_bps=blocks.of_mean(saved),
        saving_share=blocks.of_ratio(saved, market),
        of_possible=round(sum(saved) / room, 4) if room > 0 else None,
        maker_share=round(sum(outcome.maker_share for outcome in done) / len(done), 4),
        took_ms=round(sum(took) / len(took), 1),
        took_p95_ms=round(took[int(0.95 * (len(took) - 1))], 1),
        orders=round(sum(outcome.children for outcome in done) / len(done), 3),
        gave_up=sum(outcome.left > 0 for outcome in done),
        ends=dict(sorted(Counter(outcome.reason for outcome in done).items())),
    )


def document(rows: Sequence[Measured], about: dict[str, Any]) -> dict[str, Any]:
    """``about`` first: seed, span, fees, and what the numbers are of."""
    return {"schema_version": 1, **about, "ways": list(rows)}
