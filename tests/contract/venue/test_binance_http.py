"""The aiohttp transport against a loopback server that misbehaves: at most one request leaves, whatever happens."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from chimera.adapters.binance.account import BinanceFutures, open_futures
from chimera.adapters.binance.hosts import SIM, Hosts
from chimera.adapters.binance.http import CONNECTIONS, FOR_ORDERS, AiohttpTransport
from chimera.trading.errors import NotSent, OutcomeUnknown
from chimera.trading.ids import ClientOrderId, Symbol
from chimera.trading.market import Side
from chimera.trading.money import Millis, Price, Qty
from chimera.trading.order import NewOrder, OrderType
from chimera.trading.venue import OrderRef

ORDER = NewOrder(
    ref=ClientOrderId("s3-btc-1-m1"),
    symbol=Symbol("BTCUSDT"),
    side=Side.BUY,
    type=OrderType.LIMIT,
    qty=Qty(Decimal("0.010")),
    price=Price(Decimal(60000)),
)
REF = OrderRef(symbol=ORDER.symbol, ref=ORDER.ref, conditional=False)
STOP_REF = REF.but(conditional=True)
ACCEPTED = (
    b'{"symbol":"BTCUSDT","clientOrderId":"s3-btc-1-m1","orderId":7,"side":"BUY","type":"LIMIT","status":"NEW",'
    b'"origQty":"0.010","executedQty":"0"}'
)


class StillClock:
    def now_ms(self) -> Millis:
        return Millis(1_763_635_200_000)

    def monotonic_ms(self) -> Millis:
        return Millis(0)


def http(body: bytes, status: str = "200 OK", extra: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body


Reaction = Callable[[int, asyncio.StreamWriter], Awaitable[bool]]  # whether the connection lives on


class Loopback:
    """Reads whole requests, notes their first lines, and does with the n-th what it is told."""

    def __init__(self, react: Reaction) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self._react = react
        self._at_work: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.create_task(self._serve(reader, writer))
        self._at_work.add(serving)
        serving.add_done_callback(lambda _: writer.transport.abort())  # also where it never began

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.requests.append(head.split(b"\r\n", 1)[0].decode())
                if not await self._react(len(self.requests), writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return


@asynccontextmanager
async def against(react: Reaction) -> AsyncIterator[tuple[Loopback, BinanceFutures]]:
    loopback = Loopback(react)
    server = await asyncio.start_server(loopback.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    futures = opened(port)
    try:
        yield loopback, futures
    finally:
        await futures.close()
        server.close()


def opened(port: int) -> BinanceFutures:
    transport = AiohttpTransport(Hosts(name="sim", rest=f"http://127.0.0.1:{port}", streams=f"ws://127.0.0.1:{port}"))
    return open_futures(transport, "key", "secret", StillClock(), jitter=random.Random(0))


async def drop(_: int, __: asyncio.StreamWriter) -> bool:
    return False


async def answer_then_drop(number: int, writer: asyncio.StreamWriter) -> bool:
    """The first is answered and the connection kept; the second, on the kept connection, is read and dropped."""
    if number > 1:
        return False
    writer.write(http(ACCEPTED))
    return True


CALLS: dict[str, Callable[[BinanceFutures], Awaitable[object]]] = {
    "place": lambda futures: futures.venue.place(ORDER, timeout_ms=1000),
    "cancel": lambda futures: futures.venue.cancel(REF, timeout_ms=1000),
    "cancel stop": lambda futures: futures.venue.cancel(STOP_REF, timeout_ms=1000),
    "find": lambda futures: futures.venue.find(REF),
    "leverage": lambda futures: futures.rulebook.prepare(ORDER.symbol, 20),
}


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.parametrize("name", CALLS)
@pytest.mark.fault("B1")
async def test_a_lost_reply_is_unknown_and_the_request_left_once(name: str) -> None:
    async with against(drop) as (loopback, futures):
        with pytest.raises(OutcomeUnknown):
            await CALLS[name](futures)

        assert len(loopback.requests) == 1


@pytest.mark.req("S4-RETRY-2")
@pytest.mark.parametrize("name", CALLS)
async def test_a_kept_connection_that_is_dropped_is_not_tried_again(name: str) -> None:
    """Here aiohttp by itself would send GET and DELETE a second time."""
    async with against(answer_then_drop) as (loopback, futures):
        await futures.venue.place(ORDER, timeout_ms=1000)
        with pytest.raises(OutcomeUnknown):
            await CALLS[name](futures)

        assert (len(loopback.requests), loopback.connections) == (2, 1)


async def test_a_server_that_says_nothing_times_out_once() -> None:
    async def wait(_: int, __: asyncio.StreamWriter) -> bool:
        await asyncio.sleep(5)
        return False

    async with against(wait) as (loopback, futures):
        with pytest.raises(OutcomeUnknown):
            await futures.venue.place(ORDER, timeout_ms=80)

        assert len(loopback.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        http(ACCEPTED)[:-20],  # torn
        http(b"<html>all is well</html>"),
        http(b""),
        http(b"[]"),
        http(ACCEPTED.replace(b"s3-btc-1-m1", b"s3-btc-1-m2")),
        http(ACCEPTED.replace(b"BTCUSDT", b"ETHUSDT")),
        http(ACCEPTED.replace(b'"NEW"', b'"NEWISH"')),
        http(ACCEPTED.replace(b'"0.010"', b'"NaN"')),
        http(b"", "302 Found", "Location: /fapi/v1/elsewhere\r\n"),
        http(b"\x1f\x8bgarbage", extra="Content-Encoding: gzip\r\n"),
        b"NOT HTTP AT ALL\r\n\r\n",
    ],
)
@pytest.mark.fault("B34")
async def test_an_answer_that_cannot_be_believed_is_unknown(answer: bytes) -> None:
    async def react(_: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer)
        await writer.drain()
        return False

    async with against(react) as (loopback, futures):
        with pytest.raises(OutcomeUnknown):
            await futures.venue.place(ORDER, timeout_ms=1000)

        assert len(loopback.requests) == 1


async def test_nobody_listening_is_not_sent() -> None:
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    futures = opened(port)

    with pytest.raises(NotSent):
        await futures.venue.place(ORDER, timeout_ms=1000)
    await futures.close()
    with pytest.raises(NotSent):
        await futures.venue.place(ORDER, timeout_ms=1000)


@pytest.mark.fault("B37")
async def test_a_tls_failure_is_not_sent() -> None:
    """The far end speaks plain text where we expect TLS: no request can have been read."""
    loopback = Loopback(drop)
    server = await asyncio.start_server(loopback.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    transport = AiohttpTransport(Hosts(name="sim", rest=f"https://127.0.0.1:{port}", streams=SIM.streams))

    with pytest.raises(NotSent):
        await transport.request("GET", "/", headers={}, timeout_ms=500)
    await transport.close()
    server.close()
    assert loopback.requests == []


async def test_the_address_leaves_exactly_as_signed() -> None:
    async def react(_: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(http(b"{}"))
        return True

    async with against(react) as (loopback, futures):
        target = "/fapi/v1/x?a=%2F%20%7e%EF%BC%91+b&empty=&signature=ab%2B%3D"
        await futures.raw.transport.request("GET", target, headers={}, timeout_ms=1000)

        assert loopback.requests == [f"GET {target} HTTP/1.1"]


async def test_a_stream_that_is_refused_is_not_sent() -> None:
    async with against(drop) as (_, futures):
        with pytest.raises(NotSent):
            async with futures.raw.transport.connect("/private/ws?listenKey=x"):
                raise AssertionError("it must not open")


async def test_an_order_past_its_time_does_not_leave() -> None:
    async with against(drop) as (loopback, futures):
        with pytest.raises(NotSent):
            await futures.venue.place(ORDER.but(not_after_ms=Millis(1)), timeout_ms=1000)

        assert loopback.requests == []


@pytest.mark.fault("B8")
async def test_nothing_leaves_while_the_venue_bans_us() -> None:
    async def ban(_: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(http(b'{"code":-1003,"msg":"banned"}', "418 I'm a teapot"))
        return True

    async with against(ban) as (loopback, futures):
        for _ in range(3):
            with pytest.raises(NotSent) as refused:
                await futures.venue.place(ORDER, timeout_ms=1000)
            assert refused.value.retry_after_ms == 120_000

        assert len(loopback.requests) == 1


@pytest.mark.req("S4-CLOCK-1")
@pytest.mark.fault("B10")
async def test_a_clock_refusal_measures_the_clock_and_is_not_sent() -> None:
    async def react(number: int, writer: asyncio.StreamWriter) -> bool:
        late = http(
            b'{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}', "400 Bad Request"
        )
        writer.write((late, http(b'{"serverTime":1763635205000}'), http(ACCEPTED))[number - 1])
        return True

    async with against(react) as (loopback, futures):
        with pytest.raises(NotSent):
            await futures.venue.place(ORDER, timeout_ms=1000)
        await futures.venue.place(ORDER, timeout_ms=1000)

        first, clock, second = loopback.requests
        assert "timestamp=1763635200000&" in first
        assert clock.startswith("GET /fapi/v1/time ")
        assert "timestamp=1763635205000&" in second
        assert "recvWindow=2000&" in second


async def test_no_order_queues_behind_questions_that_are_not_answered() -> None:
    busy, over = asyncio.Event(), asyncio.Event()

    async def slow_to_answer(number: int, writer: asyncio.StreamWriter) -> bool:
        if loopback.requests[-1].startswith("POST"):
            writer.write(http(ACCEPTED))
            return True
        if number == CONNECTIONS - FOR_ORDERS:
            busy.set()
        await over.wait()
        return False

    async with against(slow_to_answer) as (loopback, futures):
        asked = [asyncio.create_task(futures.venue.find(REF)) for _ in range(2 * CONNECTIONS)]
        await busy.wait()
        try:
            placed = await futures.venue.place(ORDER, timeout_ms=500)
        finally:
            over.set()
            await asyncio.gather(*asked, return_exceptions=True)

    assert placed.ref == ORDER.ref
    assert sum(request.startswith("POST") for request in loopback.requests) == 1
