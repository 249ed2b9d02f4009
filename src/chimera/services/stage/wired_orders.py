"""A connection to the venue's WebSocket API: orders go out on it as frames, answers come back by their ids.

Invariants: as over REST, what was written may be lost on either way, and what reached the venue is executed though the
connection is gone; a reset answer ends the connection, and with it the answers to all that is in flight. ``orders_cut``
ends it as an order leaves, before or behind it; ``orders_stall`` leaves it open and lets nothing through any more.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from chimera.adapters.binance.order_socket import API_PATH
from chimera.services.stage.proc import Proc
from chimera.services.stage.trip import Trip, is_order
from chimera.simulate.door.messages import Frame, WireRequest
from chimera.simulate.door.session import Session
from chimera.simulate.door.ws_api import WsReply
from chimera.simulate.doors import USDM

if TYPE_CHECKING:
    from chimera.services.stage.network import Venue

__all__ = ["API_PATH", "OrderWire"]
CUT_BEFORE: Final = 0.5  # of the cuts: the frame that was about to leave never does


class OrderWire:
    """``chimera.adapters.binance.transport.Socket`` of one connection. Raises ``Refusal`` for a refused handshake."""

    door = USDM

    def __init__(self, venue: "Venue", proc: Proc, named: Mapping[str, str]) -> None:
        self.deaf = False
        self._venue = venue
        self._proc = proc
        self._named = named
        self._session = Session(ip="", connected_ms=venue.now_ms)
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._open = True
        self._in_flight: dict[int, bool] = {}  # by serial: whether it is an order
        self._serial = 0
        venue.twin.ws_open(self.door, self._session, venue.now_ms)
        venue.order_wires[self] = None

    def carry(self, frame: Frame) -> None:
        """Futures tell the user's events elsewhere."""

    async def frames(self) -> AsyncIterator[bytes]:
        self._proc.check()
        while (frame := await self._queue.get()) is not None:
            self._proc.check()
            yield frame

    async def send(self, frame: bytes) -> None:
        """One request leaves. Raises ``ConnectionResetError`` where the connection is known to have ended."""
        self._proc.check()
        if not self._open:
            raise ConnectionResetError("the connection is closing")
        venue, text = self._venue, frame.decode()
        request = self._as_rest(text)
        self._serial += 1
        serial, self._in_flight[self._serial] = self._serial, is_order(request)
        venue.by_socket += is_order(request)
        about = f"{request.method} {request.path}"
        if venue.fires("orders_stall", about):
            self.deaf = True
        cut = venue.fires("orders_cut", about)
        if not (self.deaf or (cut and venue.tape.u("orders_cut_before") < CUT_BEFORE)):
            Trip(venue, request, partial(self._execute, request, text)).begin(partial(self._hear, serial))
        elif venue.sent is not None:
            venue.sent(request)
        if cut:
            self.cut()

    def cut(self) -> None:
        """The connection ends; what is in flight is carried through, and its answers are lost."""
        if self._open:
            self._open = False
            self._venue.order_wires.pop(self, None)
            self._venue.cut_in_flight += self._proc.alive and any(self._in_flight.values())
            self._queue.put_nowait(None)

    def _as_rest(self, text: str) -> WireRequest:
        """What the frame asks for, in the words of REST."""
        _, request = self._venue.twin.doors.ws_as_rest(self.door, self._session, text)
        assert request is not None, "the client asks for nothing else here"
        return request.but(headers={**request.headers, **self._named})

    def _execute(self, request: WireRequest, text: str) -> WsReply:
        venue = self._venue
        return venue.arrived(request, lambda: venue.twin.ws(self.door, self._session, text, venue.now_ms))

    def _hear(self, serial: int, reply: WsReply | None) -> None:
        if not self._open or self.deaf:
            return
        if reply is None:
            self.cut()
            return
        self._in_flight.pop(serial, None)
        for payload in reply.payloads:
            self._queue.put_nowait(payload)
        if reply.ends:
            self.cut()
