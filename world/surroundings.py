"""What of the process a run takes for itself while it lasts, and gives back: its log lines, the garbage collection."""

import gc
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import cache
from itertools import count
from typing import Any, Final

import structlog

from world.composed import World

RUNS_PER_COLLECTION: Final = 10
_RUNS: Final = count(1)


@cache
def _freeze_imports() -> None:
    """Once per process: what was there before the first run need not be looked through after each."""
    gc.collect()
    gc.freeze()


@contextmanager
def no_collection() -> Iterator[None]:
    """No cyclic garbage collection during a run: when it strikes is no function of the seed."""
    was_on = gc.isenabled()
    gc.disable()
    _freeze_imports()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
            if next(_RUNS) % RUNS_PER_COLLECTION == 0:
                gc.collect()


@contextmanager
def logs(world: World, tell: Callable[[str], None] | None) -> Iterator[None]:
    """S4's log lines with virtual time to ``tell``, or to nobody."""

    def line(_: Any, level: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        name = event.pop("event")
        fault = event.pop("exc_info", None)
        if fault:
            told = "".join(traceback.format_exception(*sys.exc_info()))
            world.own_faults.append(f"{name}: {sys.exc_info()[1]!r}")
            event["traceback"] = "\n" + told
        if tell is not None:
            extra = " ".join(f"{key}={value}" for key, value in event.items())
            tell(f"{world.loop.now_us / 1e6:10.6f} {level:8} {name} {extra}")
        raise structlog.DropEvent

    before = structlog.get_config()
    threshold = logging.DEBUG if tell is not None else logging.ERROR  # errors are counted in any case
    structlog.configure(processors=[line], wrapper_class=structlog.make_filtering_bound_logger(threshold))
    try:
        yield
    finally:
        structlog.configure(**before)
