"""Chance by key: each draw is a hash of the seed, who asks, about what, and how often it asked that before.

Invariant: a draw depends on nothing else, so a fault added, removed or cleared leaves every other fault's luck as it
was. Distributions of waiting time are in whole milliseconds and never below zero.
"""

import math
from decimal import Decimal
from enum import StrEnum
from hashlib import blake2b
from typing import Final

from chimera.trading.money import Millis

_SPAN: Final = 1 << 53  # as many values as a float holds exactly between 0 and 1
_SMALLEST: Final = 1 / _SPAN


class Spread(StrEnum):
    """How a waiting time is distributed."""

    FIXED = "fixed"
    UNIFORM = "uniform"
    EXPONENTIAL = "exponential"
    LOGNORMAL = "lognormal"


def draw(seed: int, *key: object) -> float:
    """Uniform in [0, 1): the same for the same seed and key."""
    named = "|".join(str(part) for part in (seed, *key))
    return (int.from_bytes(blake2b(named.encode(), digest_size=8).digest(), "big") >> 11) / _SPAN


def happens(share: Decimal, drawn: float) -> bool:
    """Whether a thing of probability ``share`` happens at this draw."""
    return int(drawn * _SPAN) < share * _SPAN


def wait_ms(spread: Spread, ms: int, least_ms: int, most_ms: int, sigma: Decimal, one: float, two: float) -> Millis:
    """A waiting time from two draws, inside ``least_ms``..``most_ms``.

    ``ms`` is the time itself, of ``uniform`` nothing (the bounds say it), of ``exponential`` the mean, of ``lognormal``
    the median; ``sigma`` is the lognormal's shape.
    """
    match spread:
        case Spread.FIXED:
            return Millis(ms)
        case Spread.UNIFORM:
            return Millis(least_ms + int(one * (most_ms - least_ms + 1)))
        case Spread.EXPONENTIAL:
            wait = -math.log(max(one, _SMALLEST)) * ms
        case Spread.LOGNORMAL:
            normal = math.sqrt(-2 * math.log(max(one, _SMALLEST))) * math.cos(2 * math.pi * two)
            wait = ms * math.exp(float(sigma) * normal)
    return Millis(min(max(round(wait), least_ms), most_ms))
