"""Keys and their Cluster slots. On one server every pair of keys may meet in a command; here it is refused anyway.

So a key that would break on a Cluster breaks on the first day, on a laptop.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from redis.crc import key_slot


def slot(key: str) -> int:
    """The Cluster slot of a key, 0 to 16383."""
    return key_slot(key.encode())


def beside(key: str, suffix: str) -> str:
    """A key for ``suffix`` in the slot of ``key``: ``{orders:intent}:seen:e1``, but ``ord:{results}:seen:e1``."""
    start = key.find("{")
    tagged = start >= 0 and key.find("}", start + 1) > start + 1
    return same_slot([key, f"{key}:{suffix}" if tagged else f"{{{key}}}:{suffix}"])[1]


def same_slot(keys: Sequence[str]) -> Sequence[str]:
    """The keys; ``ValueError`` when one command may not name them together."""
    if len({slot(key) for key in keys}) > 1:
        raise ValueError(f"keys of different Cluster slots in one command: {', '.join(keys)}")
    return keys


def by_slot(keys: Iterable[str]) -> list[list[str]]:
    """The keys in groups that one command may name."""
    groups: defaultdict[int, list[str]] = defaultdict(list)
    for key in keys:
        groups[slot(key)].append(key)
    return list(groups.values())
