"""Measure captures: the numbers behind the synthetic market's constants.

    .venv/bin/python tests/bench/measure_captures.py FILE…

Prints per file: spread, top sizes, touch changes, trades, volatility and depth behind the touch, as quantiles.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from statistics import fmean

from chimera.adapters.binance.capture_file import lines
from chimera.tape.capture import Capture
from chimera.tape.depth import Depth
from chimera.trading.market import DepthChanged, MarketEvent, Side, TopOfBook, Traded

QUANTILES = 16
BEHIND = 10


class Measures:
    """What one pass over a market gathers."""

    def __init__(self, tick: Decimal) -> None:
        self.tick = tick
        self.depth = Depth()
        self.spread_ticks: list[float] = []
        self.top_sizes: list[float] = []
        self.behind: list[list[float]] = [[] for _ in range(BEHIND)]
        self.gaps_ticks: list[float] = []
        self.trade_sizes: list[float] = []
        self.run_sizes: list[float] = []  # consecutive trades of one taker side, summed
        self.last_taker: Side | None = None
        self.mids: dict[int, float] = {}
        self.touches = 0
        self.moves = 0
        self.last: TopOfBook | None = None
        self.first_us = 0
        self.last_us = 0
        self.next_sample_us = 0

    def take(self, event: MarketEvent) -> None:
        self.first_us = self.first_us or event.at_us
        self.last_us = event.at_us
        match event:
            case TopOfBook():
                self.depth.apply(event)
                self.touches += 1
                self.moves += self.last is None or (event.bid, event.ask) != (self.last.bid, self.last.ask)
                self.last = event
            case DepthChanged():
                self.depth.apply(event)
            case Traded():
                self.trade_sizes.append(float(event.qty))
                if event.taker is self.last_taker:
                    self.run_sizes[-1] += float(event.qty)
                else:
                    self.run_sizes.append(float(event.qty))
                self.last_taker = event.taker
            case _:
                pass
        if self.last is not None and event.at_us >= self.next_sample_us:
            self.sample(event.at_us)

    def sample(self, at_us: int) -> None:
        """Ten times a second, so that what lasts weighs more than what flickers."""
        self.next_sample_us = at_us + 100_000
        last = self.last
        assert last is not None
        self.spread_ticks.append(float((last.ask - last.bid) / self.tick))
        self.top_sizes += [float(last.bid_qty), float(last.ask_qty)]
        self.mids[at_us // 1_000_000] = float((last.bid + last.ask) / 2)
        for ladder in (self.depth.bids, self.depth.asks):
            levels = ladder.top(BEHIND + 1)
            for place, (near, far) in enumerate(pairwise(levels)):
                self.behind[place].append(float(far.qty))
                self.gaps_ticks.append(float(abs(near.price - far.price) / self.tick))

    def print(self, name: str) -> None:
        seconds = (self.last_us - self.first_us) / 1e6
        mids = [self.mids[second] for second in sorted(self.mids)]
        print(f"\n{name}: {seconds:.0f} s, mid {mids[0]:.2f} to {mids[-1]:.2f}, range {min(mids):.2f}..{max(mids):.2f}")
        for bar_s in (1, 5, 30):
            returns = [math.log(b / a) * 1e4 for a, b in zip(mids[::bar_s], mids[bar_s::bar_s], strict=False)]
            print(f"  volatility over {bar_s:2} s: {math.sqrt(fmean(r * r for r in returns) / bar_s):.3f} bps per √s")
        print(f"  touch updates {self.touches / seconds:.1f}/s, price moves {self.moves / seconds:.1f}/s")
        print(
            f"  trades {len(self.trade_sizes) / seconds:.1f}/s, runs of one side {len(self.run_sizes) / seconds:.2f}/s"
        )
        print("  spread ticks      ", quantiles(self.spread_ticks))
        print("  top size          ", quantiles(self.top_sizes))
        print("  trade size        ", quantiles(self.trade_sizes))
        print("  run size          ", quantiles(self.run_sizes))
        print("  gap between levels", quantiles(self.gaps_ticks))
        print("  mean size behind the touch, nearest first", [round(fmean(sizes), 3) for sizes in self.behind])
        print("  size behind the touch", quantiles([size for sizes in self.behind for size in sizes]))


def quantiles(sample: Sequence[float]) -> list[float]:
    """Middles of ``QUANTILES`` equal shares, the last the mean of its share: keeps a fat tail's weight."""
    ordered = sorted(sample)
    share = len(ordered) / QUANTILES
    middles = [ordered[int((place + 0.5) * share)] for place in range(QUANTILES - 1)]
    return [round(middle, 5) for middle in [*middles, fmean(ordered[int((QUANTILES - 1) * share) :])]]


def measure(events: Iterable[MarketEvent], tick: Decimal, name: str) -> None:
    measures = Measures(tick)
    for event in events:
        measures.take(event)
    measures.print(name)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path = Path(argument)
        measure(Capture().events(lines(path)), Decimal("0.01" if "spot" in path.name else "0.1"), path.name)
