"""S4's HTTP face over a fake router: in process, and over a real socket."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from router_fake import FakeRouter, FixedClock
from stand_in import StandIn

from chimera.services.router.http import build_app


@pytest.fixture
def router() -> FakeRouter:
    return FakeRouter()


@pytest.fixture(scope="session")
def faced() -> tuple[FastAPI, StandIn]:
    stand_in = StandIn()
    return build_app(stand_in, clock=FixedClock(), new_id=lambda: "e1"), stand_in


@pytest.fixture
def app(faced: tuple[FastAPI, StandIn], router: FakeRouter) -> FastAPI:
    faced[1].now = router
    return faced[0]


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://s4") as client:
        yield client


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[tuple[str, int]]:
    """A real server on a free loopback port."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()
    finally:
        server.should_exit = True
        await running
