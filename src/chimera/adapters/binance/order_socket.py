"""Orders over Binance's WebSocket API: one connection kept open, requests matched to answers by id.

An answer is handed back as the ``Reply`` that REST would have given, so that everything above it is the same code.
Invariants: a frame is written at most once; what was written and has no answer when the time is up, or when the
connection ends, is ``OutcomeUnknown``; without a connection nothing is written and nobody waits: ``takes`` says no, and
the caller goes by REST. Source: Binance USD-M websocket-api-general-info (2026).
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Final

import msgspec
import structlog

from chimera.adapters.binance.backing_off import LONGEST_PAUSE_MS, pause_ms
from chimera.adapters.binance.sign import Signer, signed_frame
from chimera.adapters.binance.transport import Reply, Socket, Transport
from chimera.trading.errors import NotSent, OutcomeUnknown
from chimera.trading.money import Millis
from chimera.trading.value import Value

log = structlog.get_logger()

API_PATH: Final = "/ws-fapi/v1"
METHODS: Final[Mapping[tuple[str, str], str]] = {
    ("POST", "/fapi/v1/order"): "order.place",
    ("DELETE", "/fapi/v1/order"): "order.cancel",
    ("GET", "/fapi/v1/order"): "order.status",
    ("POST", "/fapi/v1/algoOrder"): "algoOrder.place",
    ("DELETE", "/fapi/v1/algoOrder"): "algoOrder.cancel",
}
RENEW_S: Final = 23 * 3_600  # before the venue ends the connection at 24 hours
_UNANSWERED: Final = 2  # in a row: the connection is taken for dead
_COUNTERS: Final = {
    ("ORDERS", "SECOND", 10): "x-mbx-order-count-10s",
    ("ORDERS", "MINUTE", 1): "x-mbx-order-count-1m",
    ("ORDERS", "DAY", 1): "x-mbx-order-count-1d",
}


class _Limit(msgspec.Struct, rename="camel"):
    rate_limit_type: str = ""
    interval: str = ""
    interval_num: int = 0
    count: int = 0


class _Times(msgspec.Struct, rename="camel"):
    server_time: int = 0
    retry_after: int = 0


class _Told(msgspec.Struct):
    data: _Times | None = None


class Answer(msgspec.Struct, rename="camel"):
    """A frame of the WebSocket API that answers a request; an event has no status."""

    id: str | int | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw(b"")
    error: msgspec.Raw = msgspec.Raw(b"")
    rate_limits: list[_Limit] = []


class Frame(Value):
    """A request as it goes out."""

    id: str
    method: str
    params: dict[str, str | int]


class OrderSocket:
    """``transport``'s streams are the WebSocket API's host. ``run`` keeps it connected; ``request`` needs it so.

    ``path`` and ``methods`` are the market's: which REST calls have which name there.
    """

    def __init__(
        self,
        transport: Transport,
        key: str,
        signer: Signer,
        jitter: random.Random,
        *,
        path: str = API_PATH,
        methods: Mapping[tuple[str, str], str] = METHODS,
    ) -> None:
        self._path = path
        self._methods = methods
        self._transport = transport
        self._key = key
        self._signer = signer
        self._jitter = jitter
        self._socket: Socket | None = None
        self._waiting: dict[str, asyncio.Future[Reply]] = {}
        self._numbers = count(1)
        self._unanswered = 0
        self._dead = asyncio.Event()

    def sign_as(self, key: str, signer: Signer) -> None:
        """Each request carries its key and signature, so the connection stays."""
        self._key, self._signer = key, signer

    def takes(self, method: str, path: str) -> bool:
        """Whether this REST call can go this way now."""
        return self._socket is not None and (method, path) in self._methods

    async def request(self, method: str, path: str, params: Mapping[str, str], *, timeout_ms: int) -> Reply:
        """The answer to one call; ``params`` carry ``timestamp`` and ``recvWindow`` and no signature yet."""
        socket = self._socket
        if socket is None:
            raise NotSent("the order socket is not connected")
        number = str(next(self._numbers))
        frame = Frame(
            id=number, method=self._methods[method, path], params=signed_frame(params, self._key, self._signer)
        )
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await socket.send(msgspec.json.encode(frame))
                reply = await answer
        except TimeoutError:
            self._unanswered += 1
            if self._unanswered >= _UNANSWERED:
                self._dead.set()
            raise OutcomeUnknown(f"no answer in {timeout_ms} ms: {frame.method}") from None
        except (OSError, RuntimeError) as error:  # what a closing connection raises while it is written to
            raise OutcomeUnknown(f"connection lost: {frame.method}") from error
        finally:
            self._waiting.pop(number, None)
        self._unanswered = 0
        return reply

    async def close(self) -> None:
        """Once ``run`` has ended."""
        await self._transport.close()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                async with self._transport.connect(self._path) as socket:
                    await self._live(socket)
            except (NotSent, OutcomeUnknown) as error:
                log.warning("order_socket_away", error=str(error))
            lived_s = asyncio.get_running_loop().time() - began
            failures = 0 if lived_s >= LONGEST_PAUSE_MS / 1000 else failures + 1
            await asyncio.sleep(pause_ms(failures, self._jitter) / 1000)

    async def _live(self, socket: Socket) -> None:
        """One connection, until it ends, is taken for dead or is old."""
        self._dead.clear()
        self._unanswered = 0
        reading = asyncio.create_task(self._read(socket))
        dead = asyncio.create_task(self._dead.wait())
        self._socket = socket
        try:
            await asyncio.wait((reading, dead), timeout=RENEW_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._socket = None
            reading.cancel()
            dead.cancel()
            await asyncio.gather(reading, dead, return_exceptions=True)
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(OutcomeUnknown("the order socket ended before the answer"))

    async def _read(self, socket: Socket) -> None:
        async for raw in socket.frames():
            try:
                answer = msgspec.json.decode(raw, type=Answer)
            except msgspec.MsgspecError:
                log.warning("order_socket_unreadable", size=len(raw))
                continue
            waiting = self._waiting.get(str(answer.id))
            if waiting is not None and not waiting.done():
                waiting.set_result(as_rest(answer))


@asynccontextmanager
async def kept_open(socket: OrderSocket | None) -> AsyncIterator[None]:
    """It connects, and again, for as long as this is open; None: orders go by REST."""
    running = None if socket is None else asyncio.create_task(socket.run())
    try:
        yield
    finally:
        if running is not None:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def as_rest(answer: Answer) -> Reply:
    """The same answer as REST words it: status, the counters as headers, the body."""
    headers = {
        name: str(limit.count)
        for limit in answer.rate_limits
        if (name := _COUNTERS.get((limit.rate_limit_type, limit.interval, limit.interval_num))) is not None
    }
    body = bytes(answer.result)
    if not 200 <= answer.status < 300:
        body = bytes(answer.error)
        wait_ms = _retry_after_ms(body)
        if wait_ms is not None:
            headers["retry-after"] = str(-(-wait_ms // 1000))
    return Reply(status=answer.status, headers=headers, body=body)


def _retry_after_ms(body: bytes) -> Millis | None:
    try:
        told = msgspec.json.decode(body, type=_Told).data
    except msgspec.MsgspecError:
        return None
    if told is None or not (told.retry_after and told.server_time):  # a moment alone is no wait
        return None
    return Millis(max(told.retry_after - told.server_time, 0))
