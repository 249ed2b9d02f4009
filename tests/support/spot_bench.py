"""One twin, one spot account opened on it, and what its stream said: in memory, over real HTTP, by the order socket."""

import asyncio
import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from chimera.adapters.binance.hosts import Hosts
from chimera.adapters.binance.http import AiohttpTransport
from chimera.adapters.binance.spot.account import BinanceSpot, open_spot
from chimera.adapters.binance.transport import Transport
from chimera.ports.venue import OrderReport, Report, StreamUp
from chimera.services.simulator.server import SimulatorServer
from chimera.services.simulator.settings import SimulatorSettings
from chimera.simulate.door.messages import SPOT_PRIVATE
from chimera.simulate.door.session import Session
from chimera.simulate.twin import Twin
from chimera.trading.ids import ClientOrderId
from chimera.trading.market import Market, Side, TopOfBook, Traded
from chimera.trading.money import Price, Qty
from chimera.trading.order import NewOrder, OrderType, TimeInForce
from chimera.trading.venue import OrderRef, VenueOrder
from support.to_twin import ToTwin
from support.twin_inside import BTC, KEY, SECRET, D, HandClock, Listener

WAYS = ("memory", "wire", "socket")


class InsideSocket:
    """A connection to the twin's spot WebSocket API without a wire; ``None`` in its queue ends it."""

    def __init__(self, twin: Twin, clock: HandClock, pump: Callable[[], None]) -> None:
        self.session = Session(ip="", connected_ms=clock.at_ms)
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._twin, self._clock, self._pump = twin, clock, pump
        twin.ws_open("spot", self.session, clock.now_ms())

    async def frames(self) -> AsyncIterator[bytes]:
        while (frame := await self.queue.get()) is not None:
            yield frame

    async def send(self, frame: bytes) -> None:
        reply = self._twin.ws("spot", self.session, frame, self._clock.now_ms())
        for payload in reply.payloads:
            self.queue.put_nowait(payload)
        self._pump()


class InsideTransport(ToTwin):
    """The twin without a wire."""

    def __init__(self, twin: Twin, clock: HandClock) -> None:
        super().__init__(twin, clock)
        self.sockets: list[InsideSocket] = []

    @asynccontextmanager
    async def connect(self, target: str) -> AsyncIterator[InsideSocket]:
        assert target == "/ws-api/v3"
        socket = InsideSocket(self._twin, self._clock, self.pump)
        self.sockets.append(socket)
        try:
            yield socket
        finally:
            self.sockets.remove(socket)

    async def close(self) -> None:
        assert not self.sockets

    def pump(self) -> None:
        for frame in self._twin.drain():
            if frame.route == SPOT_PRIVATE:
                for socket in self.sockets:
                    for payload in socket.session.wrapped(frame):
                        socket.queue.put_nowait(payload)


class SpotBench(Listener):
    """A market that moves by hand, a clock that does too."""

    def __init__(
        self, twin: Twin, transport: Transport, pump: Callable[[], None], clock: HandClock, orders_by: Transport | None
    ) -> None:
        super().__init__()
        self.twin = twin
        self.clock = clock
        self.transport = transport
        self._pump = pump
        self.spot = open_spot(transport, KEY, SECRET, clock, jitter=random.Random(0), orders_by=orders_by)

    @property
    def by_socket(self) -> bool:
        """Whether orders go by the WebSocket API now."""
        socket = self.spot.raw.socket
        return socket is not None and socket.takes("POST", "/api/v3/order")

    def opened(self, key: str = KEY, secret: str = SECRET) -> BinanceSpot:
        """Another adapter on the same wire, with nothing remembered."""
        return open_spot(self.transport, key, secret, self.clock, jitter=random.Random(0))

    def quote(self, bid: str, ask: str) -> None:
        self.clock.at_ms += 1
        size = Qty(D(5))
        top = TopOfBook(
            symbol=BTC, at_us=self.clock.at_ms * 1000, bid=Price(D(bid)), bid_qty=size, ask=Price(D(ask)), ask_qty=size
        )
        self.twin.market(top, self.clock.now_ms(), Market.SPOT)
        self._pump()

    def trade(self, price: str, qty: str, taker: Side) -> None:
        """A public trade: conditions look at the last price, and what rests there is met."""
        self.clock.at_ms += 1
        event = Traded(symbol=BTC, at_us=self.clock.at_ms * 1000, price=Price(D(price)), qty=Qty(D(qty)), taker=taker)
        self.twin.market(event, self.clock.now_ms(), Market.SPOT)
        self._pump()

    async def told(self, ref: str, status: str) -> VenueOrder:
        """The newest word of the stream on ``ref``, once it is ``status``."""
        await self.until(lambda heard: any(each.ref == ref and each.status == status for each in orders(heard)))
        return next(each for each in reversed(orders(self.heard)) if each.ref == ref and each.status == status)

    async def listen(self) -> None:
        async with aclosing(self.spot.venue.reports()) as reports:
            async for report in reports:
                self.heard.append(report)

    async def place(self, ref: str, side: Side = Side.BUY, qty: str = "0.01", **terms: Any) -> VenueOrder:
        return await self.spot.venue.place(an_order(ref, side, qty, **terms), timeout_ms=2000)

    async def pair(
        self, target: str = "61000", stop: str = "59000", qty: str = "0.01"
    ) -> tuple[VenueOrder, VenueOrder]:
        """A bracket for what is held."""
        return await self.spot.venue.place_pair(*a_pair(target, stop, qty), timeout_ms=2000)

    async def find(self, ref: str) -> VenueOrder | None:
        return await self.spot.venue.find(a_ref(ref))


def an_order(ref: str, side: Side = Side.BUY, qty: str = "0.01", **terms: Any) -> NewOrder:
    plain = NewOrder(ref=ClientOrderId(ref), symbol=BTC, side=side, type=OrderType.MARKET, qty=Qty(D(qty)))
    return plain.but(**terms)


def a_ref(ref: str) -> OrderRef:
    return OrderRef(symbol=BTC, ref=ClientOrderId(ref), conditional=False)


def resting(price: str, tif: TimeInForce = TimeInForce.GTC) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "price": Price(D(price)), "time_in_force": tif}


def stop_at(trigger: str, price: str | None = None) -> dict[str, Any]:
    """A stop whose limit is a little through its trigger, unless told."""
    limit = D(price) if price is not None else D(trigger) - 100
    return {"type": OrderType.STOP_LOSS_LIMIT, "trigger_price": Price(D(trigger)), "price": Price(limit)}


def a_pair(target: str, stop: str, qty: str = "0.01", limit: str | None = None) -> tuple[NewOrder, NewOrder]:
    group = {"group": ClientOrderId("a-l1")}
    return (
        an_order("a-p1", Side.SELL, qty, **resting(target, TimeInForce.GTX), **group),
        an_order("a-s1", Side.SELL, qty, **stop_at(stop, limit), **group),
    )


def orders(heard: list[Report]) -> list[VenueOrder]:
    return [report.order for report in heard if isinstance(report, OrderReport)]


@asynccontextmanager
async def standing(way: str) -> AsyncIterator[SpotBench]:
    """A bench of one of ``WAYS``, listening, with a touch of 60000.00 / 60000.01."""
    clock = HandClock()
    twin = Twin(now_ms=clock.at_ms)
    server = None
    if way == "memory":
        inside = InsideTransport(twin, clock)
        bench = SpotBench(twin, inside, inside.pump, clock, None)
    else:
        server = SimulatorServer(SimulatorSettings(port=0, speed=math.inf), (), twin=twin, clock=clock.now_ms)
        await server.start()
        port = server.spot_address[1]
        hosts = Hosts(name="sim", rest=f"http://127.0.0.1:{port}", streams=f"ws://127.0.0.1:{port}")
        orders_by = AiohttpTransport(hosts) if way == "socket" else None
        bench = SpotBench(twin, AiohttpTransport(hosts), server.hub.pump, clock, orders_by)
    bench.quote("60000.00", "60000.01")
    listening = asyncio.create_task(bench.listen())
    await bench.until(lambda heard: heard == [StreamUp()] and bench.by_socket is (way == "socket"))
    yield bench
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await bench.spot.close()
    if server is not None:
        await server.stop()
