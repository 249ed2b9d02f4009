"""One WebSocket connection as the hub sees it: what it hears, what waits to be sent, how long it lives.

A reader that cannot keep up is cut off, never waited for: its queue is bounded.
"""

import asyncio
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import WSCloseCode

from chimera.services.simulator.vitals import End, Vitals
from chimera.simulate.door.messages import ANY, PRIVATE, Frame
from chimera.simulate.door.session import Session
from chimera.simulate.spot.time_unit import event_in_micros

QUEUE_FRAMES: Final = 20_000


@dataclass(slots=True, frozen=True)
class Ping:
    """A ping that waits to be sent."""

    payload: bytes


@dataclass(slots=True, frozen=True)
class Close:
    """The connection ends here."""

    code: WSCloseCode
    reason: str = ""


Waiting = bytes | Ping | Close


class Reader(ABC):
    """What every connection has. ``micros``: it wants its times in microseconds."""

    def __init__(self, route: str, vitals: Vitals, *, micros: bool = False) -> None:
        self.route = route
        self.vitals = vitals
        self.micros = micros
        self.queue: asyncio.Queue[Waiting] = asyncio.Queue(QUEUE_FRAMES)
        self.lost = asyncio.Event()

    def send(self, payload: Waiting) -> None:
        """Queue a message; a full queue loses the connection."""
        try:
            self.queue.put_nowait(payload)
        except asyncio.QueueFull:
            self.lost.set()

    @abstractmethod
    def offer(self, frame: Frame) -> None:
        """Queue a frame in the form that this connection wants it."""

    def end(self) -> None:
        """The connection ends once what waits is sent."""
        self.send(Close(WSCloseCode.GOING_AWAY))

    def heard(self, now_ms: int) -> None:
        """It said something."""
        self._obey(self.vitals.heard(now_ms))

    def tick(self, now_ms: int) -> None:
        """Time passed: it may be asked whether it lives, or end."""
        self._obey(self.vitals.due(now_ms))

    def _obey(self, due: End | bytes | None) -> None:
        if isinstance(due, End):
            code = WSCloseCode.GOING_AWAY if due is End.AGE else WSCloseCode.POLICY_VIOLATION
            self.send(Close(code, due.value))
        elif due is not None:
            self.send(Ping(due))

    def _payload(self, frame: Frame) -> bytes:
        return msgspec.json.encode(event_in_micros(frame.json())) if self.micros else frame.payload


class StreamReader(Reader):
    """A connection to market or user streams. ``events``: the only types it wants of a user stream, if any."""

    def __init__(
        self,
        route: str,
        vitals: Vitals,
        *,
        combined: bool,
        events: frozenset[str] = frozenset(),
        micros: bool = False,
    ) -> None:
        super().__init__(route, vitals, micros=micros)
        self.combined = combined
        self.events = events
        self.streams: dict[str, None] = {}

    def offer(self, frame: Frame) -> None:
        if self.route == PRIVATE and self.events and frame.event not in self.events:
            return
        payload = self._payload(frame)
        if self.combined:
            payload = b'{"stream":"%b","data":%b}' % (frame.channel.encode(), payload)
        self.send(payload)


class ApiReader(Reader):
    """A connection to a market's WebSocket API; it hears the user events its session subscribed to."""

    def __init__(self, market: str, route: str, vitals: Vitals, session: Session, *, micros: bool = False) -> None:
        super().__init__(route, vitals, micros=micros)
        self.market = market
        self.session = session

    def offer(self, frame: Frame) -> None:
        if frame.channel == ANY:
            self.send(frame.payload)
            return
        if self.micros:
            frame = frame.but(payload=self._payload(frame))
        for payload in self.session.wrapped(frame):
            self.send(payload)
