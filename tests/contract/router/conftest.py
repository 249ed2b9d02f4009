"""S4's HTTP face over a fake router: in process, and over a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest
import uvicorn
from router_fake import FakeRouter, FixedClock

from chimera.services.router.http import build_app


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter()


@pytest.fixture
async def client(router: FakeRouter) -> AsyncIterator[httpx2.AsyncClient]:
    app = build_app(router, clock=FixedClock(), new_id=lambda: "e1")
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://s4") as client:
        yield client


@pytest.fixture
async def address(router: FakeRouter) -> AsyncIterator[tuple[str, int]]:
    """A real server on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = build_app(router, clock=FixedClock())
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        await running
