"""One question to a service, by a verb that has no loop of its own."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from chimera.cli.codes import Exit, Stop
from chimera.client.service import ServiceClient
from chimera.trading.errors import OutcomeUnknown

C = TypeVar("C", bound=ServiceClient)
T = TypeVar("T")


def answer_to(asking: Awaitable[T]) -> T:
    """What came of it, in a loop made for it."""

    async def main() -> T:
        return await asking

    return asyncio.run(main())


def asked_of(client: C, ask: Callable[[C], Awaitable[T]]) -> T:
    """One question or deed, by a client that is closed afterwards."""

    async def main() -> T:
        async with client:
            return await ask(client)

    return asyncio.run(main())


@contextmanager
def changing_nothing() -> Iterator[None]:
    """A question without an answer has done nothing, whatever ``OutcomeUnknown`` says of other calls."""
    try:
        yield
    except OutcomeUnknown as error:
        raise Stop(Exit.UNREACHABLE, f"no answer; it was only a question, nothing happened: {error}") from error
