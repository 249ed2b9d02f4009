"""S3 against a stub of S4 over real HTTP: S4's own face, a router behind it that remembers what it was asked.

What S3 writes S4's face reads, what the face answers S3's client reads: both sides are the ones that are shipped.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest
import uvicorn
from router_fake import FakeRouter, FixedClock
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from strategy_world import Stage, ask, until

from chimera.client import RouterClient
from chimera.services import face
from chimera.services.router.http import Outcome, build_app
from chimera.services.strategy import dispatch
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.main import RestSink
from chimera.trading.errors import Refused
from chimera.trading.intent import Intent, TargetKind
from chimera.trading.market import Side

pytestmark = pytest.mark.req("DEL-3", "S3-PER-2")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "RETRY_FIRST_MS", 1)
    monkeypatch.setattr(dispatch, "RETRY_MAX_MS", 2)


@asynccontextmanager
async def listening(stub: FakeRouter, at: socket.socket, *turned_away: ASGIApp) -> AsyncIterator[None]:
    """``turned_away``: who answers the first requests instead, one after the other."""
    app, first = build_app(stub, clock=FixedClock()), list(turned_away)

    async def door(scope: Scope, receive: Receive, send: Send) -> None:
        await (first.pop(0) if first else app)(scope, receive, send)

    server = uvicorn.Server(uvicorn.Config(door, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[at]))
    try:
        yield
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def s3_at(port: int) -> AsyncIterator[tuple[Stage, Strategy]]:
    stage = Stage(S3_TRACKS="rest")
    await stage.show()
    async with RouterClient(f"http://127.0.0.1:{port}", timeout_ms=2_000) as client:
        stage.router = RestSink(client)  # type: ignore[assignment]  # a sink
        async with stage.process() as strategy:
            yield stage, strategy


async def delivery(stage: Stage, became: str) -> dict[str, object]:
    async def so() -> bool:
        await asyncio.sleep(0.001)
        return (await stage.rows())[0]["delivery"] == became

    await until(so, turns=5_000)
    return (await stage.rows())[0]


async def test_what_was_decided_is_what_s4_is_asked_stop_target_and_all() -> None:
    stub = FakeRouter()
    with closing(socket.create_server(("127.0.0.1", 0))) as at:
        async with listening(stub, at), s3_at(at.getsockname()[1]) as (stage, strategy):
            answer = await strategy.decide(ask())
            row = await delivery(stage, "DONE")

    [(asked, _, _)] = stub.asked
    intent, tracks = answer.intent, row["tracks"]
    assert intent is not None
    assert isinstance(tracks, dict)
    told = answer.model_dump(mode="json")["intent"]
    assert (asked.intent_id, asked.client_order_id, str(asked.qty)) == (
        told["intent_id"], told["client_order_id"], told["qty"],
    )  # fmt: skip
    assert (asked.side, asked.leverage, asked.reduce_only) == (Side.BUY, told["leverage"], False)
    assert asked.stop is not None
    assert str(asked.stop.price) == told["sl"]["price"]
    assert asked.target is not None
    assert (asked.target.kind, str(asked.target.value)) == (TargetKind.NET_PROFIT_USDT, told["tp"]["value"])
    assert (tracks["rest"], tracks["status"]) == ("ANSWERED", "FILLED")


async def test_s4_s_no_is_in_s3_s_log_with_its_code() -> None:
    def no(_: Intent) -> Outcome:
        raise Refused("MIN_NOTIONAL", "too little", field="qty", value="0.007", accepted=">= 0.1")

    stub = FakeRouter()
    stub.answer = no
    with closing(socket.create_server(("127.0.0.1", 0))) as at:
        async with listening(stub, at), s3_at(at.getsockname()[1]) as (stage, strategy):
            await strategy.decide(ask())
            tracks = (await delivery(stage, "REFUSED"))["tracks"]
    assert isinstance(tracks, dict)
    assert (tracks["code"], tracks["message"], len(stub.asked)) == ("MIN_NOTIONAL", "too little", 1)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (face.no(Refused("TOKEN_EXPIRED", "the token s3 has expired")), "TOKEN_EXPIRED"),
        (face.no(Refused("ROLE_TOO_LOW", "s3 has the role viewer")), "ROLE_TOO_LOW"),
        (PlainTextResponse("nothing here", 404), "HTTP_404"),
    ],
)
async def test_who_is_turned_away_at_s4_s_door_has_not_heard_its_word_on_the_intent(answer: ASGIApp, code: str) -> None:
    """It was REFUSED for good, what it had promised was free again, and S4 traded what came by the stream."""
    stub = FakeRouter()
    with closing(socket.create_server(("127.0.0.1", 0))) as at:
        async with listening(stub, at, *[answer] * 3), s3_at(at.getsockname()[1]) as (stage, strategy):
            await strategy.decide(ask())
            tracks = (await delivery(stage, "DONE"))["tracks"]
            alerts = {alert["code"]: alert["text"] for alert in await stage.streamed("alerts")}
    assert isinstance(tracks, dict)
    assert [tracks["said"][0][part] for part in ("heard", "code", "times")] == ["NOT_SENT", code, 3]
    assert code in alerts["PUBLISH_FAILED"]
    assert len(stub.asked) == 1


async def test_an_s4_that_is_away_is_asked_again_with_the_same_ids() -> None:
    stub = FakeRouter()
    with closing(socket.create_server(("127.0.0.1", 0))) as at:
        port = at.getsockname()[1]
    async with s3_at(port) as (stage, strategy):
        answer = await strategy.decide(ask())

        async def tried() -> bool:
            await asyncio.sleep(0.001)
            return strategy._dispatcher.pending == 1 and bool(await stage.streamed("alerts"))

        await until(tried, turns=5_000)
        with closing(socket.create_server(("127.0.0.1", port))) as at:
            async with listening(stub, at):
                await delivery(stage, "DONE")
    assert answer.intent is not None
    assert {asked.intent_id for asked, _, _ in stub.asked} == {answer.model_dump(mode="json")["intent"]["intent_id"]}
