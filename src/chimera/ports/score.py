"""L2's score of one opportunity, from wherever it comes."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from chimera.trading.decision import Score
from chimera.trading.ids import Symbol


class Scorer(Protocol):
    async def score(self, symbol: Symbol, features: Mapping[str, Decimal], *, timeout_ms: int) -> Score:
        """Raises ``NotSent`` when there is no answer in time, or none to use."""
        ...
