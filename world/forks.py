"""The crash sweep over drawn worlds: S4 killed in place of each of its steps, every branch forked from one world.

The way to step k is walked once: at each kill point the process forks, the child kills S4 and plays to the verdict, the
parent goes on as if nothing had been. Two steps are one kill point where nothing outside can tell them apart: they are
neighbours in the loop's order, at one instant, and the first of them let nothing out: it drew nothing from the tape
(whatever leaves S4 draws its wait) and handed no task to the world outside. Sound in asyncio's own order only, where a
step that is never run changes no other's place; so sweeps run in it. A sample of the children forks again while S4
recovers: the double kill.

Invariants: each kill point of the safety phase is struck exactly once; a child that dies without a verdict is a
violation, never a silence. Outside the simulated runs: processes are allowed here.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec

from chimera.services.stage.proc import Proc
from chimera.services.stage.tape import Tape
from chimera.trading.intent import OrderList
from chimera.trading.value import Value
from world.composed import INSTRUMENT, World
from world.plan import Plan, swarm
from world.run import CALLERS, Options, Verdict, run
from world.spot_world import SPOT_INSTRUMENT
from world.workload import Wish, wishes

SHORT: Final = Options(
    who=CALLERS, fifo=True, safety_s=10, liveness_s=35, market_stops_s=2, recovery_s=8, fault_bound_s=8
)
MILD: Final = {
    "drop_reply": 0.10, "reset_reply": 0.06, "slow_reply": 0.10, "unknown_503": 0.08, "read_lag": 0.15,
    "frame_delay": 0.20, "frame_duplicate": 0.15, "stream_cut": 0.04, "ledger_slow": 0.08, "ledger_fail_after": 0.02,
    "trigger_partial_fill": 0.2, "stuck_triggering": 0.1,
}  # fmt: skip
ON_SPOT: Final = {
    **{name: rate for name, rate in MILD.items() if name != "stuck_triggering"},
    "oco_refused": 0.10, "trigger_refused": 0.10, "slow_request": 0.05,
}  # fmt: skip
LAST_S: Final = 6.0
HOLD_S: Final = (2, 4)
DOWN_MS: Final = (150, 600)
DOUBLE_EVERY: Final = 12  # of the kill points: S4 is killed once more as it recovers
DOUBLE_STRIDE: Final = 60  # at every so manieth step of the second life
DOUBLE_STEPS: Final = 360
_TOLD: Final = 3


class Swept(Value):
    """What came of one seed. ``points`` were struck of ``steps``; ``failed`` tells step(s) and what broke.

    ``seconds``: how long all of it took.
    """

    seed: int
    steps: int
    points: int
    doubles: int
    failed: tuple[tuple[str, str], ...]
    good_without: bool
    seconds: float = 0.0


class _Child(Value):
    """What a child tells its parent."""

    at: str
    broken: str
    audit_hash: str
    below: "tuple[_Child, ...]" = ()


def world_of(seed: int, *, spot: bool = False) -> tuple[Plan, list[Wish]]:
    """Two intents and mild faults; on spot each ends in a list with a near target."""
    tape = Tape(f"sweep:{seed}")
    tight = tape.u("tight?") < 0.3
    rules = SPOT_INSTRUMENT if spot else INSTRUMENT
    made = wishes(tape, rules, last_s=LAST_S, tight=tight)[: tape.whole("count", 1, 2)]
    if spot:
        made = [wish.but(target_bps=tape.whole("near_bps", 2, 10), policy=OrderList()) for wish in made]
    story = [
        wish.but(number=number, at_s=wish.at_s - 1.5, hold_s=tape.whole("hold", *HOLD_S))
        for number, wish in enumerate(made)
    ]
    return Plan(
        rates=swarm(tape, ON_SPOT if spot else MILD),
        blows=(),
        offset_ms=tape.whole("offset", -200, 200),
        restart_ms=DOWN_MS,
    ), story


def swept(
    seed: int,
    *,
    merge: bool = True,
    doubles: bool = True,
    until_s: float = SHORT.safety_s,
    spot: bool = False,
    stride: int = 1,
) -> Swept:
    """This seed's world, S4 killed at every ``stride``-th kill point of its first ``until_s``."""
    children, steps, whole = branches(seed, merge=merge, doubles=doubles, until_s=until_s, spot=spot, stride=stride)
    every = [*children, *(inner for child in children for inner in child.below)]
    return Swept(
        seed=seed,
        steps=steps,
        points=len(children),
        doubles=len(every) - len(children),
        failed=tuple((child.at, child.broken) for child in every if child.broken),
        good_without=whole.good,
    )


def branches(
    seed: int,
    *,
    merge: bool = True,
    doubles: bool = False,
    until_s: float = SHORT.safety_s,
    spot: bool = False,
    stride: int = 1,
) -> tuple[list[_Child], int, Verdict]:
    """Each branch's end; how many steps there were; the verdict of the world that nobody killed."""
    plan, story = world_of(seed, spot=spot)
    fork = _Forks(merge=merge, doubles=doubles, until_us=round(until_s * 1_000_000), stride=stride)
    verdict = run(seed, options=SHORT.but(spot=spot), plan=plan, story=story, branch=fork.watch)
    if fork.pipe is not None:
        _report(fork, verdict)  # a child: it does not come back
    return fork.children, fork.steps, verdict


class _Forks:
    """In a parent: forks at each kill point. In a child: knows where to send its verdict."""

    def __init__(self, *, merge: bool, doubles: bool, until_us: int, stride: int) -> None:
        self.children: list[_Child] = []
        self.steps = 0
        self.pipe: int | None = None
        self.at = ""
        self._merge = merge
        self._doubles = doubles
        self._until_us = until_us
        self._stride = stride
        self._points = 0
        self._before = (-1, -1, -1)  # of the last step of S4: loop step, instant, what had left S4 before it
        self._lives = 0

    def watch(self, world: World) -> None:
        self._world = world
        world.s4.on_birth.append(self._born)

    def _born(self) -> None:
        proc = self._world.s4.proc
        assert proc is not None
        self._lives += 1
        if self._lives == 1:
            proc.strikes = self._every
        elif self._lives == 2 and self.pipe is not None and self._twice:
            proc.strikes = self._sampled(proc)

    def _every(self) -> bool:
        """In the first life: a fork at each kill point."""
        loop, tape = self._world.loop, self._world.tape
        if loop.now_us >= self._until_us:
            return False
        self.steps += 1
        now = (loop.steps, loop.now_us, tape.draws + loop.handed)
        same = self._merge and now == (self._before[0] + 1, *self._before[1:])
        self._before = now
        if same:
            return False
        self._points += 1
        if self._points % self._stride:
            return False
        return self._fork(str(self.steps), twice=self._doubles and self._points % DOUBLE_EVERY == 0)

    def _sampled(self, proc: Proc) -> Callable[[], bool]:
        """In the second life, of a child: a fork at some steps of its recovery."""
        begun = self.at

        def strikes() -> bool:
            due = proc.steps < DOUBLE_STEPS and proc.steps % DOUBLE_STRIDE == DOUBLE_STRIDE // 2
            return due and self._fork(f"{begun}+{proc.steps}", twice=False)

        return strikes

    def _fork(self, at: str, *, twice: bool) -> bool:
        """True in the child, which dies here; the parent has its end on record."""
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            asyncio._set_running_loop(self._world.loop)  # asyncio forgets it in a child
            self.pipe, self.at, self.children, self._twice = writing, at, [], twice
            self._world.s4.proc.strikes = None  # type: ignore[union-attr]  # it is the one that asks
            return True
        os.close(writing)
        told = b"".join(_chunks(reading))
        os.close(reading)
        os.waitpid(pid, 0)
        try:
            self.children.append(msgspec.json.decode(told, type=_Child))
        except msgspec.DecodeError:
            self.children.append(_Child(at=at, broken="HARNESS: no verdict", audit_hash=""))
        return False

    _twice = False


def _chunks(reading: int) -> Iterator[bytes]:
    while chunk := os.read(reading, 65_536):
        yield chunk


def _report(fork: _Forks, verdict: Verdict) -> Any:
    """A child's last act."""
    assert fork.pipe is not None
    broken = "; ".join(f"{each.invariant} {each.text}" for each in verdict.violations[:_TOLD])
    told = _Child(at=fork.at, broken=broken, audit_hash=verdict.audit_hash, below=tuple(fork.children))
    try:
        os.write(fork.pipe, msgspec.json.encode(told))
    finally:
        os._exit(0)
