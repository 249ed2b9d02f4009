"""L2: what the default score is, and the one that stands in when a model is late or fails."""

from decimal import Decimal
from typing import Final

from chimera.trading.decision import Score
from chimera.trading.money import ONE, ZERO, sound, text

DEFAULT_P: Final = Decimal("0.65")
DEFAULT_SIZE_MULT: Final = Decimal(1)


def fallback(reason: str) -> Score:
    """The constant, saying that it is not the model's word."""
    return Score(p=DEFAULT_P, size_mult_ml=DEFAULT_SIZE_MULT, source="constant", fallback=reason)


def checked(score: Score, most: Decimal) -> Score:
    """The score, or the fallback where its numbers are none to trade by. ``most``: of its size multiplier."""
    p, size_mult = score.p, score.size_mult_ml
    if not (sound(p) and ZERO <= p <= ONE):
        return fallback(f"p {p} is not between 0 and 1")
    if not (sound(size_mult) and ZERO <= size_mult <= most):
        return fallback(f"size_mult_ml {size_mult} is not between 0 and {text(most)}")
    return score
