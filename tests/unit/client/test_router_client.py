"""How an HTTP outcome becomes an error that says what may have happened, against a real server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from chimera.client import RouterClient
from chimera.trading.errors import NotSent, OutcomeUnknown, Refused
from chimera.trading.ids import ClientOrderId, IntentId, Symbol
from chimera.trading.intent import Intent, MakerThenTaker, OrderList, StopSpec, TargetKind, TargetSpec
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price, Qty
from chimera.wire.failures import status_of
from chimera.wire.intents import order_body

INTENT = Intent(
    intent_id=IntentId("i-1"),
    client_order_id=ClientOrderId("s3-btc-1-a"),
    market=Market.FUT,
    symbol=Symbol("BTCUSDT"),
    side=Side.BUY,
    qty=Qty(Decimal("0.002")),
    policy=MakerThenTaker(wait_ms=2000, slices=2, gap_ms=600),
    created_ms=Millis(1),
    stop=StopSpec(price=Price(Decimal("64800"))),
)
ACCEPTED = {
    "result": "OK",
    "status": "ACCEPTED",
    "order_id": "o",
    "client_order_id": "c",
    "avg_price": 65800.5,
    "new": 1,
}


class Server:
    def __init__(self) -> None:
        self.answer: Callable[[web.Request], Any] = lambda _: web.json_response(ACCEPTED, status=202)
        self.seen: list[tuple[str, str, Any, Any]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        self.seen.append((request.method, request.path, request.headers.get("Prefer"), json.loads(text or "null")))
        found = self.answer(request)
        return await found if asyncio.iscoroutine(found) else found


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_submit_sends_the_flat_shape_and_does_not_wait(server: Server) -> None:
    async with RouterClient(server.url) as client:
        answer = await client.submit(INTENT)

    assert (answer.status, str(answer.avg_price), answer.in_doubt) == ("ACCEPTED", "65800.5", False)
    method, path, prefer, body = server.seen[0]
    assert (method, path, prefer) == ("POST", "/orders", "respond-async")
    assert body == order_body(INTENT)
    assert (body["qty"], body["sl"]) == ("0.002", {"type": "STOP_MARKET", "price": "64800"})
    assert body["exec_policy"] == {
        "type": "MakerThenTaker",
        "maker_wait_ms": 2000,
        "twap": {"slices": 2, "gap_ms": 600},
    }


async def test_amounts_keep_every_digit_there_and_back(server: Server) -> None:
    """What one answer says can be sent in the next request."""
    digits = '{"order_id":"1","qty":0.12345678901234567890,"price":65800,"done_ms":1,"legs":[{"qty":0.00000001}]}'
    server.answer = lambda _: web.Response(text=digits)
    async with RouterClient(server.url) as client:
        row = await client.order("1")
        assert row is not None
        await client.cancel(order_id=row["order_id"])
        server.answer = lambda _: web.json_response(ACCEPTED)
        await client.submit({"qty": row["qty"], "sl": {"price": row["price"]}, "size": row["legs"][0]["qty"]})

    assert row["qty"] == Decimal("0.12345678901234567890")
    assert (type(row["price"]), type(row["done_ms"])) == (Decimal, int)
    assert server.seen[-1][3] == {"qty": "0.1234567890123456789", "sl": {"price": "65800"}, "size": "0.00000001"}


async def test_a_number_that_is_none_says_nothing_of_what_happened(server: Server) -> None:
    server.answer = lambda _: web.json_response(ACCEPTED | {"avg_price": float("nan")})
    async with RouterClient(server.url) as client:
        with pytest.raises(OutcomeUnknown):
            await client.submit(INTENT)


def test_a_spot_intent_with_both_exits_is_an_oco() -> None:
    both = INTENT.but(
        market=Market.SPOT,
        policy=OrderList(),
        target=TargetSpec(kind=TargetKind.PRICE, value=Price(INTENT.qty * 33_500_000)),
    )

    body = order_body(both)

    assert body["exec_policy"] == {"type": "OCO", "tp_price": "67000", "sl_price": "64800"}
    assert "sl" not in body


def refuse(status: int, **body: Any) -> Callable[[web.Request], web.Response]:
    return lambda _: web.json_response({"result": "FAIL", "message": "no"} | body, status=status)


async def test_a_4xx_is_a_refusal_with_its_field(server: Server) -> None:
    server.answer = refuse(422, code="MIN_NOTIONAL", field="qty", accepted="more")
    async with RouterClient(server.url) as client:
        with pytest.raises(Refused) as no:
            await client.submit(INTENT)
    assert (no.value.code, no.value.field, no.value.accepted) == ("MIN_NOTIONAL", "qty", "more")


async def test_a_503_took_nothing(server: Server) -> None:
    server.answer = lambda _: web.json_response({"code": "STORE_DOWN"}, status=503, headers={"Retry-After": "2"})
    async with RouterClient(server.url) as client:
        with pytest.raises(NotSent) as no:
            await client.submit(INTENT)
    assert no.value.retry_after_ms == 2000


async def test_other_server_errors_and_broken_answers_may_have_happened(server: Server) -> None:
    async with RouterClient(server.url) as client:
        for answer in (
            *(refuse(status_of(code), code=code) for code in ("INTERNAL", "OUTCOME_UNKNOWN", "LEASE_LOST")),
            lambda _: web.Response(text="{"),
            lambda _: web.Response(text="{}"),
        ):
            server.answer = answer
            with pytest.raises(OutcomeUnknown):
                await client.submit(INTENT)


async def test_a_time_out_and_a_cut_connection_may_have_happened(server: Server) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        return web.Response()

    def cut(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with RouterClient(server.url, timeout_ms=30) as client:
        server.answer = hang
        with pytest.raises(OutcomeUnknown, match="not answered"):
            await client.submit(INTENT)
        server.answer = cut
        with pytest.raises(OutcomeUnknown):
            await client.submit(INTENT)


async def test_nobody_listening_took_nothing() -> None:
    async with RouterClient("http://127.0.0.1:9") as client:
        with pytest.raises(NotSent):
            await client.submit(INTENT)


async def test_the_other_calls(server: Server) -> None:
    async with RouterClient(server.url) as client:
        server.answer = lambda _: web.json_response(
            {"positions": [{"symbol": "BTCUSDT"}], "status": "ok", "ready": True}
        )
        assert await client.positions() == [{"symbol": "BTCUSDT"}]
        assert (await client.health())["status"] == "ok"
        assert await client.ready()
        await client.close("BTCUSDT", INTENT.qty, close_id="p1")
        await client.cancel(client_order_id="c", escalate=True)
        server.answer = refuse(404, code="NOT_FOUND")
        assert await client.order("a/b") is None

    assert server.seen[3][1:] == (
        "/positions/BTCUSDT/close", None, {"market": "FUT", "reason": "USER_REQUEST", "qty": "0.002", "close_id": "p1"},
    )  # fmt: skip
    assert server.seen[4][3] == {"client_order_id": "c", "reason": "USER_REQUEST", "escalate": "market"}
