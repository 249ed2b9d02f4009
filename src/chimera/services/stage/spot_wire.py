"""A connection to spot's WebSocket API: the user's events come on it once they are subscribed to, and orders may go.

Invariants: those of ``lines`` for events and of ``wired_orders`` for requests; the subscription itself may be lost or
refused like any request, and ends with the connection.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from chimera.adapters.binance.spot.raw import API_PATH
from chimera.services.stage.lines import Line
from chimera.services.stage.proc import Proc
from chimera.services.stage.wired_orders import OrderWire
from chimera.simulate.door.messages import ANY, Frame, WireRequest
from chimera.simulate.doors import SPOT

if TYPE_CHECKING:
    from chimera.services.stage.network import Venue

SPOT_API_PATH: Final = API_PATH
_SUBSCRIBE: Final = WireRequest(method="WS", path="/api/v3/userDataStream")  # what stands for it where faults are aimed


class EventWire(Line, OrderWire):
    """``chimera.adapters.binance.transport.Socket`` of one connection. Raises ``Refusal`` for a refused handshake."""

    door = SPOT

    def __init__(self, venue: "Venue", proc: Proc, named: Mapping[str, str]) -> None:
        Line.__init__(self, venue)
        OrderWire.__init__(self, venue, proc, named)

    def cut(self) -> None:
        OrderWire.cut(self)

    def _as_rest(self, text: str) -> WireRequest:
        _, request = self._venue.twin.doors.ws_as_rest(self.door, self._session, text)
        return request or _SUBSCRIBE

    def _told(self, frame: Frame) -> list[bytes]:
        return [frame.payload] if frame.channel == ANY else self._session.wrapped(frame)

    def _arrive(self, payload: bytes) -> None:
        if self._open and not self.deaf:
            self._queue.put_nowait(payload)
