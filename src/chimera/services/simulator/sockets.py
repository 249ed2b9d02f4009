"""WebSocket connections on the wire: streams and WebSocket APIs of both markets.

Which streams a path means depends on the port it came in by: ``/ws`` and ``/stream`` are futures' unrouted form on one
and spot's streams on the other; the WebSocket APIs have paths of their own and answer on both. Pings and pongs are ours
to send and to count, so the library's own are off.
"""

import asyncio
import contextlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from chimera.services.simulator.hub import Hub, route_in
from chimera.services.simulator.readers import ApiReader, Close, Ping, Reader, StreamReader
from chimera.services.simulator.vitals import FUTURES_API, FUTURES_STREAMS, SPOT_API, SPOT_STREAMS, Vitals
from chimera.simulate.door.limits import Overrun
from chimera.simulate.door.messages import PRIVATE, SPOT, SPOT_PRIVATE
from chimera.simulate.door.refusals import Refusal
from chimera.simulate.door.session import Session
from chimera.simulate.doors import SPOT as SPOT_MARKET
from chimera.simulate.doors import USDM as FUTURES_MARKET
from chimera.simulate.spot.time_unit import wants_micros
from chimera.simulate.twin import Twin
from chimera.trading.money import Millis

FUTURES_API_PATH: Final = "/ws-fapi/v1"
SPOT_API_PATH: Final = "/ws-api/v3"
_FRAME_MAX: Final = 1 << 20
Hear = Callable[[str], None]


class Sockets:
    """Every open connection of one server."""

    def __init__(self, twin: Twin, hub: Hub, clock: Callable[[], int]) -> None:
        self._twin = twin
        self._hub = hub
        self._clock = clock
        self._open: dict[web.WebSocketResponse, Reader] = {}

    async def futures_streams(self, request: web.Request) -> web.StreamResponse:
        """``/public|market|private/ws|stream``, and the unrouted ``/ws`` and ``/stream``."""
        first = request.match_info["route"]
        return await self._streams(request, route_in(first) or PRIVATE, request.match_info.get("form", first))

    async def spot_streams(self, request: web.Request) -> web.StreamResponse:
        """``/ws`` and ``/stream`` on the spot port."""
        return await self._streams(request, SPOT, request.match_info["route"])

    async def _streams(self, request: web.Request, route: str, form: str) -> web.StreamResponse:
        spot = route == SPOT
        try:
            micros = spot and wants_micros(request.query.get("timeUnit"))
        except Refusal as refusal:
            return _refused(refusal)
        reader = StreamReader(
            route,
            Vitals(SPOT_STREAMS if spot else FUTURES_STREAMS, self._clock()),
            combined=form == "stream",
            events=_split(request.query.get("events", "")),
            micros=micros,
        )
        named = _split(request.match_info.get("streams", "")) | _split(request.query.get("streams", ""))
        streams = sorted(named | _split(request.query.get("listenKey", "")))
        return await self._serve(request, reader, streams, lambda text: reader.send(self._hub.command(reader, text)))

    async def api(self, request: web.Request) -> web.StreamResponse:
        """A WebSocket API, by its path."""
        spot = request.path.startswith(SPOT_API_PATH)
        market, now_ms = SPOT_MARKET if spot else FUTURES_MARKET, self._clock()
        shows_limits = request.query.get("returnRateLimits", "true").lower() == "true"
        unit = request.query.get("timeUnit") if spot else None
        session = Session(ip=request.remote or "", connected_ms=now_ms, shows_limits=shows_limits, unit=unit)
        try:
            self._twin.ws_open(market, session, Millis(now_ms))
        except Refusal as refusal:
            return _refused(refusal, now_ms)
        vitals = Vitals(SPOT_API if spot else FUTURES_API, now_ms)
        micros = spot and wants_micros(unit)
        reader = ApiReader(market, SPOT_PRIVATE if spot else FUTURES_API_PATH, vitals, session, micros=micros)
        return await self._serve(request, reader, [], lambda text: self._ask(reader, text))

    def _ask(self, reader: ApiReader, text: str) -> None:
        now_ms = Millis(self._clock())
        lag_ms = self._twin.ws_lag_ms(reader.market, reader.session, text, now_ms)
        if lag_ms:
            asyncio.get_running_loop().call_later(
                lag_ms / 1000, lambda: self._hub.ask(reader, text, Millis(self._clock()))
            )
        else:
            self._hub.ask(reader, text, now_ms)

    async def _serve(self, request: web.Request, reader: Reader, streams: list[str], hear: Hear) -> web.StreamResponse:
        if not self._twin.admits(reader.route, Millis(self._clock())):
            return web.Response(status=HTTPStatus.SERVICE_UNAVAILABLE)
        socket = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=_FRAME_MAX)
        await socket.prepare(request)
        self._open[socket] = reader
        self._hub.join(reader, streams)
        sender = asyncio.create_task(_send(socket, reader))
        try:
            async for message in socket:
                reader.heard(self._clock())
                match message.type:
                    case WSMsgType.TEXT:
                        hear(message.data)
                    case WSMsgType.PING:
                        await socket.pong(message.data)
                    case WSMsgType.PONG:
                        reader.vitals.pong(bytes(message.data))
        except ConnectionError:
            pass  # gone while we answered its ping
        finally:
            sender.cancel()
            self._hub.leave(reader)
            self._open.pop(socket, None)
        return socket

    async def close(self) -> None:
        """Close every connection, spot's after telling them."""
        self._hub.shut_down(self._clock())
        for reader in self._open.values():
            reader.end()
        await asyncio.sleep(0)
        closing = [socket.close(code=WSCloseCode.GOING_AWAY) for socket in tuple(self._open)]
        await asyncio.gather(*closing, return_exceptions=True)


async def _send(socket: web.WebSocketResponse, reader: Reader) -> None:
    """Send what waits; close a connection that fell behind."""
    with contextlib.suppress(ConnectionError):
        while not reader.lost.is_set():
            match await reader.queue.get():
                case Ping(payload):
                    await socket.ping(payload)
                case Close(code, reason):
                    await socket.close(code=code, message=reason.encode())
                    return
                case bytes() as payload:
                    await socket.send_str(payload.decode())
        await socket.close(code=WSCloseCode.POLICY_VIOLATION)


def _refused(refusal: Refusal, now_ms: int = 0) -> web.Response:
    """A handshake that is turned down, as a REST call would be."""
    headers = {"Content-Type": "application/json"}
    if isinstance(refusal, Overrun):
        headers["Retry-After"] = str(-(-(refusal.until_ms - now_ms) // 1_000))
    body = msgspec.json.encode({"code": refusal.code, "msg": refusal.msg})
    return web.Response(status=refusal.status, headers=headers, body=body)


def _split(names: str) -> frozenset[str]:
    return frozenset(name for name in names.split("/") if name)
