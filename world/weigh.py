"""What the running router holds in memory: bytes and counts of everything reachable from it that is the product's.

The world around it (its loop, the simulated venue, the stores) is not followed into: a harness that remembers a whole
day must not be blamed on S4. Tasks and futures are counted, not opened.
"""

import asyncio
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from chimera.services.router.router import Router
from chimera.trading.value import Value

_FOREIGN: Final = ("chimera.services.stage", "chimera.simulate", "chimera.adapters.memory")
OLD_MS: Final = 5_000  # an entry that fills just now has told nothing yet


class Weight(Value):
    """``size`` in bytes. The rest are counts over all positions; ``untold`` events have waited for a while, ``tasks``
    are those of its owners under way."""

    size: int
    objects: int
    orders: int
    intents: int
    trades: int
    untold: int
    tasks: int


def weigh(router: Router) -> Weight:
    """One pass over all of it."""
    size = objects = 0
    for thing in _reachable(router):
        objects += 1
        size += sys.getsizeof(thing)
    owners, old_ms = router.owners.values(), router.clock.now_ms() - OLD_MS
    holdings = [owner.holding for owner in owners]
    return Weight(
        size=size,
        objects=objects,
        orders=sum(len(holding.orders) for holding in holdings),
        intents=sum(len(holding.intents) for holding in holdings),
        trades=sum(len(holding.seen_trades) for holding in holdings),
        untold=sum(event.at_ms < old_ms for holding in holdings for event in holding.outbox),
        tasks=sum(len(owner._tasks) for owner in owners),
    )


def _reachable(root: object) -> Iterator[object]:
    seen = {id(root)}
    waiting: list[object] = [root]
    while waiting:
        thing = waiting.pop()
        yield thing
        for part in _parts(thing):
            if id(part) not in seen:
                seen.add(id(part))
                waiting.append(part)


def _parts(thing: object) -> Iterable[object]:
    """What it is made of; nothing of what is not ours, nor of plain values."""
    kind = type(thing)
    if isinstance(thing, Mapping):
        return [*thing.keys(), *thing.values()]
    if isinstance(thing, list | tuple | set | frozenset | deque):
        return thing
    if isinstance(thing, asyncio.Future) or not kind.__module__.startswith("chimera."):
        return ()
    if kind.__module__.startswith(_FOREIGN):
        return ()
    return list(_fields(thing))


def _fields(thing: Any) -> Iterator[object]:
    if isinstance(thing, msgspec.Struct):
        yield from (getattr(thing, name) for name in thing.__struct_fields__)
        return
    yield from vars(thing).values() if hasattr(thing, "__dict__") else ()
    for base in type(thing).__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from (getattr(thing, name) for name in slots if hasattr(thing, name))
