"""The one shape of a domain value: an immutable msgspec struct, tagged by its class name.

A value is its own document: ``wire.codec`` turns any of them into JSON and back, decimals as strings. Fields are
keyword-only so that a price is never passed where a quantity belongs.
"""

from typing import Any, Self, dataclass_transform

import msgspec


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class _ValueMeta(msgspec.StructMeta):
    """Every value frozen and keyword-only, without saying so in each class: msgspec does not inherit ``kw_only``."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        return super().__new__(mcs, name, bases, namespace, **({"frozen": True, "kw_only": True} | config))


class Value(
    msgspec.Struct, metaclass=_ValueMeta, forbid_unknown_fields=True, tag=True, tag_field="is", omit_defaults=True
):
    """Immutable; equality and hash by content; unions of values are told apart by the tag ``is``."""

    def but(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)
