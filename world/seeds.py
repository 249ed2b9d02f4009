"""Behind ``make sim``, ``make sim-safeguards`` and ``make sim-sweep``: one seed told in full, or many over all cores.

Outside the simulated runs: processes, the wall clock and the terminal are allowed here. A failing seed is shrunk to
the faults it needs, and printed with the command that replays it.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from chimera.trading.value import Value
from world.cores import spread
from world.run import Options, Verdict, run
from world.safeguards import SAFEGUARDS, every
from world.shrink import ddmin
from world.sweep import killed_at, steps_of
from world.tallied import add

Say = Callable[[str], None]
SHRINK_RUNS: Final = 120
LIFE: Final = 200  # worlds, or steps of a sweep, that one worker plays
_SHOWN: Final = 5  # failing seeds that are shrunk and shown


class Campaign(Value):
    """What came of many seeds. ``failed`` in order; ``counters`` summed over all."""

    count: int
    failed: tuple[int, ...]
    invariants: dict[str, int]
    counters: dict[str, int]
    seconds: int


def sim(
    seed: int, off: str | None = None, *, verbose: bool = False, options: Options | None = None, say: Say = print
) -> int:
    """``make sim SEED=n [OFF=safeguard]``: 0 when every invariant held; else the story, the faults needed, and 1."""
    if off is not None and off not in every():
        say(f"no safeguard {off!r}; there are: {', '.join(every())}")
        return 2
    verdict = run(seed, off, options, tell=say if verbose else None)
    say(f"seed {seed}{_off(off)}: {'good' if verdict.good else 'BAD'}; audit {verdict.audit_hash}")
    say(f"  plan: {verdict.plan}")
    say(f"  intents: {', '.join(f'{intent} {answer}' for intent, answer in verdict.answers.items())}")
    say(f"  {' '.join(f'{name}={count}' for name, count in sorted(verdict.counters.items()))}")
    if verdict.good:
        return 0
    _tell_failure(verdict, options, say)
    return 1


def safeguards(*, most_seeds: int = 400, say: Say = print, processes: int | None = None) -> int:
    """``make sim-safeguards``: each safeguard, what it prevents, and the first seed that misses it; 1 if none does."""
    unseen = 0
    for name, safeguard in SAFEGUARDS.items():
        found = first_to_miss(name, most_seeds=most_seeds, processes=processes)
        if found is None:
            unseen += 1
            say(f"{name}: {safeguard.sentence} NO seed of {most_seeds} notices")
        else:
            broken = ", ".join(sorted({violation.invariant for violation in found.violations}))
            again = replay(found.seed, name, options_without(name))
            say(f"{name}: {safeguard.sentence} Seed {found.seed} breaks {broken}: {again}")
    return 1 if unseen else 0


def first_to_miss(
    name: str, *, most_seeds: int, known: int | None = None, processes: int | None = None
) -> Verdict | None:
    """The first world that breaks without the safeguard; None when all of them hold without it.

    ``known``: a seed that broke when somebody looked last, tried before all others.
    """
    options = options_without(name)
    if known is not None and not (verdict := run(known, name, options=options)).good:
        return verdict
    return next((each for each in _verdicts(range(most_seeds), name, options, processes) if not each.good), None)


def options_without(name: str) -> Options:
    """The worlds in which a missing safeguard matters most."""
    safeguard = every()[name]
    return Options(scenario=safeguard.scenario, heirs_share=float(safeguard.heirs), house=safeguard.house)


def campaign(
    first_seed: int,
    count: int,
    off: str | None = None,
    *,
    options: Options | None = None,
    processes: int | None = None,
    say: Say = print,
) -> Campaign:
    """``count`` seeds over all cores; failing ones are told as they come, the first few shrunk."""
    began = time.monotonic()
    failed: list[int] = []
    invariants: Counter[str] = Counter()
    counters: Counter[str] = Counter()
    for verdict in _verdicts(range(first_seed, first_seed + count), off, options, processes):
        add(counters, verdict.counters)
        if not verdict.good:
            failed.append(verdict.seed)
            invariants.update({violation.invariant for violation in verdict.violations})
            if len(failed) <= _SHOWN:
                _tell_failure(verdict, options, say)
    seconds = round(time.monotonic() - began)
    say(f"{count} seeds{_off(off)}, {len(failed)} failed in {seconds} s {dict(invariants) or ''}")
    return Campaign(
        count=count, failed=tuple(sorted(failed)), invariants=dict(invariants), counters=dict(counters), seconds=seconds
    )


def sweep(story: str, *, stride: int = 1, processes: int | None = None, say: Say = print) -> Campaign:
    """Kill S4 at every ``stride``-th of its steps in this story; ``failed`` are the steps where something broke."""
    began = time.monotonic()
    steps = range(1, steps_of(story) + 1, stride)
    failed: list[int] = []
    counters: Counter[str] = Counter()
    for step, verdict in zip(steps, spread(partial(killed_at, story=story), steps, processes, life=LIFE), strict=True):
        counters.update(verdict.counters)
        if not verdict.good:
            failed.append(step)
            for violation in verdict.violations[:3]:
                say(f"  {story}, step {step}: {violation.invariant} at {violation.at_us / 1e6:.3f} s: {violation.text}")
    seconds = round(time.monotonic() - began)
    say(f"{story}: S4 killed at {len(steps)} steps, {len(failed)} of them broke something, in {seconds} s")
    return Campaign(count=len(steps), failed=tuple(failed), invariants={}, counters=dict(counters), seconds=seconds)


def shrink(verdict: Verdict, options: Options | None = None) -> list[str]:
    """A small set of faults with which the same seed still breaks one of the same invariants."""
    broken = {violation.invariant for violation in verdict.violations}

    def fails(faults: Sequence[str]) -> bool:
        again = run(verdict.seed, verdict.off, options, only=faults)
        return any(violation.invariant in broken for violation in again.violations)

    return ddmin(verdict.fired, fails, runs=SHRINK_RUNS)


def replay(seed: int, off: str | None = None, options: Options | None = None) -> str:
    """The command that runs this seed again."""
    asked = options or Options()
    words = [f"make sim SEED={seed}", f"OFF={off}" if off else ""]
    words += [f"SCENARIO={asked.scenario}" if asked.scenario else "", "LONG=1" if asked.at_least else ""]
    words += ["HEIRS=1" if asked.heirs_share == 1 else "", "HOUSE=1" if asked.house else ""]
    return " ".join(filter(None, words))


def _tell_failure(verdict: Verdict, options: Options | None, say: Say) -> None:
    for violation in verdict.violations[:10]:
        say(f"  {violation.invariant} at {violation.at_us / 1e6:.3f} s: {violation.text}")
    needed = shrink(verdict, options)
    say(f"  {len(needed)} of {len(verdict.fired)} faults needed: {', '.join(needed) or 'none'}")
    say(f"  replay: {replay(verdict.seed, verdict.off, options)}")


def _verdicts(
    seeds: Iterable[int], off: str | None, options: Options | None, processes: int | None
) -> Iterator[Verdict]:
    return spread(partial(run, off=off, options=options), seeds, processes, life=LIFE)


def _off(off: str | None) -> str:
    return f" without {off}" if off else ""
