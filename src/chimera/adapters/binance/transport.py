"""The seam below the Binance adapter: bytes out, bytes in.

The production transport is aiohttp; the virtual-time world puts the simulated exchange here, so that signing, parsing
and error mapping are the same code everywhere.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from chimera.trading.value import Value


class Reply(Value):
    """An HTTP answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Socket(Protocol):
    """An open WebSocket."""

    def frames(self) -> AsyncIterator[bytes]:
        """Text frames until the connection ends (the iterator just stops)."""
        ...

    async def send(self, frame: bytes) -> None: ...


class Transport(Protocol):
    """One venue's hosts; base URLs belong to the transport.

    ``request`` raises ``NotSent`` when no byte can have reached the venue (refused, DNS, TLS) and ``OutcomeUnknown``
    for everything later (time-out, reset, end of file). It never retries: aiohttp's own retry of idempotent methods
    is switched off or made harmless.
    """

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        """``target`` is path and query exactly as signed; it is never re-encoded."""
        ...

    def connect(self, target: str) -> AbstractAsyncContextManager[Socket]:
        """Open a stream (``/private/ws?listenKey=...``); raises ``NotSent`` when it cannot."""
        ...

    async def close(self) -> None: ...
