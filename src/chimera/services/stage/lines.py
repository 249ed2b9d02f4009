"""An open connection on which the venue tells what happened: frames are lost, delayed and doubled on their way.

Invariants: frames of one event type keep their order, frames of different types need not; what a cut connection had
under way is lost; a deaf one stays open and brings nothing any more. Which kind of socket it is, is its user's.
"""

from abc import ABC, abstractmethod
from contextvars import Context
from typing import TYPE_CHECKING, Final

from chimera.simulate.door.messages import PRIVATE, SPOT_PRIVATE, Frame

if TYPE_CHECKING:
    from chimera.services.stage.network import Venue

FRAME_US: Final = 6_000
LATE_US: Final = (50_000, 3_000_000)
_EXPIRED: Final = b'"X":"EXPIRED"'
_USERS: Final = (PRIVATE, SPOT_PRIVATE)


class Line(ABC):
    """``_told`` makes payloads of a frame, ``_arrive`` takes each where it ends, ``cut`` ends it all."""

    def __init__(self, venue: "Venue") -> None:
        self.deaf = False
        self._venue = venue
        self._open = True
        self._due_us: dict[str, int] = {}  # per event type, when its last frame arrives

    def carry(self, frame: Frame) -> None:
        """Put a frame on the wire."""
        venue, event = self._venue, frame.event
        if not self._open or self.deaf:
            return
        if frame.ends:
            self.cut()
            return
        if frame.route in _USERS and venue.fires("stream_cut", event):
            self.cut()
            return
        if frame.route in _USERS and venue.fires("stream_stall", event):
            self.deaf = True
            return
        wait_us = venue.wait_us(f"frame:{event}", FRAME_US) + frame.delay_ms * 1000
        if venue.fires("frame_delay", event):
            wait_us += venue.tape.whole(f"frame_delay_us:{event}", *LATE_US)
        if _EXPIRED in frame.payload and venue.fires("end_delay", event):
            wait_us += venue.tape.whole(f"end_delay_us:{event}", *LATE_US)
        due_us = max(venue.loop.now_us + wait_us, self._due_us.get(event, 0) + 1)
        self._due_us[event] = due_us
        self._arrive_at(due_us, frame)
        if venue.fires("frame_duplicate", event):
            self._arrive_at(due_us + venue.tape.whole(f"frame_again_us:{event}", 1, 5_000_000), frame)

    @abstractmethod
    def cut(self) -> None: ...

    @abstractmethod
    def _told(self, frame: Frame) -> list[bytes]: ...

    @abstractmethod
    def _arrive(self, payload: bytes) -> None: ...

    def _arrive_at(self, due_us: int, frame: Frame) -> None:
        for payload in self._told(frame):
            self._venue.loop.call_at(due_us / 1_000_000, self._arrive, payload, context=Context())
