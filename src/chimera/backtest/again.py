"""One order that was traded, traded again: as much, at its own moment of a recorded market, in several ways.

It is the order's intent that is worked again, by S4's plan and reducer, and not its past: the plan it had is not kept
as numbers, and nobody knows what the market would have done without it. Costs are basis points of the notional at
``mid``, above 0 a cost, rounded to 1e-4; what is not known is None.
"""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from chimera.backtest.desk import Desk
from chimera.backtest.replay import Pass
from chimera.backtest.trials import CUT_SHORT, Arrival, Outcome, Way
from chimera.trading.instrument import Instrument
from chimera.trading.market import MarketEvent, Side, Touch
from chimera.trading.money import BPS, ZERO, Price, Qty, Quote
from chimera.trading.value import Value
from chimera.trading.venue import FeeRates

HOLE_US: Final = 10_000_000  # a symbol silent for so long is not recorded
_KEPT: Final = Decimal("1e-4")


class Asked(Value, tag=False):
    """What an order was to do. ``at_us``: when S4 accepted it, by S4's clock."""

    intent_id: str
    side: Side
    qty: Qty
    at_us: int
    reduces: bool = False


class Cost(Value, tag=False):
    """``price_bps``: its fills against the mid, None where there is none; ``fees_bps`` None: paid in an asset nobody
    priced."""

    price_bps: Decimal | None
    fees_bps: Decimal | None
    cost_bps: Decimal | None


class Step(Value, tag=False):
    """``after_ms``: since the order was accepted."""

    after_ms: int
    what: str


class Trial(Value, tag=False):
    """What one way came to. ``left``: what it gave up, in its cost as taken at its end."""

    way: str
    queue: str
    latency_ms: int
    cost: Cost
    maker_share: Decimal
    took_ms: int
    orders: int
    left: Qty
    reason: str  # why it ended; CUT_SHORT: the recording did before it
    why: tuple[str, ...]  # its plan's words
    steps: tuple[Step, ...]


class Again(Value, tag=False):
    """``touch``: as it was recorded when the order came; None: the recording does not cover that moment."""

    touch: Touch | None
    trials: tuple[Trial, ...]

    @property
    def complete(self) -> bool:
        """Whether the recording lasted until every way was over."""
        return self.touch is not None and all(trial.reason != CUT_SHORT for trial in self.trials)


def again(
    asked: Asked, ways: Sequence[Way], instrument: Instrument, fees: FeeRates, events: Iterable[MarketEvent]
) -> Again:
    """In the order of ``ways``. ``events`` are read no further than needed."""
    passing = Pass(instrument.symbol)
    tried: list[_Tried] = []
    came: list[Touch | None] = []

    def arrive() -> None:
        covered = passing.gap_us <= HOLE_US
        came.append(touch := passing.floor.touch if covered else None)
        if touch is None:
            return
        arrival = Arrival(
            number=0, at_us=asked.at_us, side=asked.side, qty=asked.qty, touch=touch,
            hour=passing.hour(asked.at_us), reduces=asked.reduces, intent_id=asked.intent_id,
        )  # fmt: skip
        tried.extend(_Tried(way, arrival, instrument, fees, passing) for way in ways)

    passing.at(asked.at_us, arrive)
    passing.over(events, lambda: bool(came) and all(each.outcomes for each in tried))
    return Again(touch=came[0] if came else None, trials=tuple(each.trial(fees) for each in tried))


class _Tried:
    """One way at its desk, and what became of it."""

    def __init__(self, way: Way, arrival: Arrival, instrument: Instrument, fees: FeeRates, passing: Pass) -> None:
        self.outcomes: list[Outcome] = []
        self._way, self._began_us = way, arrival.at_us
        self._steps: list[Step] = []
        self._desk = Desk(arrival, way, instrument, fees, passing.floor, passing.at, self.outcomes.append, self._note)
        self._desk.begin()

    def trial(self, fees: FeeRates) -> Trial:
        """Once the tape is over."""
        self._desk.cut_short()
        (outcome,) = self.outcomes
        arrival, hits = outcome.arrival, outcome.hits
        paid = sum((hit.price * hit.qty * (fees.maker if hit.maker else fees.taker) for hit in hits), ZERO)
        return Trial(
            way=self._way.name,
            queue=self._way.queue.value,
            latency_ms=self._way.latency_ms,
            cost=cost(arrival.side, ((hit.price, hit.qty) for hit in hits), paid, arrival.touch.mid),
            maker_share=share(sum((hit.qty for hit in hits if hit.maker), ZERO), arrival.qty),
            took_ms=round(outcome.took_ms),
            orders=outcome.children,
            left=outcome.left,
            reason=outcome.reason,
            why=self._desk.why,
            steps=tuple(self._steps),
        )

    def _note(self, at_us: int, what: str) -> None:
        self._steps.append(Step(after_ms=(at_us - self._began_us) // 1_000, what=what))


def cost(side: Side, hits: Iterable[tuple[Price, Qty]], fees: Decimal | None, mid: Price) -> Cost:
    """Of fills at their prices, with ``fees`` in quote asset. Nothing fills where the book has an empty side."""
    held = tuple(hits)
    if not held:
        return Cost(price_bps=None, fees_bps=None, cost_bps=None)
    basis = sum((qty for _, qty in held), ZERO) * mid
    price_bps = _bps(sum(((price - mid) * side.sign * qty for price, qty in held), ZERO), basis)
    fees_bps = None if fees is None else _bps(fees, basis)
    return Cost(price_bps=price_bps, fees_bps=fees_bps, cost_bps=None if fees_bps is None else price_bps + fees_bps)


def at_once(side: Side, qty: Qty, levels: Iterable[tuple[Price, Qty]], rate: Decimal, mid: Price) -> Cost | None:
    """Of taking all of it from these levels, best first; None where they do not hold so much."""
    left, taken = qty, []
    for price, there in levels:
        part = Qty(min(left, there))
        taken.append((price, part))
        left = Qty(left - part)
        if not left:
            return cost(side, taken, Quote(sum((at * much for at, much in taken), ZERO) * rate), mid)
    return None


def share(part: Decimal, whole: Decimal) -> Decimal:
    """From 0 to 1."""
    return (part / whole).quantize(_KEPT, ROUND_HALF_EVEN)


def _bps(amount: Decimal, basis: Decimal) -> Decimal:
    return (amount / basis * BPS).quantize(_KEPT, ROUND_HALF_EVEN)
