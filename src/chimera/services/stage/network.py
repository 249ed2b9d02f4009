"""What lies between the processes and the venue: requests and streams with latency, loss and lies.

Invariants: what reached the venue is executed whatever becomes of its sender; every answer is the twin's own bytes;
frames of one event type keep their order, frames of different types need not. A request is never delivered twice:
nothing could survive that, because the venue takes a used id again once its order is done (reliability 3.8).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final, TypeVar
from urllib.parse import parse_qs, urlsplit

from chimera.adapters.binance.transport import Reply, Socket
from chimera.services.stage.clock import VirtualClock
from chimera.services.stage.lines import Line
from chimera.services.stage.loop import DetLoop
from chimera.services.stage.proc import Proc
from chimera.services.stage.spot_wire import SPOT_API_PATH, EventWire
from chimera.services.stage.tape import Tape
from chimera.services.stage.trip import ONE_WAY_US, Trip, share
from chimera.services.stage.wired_orders import API_PATH, OrderWire
from chimera.simulate.door.messages import ANY, PRIVATE, PUBLIC, SPOT_PRIVATE, Frame, WireRequest, WireResponse
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.twin import Twin
from chimera.simulate.venue.audit import AuditRecord
from chimera.trading.errors import NotSent, OutcomeUnknown
from chimera.trading.market import Market, MarketEvent
from chimera.trading.money import Millis

A = TypeVar("A")
TICK_MS: Final = 250
MOST: Final[Mapping[str, float]] = {  # the greatest rate of each fault, per order request or frame
    "connect_refused": 0.10,
    "drop_request": 0.12,
    "drop_reply": 0.20,
    "reset_reply": 0.20,
    "slow_request": 0.12,
    "slow_reply": 0.12,
    "frame_delay": 0.50,
    "end_delay": 0.30,  # of the news that the rest of an order has expired
    "frame_duplicate": 0.30,
    "stream_cut": 0.08,
    "stream_stall": 0.02,
    "orders_cut": 0.10,
    "orders_stall": 0.03,
}


class Venue:
    """The venue's end of every wire: one twin, its market, its open streams."""

    def __init__(
        self,
        loop: DetLoop,
        twin: Twin,
        clock: VirtualClock,
        tape: Tape,
        rates: Mapping[str, float],
        market: Market = Market.FUT,
    ) -> None:
        """``market``: the one that moves."""
        self.loop = loop
        self.twin = twin
        self.tape = tape
        self.away = False  # an outage: nothing gets in, streams are cut
        self.requests = 0
        self.in_vain_us: Callable[[WireRequest], int | None] | None = None  # asked first: how long it is tried in vain
        self.sent: Callable[[WireRequest], None] | None = None  # called as each request leaves its sender
        self.executed: Callable[[WireRequest, Sequence[AuditRecord]], None] | None = None  # and what came of each
        self._market = market
        self._clock = clock
        self._rates = rates
        self._streams: dict[tuple[str, str], dict[Connection, None]] = {}
        self.order_wires: dict[OrderWire, None] = {}  # open ones
        self.by_socket = 0  # orders that left by one
        self.cut_in_flight = 0  # times that one was cut with orders in flight

    def transport(self, proc: Proc, named: Mapping[str, str] | None = None) -> "SimulatedTransport":
        """The wires of one incarnation. ``named``: headers that say who asks, which the venue does not read."""
        return SimulatedTransport(self, proc, named)

    def fires(self, name: str, about: str) -> bool:
        rate = self._rates.get(name, 0)
        return rate > 0 and self.tape.fires(f"{name}:{about}", rate * share(about))

    def wait_us(self, name: str, typical_us: int) -> int:
        return self.tape.latency_us(name, typical_us)

    @property
    def now_ms(self) -> Millis:
        """By the venue's clock."""
        return self._clock.now_ms()

    # ── the market ──

    async def run_market(self, events: AsyncIterator[MarketEvent], market: Market | None = None) -> None:
        """Release each event when it comes; time passes for the venue between them too. None: the one that moves."""
        async for event in events:
            self.moved(event, market)

    def moved(self, event: MarketEvent, market: Market | None = None) -> None:
        """The market did this now."""
        self.twin.market(event, self._clock.now_ms(), market or self._market)
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
        return self.arrived(request, lambda: self.twin.handle(request, self._clock.now_ms()))

    def arrived(self, request: WireRequest, execute: Callable[[], A]) -> A:
        """``request``, by either kind of wire."""
        self.requests += 1
        before = 0 if self.executed is None else len(self.twin.audit)
        answer = execute()
        if self.executed is not None:
            self.executed(request, self.twin.audit[before:])
        self.pump()
        return answer

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
            if frame.route == SPOT_PRIVATE:
                for wire in tuple(self.order_wires):
                    wire.carry(frame)
            elif frame.ends and frame.channel == ANY and frame.route in (ANY, API_PATH):
                self._cut_order_wires()

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
        self._cut_order_wires(deaf_only=deaf_only)

    def _cut_order_wires(self, *, deaf_only: bool = False) -> None:
        for wire in tuple(self.order_wires):
            if wire.deaf or not deaf_only:
                wire.cut()


class Connection(Line):
    """One open WebSocket: ``chimera.adapters.binance.transport.Socket`` for its reader."""

    def __init__(self, venue: Venue, proc: Proc, route: str, channels: tuple[str, ...], *, combined: bool) -> None:
        super().__init__(venue)
        self.channels = tuple((route, channel) for channel in channels)
        self._proc = proc
        self._combined = combined
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    def _told(self, frame: Frame) -> list[bytes]:
        payload = frame.payload
        if self._combined:
            payload = b'{"stream":"%b","data":%b}' % (frame.channel.encode(), payload)
        return [payload]

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


class SimulatedTransport:
    """``chimera.adapters.binance.transport.Transport`` of one incarnation."""

    def __init__(self, venue: Venue, proc: Proc, named: Mapping[str, str] | None = None) -> None:
        self._venue = venue
        self._proc = proc
        self._named = dict(named or {})

    async def request(
        self, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b"", timeout_ms: int
    ) -> Reply:
        self._proc.check()
        path, _, query = target.partition("?")
        request = WireRequest(
            method=method, path=path, query=query, headers={**headers, **self._named}, body=body.decode()
        )
        trip: Trip[WireResponse] = Trip(self._venue, request, lambda: self._venue.execute(request))
        in_vain_us = None if self._venue.in_vain_us is None else self._venue.in_vain_us(request)
        if in_vain_us is not None or trip.refused():
            await asyncio.sleep((in_vain_us or self._venue.wait_us("connect", ONE_WAY_US)) / 1_000_000)
            raise NotSent(f"connection refused: {method} {path}")
        answer: asyncio.Future[WireResponse | None] = self._venue.loop.create_future()
        trip.begin(lambda told: None if answer.done() else answer.set_result(told))
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                told = await answer
        except TimeoutError:
            raise OutcomeUnknown(f"no answer in {timeout_ms} ms: {method} {path}") from None
        if told is None:
            raise OutcomeUnknown(f"connection reset: {method} {path}")
        return Reply(
            status=told.status, headers={name.lower(): value for name, value in told.headers.items()}, body=told.body
        )

    def connect(self, target: str) -> AbstractAsyncContextManager[Socket]:
        if target.startswith(SPOT_API_PATH):
            return self._to_api(SPOT_API_PATH, EventWire)
        return self._to_api(API_PATH, OrderWire) if target.startswith(API_PATH) else self._connect(target)

    @asynccontextmanager
    async def _to_api(self, path: str, kind: type[OrderWire]) -> AsyncIterator[Socket]:
        """A connection to the WebSocket API, for orders; on spot, for the user's events too."""
        self._proc.check()
        venue = self._venue
        await asyncio.sleep(venue.wait_us("connect_orders", 3 * ONE_WAY_US) / 1_000_000)
        shut = venue.away or not venue.twin.admits(path, venue.now_ms)
        if shut or venue.fires("connect_refused", "orders"):
            raise NotSent(f"connection refused: {path}")
        try:
            wire = kind(venue, self._proc, self._named)
        except Refusal as refusal:
            raise NotSent(f"handshake refused: {refusal.msg}") from refusal
        with self._until_death(wire.cut):
            yield wire

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
        with self._until_death(connection.cut):
            yield connection

    @contextmanager
    def _until_death(self, cut: Callable[[], None]) -> Iterator[None]:
        """``cut`` at the end of this, or when the process dies."""
        self._proc.on_death.append(cut)
        try:
            yield
        finally:
            cut()
            if cut in self._proc.on_death:
                self._proc.on_death.remove(cut)

    async def close(self) -> None:
        """Nothing is kept open between requests."""


def _address(target: str) -> tuple[str, tuple[str, ...]]:
    """Route and channels of a stream's address (``/private/ws?listenKey=k``, ``/market/stream?streams=a/b``)."""
    parts = urlsplit(target)
    first, *rest = parts.path.strip("/").split("/")
    route = PUBLIC if first in ("ws", "stream") else first
    query = parse_qs(parts.query)
    named = [*query.get("listenKey", ()), *"/".join(query.get("streams", ())).split("/"), *rest]
    return route, tuple(name for name in named if name not in ("", "ws", "stream"))
