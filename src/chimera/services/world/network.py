"""What lies between the processes and the venue: requests and streams with latency, loss and lies.

Invariants: what reached the venue is executed whatever becomes of its sender; every answer is the twin's own bytes;
frames of one event type keep their order, frames of different types need not. A request is never delivered twice:
nothing could survive that, because the venue takes a used id again once its order is done (reliability 3.8).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import Context
from typing import Final
from urllib.parse import parse_qs, urlsplit

from chimera.adapters.binance.transport import Reply, Socket
from chimera.services.world.clock import VirtualClock
from chimera.services.world.loop import DetLoop
from chimera.services.world.proc import Proc
from chimera.services.world.tape import Tape
from chimera.services.world.trouble import Spell, Troubles
from chimera.simulate.door.messages import ANY, PRIVATE, PUBLIC, Frame, WireRequest, WireResponse
from chimera.simulate.twin import Twin
from chimera.trading.errors import NotSent, OutcomeUnknown
from chimera.trading.market import MarketEvent
from chimera.trading.money import Millis

ONE_WAY_US: Final = 4_000  # typical, each way
FRAME_US: Final = 6_000
TICK_MS: Final = 250
MOST: Final[Mapping[str, float]] = {  # the greatest rate of each fault, per order request or frame
    "connect_refused": 0.10,
    "drop_request": 0.12,
    "drop_reply": 0.20,
    "reset_reply": 0.20,
    "slow_request": 0.12,
    "slow_reply": 0.12,
    "frame_delay": 0.50,
    "frame_duplicate": 0.30,
    "stream_cut": 0.08,
    "stream_stall": 0.02,
}
QUESTION_SHARE: Final = 0.25  # of those rates for a question: a run in which nothing is ever learnt tests nothing


def is_order(request: WireRequest) -> bool:
    """Whether it places or cancels an order, in either service."""
    return request.method in ("POST", "DELETE") and request.path.endswith("rder")


def is_entry(request: WireRequest) -> bool:
    """Whether it places an order that may add exposure."""
    asked = f"{request.query}&{request.body}"
    return request.method == "POST" and request.path.endswith("/order") and "reduceOnly=true" not in asked


def _share(about: str) -> float:
    return QUESTION_SHARE if "/fapi" in about and not (about.endswith("rder") and not about.startswith("GET")) else 1.0


class Venue:
    """The venue's end of every wire: one twin, its market, its open streams."""

    def __init__(
        self,
        loop: DetLoop,
        twin: Twin,
        clock: VirtualClock,
        tape: Tape,
        rates: Mapping[str, float],
        spells: Iterable[Spell] = (),
    ) -> None:
        self.loop = loop
        self.twin = twin
        self.tape = tape
        self.away = False  # an outage: nothing gets in, streams are cut
        self.requests = 0
        self.sent: Callable[[WireRequest], None] | None = None  # called as each request leaves its sender
        self._clock = clock
        self._rates = rates
        self._streams: dict[tuple[str, str], dict[Connection, None]] = {}
        twin.faults = self.troubles = Troubles(tape, rates, spells, twin)

    def transport(self, proc: Proc) -> "WorldTransport":
        """The wires of one incarnation."""
        return WorldTransport(self, proc)

    def fires(self, name: str, about: str) -> bool:
        rate = self._rates.get(name, 0)
        return rate > 0 and self.tape.fires(f"{name}:{about}", rate * _share(about))

    def wait_us(self, name: str, typical_us: int) -> int:
        return self.tape.latency_us(name, typical_us)

    @property
    def now_ms(self) -> Millis:
        """By the venue's clock."""
        return self._clock.now_ms()

    # ── the market ──

    async def run_market(self, events: AsyncIterator[MarketEvent]) -> None:
        """Release each event when it comes; time passes for the venue between them too."""
        async for event in events:
            self.twin.market(event, self._clock.now_ms())
            self.pump()

    async def run_ticks(self) -> None:
        """Marks, depth frames and listen keys need time to be told."""
        while True:
            await asyncio.sleep(TICK_MS / 1000)
            self.twin.tick(self._clock.now_ms())
            self.pump()

    # ── requests ──

    def execute(self, request: WireRequest) -> WireResponse:
        """One request has arrived."""
        self.requests += 1
        response = self.twin.handle(request, self._clock.now_ms())
        self.pump()
        return response

    # ── streams ──

    def join(self, connection: "Connection") -> None:
        for route, channel in connection.channels:
            if route == PRIVATE or self.twin.subscribe(route, channel):
                self._streams.setdefault((route, channel), {})[connection] = None

    def leave(self, connection: "Connection") -> None:
        for route, channel in connection.channels:
            heard = self._streams.get((route, channel), {})
            if connection in heard:
                del heard[connection]
                if route != PRIVATE:
                    self.twin.unsubscribe(route, channel)

    def pump(self) -> None:
        """Hand out what the twin has to say."""
        for frame in self.twin.drain():
            for connection in self._hearing(frame):
                connection.carry(frame)

    def _hearing(self, frame: Frame) -> list["Connection"]:
        if ANY not in (frame.route, frame.channel):
            return list(self._streams.get((frame.route, frame.channel), ()))
        reached = [found for (route, _), found in self._streams.items() if frame.route in (ANY, route)]
        return list(dict.fromkeys(connection for found in reached for connection in found))

    def cut_all(self, *, deaf_only: bool = False) -> None:
        """Every stream ends at once: an outage, the venue's own restart, or (deaf ones) the network healing."""
        for connections in tuple(self._streams.values()):
            for connection in tuple(connections):
                if connection.deaf or not deaf_only:
                    connection.cut()


class Connection:
    """One open WebSocket: ``chimera.adapters.binance.transport.Socket`` for its reader."""

    def __init__(self, venue: Venue, proc: Proc, route: str, channels: tuple[str, ...], *, combined: bool) -> None:
        self.channels = tuple((route, channel) for channel in channels)
        self._venue = venue
        self._proc = proc
        self._combined = combined
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._due_us: dict[str, int] = {}  # per event type, when its last frame arrives
        self._open = True
        self.deaf = False

    def carry(self, frame: Frame) -> None:
        """Put a frame on the wire."""
        venue, event = self._venue, frame.event
        if not self._open or self.deaf:
            return
        if frame.ends:
            self.cut()
            return
        if frame.route == PRIVATE and venue.fires("stream_cut", event):
            self.cut()
            return
        if frame.route == PRIVATE and venue.fires("stream_stall", event):
            self.deaf = True
            return
        wait_us = venue.wait_us(f"frame:{event}", FRAME_US) + frame.delay_ms * 1000
        if venue.fires("frame_delay", event):
            wait_us += venue.tape.whole(f"frame_delay_us:{event}", 50_000, 3_000_000)
        due_us = max(venue.loop.now_us + wait_us, self._due_us.get(event, 0) + 1)
        self._due_us[event] = due_us
        self._arrive_at(due_us, frame)
        if venue.fires("frame_duplicate", event):
            self._arrive_at(due_us + venue.tape.whole(f"frame_again_us:{event}", 1, 5_000_000), frame)

    def _arrive_at(self, due_us: int, frame: Frame) -> None:
        payload = frame.payload
        if self._combined:
            payload = b'{"stream":"%b","data":%b}' % (frame.channel.encode(), payload)
        self._venue.loop.call_at(due_us / 1_000_000, self._arrive, payload, context=Context())

    def _arrive(self, payload: bytes) -> None:
        if self._open and not self.deaf:
            self._queue.put_nowait(payload)

    def cut(self) -> None:
        """The connection ends; frames under way are lost."""
        if self._open:
            self._open = False
            self._venue.leave(self)
            self._queue.put_nowait(None)

    async def frames(self) -> AsyncIterator[bytes]:
        self._proc.check()
        while (frame := await self._queue.get()) is not None:
            self._proc.check()
            yield frame

    async def send(self, frame: bytes) -> None:
        """Control messages are not needed here: streams are named in the address."""
        self._proc.check()


class WorldTransport:
    """``chimera.adapters.binance.transport.Transport`` of one incarnation."""

    def __init__(self, venue: Venue, proc: Proc) -> None:
        self._venue = venue
        self._proc = proc

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        self._proc.check()
        path, _, query = target.partition("?")
        request = WireRequest(method=method, path=path, query=query, headers=dict(headers), body=body.decode())
        trip = _Trip(self._venue, request)
        if trip.refused():
            await asyncio.sleep(self._venue.wait_us("connect", ONE_WAY_US) / 1_000_000)
            raise NotSent(f"connection refused: {method} {path}")
        answer = trip.begin()
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                reply = await answer
        except TimeoutError:
            raise OutcomeUnknown(f"no answer in {timeout_ms} ms: {method} {path}") from None
        if reply is None:
            raise OutcomeUnknown(f"connection reset: {method} {path}")
        return reply

    def connect(self, target: str) -> AbstractAsyncContextManager[Socket]:
        return self._connect(target)

    @asynccontextmanager
    async def _connect(self, target: str) -> AsyncIterator[Socket]:
        self._proc.check()
        venue = self._venue
        await asyncio.sleep(venue.wait_us("connect", 3 * ONE_WAY_US) / 1_000_000)
        route, channels = _address(target)
        shut = venue.away or not venue.twin.admits(route, venue.now_ms)
        if shut or venue.fires("connect_refused", "stream"):
            raise NotSent(f"connection refused: {target}")
        connection = Connection(venue, self._proc, route, channels, combined="/stream" in target)
        venue.join(connection)
        self._proc.on_death.append(connection.cut)
        try:
            yield connection
        finally:
            connection.cut()
            if connection.cut in self._proc.on_death:
                self._proc.on_death.remove(connection.cut)

    async def close(self) -> None:
        """Nothing is kept open between requests."""


class _Trip:
    """One request on its way there and back; from ``begin`` on it does not depend on its sender."""

    def __init__(self, venue: Venue, request: WireRequest) -> None:
        self._venue = venue
        self._request = request
        self._about = f"{request.method} {request.path}"
        self._answer: asyncio.Future[Reply | None] = venue.loop.create_future()

    def refused(self) -> bool:
        """Whether not a byte gets through."""
        return self._venue.fires("connect_refused", self._about)

    def begin(self) -> asyncio.Future[Reply | None]:
        """Leave; the answer, None for a reset, never done where it was lost."""
        venue = self._venue
        if venue.sent is not None:
            venue.sent(self._request)
        wait_us = venue.wait_us(f"there:{self._about}", ONE_WAY_US)
        wait_us += venue.twin.lag_ms(self._request, venue.now_ms) * 1000
        if venue.fires("slow_request", self._about):
            wait_us += venue.tape.whole(f"slow_request_us:{self._about}", 200_000, 9_000_000)
        if is_entry(self._request) and venue.fires("slow_entry", self._about):
            wait_us += venue.tape.whole("slow_entry_us", 800_000, 4_900_000)  # the venue takes it for 5 s
        if not (venue.fires("drop_request", self._about) or venue.away):
            self._later(wait_us, self._arrive)
        return self._answer

    def _arrive(self) -> None:
        venue = self._venue
        if venue.away:
            return
        response = venue.execute(self._request)
        wait_us = venue.wait_us(f"back:{self._about}", ONE_WAY_US) + response.delay_ms * 1000
        if venue.fires("slow_reply", self._about):
            wait_us += venue.tape.whole(f"slow_reply_us:{self._about}", 200_000, 5_000_000)
        reset = venue.fires("reset_reply", self._about)
        if not (response.dropped or venue.fires("drop_reply", self._about)):
            headers = {name.lower(): value for name, value in response.headers.items()}
            reply = Reply(status=response.status, headers=headers, body=response.body)
            self._later(wait_us, self._tell, None if reset else reply)

    def _tell(self, reply: Reply | None) -> None:
        if not self._answer.done():
            self._answer.set_result(reply)

    def _later(self, wait_us: int, callback: Callable[..., None], *args: object) -> None:
        self._venue.loop.call_later(wait_us / 1_000_000, callback, *args, context=Context())


def _address(target: str) -> tuple[str, tuple[str, ...]]:
    """Route and channels of a stream's address (``/private/ws?listenKey=k``, ``/market/stream?streams=a/b``)."""
    parts = urlsplit(target)
    first, *rest = parts.path.strip("/").split("/")
    route = PUBLIC if first in ("ws", "stream") else first
    query = parse_qs(parts.query)
    named = [*query.get("listenKey", ()), *"/".join(query.get("streams", ())).split("/"), *rest]
    return route, tuple(name for name in named if name not in ("", "ws", "stream"))
