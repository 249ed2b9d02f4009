"""Callers who were given several routers' addresses: who acts is found, nothing is started twice, a doubt stays one."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from chimera.client import RouterClient
from chimera.trading.errors import NotSent, OutcomeUnknown
from chimera.trading.transfer import Route
from chimera.wire.failures import LEASE_LOST, STANDBY, status_of

pytestmark = [pytest.mark.req("S4-ROUTE-6"), pytest.mark.req("I1")]

ORDER = {"intent_id": "i-1", "client_order_id": "c-1", "symbol": "BTCUSDT"}
TAKEN = {"result": "OK", "status": "ACCEPTED", "order_id": "o", "client_order_id": "c-1"}

Act = Callable[[web.Request], web.StreamResponse | Awaitable[web.StreamResponse]]


def said(code: str, **more: Any) -> web.Response:
    return web.json_response({"result": "FAIL", "code": code, "message": "no", **more}, status=status_of(code))


class Router:
    """``acts`` None: it stands by and names ``holder``; else what it does with what it is asked."""

    def __init__(self, acts: Act | None = None, holder: str | None = None) -> None:
        self.acts = acts
        self.holder = holder
        self.url = ""
        self.seen: list[tuple[str, str]] = []  # beside looks at its health: path and body
        self.looks = 0
        self.on_look: Callable[[], None] = lambda: None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/health":
            self.looks += 1
            self.on_look()
            return web.json_response({"status": "standby" if self.acts is None else "ok"})
        self.seen.append((request.path, await request.text()))
        if self.acts is None:
            return said(STANDBY, accepted=self.holder)
        answer = self.acts(request)
        return answer if isinstance(answer, web.StreamResponse) else await answer


def takes(_: web.Request) -> web.Response:
    return web.json_response(TAKEN)


@asynccontextmanager
async def served(router: Router) -> AsyncIterator[None]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", router.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    router.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def asked(*routers: Router, timeout_ms: int = 5_000, more: str = "") -> AsyncIterator[RouterClient]:
    async with AsyncExitStack() as open_:
        for router in routers:
            await open_.enter_async_context(served(router))
        addresses = ", ".join([router.url for router in routers] + ([more] if more else []))
        yield await open_.enter_async_context(RouterClient(addresses, timeout_ms=timeout_ms))


async def test_who_acts_is_found_and_nobody_else_hears_of_the_order() -> None:
    first, second, third = Router(), Router(takes), Router()
    async with asked(first, second, third) as client:
        answer = await client.submit(ORDER)
        await client.submit(ORDER)

    assert answer.status == "ACCEPTED"
    assert (first.seen, third.seen) == ([], [])
    assert len(second.seen) == 2
    assert first.looks == 1, "who acts is asked once, until it acts no more"


async def test_a_stand_by_is_followed_to_whom_it_names() -> None:
    first, second = Router(takes), Router()
    async with asked(first, second) as client:
        await client.submit(ORDER)
        first.acts, first.holder, second.acts = None, second.url + "/", takes
        looks = second.looks
        answer = await client.submit(ORDER)

    assert answer.status == "ACCEPTED"
    assert len(second.seen) == 1
    assert second.looks == looks, "the word was enough"


async def test_nobody_is_followed_to_an_address_that_was_not_given() -> None:
    first, second, stranger = Router(takes), Router(), Router(takes)
    async with served(stranger), asked(first, second) as client:
        await client.submit(ORDER)
        first.acts, first.holder, second.acts = None, stranger.url, takes
        answer = await client.submit(ORDER)

    assert answer.status == "ACCEPTED"
    assert (stranger.seen, stranger.looks) == ([], 0)
    assert len(second.seen) == 1


async def test_two_that_name_each_other_are_not_asked_for_ever() -> None:
    first, second = Router(takes), Router()
    async with asked(first, second, timeout_ms=300) as client:
        await client.submit(ORDER)
        first.acts, first.holder, second.holder = None, second.url, first.url
        with pytest.raises(NotSent, match=STANDBY):
            await client.submit(ORDER)

    assert (len(first.seen), len(second.seen)) == (2, 1)


async def test_what_a_lost_lease_left_open_is_asked_of_the_successor_with_the_same_ids() -> None:
    first, second = Router(), Router()

    def lose(_: web.Request) -> web.Response:
        first.acts, second.acts = None, takes
        return said(LEASE_LOST)

    first.acts = lose
    async with asked(first, second) as client:
        answer = await client.submit(ORDER)

    assert answer.status == "ACCEPTED"
    assert second.seen == first.seen


async def test_what_would_be_another_deed_asked_again_is_not() -> None:
    """A transfer; a part of a position without a name."""
    first, second = Router(), Router()

    def lose(_: web.Request) -> web.Response:
        first.acts, second.acts = None, takes
        return said(LEASE_LOST)

    async with asked(first, second) as client:
        first.acts = lose
        with pytest.raises(OutcomeUnknown):
            await client.transfer(Route.SPOT_TO_FUT, "USDT", Decimal(1), by="a", reason="b")
        first.acts, second.acts = lose, None
        with pytest.raises(OutcomeUnknown):
            await client.close("BTCUSDT", Decimal("0.1"))
        assert second.seen == []
        first.acts, second.acts = lose, None
        await client.close("BTCUSDT", Decimal("0.1"), close_id="p-1")

    assert [path for path, _ in second.seen] == ["/positions/BTCUSDT/close"]


async def test_a_router_that_dies_in_the_middle_leaves_a_doubt_that_no_refusal_of_another_ends() -> None:
    """The successor has started nothing; whoever died may have."""
    first, second = Router(), Router()

    def die(request: web.Request) -> web.Response:
        first.acts, second.acts = None, lambda _: said("RECOVERING")
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    first.acts = die
    async with asked(first, second) as client:
        with pytest.raises(OutcomeUnknown, match="broke off"):
            await client.submit(ORDER)
        first.acts, second.acts = die, None
        with pytest.raises(OutcomeUnknown):
            await client.submit(ORDER)
        second.acts = takes
        answer = await client.submit(ORDER)

    assert answer.status == "ACCEPTED"


async def test_a_doubt_stays_one_where_nobody_acts_any_more() -> None:
    first, second = Router(), Router()

    def lose(_: web.Request) -> web.Response:
        first.acts = None
        return said(LEASE_LOST)

    first.acts = lose
    async with asked(first, second, timeout_ms=300) as client:
        with pytest.raises(OutcomeUnknown, match="HTTP 500"):
            await client.submit(ORDER)


async def test_while_nobody_acts_a_call_waits_for_the_successor() -> None:
    first, second = Router(), Router()

    def succeed() -> None:
        if second.looks == 3:
            second.acts = takes

    second.on_look = succeed
    async with asked(first, second) as client:
        answer = await client.submit(ORDER)

    assert answer.status == "ACCEPTED"
    assert len(second.seen) == 1


async def test_nothing_was_sent_where_nobody_acts_and_none_waits_where_nobody_listens() -> None:
    async with asked(Router(), Router(), timeout_ms=250) as client:
        with pytest.raises(NotSent) as no:
            await client.submit(ORDER)
    assert no.value.code == STANDBY

    never = 3_600_000
    async with RouterClient("http://127.0.0.1:9,http://127.0.0.1:19", timeout_ms=never) as client:
        with pytest.raises(NotSent, match="nothing answers"):
            await client.submit(ORDER)


async def test_a_frozen_router_holds_nobody_up_who_asks_for_the_first_time() -> None:
    """It takes the connection, as its kernel does for it, and never answers."""
    frozen = socket.create_server(("127.0.0.1", 0))
    try:
        acting = Router(takes)
        async with asked(acting, more=f"http://127.0.0.1:{frozen.getsockname()[1]}", timeout_ms=60_000) as client:
            async with asyncio.timeout(10):
                answer = await client.submit(ORDER)
    finally:
        frozen.close()

    assert answer.status == "ACCEPTED"


async def test_health_and_ready_are_of_the_one_that_acts_now() -> None:
    first, second = Router(lambda _: web.json_response({"ready": False}, status=503)), Router()
    async with asked(first, second) as client:
        assert not await client.ready()
        first.acts, second.acts = None, lambda _: web.json_response({"ready": True})
        assert (await client.health())["status"] == "ok"
        assert await client.ready()
