"""What the virtual-time loop runs: callbacks with a serial number, and futures and tasks that hash by theirs.

asyncio keeps tasks and futures in sets (a group's children, ``asyncio.wait``); hashed by address, those sets would have
another order in each process, and one seed would not be one run.
"""

import asyncio
import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chimera.services.stage.proc import PROC

if TYPE_CHECKING:
    from chimera.services.stage.loop import DetLoop


class FenceBroken(BaseException):
    """Something reached for the real world. Not an ``Exception``, so that no broad handler hides it."""


class Step(asyncio.TimerHandle):
    """One callback to run. A plain ``Handle`` in all but its cheap constructor."""

    __slots__ = ("serial",)

    def __init__(
        self,
        serial: int,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: "DetLoop",
        context: contextvars.Context | None,
    ) -> None:
        self.serial = serial
        self._when = when
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = contextvars.copy_context() if context is None else context
        self._cancelled = False
        self._scheduled = False
        self._repr = None
        self._source_traceback = None

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = _nothing
        self._args = ()


class SerialFuture(asyncio.Future[Any]):
    """A future whose place in a set does not depend on its address."""

    def __init__(self, serial: int, loop: "DetLoop") -> None:
        self.serial = serial
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.serial


class SerialTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    def __init__(self, serial: int, coro: Any, loop: "DetLoop", name: str, context: contextvars.Context | None) -> None:
        self.serial = serial
        self.owner = PROC.get() if context is None else context.get(PROC)
        super().__init__(coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self.serial


def _nothing() -> None:
    """What a cancelled handle does."""
