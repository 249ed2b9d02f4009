"""Who hears what: frames of the twin to the connections that want them, and the control messages of stream readers.

A stream frame goes to the readers of its (route, channel), a spot user event to the WebSocket API connections that
subscribed to its owner. Subscribing on a wrong route or to an unknown listenKey is silent, as on Binance.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from chimera.services.simulator.readers import ApiReader, Reader, StreamReader
from chimera.simulate.door.messages import ANY, MARKET, NO_JSON, PRIVATE, PUBLIC, SPOT, SPOT_PRIVATE, Frame
from chimera.simulate.trouble.hands import SHUTDOWN
from chimera.simulate.trouble.match import fits
from chimera.simulate.twin import Twin
from chimera.trading.money import Millis

STREAMS_MAX: Final = 1_024  # per connection
_ID_MAX: Final = 36
Channel = tuple[str, str]


class Hub:
    """One twin's connections."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._readers: dict[Channel, dict[StreamReader, None]] = {}
        self._all: dict[Reader, None] = {}

    def join(self, reader: Reader, streams: Iterable[str] = ()) -> None:
        """A new connection."""
        self._all[reader] = None
        if isinstance(reader, StreamReader):
            self.subscribe(reader, streams)

    def leave(self, reader: Reader) -> None:
        """A connection is gone."""
        if isinstance(reader, StreamReader):
            self.unsubscribe(reader, reader.streams)
        self._all.pop(reader, None)

    def subscribe(self, reader: StreamReader, streams: Iterable[str]) -> None:
        """Start hearing; a stream already heard stays heard once."""
        for stream in streams:
            if stream in reader.streams:
                continue
            reader.streams[stream] = None
            if reader.route == PRIVATE or self._twin.subscribe(reader.route, stream):
                self._readers.setdefault((reader.route, stream), {})[reader] = None

    def unsubscribe(self, reader: StreamReader, streams: Iterable[str]) -> None:
        """Stop hearing."""
        for stream in tuple(streams):
            if stream not in reader.streams:
                continue
            del reader.streams[stream]
            heard = self._readers.get((reader.route, stream), {})
            if reader in heard:
                del heard[reader]
                if reader.route != PRIVATE:
                    self._twin.unsubscribe(reader.route, stream)
            if not heard:
                self._readers.pop((reader.route, stream), None)

    def pump(self) -> None:
        """Hand out what the twin has to say; a delayed frame goes out later."""
        for frame in self._twin.drain():
            if frame.delay_ms:
                asyncio.get_running_loop().call_later(frame.delay_ms / 1000, self._deliver, frame)
            else:
                self._deliver(frame)

    def tick(self, now_ms: int) -> None:
        """Time passed: pings, and the end of connections that did not answer or are too old."""
        for reader in tuple(self._all):
            reader.tick(now_ms)

    def shut_down(self, now_ms: int) -> None:
        """Tell spot's connections that the venue goes away; futures ones are not told."""
        event = b'{"e":"%b","E":%d}' % (SHUTDOWN.encode(), now_ms)
        for reader in self._all:
            if isinstance(reader, ApiReader) and reader.route == SPOT_PRIVATE:
                reader.send(b'{"event":%b}' % event)
            elif reader.route == SPOT:
                reader.offer(Frame(route=SPOT, channel="!" + SHUTDOWN, event=SHUTDOWN, payload=event))

    def _deliver(self, frame: Frame) -> None:
        for reader in self._hearing(frame):
            if frame.payload:
                reader.offer(frame)
            if frame.ends:
                reader.end()

    def _hearing(self, frame: Frame) -> tuple[Reader, ...]:
        if frame.channel == ANY:
            return tuple(reader for reader in self._all if fits(frame.route, reader.route))
        if frame.route == SPOT_PRIVATE:
            return tuple(
                each for each in self._all if isinstance(each, ApiReader) and each.session.hears(frame.channel)
            )
        return tuple(self._readers.get((frame.route, frame.channel), ()))

    # ── the WebSocket API ───────────────────────────────────────────────────────────────────────────────────────────
    def ask(self, reader: ApiReader, text: str, now_ms: int) -> None:
        """One frame of a WebSocket API connection; it may be answered later, or never."""
        reply = self._twin.ws(reader.market, reader.session, text, Millis(now_ms))
        if reply.delay_ms:
            asyncio.get_running_loop().call_later(reply.delay_ms / 1000, _send_all, reader, reply.payloads, reply.ends)
        else:
            _send_all(reader, reply.payloads, reply.ends)
        self.pump()

    # ── control messages of streams ─────────────────────────────────────────────────────────────────────────────────
    def command(self, reader: StreamReader, text: str) -> bytes:
        """Answer a control message: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, SET_PROPERTY or GET_PROPERTY."""
        try:
            message = msgspec.json.decode(text)
        except NO_JSON:
            return _no(3, "Invalid JSON: expected value at line 1 column 1")
        if not isinstance(message, dict):
            return _no(3, "Invalid JSON: expected value at line 1 column 1")
        number, method, params = message.get("id"), message.get("method"), message.get("params")
        params = [] if params is None else params
        if not _is_id(number):
            return _no(2, "Invalid request: request ID must be an unsigned integer")
        if method is None:
            return _no(2, f"Invalid request: missing field `method` at line 1 column {len(text)}", number)
        if not isinstance(params, list):
            return _no(2, "Invalid request: invalid type: params must be an array", number)
        match method:
            case "SUBSCRIBE" | "UNSUBSCRIBE":
                return self._change(reader, method, params, number)
            case "LIST_SUBSCRIPTIONS":
                return msgspec.json.encode({"result": list(reader.streams), "id": number})
            case "SET_PROPERTY" | "GET_PROPERTY":
                return _property(reader, method, params, number)
            case _:
                known = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"
                return _no(2, f"Invalid request: unknown variant {method}, expected one of {known}", number)

    def _change(self, reader: StreamReader, method: str, params: list[Any], number: Any) -> bytes:
        if not all(isinstance(each, str) for each in params):
            return _no(2, "Invalid request: stream names must be strings", number)
        if method == "UNSUBSCRIBE":
            self.unsubscribe(reader, params)
        elif len(reader.streams.keys() | set(params)) > STREAMS_MAX:
            return _no(2, f"Invalid request: more than {STREAMS_MAX} streams on one connection", number)
        else:
            self.subscribe(reader, params)
        return msgspec.json.encode({"result": None, "id": number})


def _send_all(reader: ApiReader, payloads: list[bytes], ends: bool) -> None:
    for payload in payloads:
        reader.send(payload)
    if ends:
        reader.end()


def _is_id(number: object) -> bool:
    """A whole number, up to 36 letters and digits, or null."""
    if isinstance(number, str):
        return len(number) <= _ID_MAX
    return number is None or (isinstance(number, int) and not isinstance(number, bool))


def _no(code: int, msg: str, number: Any = None) -> bytes:
    return msgspec.json.encode({"code": code, "msg": msg, "id": number})


def _property(reader: StreamReader, method: str, params: list[Any], number: Any) -> bytes:
    """The only property is ``combined``."""
    if not params or not isinstance(params[0], str):
        return _no(2, "Invalid request: property name must be a string", number)
    if params[0] != "combined":
        return _no(0, "Unknown property", number)
    if len(params) > 1 + (method == "SET_PROPERTY"):
        return _no(2, "Invalid request: too many parameters", number)
    if method == "GET_PROPERTY":
        return msgspec.json.encode({"result": reader.combined, "id": number})
    if len(params) == 1 or not isinstance(params[1], bool):
        return _no(1, "Invalid value type: expected Boolean", number)
    reader.combined = params[1]
    return msgspec.json.encode({"result": None, "id": number})


def route_in(first: str) -> str | None:
    """The route a futures path's first part names; a path without one hears public streams only."""
    if first in ("ws", "stream"):
        return PUBLIC
    return first if first in (PUBLIC, MARKET, PRIVATE) else None
