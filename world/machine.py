"""The machine under a process: it starts an incarnation, and after each death the next; and the clock that it has."""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.proc import Proc
from chimera.trading.money import Millis

Program = Callable[[Proc], Coroutine[Any, Any, None]]


class Machine:
    """Where one program runs: it starts an incarnation, and after each death the next.

    ``steps`` counts over all incarnations, so that a kill can be set to strike during recovery too.
    """

    def __init__(self, loop: DetLoop, name: str, program: Program, *, restart_ms: Callable[[], Millis]) -> None:
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


class ProcClock:
    """A machine's clock in the hands of one incarnation: the dead cannot read it."""

    def __init__(self, proc: Proc, clock: VirtualClock) -> None:
        self._proc = proc
        self._clock = clock

    def now_ms(self) -> Millis:
        self._proc.check()
        return self._clock.now_ms()

    def monotonic_ms(self) -> Millis:
        self._proc.check()
        return self._clock.monotonic_ms()
