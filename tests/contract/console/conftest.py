"""The console over fake others: in process, with time by hand."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from console_stage import HandClock, Stage

ORIGIN = "http://127.0.0.1:8080"


@pytest.fixture
def stage() -> Stage:
    return Stage(HandClock())


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=stage.app)
    async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as client:
        yield client
