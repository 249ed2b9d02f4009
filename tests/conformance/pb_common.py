"""What both python-binance clients share: the library on other base URLs, and its refusals as ours.

Its base URLs are class attributes; a subclass changes them and nothing else.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from binance import AsyncClient, BinanceSocketManager
from binance.exceptions import BinanceAPIException
from ears import Ears, pulling
from keys import ClientKey
from told import Client, Refused
from venue import Venue

# Its sockets notice that they are to close when they next wake: every so many seconds, or at the next message.
_AWAKE_S = 0.2


def client_class(venue: Venue) -> type[AsyncClient]:
    """``AsyncClient`` with the venue's URLs."""
    urls = {
        "API_URL": f"{venue.rest}/api",
        "MARGIN_API_URL": f"{venue.rest}/sapi",
        "FUTURES_URL": f"{venue.rest}/fapi",
        "WS_API_URL": f"{venue.ws}/ws-api/v3",
        "WS_FUTURES_URL": f"{venue.ws}/ws-fapi/v1",
    }
    return type("AsyncClientHere", (AsyncClient,), urls)


def sockets(venue: Venue, client: AsyncClient) -> BinanceSocketManager:
    """``BinanceSocketManager`` with the venue's URLs."""
    here = {"STREAM_URL": f"{venue.ws}/", "FSTREAM_URL": f"{venue.ws}/"}
    manager: BinanceSocketManager = type("BinanceSocketManagerHere", (BinanceSocketManager,), here)(client)
    return manager


class PythonBinance(Client):
    """The asynchronous client and its socket manager."""

    def __init__(self, venue: Venue, client: AsyncClient) -> None:
        self.complaints: list[str] = []
        self.client = client
        self.sockets = sockets(venue, client)

    @classmethod
    @asynccontextmanager
    async def opened(cls, venue: Venue, key: ClientKey) -> AsyncIterator["PythonBinance"]:
        """As its documentation opens it; ``create`` asks the spot market for its time."""
        signs_with = {"private_key": key.private_key} if key.private_key else {"api_secret": key.secret}
        client = await client_class(venue).create(key.api_key, **signs_with)
        try:
            yield cls(venue, client)
        finally:
            for api in (client.ws_api, client.ws_future):
                await _hang_up(api)
            await client.close_connection()  # it would forget the second

    @asynccontextmanager
    async def _stream(self, socket: Any, read: Any) -> AsyncIterator[Ears[Any]]:
        """Hear a socket; ``read`` takes the payload, ``None`` means: not for us."""
        socket.TIMEOUT = _AWAKE_S

        async def pull() -> list[Any]:
            message = await socket.recv()
            assert message.get("e") != "error", message
            told = read(message.get("data", message))
            return [] if told is None else [told]

        async with socket, pulling(pull) as ears:
            yield ears


async def _hang_up(api: Any) -> None:
    """Close a WebSocket API connection at once: it notices when its reading ends, which may take its time-out."""
    closing = asyncio.create_task(api.close())
    await asyncio.sleep(0)
    if api.ws is not None:
        await api.ws.close()
    await closing


async def ask(call: Awaitable[Any]) -> Any:
    """One call as the library's user makes it. Raises ``Refused``."""
    try:
        return await call
    except BinanceAPIException as error:
        raise Refused(int(error.code), str(error.message)) from error
