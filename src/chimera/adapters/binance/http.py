"""HTTP and WebSocket over aiohttp: the production ``Transport``.

Invariants: a request leaves at most once; an address is sent exactly as signed; what fails before a byte can have left
is ``NotSent``, everything later ``OutcomeUnknown``; no redirect, cookie or environment proxy is followed; some
connections are never a question's, so that no stop queues behind a hundred questions that the venue is slow to answer.
Knows nothing of Binance but its base URLs.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from yarl import URL

from chimera.adapters.binance.hosts import Hosts, checked
from chimera.adapters.binance.transport import Reply
from chimera.trading.errors import NotSent, OutcomeUnknown

CONNECT_MS: Final = 1_500  # TCP and TLS; longer is an outage, and nothing was sent
CONNECTIONS: Final = 32
FOR_ORDERS: Final = 12  # of them, free of questions: what changes something (POST, PUT, DELETE)
BODY_MAX: Final = 32 * 1024 * 1024  # the largest true answer, exchangeInfo, is a few MB
FRAME_MAX: Final = 4 * 1024 * 1024
HANDSHAKE_S: Final = 5.0
HEARTBEAT_S: Final = 6.0  # our ping; half of it later without a pong the socket is dead: 9 s at most
USER_AGENT: Final = "chimera"


async def _send_once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Defeat aiohttp's own retry: it sends GET, PUT and DELETE again when a kept-alive connection was dropped.

    That retry catches ``ClientOSError`` and ``ServerDisconnectedError`` around the middlewares (3.14, client.py,
    ``_retry_connection``); an error that is not aiohttp's own passes it by.
    """
    try:
        return await handler(request)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        raise NotSent(f"no connection: {type(error).__name__}") from error
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise OutcomeUnknown(f"connection lost: {type(error).__name__}") from error


class _AiohttpSocket:
    """A WebSocket as ``transport.Socket``; pings, pongs and close frames stay below."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket

    async def frames(self) -> AsyncIterator[bytes]:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                yield message.data.encode()
            elif message.type is aiohttp.WSMsgType.BINARY:
                yield message.data
            elif message.type is aiohttp.WSMsgType.ERROR:
                return

    async def send(self, frame: bytes) -> None:
        await self._socket.send_str(frame.decode())


class AiohttpTransport:
    """One session for one environment. Make and close it inside the event loop that uses it."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = checked(hosts)
        self._questions = asyncio.Semaphore(CONNECTIONS - FOR_ORDERS)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_send_once,),
            headers={"User-Agent": USER_AGENT},
            auto_decompress=True,
        )

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        """Raises as ``Transport.request`` says. Connecting has the shorter time-out: an outage is ``NotSent``.

        A question waits as long for its turn, as it would for a connection.
        """
        if method != "GET":
            return await self._request(method, target, headers=headers, body=body, timeout_ms=timeout_ms)
        try:
            async with asyncio.timeout(_connect_s(timeout_ms)):
                await self._questions.acquire()
        except TimeoutError:
            raise NotSent("too many questions are under way") from None
        try:
            return await self._request(method, target, headers=headers, body=body, timeout_ms=timeout_ms)
        finally:
            self._questions.release()

    async def _request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> Reply:
        timeout = aiohttp.ClientTimeout(total=timeout_ms / 1000, connect=_connect_s(timeout_ms))
        try:
            async with self._session.request(
                method,
                URL(self._hosts.rest + target, encoded=True),
                headers=headers,
                data=body or None,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                return Reply(
                    status=response.status,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=await _read(response),
                )
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise NotSent("not an address") from error
        except RuntimeError as error:
            if self._session.closed:
                raise NotSent("the transport is closed") from error
            raise
        except TimeoutError as error:  # aiohttp's time-outs are all subclasses
            raise OutcomeUnknown(f"no answer within {timeout_ms} ms") from error
        except (aiohttp.ClientError, OSError) as error:
            raise OutcomeUnknown(f"connection lost: {type(error).__name__}") from error

    @asynccontextmanager
    async def connect(self, target: str) -> AsyncIterator[_AiohttpSocket]:
        """Raises ``NotSent`` when the stream cannot be opened; it carries no orders."""
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                socket = await self._session.ws_connect(
                    URL(self._hosts.streams + target, encoded=True),
                    heartbeat=HEARTBEAT_S,
                    max_msg_size=FRAME_MAX,
                    timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
                )
        except (aiohttp.ClientError, OSError, NotSent, OutcomeUnknown, TimeoutError) as error:
            raise NotSent(f"stream refused: {type(error).__name__}") from error
        except RuntimeError as error:
            if self._session.closed:
                raise NotSent("the transport is closed") from error
            raise
        try:
            yield _AiohttpSocket(socket)
        finally:
            await socket.close()

    async def close(self) -> None:
        await self._session.close()
        await asyncio.sleep(0)  # lets the transports' own closing callbacks run


def _connect_s(timeout_ms: int) -> float:
    return min(CONNECT_MS, timeout_ms / 2) / 1000


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > BODY_MAX:
            raise OutcomeUnknown(f"an answer larger than {BODY_MAX} bytes")
    return bytes(body)
