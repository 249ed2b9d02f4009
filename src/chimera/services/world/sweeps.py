"""Behind ``make sim-sweep SEEDS=n``: the crash sweep of many drawn worlds, over all cores.

Outside the simulated runs: processes and the wall clock are allowed here.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from chimera.services.world.forks import Swept, swept
from chimera.trading.value import Value

Say = Callable[[str], None]


class Sweep(Value):
    """``steps`` S4 took in all worlds, of which ``points`` differ for others; ``failed``: seed, step, story."""

    seeds: int
    steps: int
    points: int
    doubles: int
    failed: tuple[tuple[int, str, str], ...]
    seconds: int

    @property
    def good(self) -> bool:
        return not self.failed and self.points > 0


def play(
    first: int,
    count: int,
    *,
    doubles: bool = True,
    processes: int | None = None,
    say: Say = print,
    spot: bool = False,
    stride: int = 1,
) -> Sweep:
    """S4 killed at every ``stride``-th kill point of ``count`` drawn worlds; each is told as it is done."""
    began = time.monotonic()
    found: list[Swept] = []
    failed: list[tuple[int, str, str]] = []
    for each in _spread(range(first, first + count), processes, doubles=doubles, spot=spot, stride=stride):
        found.append(each)
        failed += [(each.seed, at, story) for at, story in each.failed]
        if not each.good_without:
            failed.append((each.seed, "", "the world breaks without any kill"))
        told = f"{each.steps} steps, {each.points} kill points, {each.doubles} double kills, {len(each.failed)} broken"
        say(f"seed {each.seed}: {told}")
    return Sweep(
        seeds=len(found),
        steps=sum(each.steps for each in found),
        points=sum(each.points for each in found),
        doubles=sum(each.doubles for each in found),
        failed=tuple(sorted(failed)),
        seconds=round(time.monotonic() - began),
    )


def line(found: Sweep) -> str:
    """One line of JSON."""
    return msgspec.json.encode({**msgspec.to_builtins(found), "good": found.good}).decode()


def _spread(seeds: range, processes: int | None, *, doubles: bool, spot: bool, stride: int) -> Iterator[Swept]:
    one = partial(swept, doubles=doubles, spot=spot, stride=stride)
    workers = processes if processes is not None else os.cpu_count() or 1
    if workers == 1:
        yield from map(one, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(workers, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(one, seeds, chunksize=1)
