"""Behind ``make sim-long``: thousands of worlds of three minutes each, over all cores, that can be stopped and resumed.

Invariants: seeds of another code are never counted (``kept``); a block of seeds is on record whole or not at all; what
a finished record says is the same whether it was played in one go or in ten. Every seed has at least three intents,
three faults and a kill, or says so as a violation; a campaign in which one of ``sometimes.wanted`` never happened is
not good. Outside the simulated runs: processes and the wall clock are allowed here.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from chimera.trading.value import Value
from world.cores import spread
from world.kept import Kept, code
from world.run import CAMPAIGN, Options, run
from world.seeds import replay
from world.sometimes import missing
from world.tallied import add

Say = Callable[[str], None]
BLOCK: Final = 25  # seeds
BLOCKS_OF_A_WORKER: Final = 8
PLACE: Final = Path("build/sim-long")
HEIRS_PLACE: Final = Path("build/sim-heirs")  # of ``HEIRS``, where several routers share the account in every seed
TOLD_EVERY_S: Final = 30
_TOTALS: Final = {
    "intents": "intents",
    "crashes": "crashes",
    "faults": "faults",
    "venue_accept": "orders",
    "venue_fill": "fills",
}


class Failure(Value):
    """A seed that broke something."""

    seed: int
    texts: tuple[str, ...]


class Block(Value):
    """What came of one block of seeds."""

    first: int
    count: int
    counters: dict[str, int]
    failures: tuple[Failure, ...]
    cpu_s: float


class Totals(Value):
    """Of a whole campaign. ``missing`` is what never happened; ``least`` the smallest of each count over all seeds."""

    code: str
    first: int
    seeds: int
    virtual_s: int
    failures: tuple[Failure, ...]
    missing: tuple[str, ...]
    sums: dict[str, int]
    counters: dict[str, int]
    longest_bare_ms: int
    cpu_s: float

    @property
    def good(self) -> bool:
        return not self.failures and not self.missing


def play(
    first: int,
    count: int,
    *,
    options: Options = CAMPAIGN,
    place: Path = PLACE,
    processes: int | None = None,
    say: Say = print,
) -> Totals:
    """Whatever of these seeds is not on record yet, then the totals of all. Other ``options``: another ``place``."""
    record = Kept(Block, place)
    known = {(block.first, block.count) for block in record.read()}
    begun, told_s, done = time.monotonic(), 0.0, 0
    wanted = [each for each in _blocks(first, count) if each not in known]
    say(f"{count} seeds from {first}: {sum(size for _, size in wanted)} to play, the others are in {record.path}")
    one = partial(play_block, options=options)
    workers = processes if len(wanted) > 1 else 1
    for block in spread(one, wanted, workers, life=BLOCKS_OF_A_WORKER, in_order=False):
        record.add(block)
        done += block.count
        for failure in block.failures:
            say(f"  seed {failure.seed} BAD: {'; '.join(failure.texts)}  ({replay(failure.seed, options=options)})")
        if time.monotonic() - begun - told_s > TOLD_EVERY_S:
            told_s = time.monotonic() - begun
            say(f"  {done} seeds in {told_s:.0f} s")
    return totals(first, count, options=options, place=place)


def totals(first: int, count: int, *, options: Options = CAMPAIGN, place: Path = PLACE) -> Totals:
    """Of what is on record of these seeds."""
    asked = set(_blocks(first, count))
    blocks = {block.first: block for block in Kept(Block, place).read() if (block.first, block.count) in asked}
    counters: Counter[str] = Counter()
    for block in blocks.values():
        add(counters, block.counters)
    seeds = sum(block.count for block in blocks.values())
    return Totals(
        code=code(),
        first=first,
        seeds=seeds,
        virtual_s=round(seeds * (options.safety_s + options.liveness_s)),
        failures=tuple(failure for _, block in sorted(blocks.items()) for failure in block.failures),
        missing=tuple(missing(counters)),
        sums={told: counters[name] for name, told in _TOTALS.items()},
        counters=dict(counters),
        longest_bare_ms=counters["longest_bare_ms"],
        cpu_s=round(sum(block.cpu_s for block in blocks.values()), 1),
    )


def line(found: Totals) -> str:
    """One line of JSON; the counters of single edges are in the record."""
    few = {name: value for name, value in msgspec.to_builtins(found).items() if name != "counters"}
    return msgspec.json.encode({**few, "good": found.good}).decode()


def play_block(asked: tuple[int, int], options: Options = CAMPAIGN) -> Block:
    """These seeds, one after the other."""
    first, count = asked
    counters: Counter[str] = Counter()
    failures, began = [], time.process_time()
    for seed in range(first, first + count):
        verdict = run(seed, options=options)
        add(counters, verdict.counters)
        if not verdict.good:
            texts = tuple(f"{each.invariant} {each.text}"[:300] for each in verdict.violations[:3])
            failures.append(Failure(seed=seed, texts=texts))
    spent = round(time.process_time() - began, 3)
    return Block(first=first, count=count, counters=dict(counters), failures=tuple(failures), cpu_s=spent)


def _blocks(first: int, count: int) -> Iterator[tuple[int, int]]:
    for begun in range(first, first + count, BLOCK):
        yield begun, min(BLOCK, first + count - begun)
