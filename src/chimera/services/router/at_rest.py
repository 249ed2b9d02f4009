"""Waiting and working that weigh next to nothing at rest: a router keeps an owner for every position, most are quiet.

An ``asyncio.Event`` keeps a queue of 0.7 kB for its waiters also where nobody waits, and a task that only waits for
work weighs 1 kB: of ten thousand owners with five and three of them that was 70 MB.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context


class Moment:
    """``asyncio.Event`` in little; ``pulse`` wakes who waits now, and nobody later."""

    __slots__ = ("_come", "_waiters")

    def __init__(self) -> None:
        self._come = False
        self._waiters: list[asyncio.Future[None]] | None = None  # none is kept where nobody waits

    def is_set(self) -> bool:
        return self._come

    def set(self) -> None:
        self._come = True
        self.pulse()

    def pulse(self) -> None:
        waiters, self._waiters = self._waiters, None
        for waiter in waiters or ():
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        if self._come:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters = [*(self._waiters or ()), waiter]
        try:
            await waiter
        finally:  # also where it was cancelled
            self._waiters = [other for other in self._waiters or () if other is not waiter] or None


class Errand:
    """Work that comes now and then: a task of its own while there is some, none at rest.

    It is done once more whenever it was wanted meanwhile; nothing begins before ``begin``. What it raises ends whoever
    began it.
    """

    __slots__ = ("_context", "_name", "_over", "_task", "_wanted", "_work")

    def __init__(self, work: Callable[[], Coroutine[None, None, None]], name: str) -> None:
        self._work = work
        self._name = name
        self._wanted = False
        self._task: asyncio.Task[None] | None = None
        self._over: asyncio.Future[None] | None = None
        self._context: Context | None = None

    def begin(self, over: asyncio.Future[None], context: Context) -> None:
        """From now on, in this context whoever wants it. ``over`` gets what it raises."""
        self._over, self._context = over, context
        self._set_out()

    def want(self) -> None:
        """Now, or as soon as what is under way is done."""
        self._wanted = True
        self._set_out()

    def _set_out(self) -> None:
        if self._over is not None and self._task is None:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(self._over), name=self._name, context=self._context)

    async def end(self) -> None:
        """Cancelled, and waited for."""
        self._over, task = None, self._task
        if task is not None:
            task.cancel()
            await asyncio.wait((task,))

    async def _run(self, over: asyncio.Future[None]) -> None:
        try:
            while self._wanted:
                self._wanted = False
                await self._work()
        except Exception as error:  # noqa: BLE001  # handed on as it is
            if not over.done():
                over.set_exception(error)
        finally:
            self._task = None
