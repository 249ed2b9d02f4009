"""The only scheduler in virtual time: one thread, one seeded order, a clock that jumps to the next timer.

Invariants: the same seed and the same program take the same steps, whatever the hash seed or the addresses of objects
(tasks and futures hash by a serial number, so sets of them keep one order); time moves only when nothing is ready;
a handle of a dead incarnation never runs again; whatever would leave the thread or the virtual clock raises
``FenceBroken`` and stays on record even if somebody swallows it.
It does not know what the processes do, and it never asks the real clock.
"""

import asyncio
import contextvars
import sys
import threading
import weakref
from array import array
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from hashlib import blake2b
from heapq import heappop, heappush
from random import Random
from typing import Any, Final, TypeVar

from chimera.services.stage.proc import PROC, Proc
from chimera.services.stage.steps import FenceBroken, SerialFuture, SerialTask, Step

T = TypeVar("T")
SPIN_LIMIT: Final = 200_000  # steps in one instant: nothing honest needs as many
_TRACE_CHUNK: Final = 8192


class Stuck(RuntimeError):
    """Nothing is ready, no timer is set, and the awaited work is not done; or one instant never ends."""


def _fence(name: str) -> Callable[..., Any]:
    def fence(self: "DetLoop", *_: Any, **__: Any) -> Any:
        self.breach(f"loop.{name}")

    return fence


_FENCED: Final = (
    "run_in_executor", "set_default_executor", "getaddrinfo", "getnameinfo", "create_connection", "create_server",
    "sendfile", "start_tls", "create_unix_connection", "create_unix_server", "connect_accepted_socket",
    "create_datagram_endpoint", "connect_read_pipe", "connect_write_pipe", "subprocess_shell", "subprocess_exec",
    "add_reader", "remove_reader", "add_writer", "remove_writer", "sock_recv", "sock_recv_into", "sock_recvfrom",
    "sock_recvfrom_into", "sock_sendall", "sock_sendto", "sock_connect", "sock_accept", "sock_sendfile",
    "add_signal_handler", "remove_signal_handler", "set_task_factory",
)  # fmt: skip
_Fenced: Any = type("_Fenced", (asyncio.AbstractEventLoop,), {name: _fence(name) for name in _FENCED})


class DetLoop(_Fenced):  # type: ignore[misc]  # Any base: the fenced methods are made from a table
    """An asyncio event loop of one seed. ``fifo`` runs ready handles in asyncio's own order instead of a drawn one."""

    def __init__(self, seed: int | str = 0, *, fifo: bool = False, trace: bool = False) -> None:
        self.now_us = 0
        self.steps = 0
        self.handed = 0  # tasks begun outside every process
        self.problems: list[str] = []
        self.breaches: list[str] = []
        self.watch: Callable[[], None] | None = None  # called after each jump of time
        self._rng = Random(f"{seed}:sched")
        self._fifo = fifo
        self._ready: deque[Step] | list[Step] = deque() if fifo else []
        self._timers: list[tuple[int, int, Step]] = []
        self._serial = 0
        self._tasks: dict[SerialTask, None] = {}
        self._sweep_at = 1024
        self._agens: weakref.WeakKeyDictionary[AsyncGenerator[Any, Any], None] = weakref.WeakKeyDictionary()
        self._agen_owner: dict[int, Proc | None] = {}  # by address: the weak reference dies before the finalizer runs
        self._kept: list[object] = []  # generators begun by a process: they must outlive its death
        self._trace = array("q") if trace else None
        self._digest = blake2b(digest_size=16)
        self._thread = threading.get_ident()
        self._running = False
        self._stopping = False
        self._closed = False
        self._handler: Callable[[Any, dict[str, Any]], object] | None = None

    # ── time and handles ──

    def time(self) -> float:
        """Virtual seconds since the run began."""
        return self.now_us / 1_000_000

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        self._serial += 1
        step = Step(self._serial, 0.0, callback, args, self, context)
        self._ready.append(step)
        return step

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        """From this thread it is ``call_soon``; from any other it is a breach."""
        if not self.runs_here():
            self.breach("loop.call_soon_threadsafe from another thread")
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self._at(self.now_us + round(max(delay, 0) * 1_000_000), callback, args, context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self._at(round(when * 1_000_000), callback, args, context)

    def _at(
        self, when_us: int, callback: Callable[..., object], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> asyncio.TimerHandle:
        self._serial += 1
        step = Step(self._serial, when_us / 1_000_000, callback, args, self, context)
        heappush(self._timers, (max(when_us, self.now_us), self._serial, step))
        return step

    def again(self, steps: list[Step]) -> None:
        """Handles that were due before and could not run are due once more."""
        self._ready.extend(step for step in steps if not step._cancelled)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Cancelled timers are dropped when their moment comes."""

    # ── futures and tasks ──

    def create_future(self) -> asyncio.Future[Any]:
        self._serial += 1
        return SerialFuture(self._serial, self)

    def create_task(
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        eager_start: bool | None = None,
    ) -> asyncio.Task[T]:
        """A task in the seeded order; an eager start would run outside it and is a breach."""
        if eager_start:
            self.breach("loop.create_task(eager_start=True)")
        self._serial += 1
        task = SerialTask(self._serial, coro, self, name or f"task-{self._serial}", context)
        self._tasks[task] = None
        if len(self._tasks) > self._sweep_at:
            self._sweep()
        return task

    def outside(self, coro: Coroutine[Any, Any, T], name: str | None = None) -> asyncio.Task[T]:
        """A task of no process, in a clean context: what a server does lives on when its caller dies."""
        self.handed += 1
        return self.create_task(coro, name=name, context=contextvars.Context())

    def get_task_factory(self) -> None:
        return None

    def _sweep(self) -> None:
        """Forget tasks that ended well; those whose exception nobody fetched stay for the verdict."""
        self._tasks = {task: None for task in self._tasks if not task.done() or _unheard(task)}
        self._sweep_at = max(1024, 2 * len(self._tasks))

    # ── running ──

    def run_forever(self) -> None:
        self._begin()
        try:
            self._drive(None)
        finally:
            self._end()

    def run_until_complete(self, future: Any) -> Any:
        """Run until ``future`` (or a coroutine) is done; its result. Raises ``Stuck`` when it can never be."""
        task = asyncio.ensure_future(future, loop=self)
        self._begin()
        try:
            self._drive(task)
        finally:
            self._end()
        if not task.done():
            raise RuntimeError("the loop was stopped before the awaited work was done")
        return task.result()

    def run_for(self, seconds: float) -> None:
        """Run ``seconds`` of virtual time."""
        self.call_later(seconds, self.stop, context=contextvars.Context())
        self.run_forever()

    def _drive(self, until: asyncio.Future[Any] | None) -> None:
        ready, timers, random = self._ready, self._timers, self._rng.random
        spin = 0
        while not self._stopping and (until is None or not until.done()):
            if not ready:
                if not timers:
                    if until is None:
                        return
                    raise Stuck(f"nothing left to run at {self.now_us} us; waiting: {self._waiting()}")
                self._advance()
                spin = 0
                continue
            spin += 1
            if spin > SPIN_LIMIT:
                raise Stuck(f"the instant {self.now_us} us does not end; ready: {ready[-1]!r}")
            step = self._take(ready, random)
            if step._cancelled:
                continue
            context = step._context
            proc = context.get(PROC)
            if proc is not None and not proc.may_step(step):
                continue
            self.steps += 1
            if self._trace is not None:
                self._note(step.serial)
            try:
                context.run(step._callback, *step._args)
            except (SystemExit, KeyboardInterrupt, FenceBroken):
                raise
            except BaseException as error:  # noqa: BLE001  # as asyncio's Handle._run: a callback's error is reported
                self.call_exception_handler({"message": f"in callback {step._callback!r}", "exception": error})
            if self.breaches:
                raise FenceBroken(self.breaches[0])

    def _take(self, ready: Any, random: Callable[[], float]) -> Step:
        if self._fifo:
            return ready.popleft()  # type: ignore[no-any-return]  # a deque or a list of steps
        if len(ready) > 1:
            chosen = int(random() * len(ready))
            ready[chosen], ready[-1] = ready[-1], ready[chosen]
        return ready.pop()  # type: ignore[no-any-return]  # a deque or a list of steps

    def _advance(self) -> None:
        """Jump to the next timer; all that are due at that instant become ready."""
        timers = self._timers
        when = self.now_us = max(self.now_us, timers[0][0])
        while timers and timers[0][0] <= when:
            step = heappop(timers)[2]
            if not step._cancelled:
                self._ready.append(step)
        if self.watch is not None:
            self.watch()

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def get_debug(self) -> bool:
        return False

    def set_debug(self, enabled: bool) -> None:
        """Debug mode asks the real clock: it stays off."""

    def _begin(self) -> None:
        if self._closed or self._running:
            raise RuntimeError("the loop is closed or already running")
        self._thread = threading.get_ident()
        self._running, self._stopping = True, False
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._agen_begun, finalizer=self._agen_dropped)
        asyncio._set_running_loop(self)

    def _end(self) -> None:
        self._running, self._stopping = False, False
        asyncio._set_running_loop(None)
        sys.set_asyncgen_hooks(*self._hooks)

    # ── async generators ──

    def _agen_begun(self, agen: AsyncGenerator[Any, Any]) -> None:
        self._agens[agen] = None
        self._agen_owner[id(agen)] = PROC.get()

    def _agen_dropped(self, agen: AsyncGenerator[Any, Any]) -> None:
        proc = self._agen_owner.pop(id(agen), None)
        if proc is not None and not proc.alive:
            self._kept.append(agen)
        elif not self._closed:
            self.create_task(_close(agen))

    async def shutdown_asyncgens(self) -> None:
        """Close the generators still open, in the order they began."""
        open_ones = list(self._agens)
        self._agens.clear()
        for agen in open_ones:
            await agen.aclose()

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """There is none."""

    # ── trouble ──

    def runs_here(self) -> bool:
        """Whether the caller is in the loop's own thread."""
        return threading.get_ident() == self._thread

    def breach(self, what: str) -> None:
        """Record and raise: something reached through the fence."""
        self.breaches.append(what)
        raise FenceBroken(what)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._handler is not None:
            self._handler(self, context)
            return
        error = context.get("exception")
        self.problems.append(f"{context.get('message')}: {error!r}")

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.call_exception_handler(context)

    def get_exception_handler(self) -> Callable[[Any, dict[str, Any]], object] | None:
        return self._handler

    def set_exception_handler(self, handler: Callable[[Any, dict[str, Any]], object] | None) -> None:
        self._handler = handler

    def unheard(self) -> list[str]:
        """Exceptions of live tasks that nobody fetched, and callbacks that failed: each makes a run red."""
        failed = [f"task {task.get_name()}: {task._exception!r}" for task in self._tasks if _unheard(task)]
        return [*self.breaches, *self.problems, *failed]

    def _waiting(self) -> list[str]:
        return [task.get_name() for task in self._tasks if not task.done()][:10]

    # ── trace ──

    def _note(self, serial: int) -> None:
        trace = self._trace
        assert trace is not None
        trace.append(serial)
        trace.append(self.now_us)
        if len(trace) >= _TRACE_CHUNK:
            self._digest.update(trace.tobytes())
            del trace[:]

    def trace_hash(self) -> str:
        """Digest of every step so far: which handle, at which instant."""
        if self._trace is not None:
            self._digest.update(self._trace.tobytes())
            del self._trace[:]
        return self._digest.hexdigest()

    def close(self) -> None:
        """The end of the run: only now are the dead buried. Their ``finally`` blocks meet ports that are dead too."""
        if self._closed:
            return
        self._closed = True
        self._ready.clear()
        self._timers.clear()
        for task in list(self._tasks):
            task._log_traceback = False
            if not task.done():
                _bury(task)
        self._tasks.clear()
        self._kept.clear()


def _unheard(task: SerialTask) -> bool:
    """Whether the task failed, nobody fetched its exception, and its process still lives to care."""
    return task.done() and bool(task._log_traceback) and (task.owner is None or task.owner.alive)


async def _close(agen: AsyncGenerator[Any, Any]) -> None:
    await agen.aclose()


def _bury(task: SerialTask) -> None:
    """Unwind a coroutine that will never run again; what it cries out on the way concerns nobody."""
    coro: Any = task.get_coro()
    setattr(task, "_log_destroy_pending", False)  # noqa: B010  # asyncio's own switch, unknown to the type stubs
    with suppress(BaseException):  # the run is over and its verdict is written
        coro.close()
