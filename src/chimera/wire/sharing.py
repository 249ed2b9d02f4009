"""A value whose equal parts are one. What is read from a document has each symbol, quantity and moment as often as it
is written there, and a holding may stay in memory for months: a third of its weight was such copies.
"""

from collections.abc import Hashable
from decimal import Decimal
from functools import cache
from typing import TypeVar, cast

import msgspec

V = TypeVar("V")


def shared(value: V) -> V:
    """Equal to ``value`` in every digit: 1.0 and 1.00 stay two. It is written with the same bytes."""
    return cast("V", _shared(value, {}))


def _shared(part: object, known: dict[Hashable, object]) -> object:
    kind = type(part)
    if kind is Decimal:
        return known.setdefault((kind, str(part)), part)
    if kind is str or kind is int:
        return known.setdefault((kind, part), part)
    if isinstance(part, msgspec.Struct):
        news = {name: _shared(old, known) for name, old in _named(part).items()}
        return msgspec.structs.replace(part, **news)
    if isinstance(part, dict):
        return {_shared(key, known): _shared(inner, known) for key, inner in part.items()} if part else part
    if kind is tuple:
        return tuple([_shared(inner, known) for inner in cast("tuple[object, ...]", part)])
    return part


def _named(part: msgspec.Struct) -> dict[str, object]:
    """Its fields that are not at their default: of a default there is one anyway, and by that it is left unwritten."""
    fields = ((name, default, getattr(part, name)) for name, default in _defaults(type(part)).items())
    return {name: value for name, default, value in fields if value is not default}


@cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, object]:
    return {field.name: field.default for field in msgspec.structs.fields(kind)}
