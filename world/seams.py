"""Parts of the product replaced for a while: how a run looks into it, and how a safeguard is taken away.

Invariant: product code knows nothing of this, and everything is put back when the block ends, however it ends.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def replaced(*parts: tuple[Any, str, Callable[[Any], Any]]) -> Iterator[None]:
    """While this is open, ``attribute`` of ``place`` is what ``around`` makes of it, one after the other."""
    put_back: list[tuple[Any, str, Any]] = []
    try:
        for place, attribute, around in parts:
            original = vars(place)[attribute]
            put_back.append((place, attribute, original))
            setattr(place, attribute, around(original))
        yield
    finally:
        for place, attribute, original in reversed(put_back):
            setattr(place, attribute, original)


def place_of(name: str) -> Any:
    """The module, or the class in one (``package.module:Class``), of this name."""
    module_name, _, class_name = name.partition(":")
    module = importlib.import_module(module_name)
    return getattr(module, class_name) if class_name else module
