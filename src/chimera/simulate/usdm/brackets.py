"""Leverage brackets: the larger a position, the less leverage it may have and the more margin it must keep.

Maintenance margin of a notional is ``notional * rate - cum`` of its bracket; ``cum`` makes it continuous from one to
the next. Shapes: BTCUSDT and ETHUSDT as Binance has published them since 2025 (top bracket of leverage 150x), any other
symbol a table of the shape mid-size coins have; its first rate is the instrument's own. Pure.
"""

from bisect import bisect_left
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from chimera.trading.instrument import Instrument
from chimera.trading.money import ZERO

_Rows = tuple[tuple[int, int, str], ...]  # notional cap, greatest leverage, maintenance margin rate

_BTC: Final[_Rows] = (
    (300_000, 150, "0.004"),
    (800_000, 100, "0.005"),
    (3_000_000, 75, "0.0065"),
    (12_000_000, 50, "0.01"),
    (70_000_000, 25, "0.02"),
    (100_000_000, 20, "0.025"),
    (230_000_000, 10, "0.05"),
    (480_000_000, 5, "0.1"),
    (600_000_000, 4, "0.125"),
    (800_000_000, 3, "0.15"),
    (1_200_000_000, 2, "0.25"),
    (1_800_000_000, 1, "0.5"),
)
_ETH: Final[_Rows] = (
    (300_000, 150, "0.004"),
    (800_000, 100, "0.005"),
    (3_000_000, 75, "0.0065"),
    (12_000_000, 50, "0.01"),
    (50_000_000, 25, "0.02"),
    (65_000_000, 20, "0.025"),
    (150_000_000, 10, "0.05"),
    (320_000_000, 5, "0.1"),
    (400_000_000, 4, "0.125"),
    (530_000_000, 3, "0.15"),
    (800_000_000, 2, "0.25"),
    (1_200_000_000, 1, "0.5"),
)
_OTHER: Final[_Rows] = (
    (50_000, 75, "0.005"),
    (250_000, 50, "0.01"),
    (2_000_000, 25, "0.02"),
    (5_000_000, 20, "0.025"),
    (25_000_000, 10, "0.05"),
    (50_000_000, 5, "0.1"),
    (62_500_000, 4, "0.125"),
    (125_000_000, 2, "0.25"),
    (200_000_000, 1, "0.5"),
)
_KNOWN: Final = {"BTCUSDT": _BTC, "ETHUSDT": _ETH}


@dataclass(slots=True, frozen=True)
class Bracket:
    """One step. Notionals and ``cum`` in the margin asset; ``rate`` is a fraction of notional."""

    number: int
    leverage: int
    floor: Decimal
    cap: Decimal
    rate: Decimal
    cum: Decimal


class Brackets:
    """One symbol's brackets, smallest notional first."""

    __slots__ = ("_caps", "_most", "steps")

    def __init__(self, rows: _Rows, first_rate: Decimal) -> None:
        self.steps: list[Bracket] = []
        floor = cum = last = ZERO
        for number, (cap, leverage, rate) in enumerate(rows, 1):
            now = Decimal(rate) if self.steps else min(first_rate, Decimal(rows[1][2]))
            cum += floor * (now - last)
            self.steps.append(Bracket(number, leverage, floor, Decimal(cap), now, cum))
            floor, last = Decimal(cap), now
        self._most: dict[int, Decimal] = {}  # by leverage, as asked for
        self._caps = [step.cap for step in self.steps]

    def of(self, notional: Decimal) -> Bracket:
        """The bracket a position of ``notional`` (>= 0) is in; the last one for more than it allows."""
        return self.steps[min(bisect_left(self._caps, notional), len(self.steps) - 1)]

    def maintenance(self, notional: Decimal) -> Decimal:
        """Margin a position of ``notional`` (>= 0) must keep."""
        step = self.of(notional)
        return notional * step.rate - step.cum

    @property
    def most_leverage(self) -> int:
        return self.steps[0].leverage

    def cap(self, leverage: int) -> Decimal:
        """The greatest notional allowed at ``leverage``: ``maxNotionalValue``."""
        found = self._most.get(leverage)
        if found is None:
            found = max((step.cap for step in self.steps if step.leverage >= leverage), default=ZERO)
            self._most[leverage] = found
        return found


def brackets_of(instrument: Instrument) -> Brackets:
    """The symbol's table."""
    return Brackets(_KNOWN.get(instrument.symbol, _OTHER), instrument.maint_margin_rate)
