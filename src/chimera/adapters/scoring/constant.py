"""A score that is always the same: the default, or one set by configuration."""

from collections.abc import Mapping
from decimal import Decimal

from chimera.trading.decision import Score
from chimera.trading.ids import Symbol


class ConstantScorer:
    """``chimera.ports.score.Scorer``."""

    def __init__(self, p: Decimal = Decimal("0.65"), size_mult_ml: Decimal = Decimal(1)) -> None:
        self._score = Score(p=p, size_mult_ml=size_mult_ml, source="constant")

    async def score(self, symbol: Symbol, features: Mapping[str, Decimal], *, timeout_ms: int) -> Score:
        return self._score
