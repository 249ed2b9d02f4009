"""What the catalogue says of one fault: its name, what it acts on, its parameters, what a client sees.

Invariant: a parameter that was read has its kind's type and range; what does not fit is refused by field and value.
"""

from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from chimera.simulate.trouble.match import Match
from chimera.trading.errors import Refused
from chimera.trading.value import Value


class On(StrEnum):
    """What a fault acts on, and so how it can be aimed."""

    REQUEST = "request"
    FRAME = "frame"
    CONDITIONAL = "conditional order"
    ACCOUNT = "account"
    SYMBOL = "symbol"
    CLOCK = "clock"
    CONNECTION = "connection"
    JOURNAL = "journal"

    @property
    def aims(self) -> tuple[str, ...]:
        """The fields of ``match`` that mean something."""
        return _AIMS[self]


_AIMS: Final[dict[On, tuple[str, ...]]] = {
    On.REQUEST: ("method", "path", "market", "symbol", "account", "client_id"),
    On.FRAME: ("route", "event", "channel", "symbol", "account", "client_id"),
    On.CONDITIONAL: ("market", "symbol", "type", "account", "client_id"),
    On.ACCOUNT: ("account",),
    On.SYMBOL: ("symbol", "market"),
    On.CLOCK: (),
    On.CONNECTION: ("route",),
    On.JOURNAL: (),
}


class Param(Value, tag=False):
    """One parameter. ``kind``: ms, whole (signed ms), count, code, share (0..1), number, flag, word or text."""

    name: str
    kind: str
    default: Any
    what: str
    words: tuple[str, ...] = ()

    @property
    def accepted(self) -> str:
        """In words, for a refusal and the page."""
        return " | ".join(self.words) if self.words else _ACCEPTED[self.kind]

    def read(self, given: object, field: str, code: str) -> Any:
        """The value, or ``Refused`` by name. Shares and numbers become ``Decimal``."""
        value = _number(given) if self.kind in ("share", "number") else given
        if self.kind == "word" and isinstance(given, int) and not isinstance(given, bool):
            value = str(given)  # -2011 as a word
        if not self._fits(value):
            raise Refused(code, f"{self.name} cannot be this", field=field, value=given, accepted=self.accepted)
        return value

    def _fits(self, value: object) -> bool:
        whole = isinstance(value, int) and not isinstance(value, bool)
        match self.kind:
            case "ms":
                return whole and value >= 0  # type: ignore[operator]  # whole says that it is an int
            case "whole":
                return whole
            case "count":
                return whole and value >= 1  # type: ignore[operator]  # as above
            case "code":
                return whole and value <= 0  # type: ignore[operator]  # as above
            case "share":
                return isinstance(value, Decimal) and 0 <= value <= 1
            case "number":
                return isinstance(value, Decimal) and value >= 0
            case "flag":
                return isinstance(value, bool)
            case "word":
                return value in self.words
            case _:
                return isinstance(value, str)


_ACCEPTED: Final = {
    "ms": "whole ms, 0 or more",
    "whole": "whole ms",
    "count": "a whole number above 0",
    "code": "a code of Binance's, 0 or below",
    "share": "0 to 1",
    "number": "0 or more",
    "flag": "true or false",
    "text": "text",
}


def _number(given: object) -> object:
    if isinstance(given, bool) or not isinstance(given, int | float | str | Decimal):
        return given
    try:
        return Decimal(str(given))
    except InvalidOperation:
        return given


class Entry(Value, tag=False):
    """One named fault. ``count``: how often it strikes unless told otherwise (``None``: each time)."""

    name: str
    on: On
    does: str
    seen: str
    documented: str
    params: tuple[Param, ...] = ()
    match: Match = Match()
    count: int | None = None
