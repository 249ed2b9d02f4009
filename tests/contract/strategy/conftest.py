"""S3 behind a real HTTP server on a free port of this machine."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from stand_in import StandIn
from strategy_world import Served, Stage, until

from chimera.decide.rules import bundle
from chimera.services.strategy import compiling
from chimera.services.strategy.http import build_app


@pytest.fixture(scope="session")
def faced() -> tuple[FastAPI, StandIn]:
    stand_in: Any = StandIn()
    return build_app(stand_in, new_id=lambda: "e-1"), stand_in


@pytest.fixture
async def served(faced: tuple[FastAPI, StandIn]) -> AsyncIterator[Served]:
    app, behind = faced
    stage = Stage()
    await stage.show()
    listening = socket.create_server(("127.0.0.1", 0))
    async with stage.process() as strategy:
        behind.now = strategy
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await until(lambda: asyncio.sleep(0, server.started), turns=100_000)
        yield Served(stage, f"http://127.0.0.1:{listening.getsockname()[1]}", strategy)
        server.should_exit = True
        await serving


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which bundles were compiled, in order."""
    made: list[str] = []
    real = bundle.compiling

    def counted(*rules: Any, **how: Any) -> Any:
        made.append(how["bundle_id"])
        return real(*rules, **how)

    monkeypatch.setattr(compiling, "compiling", counted)
    return made
