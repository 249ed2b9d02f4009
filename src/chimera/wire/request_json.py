"""JSON bodies from strangers, read without losing or inventing anything.

A number stays the text it was (``Number``) until a field says what it wants, so no amount passes through ``float`` and
no digit is lost. Refused with ``MALFORMED``: what is not UTF-8 or not JSON, a name given twice in one object, nesting
deeper than the parser goes. ``NaN`` and ``Infinity`` are no JSON, but are kept as numbers so that the field holding
them can be named. This module knows no field.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.money import text

MAX_DIGITS: Final = 34  # decimal128, the precision of every calculation here
_MAX_EXPONENT: Final = 18
_AMOUNT: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?")
_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")


class Number(str):
    """The text of a JSON number, not yet an amount."""

    __slots__ = ()


def read_object(body: bytes) -> dict[str, object]:
    """The object in ``body``; raises ``Refused`` (``MALFORMED``) saying where it stopped being one."""
    try:
        document = json.loads(
            body.decode("utf-8"),
            parse_float=Number,
            parse_int=Number,
            parse_constant=Number,
            object_pairs_hook=_once,
        )
    except UnicodeDecodeError as wrong:
        raise _malformed(f"the body is not UTF-8 at byte {wrong.start}") from wrong
    except json.JSONDecodeError as wrong:
        raise _malformed(f"the body is not JSON: {wrong.msg} at line {wrong.lineno}, column {wrong.colno}") from wrong
    except RecursionError as deep:
        raise _malformed("the body is nested too deeply") from deep
    if not isinstance(document, dict):
        raise _malformed("the body must be a JSON object")
    return document


def amount(given: object) -> Decimal:
    """An exact decimal from a JSON number or a string of the same form; raises ``ValueError`` saying what is wrong.

    At most 34 digits once written out in full, and an exponent of at most 18 either way; ASCII digits only.
    """
    if not isinstance(given, str):
        raise ValueError("must be a number")
    if given in ("NaN", "Infinity", "-Infinity"):
        raise ValueError("must be a finite number")
    if not _AMOUNT.fullmatch(given):
        raise ValueError("must be a number, as in 0.002 or 2e-3")
    _, _, exponent = given.lower().partition("e")
    if abs(int(exponent or "0")) > _MAX_EXPONENT:
        raise ValueError(f"must have an exponent of at most {_MAX_EXPONENT}")
    plain = text(Decimal(given))
    if sum(letter.isdigit() for letter in plain) > MAX_DIGITS:
        raise ValueError(f"must have at most {MAX_DIGITS} digits")
    return Decimal(plain)


def whole(given: object) -> int:
    """A whole number of at most 18 digits from a JSON number; raises ``ValueError``."""
    if not isinstance(given, Number) or not _WHOLE.fullmatch(given):
        raise ValueError("must be a whole number of at most 18 digits")
    return int(given)


def words(given: object) -> str:
    """A string that was written as one; raises ``ValueError`` for a number and everything else."""
    if isinstance(given, Number) or not isinstance(given, str):
        raise ValueError("must be a string")
    return given


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) == len(pairs):
        return document
    twice = next(name for name, times in Counter(name for name, _ in pairs).items() if times > 1)[:64]
    raise Refused("MALFORMED", f"{twice} is given twice", field=twice, accepted="each name once")


def _malformed(message: str) -> Refused:
    return Refused("MALFORMED", message, accepted="one JSON object in UTF-8")
