"""One question to a service, by a verb that has no loop of its own."""

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from chimera.cli.codes import Exit, Stop
from chimera.trading.errors import OutcomeUnknown

T = TypeVar("T")


def answer_to(asking: Awaitable[T]) -> T:
    """What came of it, in a loop made for it."""

    async def main() -> T:
        return await asking

    return asyncio.run(main())


@contextmanager
def changing_nothing() -> Iterator[None]:
    """A question without an answer has done nothing, whatever ``OutcomeUnknown`` says of other calls."""
    try:
        yield
    except OutcomeUnknown as error:
        raise Stop(Exit.UNREACHABLE, f"no answer; it was only a question, nothing happened: {error}") from error
