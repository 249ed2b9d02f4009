"""WebSocket readers and what each of them hears.

A frame goes to the readers of its (route, channel). A reader that cannot keep up is cut off, never waited for: its
queue is bounded. Subscribing on a wrong route or to an unknown listenKey is silent, as on Binance.
"""

import asyncio
from collections.abc import Iterable

import msgspec

from chimera.simulate.door.messages import PRIVATE, PUBLIC, Frame
from chimera.simulate.twin import Twin

QUEUE_FRAMES = 20_000
ANY = "*"  # as a frame's channel or route
Channel = tuple[str, str]


class Reader:
    """One connection: the streams it hears, and the frames that wait to be sent."""

    def __init__(self, route: str, combined: bool, events: frozenset[str] = frozenset()) -> None:
        self.route = route
        self.combined = combined
        self.events = events
        self.streams: dict[str, None] = {}
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue(QUEUE_FRAMES)  # ``None``: the connection ends
        self.lost = asyncio.Event()

    def offer(self, frame: Frame) -> None:
        """Queue a frame; a full queue loses the connection."""
        if self.route == PRIVATE and self.events and frame.event not in self.events:
            return
        wrapped = b'{"stream":"%b","data":%b}' % (frame.channel.encode(), frame.payload)
        self._put(wrapped if self.combined else frame.payload)

    def end(self) -> None:
        """The connection ends once what waits is sent."""
        self._put(None)

    def _put(self, payload: bytes | None) -> None:
        try:
            self.queue.put_nowait(payload)
        except asyncio.QueueFull:
            self.lost.set()


class Hub:
    """Who hears what."""

    def __init__(self, twin: Twin) -> None:
        self._twin = twin
        self._readers: dict[Channel, dict[Reader, None]] = {}
        self._all: dict[Reader, None] = {}

    def join(self, reader: Reader, streams: Iterable[str]) -> None:
        """A new connection."""
        self._all[reader] = None
        self.subscribe(reader, streams)

    def leave(self, reader: Reader) -> None:
        """A connection is gone."""
        self.unsubscribe(reader, reader.streams)
        self._all.pop(reader, None)

    def subscribe(self, reader: Reader, streams: Iterable[str]) -> None:
        """Start hearing; a stream already heard stays heard once."""
        for stream in streams:
            if stream in reader.streams:
                continue
            reader.streams[stream] = None
            if reader.route == PRIVATE or self._twin.subscribe(reader.route, stream):
                self._readers.setdefault((reader.route, stream), {})[reader] = None

    def unsubscribe(self, reader: Reader, streams: Iterable[str]) -> None:
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

    def _deliver(self, frame: Frame) -> None:
        for reader in self._hearing(frame):
            if frame.payload:
                reader.offer(frame)
            if frame.ends:
                reader.end()

    def _hearing(self, frame: Frame) -> tuple[Reader, ...]:
        if frame.channel == ANY:
            return tuple(reader for reader in self._all if frame.route in (ANY, reader.route))
        return tuple(self._readers.get((frame.route, frame.channel), ()))

    def command(self, reader: Reader, text: str) -> bytes:
        """Answer a control message: SUBSCRIBE, UNSUBSCRIBE or LIST_SUBSCRIPTIONS."""
        try:
            message = msgspec.json.decode(text)
            number, method = message.get("id"), message.get("method")
            streams = [each for each in message.get("params") or [] if isinstance(each, str)]
        except (msgspec.DecodeError, AttributeError, TypeError):
            return msgspec.json.encode({"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"})
        match method:
            case "SUBSCRIBE":
                self.subscribe(reader, streams)
            case "UNSUBSCRIBE":
                self.unsubscribe(reader, streams)
            case "LIST_SUBSCRIPTIONS":
                return msgspec.json.encode({"result": list(reader.streams), "id": number})
            case _:
                return msgspec.json.encode({"code": 2, "msg": "Invalid request: unknown variant", "id": number})
        return msgspec.json.encode({"result": None, "id": number})


def route_in(first: str) -> str | None:
    """The route a path's first part names; a path without one hears public streams only."""
    if first in ("ws", "stream"):
        return PUBLIC
    return first if first in ("public", "market", "private") else None
