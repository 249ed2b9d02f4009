"""A user stream that reconnects by itself, whichever way it is opened; what is heard of one connection is a ``Line``.

Invariants: ``StreamUp`` comes first and after every gap, ``StreamDown`` with its cause and its reason, once per reason;
no connection and no task outlives its reader. Back-off grows with failures in a row and is drawn (``backing_off``).
"""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Final, NamedTuple

from chimera.adapters.binance.backing_off import pause_ms
from chimera.ports.clock import Clock
from chimera.ports.venue import Loss, Report, StreamDown, StreamUp
from chimera.trading.errors import NotSent, OutcomeUnknown, VenueRejected

_HEALTHY_MS: Final = 10_000  # a connection that lived this long resets the back-off
_KEY_REFUSED_PAUSE_MS: Final = 5_000


class Lost(Exception):
    """This connection is over; the text says why."""

    def __init__(self, cause: Loss, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


class Line(NamedTuple):
    """One open connection. ``read`` may raise ``Lost``, ``upkeep`` ends only so and may tell something on the way."""

    frames: AsyncIterator[bytes]
    read: Callable[[bytes], tuple[Report, ...]]
    upkeep: AsyncGenerator[Report, None]


class Reconnecting:
    """``opened`` gives a connection that hears, or raises what the venue's ports raise."""

    def __init__(
        self,
        opened: Callable[[], AbstractAsyncContextManager[Line]],
        clock: Clock,
        jitter: random.Random,
        *,
        silence_ms: int,
        refused: str,
    ) -> None:
        self._opened = opened
        self._clock = clock
        self._jitter = jitter
        self._silence_ms = silence_ms
        self._refused = refused  # what it is that the venue refuses when it refuses a connection
        self._asked = asyncio.Event()
        self._why = ""

    def reconnect(self, why: str) -> None:
        """End the present connection, which is open and does not tell, and make another."""
        self._why = why
        self._asked.set()

    async def reports(self) -> AsyncGenerator[Report, None]:
        """For ever. Close it (``aclosing``) to end the connection at once."""
        failures, told = 0, ""
        while True:
            began: int | None = None
            wait_ms = 0
            self._asked.clear()  # whoever asks while it is being opened may know what the opening did not
            try:
                async with self._opened() as line:
                    began, told = self._clock.monotonic_ms(), ""
                    yield StreamUp()
                    async with aclosing(self._listen(line)) as heard:
                        async for report in heard:
                            yield report
                cause, reason = Loss.CLOSED, "the venue closed the stream"
            except Lost as error:
                cause, reason = error.cause, str(error)
            except VenueRejected as error:
                cause, reason, wait_ms = Loss.KEY_REFUSED, f"{self._refused}: {error}", _KEY_REFUSED_PAUSE_MS
            except NotSent as error:
                cause, reason, wait_ms = Loss.UNREACHABLE, error.reason, error.retry_after_ms or 0
            except OutcomeUnknown as error:
                cause, reason = Loss.UNREACHABLE, str(error)
            if reason != told:
                told = reason
                yield StreamDown(reason=reason, cause=cause)
            lived_ms = 0 if began is None else self._clock.monotonic_ms() - began
            failures = 0 if lived_ms >= _HEALTHY_MS else failures + 1
            await asyncio.sleep(max(pause_ms(failures, self._jitter), wait_ms) / 1000)

    async def _listen(self, line: Line) -> AsyncGenerator[Report, None]:
        """Reports of one connection; returns when the venue ends it, raises ``Lost`` when we do."""
        incoming, kept = asyncio.create_task(_next(line.frames)), asyncio.create_task(anext(line.upkeep))
        asked = asyncio.create_task(self._asked.wait())
        try:
            while True:
                await asyncio.wait(
                    (incoming, kept, asked),
                    timeout=self._silence_ms / 1000,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if incoming.done():
                    frame = incoming.result()
                    if frame is None:
                        return
                    incoming = asyncio.create_task(_next(line.frames))
                    for report in line.read(frame):
                        yield report
                elif kept.done():
                    yield kept.result()
                    kept = asyncio.create_task(anext(line.upkeep))
                elif asked.done():
                    raise Lost(Loss.ASKED, self._why)
                else:
                    raise Lost(Loss.SILENT, f"silent for {self._silence_ms} ms")
        finally:
            for task in (incoming, kept, asked):
                task.cancel()
            await asyncio.gather(incoming, kept, asked, return_exceptions=True)


async def _next(frames: AsyncIterator[bytes]) -> bytes | None:
    return await anext(frames, None)
