"""A door in front of another: it hands on what comes, counts who came, and may keep everything back for a while."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


class Relay:
    """Made by ``relay``. ``let``: clear it, and nothing is handed on until it is set again."""

    def __init__(self, target: Callable[[], int]) -> None:
        self.port = 0
        self.came = 0
        self.let = asyncio.Event()
        self.let.set()
        self.at_work: set[asyncio.Task[None]] = set()
        self._target = target

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came += 1
        handling = asyncio.create_task(self._handle(reader, writer))
        handling.add_done_callback(lambda _: writer.close())  # also where nobody is behind, or it never began
        self.at_work.add(handling)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target())
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._hand_on(reader, there_writer))
                both.create_task(self._hand_on(there_reader, writer))
        finally:
            there_writer.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self.let.wait()
                writer.write(data)
                await writer.drain()
            writer.write_eof()


@asynccontextmanager
async def relay(target: Callable[[], int]) -> AsyncIterator[Relay]:
    """On a port of its own; ``target``: the port behind it, asked at each connection."""
    made = Relay(target)
    server = await asyncio.start_server(made.accept, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in made.at_work:
            task.cancel()
        await asyncio.gather(*made.at_work, return_exceptions=True)
