"""How a setting is written and read: kinds of value, a field with its unit, default and sentence, and what is wrong."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from chimera.trading.errors import ChimeraError
from chimera.trading.money import text
from chimera.wire import request_json

_DURATION: Final = re.compile(r"([0-9]{1,9})(ms|s|m|h)", re.ASCII)
_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_UNIT_MS: Final = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


class SettingsFault(ChimeraError):
    """The environment of a service, or a file that it names, cannot be used; no secret is in the message."""


def unusable(whose: str, faults: Sequence[str]) -> SettingsFault:
    """Every fault in one message."""
    return SettingsFault(f"{whose} cannot start with this environment:\n  " + "\n  ".join(faults))


def stranger(name: str, known: Iterable[str]) -> str:
    """The fault of a variable that begins as ours do and is none: a misspelt limit would otherwise be no limit."""
    near = get_close_matches(name.upper(), list(known), n=1)
    return f"{name} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def duration(given: object) -> int:
    found = _DURATION.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        if isinstance(given, int) and not isinstance(given, bool):
            return given
        raise ValueError("must be a duration such as 60s, 500ms, 5m or 1h")
    return int(found.group(1)) * _UNIT_MS[found.group(2)]


def time_of_day(given: object) -> int:
    """Milliseconds after midnight."""
    found = _TIME_OF_DAY.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        if isinstance(given, int) and not isinstance(given, bool):
            return given
        raise ValueError("must be a time of day such as 03:30")
    return (int(found[1]) * 60 + int(found[2])) * 60_000


def decimal(given: object) -> Decimal:
    return given if isinstance(given, Decimal) else request_json.amount(given)


def _whole(given: object) -> int:
    if isinstance(given, str) and re.fullmatch(r"-?[0-9]{1,15}", given, re.ASCII):
        return int(given)
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    raise ValueError("must be a whole number")


def _truth(given: object) -> bool:
    if isinstance(given, bool):
        return given
    if given in ("true", "false"):
        return given == "true"
    raise ValueError("must be true or false")


def _listed(given: object) -> tuple[str, ...]:
    if isinstance(given, str):
        return tuple(part.strip() for part in given.split(",") if part.strip())
    if isinstance(given, tuple):
        return given
    raise ValueError("must be a list with commas")


def only_true(why: str) -> AfterValidator:
    """Of a switch that is not to be thrown: ``why``."""

    def stays(on: bool) -> bool:
        if not on:
            raise ValueError(f"may not be false: {why}")
        return on

    return AfterValidator(stays)


Truth = Annotated[bool, BeforeValidator(_truth)]
Whole = BeforeValidator(_whole)
Amount = Annotated[Decimal, BeforeValidator(decimal), Field(gt=0)]
Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]


def shown(value: object) -> str:
    """A value as somebody would write it."""
    match value:
        case None | () | "":
            return "unset"
        case bool():
            return str(value).lower()
        case Decimal():
            return text(value)
        case tuple():
            return ",".join(value)
        case StrEnum():
            return value.value
        case _:
            return str(value)


_shown = shown  # whose name the argument below has


def setting(variable: str, default: Any, unit: str, sentence: str, *, shown: str | None = None, **bounds: Any) -> Any:
    extra: dict[str, Any] = {"unit": unit, "default": _shown(default) if shown is None else shown}
    return Field(default, validation_alias=variable, description=sentence, json_schema_extra=extra, **bounds)
