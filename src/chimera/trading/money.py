"""Exact amounts: distinct types for what must not be mixed, and text without exponents.

Every amount is a ``Decimal``. JSON numbers become decimals while parsing, never through ``float``; ``text`` writes
them back. ``float`` is for scores and statistics and never becomes an order.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import NewType

Price = NewType("Price", Decimal)  # quote asset per unit of base asset, > 0
Qty = NewType("Qty", Decimal)  # base asset, >= 0; a signed position says so by its name
Quote = NewType("Quote", Decimal)  # an amount of quote asset (USDT), signed
Millis = NewType("Millis", int)  # UTC milliseconds since the epoch, or a span of them

ZERO = Decimal(0)
ONE = Decimal(1)
TWO = Decimal(2)
BPS = Decimal(10_000)
TOLD_PLACES = 8
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def sound(number: Decimal) -> bool:
    """Whether it can be reckoned with: finite, and of a size that something has (10^-40 to 10^20, or 0).

    What comes from elsewhere as ``NaN``, ``Infinity`` or ``1E+999999999`` is not: comparing the first raises, and the
    last has a gigabyte of digits.
    """
    return number.is_finite() and (-40 <= number.adjusted() < 20 or not number)


def text(amount: Decimal) -> str:
    """Plain digits, no exponent, no trailing zeros: ``0E-8`` is ``"0"``."""
    if not amount:
        return "0"
    written = str(amount)  # plain digits in most cases, in a third of the time
    if "E" in written:
        written = format(amount, "f")
    return written.rstrip("0").rstrip(".") if "." in written else written


def told(amount: Decimal) -> str:
    """For a reader: as ``text``, rounded to eight places, or to four digits where that is nothing (0.00000000123).

    A quotient has 34 digits; a venue prices in eight places at most.
    """
    places = max(TOLD_PLACES, 3 - amount.adjusted())
    exponent = amount.as_tuple().exponent
    return text(round(amount, places) if isinstance(exponent, int) and -exponent > places else amount)


def split(total: Decimal, weights: Sequence[Decimal], step: Decimal) -> tuple[Qty, ...]:
    """Cut ``total`` by weight into whole steps that sum to exactly ``total``.

    Rounds the running total down, not each slice, so nothing is left over and no slice strays a step from its share.
    ``total`` is a multiple of ``step`` (base asset). Fractions, because in decimals 240 thirds of 3 is 239.9...
    """
    lots = int(total / step)
    running = list(accumulate((Fraction(weight) for weight in weights), initial=Fraction(0)))
    cuts = [lots * weight // running[-1] for weight in running]
    return tuple(Qty((after - before) * step) for before, after in pairwise(cuts))
