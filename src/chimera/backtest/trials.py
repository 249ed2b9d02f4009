"""What is replayed: intents drawn from a seed, ways to trade them, and what came of each.

Every arrival has a BUY and a SELL of one size, and every way trades the same arrivals: differences between ways are of
the same intents at the same moments, and a market that only rises or only falls favours neither.
"""

import random
from decimal import Decimal
from typing import Final

from chimera.backtest.floor import Hit, Queue
from chimera.route.plan import RoutePolicy
from chimera.trading.instrument import Instrument
from chimera.trading.intent import ExecPolicy
from chimera.trading.liquidity import Hour
from chimera.trading.market import Side, Touch
from chimera.trading.money import BPS, ZERO, Price, Qty, Quote
from chimera.trading.routes import RouteTable
from chimera.trading.value import Value
from chimera.trading.venue import FeeRates

LATENCY_MS: Final = 10
LEAST_USDT: Final = 50
MOST_USDT: Final = 5_000
CUT_SHORT: Final = "END_OF_TAPE"  # why an intent ended that its tape did not outlast


class Draw(Value, tag=False):
    """An arrival: when, and how much in quote asset."""

    number: int
    at_us: int
    notional: Quote


class Way(Value, tag=False):
    """One way to trade, under its name. ``table`` and ``caps`` are what S4 would have."""

    name: str
    policy: ExecPolicy
    table: RouteTable
    caps: RoutePolicy = RoutePolicy()
    latency_ms: int = LATENCY_MS  # to the venue, and as much back from it
    queue: Queue = Queue.TRADES

    @property
    def label(self) -> str:
        """Of this way under these assumptions."""
        return f"{self.name} {self.queue} {self.latency_ms}"


class Arrival(Value, tag=False):
    """What the market showed when an intent came, and what it asks for."""

    number: int
    at_us: int
    side: Side
    qty: Qty
    touch: Touch
    hour: Hour | None = None
    reduces: bool = False
    intent_id: str = ""  # of one that was traded, for its jitter is drawn from it; empty: by its number

    @property
    def notional(self) -> Decimal:
        return self.qty * self.touch.mid


class Outcome(Value, tag=False):
    """How one intent was traded. ``left``: what it gave up, priced as taken at its end."""

    arrival: Arrival
    way: str
    hits: tuple[Hit, ...]
    left: Qty
    done_us: int
    children: int
    reason: str

    def cost_bps(self, fees: FeeRates) -> float:
        """Of the notional at the arrival's mid: every fill against that mid, and its fee."""
        mid, sign, total = self.arrival.touch.mid, self.arrival.side.sign, ZERO
        for hit in self.hits:
            rate = fees.maker if hit.maker else fees.taker
            total += hit.qty * ((hit.price - mid) * sign + hit.price * rate)
        return float(total / (self.arrival.qty * mid) * BPS)

    @property
    def maker_share(self) -> float:
        """Of the quantity, from 0 to 1."""
        return float(sum((hit.qty for hit in self.hits if hit.maker), ZERO) / self.arrival.qty)

    @property
    def took_ms(self) -> float:
        return (self.done_us - self.arrival.at_us) / 1_000


def all_maker_bps(arrival: Arrival, fees: FeeRates) -> float:
    """The possible: all of it at the passive touch of the arrival, at once, at the maker's fee. Nobody gets that."""
    price, mid = arrival.touch.passive(arrival.side), arrival.touch.mid
    return float(((price - mid) * arrival.side.sign + price * fees.maker) / mid * BPS)


def draws(seed: int, count: int, from_us: int, until_us: int) -> tuple[Draw, ...]:
    """``count`` arrivals in time order, uniform in time, sizes uniform in their logarithm."""
    if until_us <= from_us or count < 1:
        raise ValueError(f"no room for {count} arrivals from {from_us} to {until_us} us")
    chance = random.Random(seed)  # noqa: S311  # seeded, to be drawn again
    span, ratio = until_us - from_us, MOST_USDT / LEAST_USDT
    drawn = [(from_us + int(span * chance.random()), LEAST_USDT * ratio ** chance.random()) for _ in range(count)]
    return tuple(
        Draw(number=number, at_us=at_us, notional=Quote(Decimal(round(size))))
        for number, (at_us, size) in enumerate(sorted(drawn))
    )


def qty_of(notional: Quote, price: Price, instrument: Instrument) -> Qty:
    """Whole steps, at least what the venue takes."""
    least = max(instrument.min_qty, instrument.ceil_to_step(instrument.min_notional / price * Decimal("1.01")))
    return max(instrument.round_to_step(notional / price), Qty(least))
