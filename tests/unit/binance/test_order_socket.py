"""Orders by socket in virtual time: matched by id, unknown when unanswered, by REST while there is no connection."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, cast

import msgspec
import pytest

from chimera.adapters.binance.order_socket import API_PATH, OrderSocket
from chimera.adapters.binance.sign import HmacSigner
from chimera.adapters.binance.transport import Reply
from chimera.services.stage.loop import DetLoop
from chimera.trading.errors import NotSent, OutcomeUnknown

PLACE = ("POST", "/fapi/v1/order")


class Wire:
    """A connection whose other end is the test."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.queue: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def frames(self) -> AsyncIterator[bytes]:
        while (frame := await self.queue.get()) is not None:
            yield frame

    async def send(self, frame: bytes) -> None:
        self.sent.append(msgspec.json.decode(frame))

    def answer(self, number: str, **rest: Any) -> None:
        self.queue.put_nowait(msgspec.json.encode({"id": number, "status": 200, "result": {}} | rest))


class Host:
    def __init__(self) -> None:
        self.wires: list[Wire] = []
        self.refusals = 0

    @asynccontextmanager
    async def connect(self, target: str) -> AsyncIterator[Wire]:
        assert target == API_PATH
        if self.refusals:
            self.refusals -= 1
            raise NotSent("refused")
        self.wires.append(Wire())
        yield self.wires[-1]


def played(story: Callable[[OrderSocket, Host], Coroutine[Any, Any, None]], *, refusals: int = 0) -> None:
    loop = DetLoop(1)
    host = Host()
    host.refusals = refusals
    socket = OrderSocket(cast("Any", host), "key", HmacSigner("secret"), random.Random(1))

    async def whole() -> None:
        running = asyncio.create_task(socket.run())
        await asyncio.sleep(0.01)
        await story(socket, host)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    try:
        loop.run_until_complete(whole())
        assert loop.unheard() == []
    finally:
        loop.close()


def asked(socket: OrderSocket, name: str = "a", timeout_ms: int = 500) -> "asyncio.Task[Reply]":
    params = {"newClientOrderId": name, "timestamp": "5"}
    return asyncio.create_task(socket.request(*PLACE, params, timeout_ms=timeout_ms))


def test_answers_find_their_requests_in_any_order() -> None:
    async def story(socket: OrderSocket, host: Host) -> None:
        first, second = asked(socket, "a"), asked(socket, "b")
        await asyncio.sleep(0.01)
        [wire] = host.wires
        ids = {frame["params"]["newClientOrderId"]: frame["id"] for frame in wire.sent}
        wire.answer(ids["b"], result={"orderId": 2})
        wire.answer("99")
        wire.queue.put_nowait(b"not json")
        limits = [{"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300, "count": 7}]
        wire.answer(ids["a"], result={"orderId": 1}, rateLimits=limits)
        assert (await second).body == b'{"orderId":2}'
        reply = await first
        assert (reply.status, reply.body, reply.headers) == (200, b'{"orderId":1}', {"x-mbx-order-count-10s": "7"})

    played(story)


@pytest.mark.req("CONF-1")
def test_a_changed_key_signs_the_next_request_on_the_same_connection() -> None:
    async def story(socket: OrderSocket, host: Host) -> None:
        first = asked(socket, "a")
        await asyncio.sleep(0.01)
        socket.sign_as("new", HmacSigner("other"))
        second = asked(socket, "b")
        await asyncio.sleep(0.01)
        [wire] = host.wires
        payload = "apiKey=new&newClientOrderId=b&timestamp=5"
        assert [frame["params"]["apiKey"] for frame in wire.sent] == ["key", "new"]
        assert wire.sent[1]["params"]["signature"] == HmacSigner("other").sign(payload.encode())
        for frame in wire.sent:
            wire.answer(frame["id"])
        await asyncio.gather(first, second)

    played(story)


def test_the_signature_covers_the_key_and_all_parameters_by_name() -> None:
    async def story(socket: OrderSocket, host: Host) -> None:
        waiting = asked(socket, "a b")
        await asyncio.sleep(0.01)
        frame = host.wires[0].sent[0]
        payload = "apiKey=key&newClientOrderId=a b&timestamp=5"
        assert frame["method"] == "order.place"
        assert frame["params"]["signature"] == HmacSigner("secret").sign(payload.encode())
        assert frame["params"]["timestamp"] == 5  # whole numbers are numbers there
        host.wires[0].answer(frame["id"])
        await waiting

    played(story)


def test_a_refusal_reads_as_rest_words_it() -> None:
    async def story(socket: OrderSocket, host: Host) -> None:
        waiting = asked(socket)
        await asyncio.sleep(0.01)
        error = {"code": -1003, "msg": "Too many", "data": {"serverTime": 1_000, "retryAfter": 3_500}}
        host.wires[0].answer(host.wires[0].sent[0]["id"], status=429, result=None, error=error)
        reply = await waiting
        assert (reply.status, reply.headers) == (429, {"retry-after": "3"})
        assert msgspec.json.decode(reply.body)["code"] == -1003

    played(story)


def test_a_moment_without_the_venues_clock_is_no_wait() -> None:
    """Else the moment itself would count as a wait: questions and entries stopped for days."""

    async def story(socket: OrderSocket, host: Host) -> None:
        waiting = asked(socket)
        await asyncio.sleep(0.01)
        error = {"code": -1003, "msg": "Too many", "data": {"retryAfter": 1_800_000_003_500}}
        host.wires[0].answer(host.wires[0].sent[0]["id"], status=429, result=None, error=error)
        assert (await waiting).headers == {}

    played(story)


def test_what_was_written_and_is_not_answered_is_unknown() -> None:
    async def story(socket: OrderSocket, host: Host) -> None:
        with pytest.raises(OutcomeUnknown, match="no answer in 500 ms"):
            await asked(socket)
        lost = asked(socket, timeout_ms=5_000)
        await asyncio.sleep(0.01)
        host.wires[0].queue.put_nowait(None)
        with pytest.raises(OutcomeUnknown, match="ended before the answer"):
            await lost

    played(story)


def test_two_without_an_answer_end_the_connection_and_another_is_made() -> None:
    async def story(socket: OrderSocket, host: Host) -> None:
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await asked(socket)
        await asyncio.sleep(0.001)
        assert not socket.takes(*PLACE)
        await asyncio.sleep(0.5)
        assert len(host.wires) == 2
        assert socket.takes(*PLACE)

    played(story)


def test_while_there_is_no_connection_nothing_is_written() -> None:
    async def story(socket: OrderSocket, host: Host) -> None:
        assert not socket.takes(*PLACE)
        with pytest.raises(NotSent):
            await asked(socket)
        await asyncio.sleep(2)
        assert socket.takes(*PLACE)
        assert not socket.takes("GET", "/fapi/v1/openAlgoOrders"), "the API has no such question"

    played(story, refusals=3)
