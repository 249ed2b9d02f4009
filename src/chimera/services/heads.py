"""The head of a request, bounded in bytes and in time, before anything of ours is asked: uvicorn bounds neither.

Invariant: a connection that has not shown whole headers within ``HEAD_S``, or shows more than ``HEAD_MOST`` bytes of
them, is closed. Bodies are bounded by the gate and by whoever reads them.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_MOST: Final = 32_768  # of method, target and headers
HEAD_S: Final = 10.0
_SAID: Final = "Request header fields too large."


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's protocol, with both bounds."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._head: int | None = 0  # bytes of a head that is not whole; None: it is
        self._timer: asyncio.TimerHandle | None = None
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expected()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._head is not None and not self.transport.is_closing():
            self._head += len(data)
            if self._head > HEAD_MOST:
                self.send_400_response(_SAID)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._shown = 0, 0
        self._expect()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._expected()
        self._head = None
        super().on_headers_complete()

    def _count(self, more: int) -> None:
        """What is raised here uvicorn answers with 400, and closes."""
        self._shown += more
        if self._shown > HEAD_MOST:
            raise ValueError(_SAID)

    def _expect(self) -> None:
        self._expected()
        self._timer = self.loop.call_later(HEAD_S, self._give_up)

    def _expected(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.close()
