"""Safeguards that can be taken away, to prove that the world would notice (reliability 3.10).

Product code knows nothing of this: for the length of a run, named attributes of product modules are replaced by ones
that lack the safeguard, and put back afterwards. A safeguard whose removal no seed notices is either not needed or
not tested; both are worth knowing.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple


class Seam(NamedTuple):
    """``attribute`` of ``place`` (a module, or a class in one) becomes ``without(original)``."""

    place: str  # "package.module" or "package.module:Class"
    attribute: str
    without: Callable[[Any], Any]


class Safeguard(NamedTuple):
    """What is removed, in one sentence, and where."""

    sentence: str
    seams: tuple[Seam, ...]


SAFEGUARDS: Final[dict[str, Safeguard]] = {}


@contextmanager
def switched_off(name: str | None) -> Iterator[None]:
    """Run without this safeguard; ``None`` leaves all in place. Raises ``KeyError`` for a name not in the table."""
    put_back: list[tuple[Any, str, Any]] = []
    seams = () if name is None else SAFEGUARDS[name].seams
    try:
        for seam in seams:
            owner = _owner(seam.place)
            original = vars(owner)[seam.attribute]
            put_back.append((owner, seam.attribute, original))
            setattr(owner, seam.attribute, seam.without(original))
        yield
    finally:
        for owner, attribute, original in reversed(put_back):
            setattr(owner, attribute, original)


def _owner(place: str) -> Any:
    module_name, _, class_name = place.partition(":")
    module = importlib.import_module(module_name)
    return getattr(module, class_name) if class_name else module
