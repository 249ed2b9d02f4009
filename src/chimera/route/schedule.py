"""A schedule in time: how many slices, how large, how far apart, with jitter that anybody can draw again.

    n = ceil(N / s), t_i = i (gap + jitter), q_i = Q / n or Q sqrt(i) / sum of sqrt(k)

Invariants: quantities are whole steps and sum to exactly the quantity; each is an order the venue takes; the first
slice is due at once and no slice before the one ahead of it. Draws are functions of the intent's id, not of a
generator's state, so a plan made again is the same plan.
"""

import hashlib
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from chimera.trading.execution import Slice
from chimera.trading.instrument import Instrument
from chimera.trading.money import Price, Qty, Quote, split
from chimera.trading.routes import Shape
from chimera.trading.value import Value

JITTER_MAX = Decimal("0.5")  # of a gap: two neighbours cannot change places
_DRAW_BITS = 64


class Spread(Value):
    """What a schedule is made from. Jitters are shares: of the gap, at most a half; of a slice's weight, below 1."""

    slices: int
    gap_ms: int
    shape: Shape = Shape.EQUAL
    time_jitter: Decimal = Decimal(0)
    size_jitter: Decimal = Decimal(0)


def slices_for(notional: Quote, slice_usdt: Quote) -> int:
    """``ceil(N / s)``, at least one."""
    return max(1, int((notional / slice_usdt).to_integral_value(ROUND_CEILING)))


def schedule(
    total: Qty, spread: Spread, instrument: Instrument, price: Price, *, seed: str, reduces: bool
) -> tuple[Slice, ...]:
    """At most ``spread.slices`` of them; fewer where some would be less than the venue takes.

    ``total`` is a multiple of the step. ``reduces``: a reduce-only order has no minimum of notional (Binance futures).
    """
    count = min(spread.slices, _most(total, instrument, price, reduces=reduces))
    while count > 1:
        parts = split(total, weights(spread, count, seed), instrument.step)
        if _takes(min(parts), instrument, price, reduces=reduces):
            break
        count = count - 1 if count <= 16 else count * 9 // 10  # by tenths, so that thousands take few attempts
    if count <= 1:
        return (Slice(qty=total, after_ms=0),)
    return tuple(
        Slice(qty=part, after_ms=after_ms) for part, after_ms in zip(parts, moments(spread, count, seed), strict=True)
    )


def weights(spread: Spread, count: int, seed: str) -> Sequence[Decimal]:
    """Above 0, in the order of the slices."""
    plain = [Decimal(number).sqrt() if spread.shape is Shape.SQRT else Decimal(1) for number in range(1, count + 1)]
    return [weight * (1 + spread.size_jitter * draw(seed, "size", number)) for number, weight in enumerate(plain)]


def moments(spread: Spread, count: int, seed: str) -> Sequence[int]:
    """Milliseconds after acceptance, never falling; the first is 0."""
    share = min(spread.time_jitter, JITTER_MAX)
    return [0] + [int(spread.gap_ms * (number + share * draw(seed, "time", number))) for number in range(1, count)]


def draw(seed: str, what: str, number: int) -> Decimal:
    """Uniform from -1 to 1, a function of its name."""
    digest = hashlib.sha256(f"{seed}:{what}:{number}".encode()).digest()
    whole = int.from_bytes(digest[: _DRAW_BITS // 8])
    return Decimal(whole) / Decimal(2 ** (_DRAW_BITS - 1)) - 1


def _most(total: Qty, instrument: Instrument, price: Price, *, reduces: bool) -> int:
    """No more slices than equal ones of the least legal size."""
    least = least_qty(instrument, price, reduces=reduces)
    return max(1, int(total / least)) if least else int(total / instrument.step)


def _takes(part: Qty, instrument: Instrument, price: Price, *, reduces: bool) -> bool:
    return part > 0 and part >= least_qty(instrument, price, reduces=reduces)


def least_qty(instrument: Instrument, price: Decimal, *, reduces: bool) -> Qty:
    """The smallest order the venue takes at this price: minimum of quantity and, where it may add, of notional."""
    least = max(instrument.min_qty, instrument.step)
    return Qty(least if reduces else max(least, instrument.ceil_to_step(instrument.min_notional / price)))
