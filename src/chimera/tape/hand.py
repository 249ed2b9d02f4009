"""A hand on a synthetic market while it runs: a push of the price, wilder or calmer, a wider spread.

The one thing beside its seed that a market depends on; a hand that never moves changes nothing.
"""

from decimal import Decimal
from typing import Final

PUSH_MOST_BPS: Final = 1_000
VOLATILITY_MOST: Final = 2_000
SPREAD_MOST: Final = 100


class Hand:
    """``volatility_pct``: of the profile's; ``spread_times``: how much wider its spread is."""

    def __init__(self) -> None:
        self.volatility_pct = 100
        self.spread_times = 1
        self._push_bps = Decimal(0)

    def push(self, bps: Decimal) -> None:
        """The fair price moves by so much with the market's next step; several add up."""
        self._push_bps += bps

    def pushed(self, parts: int) -> int:
        """By how much to move from ``parts``, once."""
        if not self._push_bps:
            return 0
        moved, self._push_bps = int(parts * self._push_bps / 10_000), Decimal(0)
        return moved
