"""Words of the command line that stand for something; a wrong one is refused with what is accepted."""

from decimal import Decimal, InvalidOperation
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.market import Side

_SIDES: Final[dict[str, tuple[Side | None, ...]]] = {
    "BUY": (Side.BUY,),
    "SELL": (Side.SELL,),
    "BOTH": (Side.BUY, Side.SELL),
    "RULES": (None,),
}


def speed_named(word: str) -> float | None:
    """None is as fast as it goes."""
    if word.lower() == "max":
        return None
    try:
        factor = Decimal(word)
    except InvalidOperation:
        factor = Decimal(0)
    if not factor.is_finite() or not 0 < factor <= 1_000_000:
        raise Refused("SPEED", "no such speed", field="--speed", value=word, accepted="a factor above 0, or max")
    return float(factor)


def sides_named(word: str) -> tuple[Side | None, ...]:
    """What is wished for, in turn."""
    if word.upper() not in _SIDES:
        raise Refused("SIDE", "no such side", field="--side", value=word, accepted="BUY, SELL, both, rules")
    return _SIDES[word.upper()]


def side_named(word: str) -> Side:
    """BUY or SELL."""
    try:
        return Side(word.upper())
    except ValueError:
        raise Refused("SIDE", "no such side", field="side", value=word, accepted="BUY, SELL") from None


def listed(words: str) -> tuple[str, ...]:
    """Parts between commas."""
    return tuple(part.strip() for part in words.split(",") if part.strip())
