"""Many runs over all cores. Outside the simulated runs: processes are allowed here."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


def spread(
    play: Callable[[Q], A],
    asked: Iterable[Q],
    processes: int | None,
    *,
    life: int,
    in_order: bool = True,
    apart: bool = False,
) -> Iterator[A]:
    """What each of ``asked`` comes to; what was begun and is not needed any more is ended.

    ``processes``: None for one per core; a single one is this one, unless it must be ``apart``. ``life``: so many a
    worker plays, then a fresh one comes: nothing may leak from run to run, and nothing could hide it.
    """
    workers = processes if processes is not None else os.cpu_count() or 1
    if workers == 1 and not apart:
        yield from map(play, asked)
        return
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=life) as pool:
        yield from (pool.imap if in_order else pool.imap_unordered)(play, asked, chunksize=1)
