"""The wire from S3 to S4: a call that may be lost, doubled, or answered to nobody.

Invariants: what S4 was handed runs in S4's incarnation and dies with it, not with the caller; a dead S4 refuses the
connection (``NotSent``) or resets it (``OutcomeUnknown``). Duplicate delivery is allowed here, because S4 promises
that the same intent is one intent.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context
from functools import partial
from typing import Any, Final, Generic, TypeVar

from chimera.services.stage.loop import DetLoop
from chimera.services.stage.proc import Proc
from chimera.services.stage.tape import Tape
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown

Q = TypeVar("Q")
A = TypeVar("A")
ONE_WAY_US: Final = 600
MOST: Final[Mapping[str, float]] = {
    "link_refused": 0.10,
    "link_lost": 0.15,
    "link_answer_lost": 0.15,
    "link_double": 0.20,
}


class Link(Generic[Q, A]):
    """Calls from any process to the one that serves."""

    def __init__(self, loop: DetLoop, tape: Tape, rates: Mapping[str, float]) -> None:
        self._loop = loop
        self._tape = tape
        self._rates = rates
        self._server: Proc | None = None
        self._handler: Callable[[Q], Coroutine[Any, Any, A]] | None = None

    def serve(self, proc: Proc, handler: Callable[[Q], Coroutine[Any, Any, A]]) -> None:
        """This incarnation answers from now on."""
        self._server, self._handler = proc, handler

    async def call(self, caller: Proc | None, question: Q, *, timeout_ms: int) -> A:
        """The answer; raises the handler's own ``ChimeraError``, or ``NotSent``, ``OutcomeUnknown`` for the wire's."""
        if caller is not None:
            caller.check()
        if self._server is None or not self._server.alive or self._fires("link_refused"):
            await asyncio.sleep(self._wait_s())
            raise NotSent("connection refused")
        answer: asyncio.Future[A | ChimeraError] = self._loop.create_future()
        if not self._fires("link_lost"):
            self._deliver(question, None if self._fires("link_answer_lost") else answer)
            if self._fires("link_double"):
                self._deliver(question, None)
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                told = await answer
        except TimeoutError:
            raise OutcomeUnknown(f"no answer in {timeout_ms} ms") from None
        if isinstance(told, ChimeraError):
            raise told
        return told

    def _deliver(self, question: Q, answer: "asyncio.Future[A | ChimeraError] | None") -> None:
        self._loop.call_later(self._wait_s(), self._arrive, question, answer, context=Context())

    def _arrive(self, question: Q, answer: "asyncio.Future[A | ChimeraError] | None") -> None:
        proc, handler = self._server, self._handler
        if proc is None or not proc.alive or handler is None:
            self._tell(answer, OutcomeUnknown("connection reset"))
            return
        reset = partial(self._tell, answer, OutcomeUnknown("connection reset"))

        async def work() -> None:
            told: A | ChimeraError
            try:
                told = await handler(question)
            except ChimeraError as error:
                told = error
            if reset in proc.on_death:
                proc.on_death.remove(reset)
            self._loop.call_later(self._wait_s(), self._tell, answer, told, context=Context())

        proc.on_death.append(reset)
        proc.spawn("call", work)

    @staticmethod
    def _tell(answer: "asyncio.Future[A | ChimeraError] | None", told: A | ChimeraError) -> None:
        if answer is not None and not answer.done():
            answer.set_result(told)

    def _fires(self, name: str) -> bool:
        return self._tape.fires(name, self._rates.get(name, 0))

    def _wait_s(self) -> float:
        return self._tape.latency_us("link", ONE_WAY_US) / 1_000_000
