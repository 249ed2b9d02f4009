"""What a client's stream said, kept until the scenario asks; waiting is bounded and never sleeps for its own sake."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

T = TypeVar("T")
WAIT_S = 5.0  # no answer and no event takes longer


class Ears(Generic[T]):
    """Everything one stream of one client has told, in order."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[T] = asyncio.Queue()
        self.told: list[T] = []

    def note(self, told: T) -> None:
        """The client's callback."""
        self.told.append(told)
        self._heard.put_nowait(told)

    def note_all(self, told: Iterable[T]) -> None:
        """The same for a client that tells several at once."""
        for each in told:
            self.note(each)

    async def hear(self, wanted: Callable[[T], bool]) -> T:
        """The next that is ``wanted``; what comes before it is passed over."""
        try:
            async with asyncio.timeout(WAIT_S):
                while True:
                    if wanted(told := await self._heard.get()):
                        return told
        except TimeoutError:
            raise AssertionError(f"not heard; only {self.told[-5:]}") from None


@asynccontextmanager
async def pulling(pull: Callable[[], Awaitable[Iterable[T]]]) -> AsyncIterator[Ears[T]]:
    """Ears for a client whose stream is read by calling it again and again."""
    ears: Ears[T] = Ears()

    async def listen() -> None:
        while True:
            ears.note_all(await pull())

    listening = asyncio.create_task(listen())
    try:
        yield ears
    finally:
        while not listening.done():  # Python 3.11's wait_for, which libraries use, can swallow a cancellation
            listening.cancel()
            await asyncio.wait({listening}, timeout=0.05)
        if not listening.cancelled() and (error := listening.exception()) is not None:
            raise error


async def until(true: Callable[[], bool], what: str) -> None:
    """Let everybody else run until this is true of the venue."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not true():  # noqa: ASYNC110  # the venue has no event for it
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"never came true: {what}") from None
