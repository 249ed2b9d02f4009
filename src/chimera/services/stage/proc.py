"""A process in virtual time: one incarnation of S3, of S4, or of the feed.

Killing is SIGKILL, not cancellation: no handle of the incarnation ever runs again, so no ``finally`` and no ``except``
does. Its tasks stay referenced (by the loop) until the run ends, because a collected coroutine would be unwound. What
its ports still hold raises ``ProcDead``; what its requests started elsewhere goes on, in a clean context.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from chimera.services.stage.loop import DetLoop

T = TypeVar("T")


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
