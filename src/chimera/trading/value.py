"""The one shape of a domain value: an immutable msgspec struct, tagged by its class name.

A value is its own document: ``wire.codec`` turns any of them into JSON and back, decimals as strings. Fields are
keyword-only so that a price is never passed where a quantity belongs.

``class X(Value)`` makes a class of msgspec's own metaclass. Of one of ours each value takes three times as long to make
on Python 3.11, which hands no fast call down to a class made in Python (165 ns and 52; from 3.12 on alike).
"""

from typing import TYPE_CHECKING, Any, Self, dataclass_transform

import msgspec

if TYPE_CHECKING:

    @dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
    class _ValueMeta(msgspec.StructMeta): ...

    class Value(msgspec.Struct, metaclass=_ValueMeta):
        """Immutable; equality and hash by content; unions of values are told apart by the tag ``is``."""

        def but(self, **changes: Any) -> Self:
            """A copy with some fields changed."""
            ...

else:

    class _Shape(msgspec.Struct, forbid_unknown_fields=True, tag=True, tag_field="is", omit_defaults=True):
        """What stands in ``Value``'s place among the bases of every value."""

        def but(self, **changes):
            """A copy with some fields changed."""
            return msgspec.structs.replace(self, **changes)

    class _ValueMeta(type):
        """Makes every value frozen and keyword-only without saying so in each class: msgspec inherits no ``kw_only``.

        A class below such a class is made past this: it says ``kw_only=True`` itself.
        """

        def __new__(mcs, name, bases, namespace, **config):
            if not bases:
                return super().__new__(mcs, name, bases, namespace)
            shaped = tuple(_Shape if base is Value else base for base in bases)
            return msgspec.StructMeta(name, shaped, namespace, **({"frozen": True, "kw_only": True} | config))

        def __instancecheck__(cls, instance):
            return isinstance(instance, _Shape)

        def __subclasscheck__(cls, subclass):
            return issubclass(subclass, _Shape)

    class Value(metaclass=_ValueMeta):
        """Immutable; equality and hash by content; unions of values are told apart by the tag ``is``."""
