"""A process of the virtual-time world: one incarnation of S3 or S4, and the machine that starts the next one.

Killing is SIGKILL, not cancellation: no handle of the incarnation ever runs again, so no ``finally`` and no ``except``
does. Its tasks stay referenced (by the loop) until the run ends, because a collected coroutine would be unwound. What
its ports still hold raises ``ProcDead``; what its requests started elsewhere goes on, in a clean context.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

from chimera.trading.money import Millis

if TYPE_CHECKING:
    from chimera.services.world.loop import DetLoop

T = TypeVar("T")
Program = Callable[["Proc"], Coroutine[Any, Any, None]]


class ProcDead(BaseException):
    """A port was used by an incarnation that is no more. Not an ``Exception``: nothing may handle its own death."""


class Proc:
    """One incarnation. ``steps`` counts the handles it ran; it dies in place of its step ``kill_at``."""

    def __init__(self, loop: "DetLoop", name: str, incarnation: int) -> None:
        self.loop = loop
        self.name = name
        self.incarnation = incarnation
        self.alive = True
        self.steps = 0
        self.kill_at: int | None = None
        self.strikes: Callable[[], bool] | None = None  # asked before each step: whether it dies in its place
        self.on_death: list[Callable[[], None]] = []
        self.stopped = False
        self._waiting: list[Any] = []  # handles that came due while it was stopped
        self._kept: list[object] = []  # handles that never ran: they may hold the last reference to a frame

    def spawn(self, name: str, factory: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """Start a task of this incarnation; all that it starts in turn belongs to it too."""
        self.check()
        context = Context()
        context.run(PROC.set, self)
        return self.loop.create_task(
            context.run(factory), name=f"{self.name}#{self.incarnation}/{name}", context=context
        )

    def kill(self) -> None:
        """SIGKILL, now."""
        if not self.alive:
            return
        self.alive = False
        for tell in self.on_death:
            tell()

    def go_on(self) -> None:
        """SIGCONT: what came due meanwhile is due now, in the order in which it came due."""
        self.stopped = False
        waiting, self._waiting = self._waiting, []
        self.loop.again(waiting)

    def check(self) -> None:
        """Raises ``ProcDead`` for a dead incarnation: the first line of every port."""
        if not self.alive:
            raise ProcDead(f"{self.name}#{self.incarnation}")

    def may_step(self, handle: object) -> bool:
        """Asked by the loop before each of its handles: counts it, and strikes where a kill is due."""
        if self.alive and self.stopped:
            self._waiting.append(handle)
            return False
        if self.alive and self.strikes is not None and self.strikes():
            self.kill()
        if self.alive:
            self.steps += 1
            if self.kill_at is None or self.steps < self.kill_at:
                return True
            self.kill()
        self._kept.append(handle)
        return False

    async def remote(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` as the other side's: once begun it is carried through, whatever becomes of the caller."""
        if not self.alive:
            work.close()
            self.check()
        task = self.loop.outside(work)
        task.add_done_callback(_fetched, context=Context())  # its error is the caller's to hear, if there is one left
        return await asyncio.shield(task)


def _fetched(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


PROC: Final[ContextVar[Proc | None]] = ContextVar("proc", default=None)


class Machine:
    """Where one program runs: it starts an incarnation, and after each death the next.

    ``steps`` counts over all incarnations, so that a kill can be set to strike during recovery too.
    """

    def __init__(self, loop: "DetLoop", name: str, program: Program, *, restart_ms: Callable[[], Millis]) -> None:
        self.loop = loop
        self.name = name
        self.deaths = 0
        self.exits: list[BaseException] = []  # how incarnations ended by themselves
        self.died_us: list[int] = []
        self.born_us: list[int] = []
        self.ended = 0  # of its deaths, those that it was asked for (SIGTERM)
        self.on_birth: list[Callable[[], None]] = []
        self.proc: Proc | None = None
        self._program = program
        self._restart_ms = restart_ms
        self._stops: list[list[int]] = []  # when it was stopped, and when it went on
        self._running: asyncio.Task[None] | None = None
        self._before = 0  # steps of the incarnations that are gone
        self._kills: list[int] = []
        self._stays_down = False

    @property
    def steps(self) -> int:
        return self._before + (self.proc.steps if self.proc is not None else 0)

    def kill_at(self, *steps: int) -> None:
        """Strike at these steps too, counted over all incarnations; without any, strike no more."""
        self._kills = sorted({*self._kills, *(step for step in steps if step > self.steps)}) if steps else []
        self._aim()

    def start(self) -> Proc:
        """The next incarnation, with nothing left of the one before but what the stores and the venue remember."""
        if self.proc is not None and self.proc.alive:
            raise RuntimeError(f"{self.name} is already running")
        self.proc = proc = Proc(self.loop, self.name, self.deaths)
        self.born_us.append(self.loop.now_us)
        proc.on_death.append(self._died)
        self._aim()
        for tell in self.on_birth:
            tell()
        self._running = proc.spawn("main", lambda: self._main(proc))
        return proc

    async def _main(self, proc: Proc) -> None:
        """A program that ends or fails takes its process with it, as on a real machine; then the next one starts."""
        try:
            await self._program(proc)
        except Exception as error:  # noqa: BLE001  # the process boundary: on record, for the verdict to judge
            self.exits.append(error)
        finally:
            proc.kill()

    def end(self) -> None:
        """SIGTERM: the program ends what it has begun, and with it the incarnation; then the next one starts."""
        if self.proc is not None and self.proc.alive and not self.proc.stopped and self._running is not None:
            self.ended += 1
            self._running.cancel()

    def kill(self) -> None:
        """SIGKILL now; the next incarnation starts after the restart delay."""
        if self.proc is not None:
            self.proc.kill()

    def stop(self) -> None:
        """SIGSTOP: the incarnation takes no step until it goes on; time passes."""
        if self.proc is not None and self.proc.alive and not self.proc.stopped:
            self.proc.stopped = True
            self._stops.append([self.loop.now_us])

    def go_on(self) -> None:
        """SIGCONT, where one is stopped."""
        if self.proc is not None and self.proc.alive and self.proc.stopped:
            self._stops[-1].append(self.loop.now_us)
            self.proc.go_on()

    def power_off(self) -> None:
        """Kill it and start no more: the end of the run."""
        self._stays_down = True
        self.kill()

    def down_spans(self, until_us: int) -> list[tuple[int, int]]:
        """When nobody ran, as (from, to) in us; the last may still be open at ``until_us``."""
        ends = [*self.born_us[1:], until_us]
        return [(died, ends[index]) for index, died in enumerate(self.died_us)]

    def stops(self, until_us: int) -> list[tuple[int, int]]:
        """When an incarnation was stopped, as (from, to) in us; one that died stopped ended its stretch with that."""
        ends = [*self.died_us, until_us]
        return [(at, told[0] if told else next(end for end in ends if end >= at)) for at, *told in self._stops]

    def _aim(self) -> None:
        if self.proc is not None:
            self.proc.kill_at = self._kills[0] - self._before if self._kills else None

    def _died(self) -> None:
        assert self.proc is not None
        if self._stays_down:
            return
        self.deaths += 1
        self.died_us.append(self.loop.now_us)
        self._before += self.proc.steps
        self._kills = [step for step in self._kills if step > self._before]
        self.loop.call_later(self._restart_ms() / 1000, self._rise, context=Context())

    def _rise(self) -> None:
        if not self._stays_down and (self.proc is None or not self.proc.alive):
            self.start()
