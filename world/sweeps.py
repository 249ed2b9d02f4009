"""Behind ``make sim-sweep SEEDS=n``: the crash sweep of many drawn worlds, over all cores.

A world that was swept is on record (``kept``), so a sweep that was stopped goes on. Outside the simulated runs:
processes and the wall clock are allowed here.
"""

import time
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from chimera.trading.value import Value
from world.cores import spread
from world.forks import Swept, swept
from world.kept import Kept

Say = Callable[[str], None]
PLACE: Final = Path("build/sim-sweep")


class Sweep(Value):
    """``steps`` S4 took in all worlds, of which ``points`` differ for others; ``failed``: seed, step, story.

    ``seconds``: of all worlds, one after the other.
    """

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
    place: Path = PLACE,
) -> Sweep:
    """S4 killed at every ``stride``-th kill point of ``count`` drawn worlds; each is told as it is done."""
    kind = f"{'spot' if spot else 'futures'}-every-{stride}{'' if doubles else '-once'}"
    record = Kept(Swept, place / kind)
    seeds = range(first, first + count)
    found = {each.seed: each for each in record.read() if each.seed in seeds}
    wanted = [seed for seed in seeds if seed not in found]
    say(f"{count} worlds from {first}: {len(wanted)} to sweep, the others are in {record.path}")
    one = partial(_timed, doubles=doubles, spot=spot, stride=stride)
    for each in spread(one, wanted, processes, life=1, in_order=False):
        record.add(each)
        found[each.seed] = each
        told = f"{each.steps} steps, {each.points} kill points, {each.doubles} double kills, {len(each.failed)} broken"
        say(f"seed {each.seed}: {told}, in {each.seconds:.0f} s")
    return of(found.values())


def of(found: Collection[Swept]) -> Sweep:
    """All of them together."""
    failed = [(each.seed, at, story) for each in found for at, story in each.failed]
    failed += [(each.seed, "", "the world breaks without any kill") for each in found if not each.good_without]
    return Sweep(
        seeds=len(found),
        steps=sum(each.steps for each in found),
        points=sum(each.points for each in found),
        doubles=sum(each.doubles for each in found),
        failed=tuple(sorted(failed)),
        seconds=round(sum(each.seconds for each in found)),
    )


def line(found: Sweep) -> str:
    """One line of JSON."""
    return msgspec.json.encode({**msgspec.to_builtins(found), "good": found.good}).decode()


def _timed(seed: int, *, doubles: bool, spot: bool, stride: int) -> Swept:
    began = time.monotonic()
    found = swept(seed, doubles=doubles, spot=spot, stride=stride)
    return found.but(seconds=round(time.monotonic() - began, 1))
