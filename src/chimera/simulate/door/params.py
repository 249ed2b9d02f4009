"""A request's parameters, read once and checked the way Binance refuses them.

Query and form body are taken together; a name in both counts from the query. Amounts become ``Decimal`` from text.
"""

import re
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from urllib.parse import unquote_plus

from chimera.simulate.door.messages import WireRequest
from chimera.simulate.door.refusals import Refusal

CLIENT_ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]+")
_AMOUNT_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_AMOUNT = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_INTEGER_RANGE = r"^[0-9]{1,20}$"
_INTEGER = re.compile(r"[0-9]{1,20}")
_CLIENT_ID_MAX = 36

E = TypeVar("E", bound=StrEnum)


class Params:
    """Names and decoded values, in the order sent."""

    __slots__ = ("_values",)

    def __init__(self, request: WireRequest) -> None:
        self._values: dict[str, str] = {}
        for part in request.query.split("&") + request.body.split("&"):
            name, _, value = part.partition("=")
            if name and name not in self._values:
                self._values[name] = unquote_plus(value) if "%" in value or "+" in value else value

    @classmethod
    def given(cls, values: dict[str, str]) -> "Params":
        """Names and values that came another way than in a query or a form."""
        params = cls.__new__(cls)
        params._values = values
        return params

    def expect(
        self, mandatory: tuple[str, ...], optional: frozenset[str], unwanted: frozenset[str], *, strict: bool = True
    ) -> None:
        """Refuse what is missing (-1102, the first in order), empty (-1105), not wanted (-1106), more than there is
        (-1101) or unknown (-1104).

        Not ``strict``: what is unknown is not read.
        """
        for name in mandatory:
            if not self._values.get(name):
                raise Refusal(-1102, name)
        unread = 0
        for name, value in self._values.items():
            if name in unwanted:
                raise Refusal(-1106, name)
            if name not in mandatory and name not in optional:
                unread += 1
            elif not value:
                raise Refusal(-1105, name)
        known = len({*mandatory, *optional})
        if strict and len(self._values) > known:
            raise Refusal(-1101, known, len(self._values))
        if unread and strict:
            raise Refusal(-1104, len(self._values) - unread, len(self._values))

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """The value as sent."""
        return self._values.get(name, default)

    def need(self, name: str) -> str:
        """A value that this combination makes mandatory."""
        value = self._values.get(name)
        if not value:
            raise Refusal(-1102, name)
        return value

    def need_one(self, *names: str) -> None:
        """At least one of two that this combination makes mandatory."""
        if not any(self._values.get(name) for name in names):
            either = "' or '".join(names)
            raise Refusal(-1102, text=f"Param '{either}' must be sent, but both were empty/null!")

    def refuse(self, *names: str) -> None:
        """These are not wanted in this combination."""
        for name in names:
            if name in self._values:
                raise Refusal(-1106, name)

    def amount(self, name: str) -> Decimal:
        """A mandatory amount >= 0."""
        value = self.need(name)
        if _AMOUNT.fullmatch(value) is None:
            raise Refusal(-1100, name, _AMOUNT_RANGE)
        return Decimal(value)

    def integer(self, name: str) -> int:
        """A mandatory integer >= 0."""
        value = self.need(name)
        if _INTEGER.fullmatch(value) is None:
            raise Refusal(-1100, name, _INTEGER_RANGE)
        return int(value)

    def integer_or(self, name: str, default: int) -> int:
        """An optional integer."""
        return self.integer(name) if name in self._values else default

    def maybe_integer(self, name: str) -> int | None:
        """An optional integer without a default."""
        return self.integer(name) if name in self._values else None

    def flag(self, name: str) -> bool:
        """An optional boolean, written ``true`` or ``false``; absent is false."""
        value = self._values.get(name, "false").lower()
        if value not in ("true", "false"):
            raise Refusal(-1130, name)
        return value == "true"

    def choice(self, name: str, kind: type[E], default: E | None, code: int) -> E:
        """One of ``kind``; ``code`` is the refusal for anything else."""
        value = self._values.get(name)
        if value is None:
            if default is None:
                raise Refusal(-1102, name)
            return default
        try:
            return kind(value)
        except ValueError:
            if code == -1130:
                raise Refusal(code, name) from None
            raise Refusal(code) from None

    def client_id(self, name: str) -> str | None:
        """An optional client id of Binance's alphabet and length."""
        value = self._values.get(name)
        if value is None:
            return None
        if len(value) > _CLIENT_ID_MAX:
            raise Refusal(-4015)
        if _CLIENT_ID.fullmatch(value) is None:
            raise Refusal(-1100, name, CLIENT_ID_RANGE)
        return value
