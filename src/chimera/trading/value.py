"""The one shape of a domain value: an immutable msgspec struct, tagged by its class name.

A value is its own document: ``wire.codec`` turns any of them into JSON and back, decimals as strings. Fields are
keyword-only so that a price is never passed where a quantity belongs.
"""

from typing import Any, Self

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag=True, omit_defaults=True):
    """Immutable; equality and hash by content; unions of values are told apart by ``type``."""

    def but(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return msgspec.structs.replace(self, **changes)
