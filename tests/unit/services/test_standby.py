"""The face of a process that may stand by: where the holder is, and what becomes of a call whose house ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from chimera.services.router.standby import StandbyFace
from chimera.trading.lease import Holder
from chimera.trading.money import Millis

pytestmark = pytest.mark.req("S4-ROUTE-6")

OTHER = Holder(owner="s4-b", url="http://10.0.0.2:9004", left_ms=Millis(900))


class Face:
    """What may stand by, its client, and a house whose one answer takes until ``go``."""

    def __init__(self) -> None:
        self.holder: Holder | None = OTHER
        self.standby = StandbyFace(lambda: self.holder)
        transport = httpx2.ASGITransport(app=self.standby)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://s4")
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        self.app = FastAPI()

        @self.app.post("/orders")
        async def orders() -> dict[str, Any]:
            self.asked.set()
            await self.go.wait()
            return {"status": "FILLED"}


@pytest.fixture
async def face() -> AsyncIterator[Face]:
    made = Face()
    async with made.client:
        yield made


async def test_who_stands_by_says_where_the_holder_is_and_starts_nothing(face: Face) -> None:
    answer = await face.client.post("/orders", json={})
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    body = answer.json()
    assert (body["code"], body["accepted"]) == ("STANDBY", OTHER.url)
    assert OTHER.owner in body["message"]
    assert not face.asked.is_set()


async def test_who_stands_by_lives_and_is_not_ready(face: Face) -> None:
    health, ready = await face.client.get("/health"), await face.client.get("/ready")
    assert (health.status_code, health.json()["status"]) == (200, "standby")
    assert health.json()["checks"]["lease"]["url"] == OTHER.url
    assert (ready.status_code, ready.json()) == (503, {"ready": False})


async def test_a_holder_that_is_not_known_is_not_named(face: Face) -> None:
    face.holder = None
    body = (await face.client.post("/kill", json={})).json()
    assert (body["code"], body["accepted"]) == ("STANDBY", None)


async def test_the_house_answers_while_it_acts(face: Face) -> None:
    face.go.set()
    with face.standby.open(face.app):
        assert (await face.client.post("/orders")).json() == {"status": "FILLED"}
    assert (await face.client.post("/orders")).status_code == 503


async def test_a_call_whose_house_ends_hears_that_nobody_knows(face: Face) -> None:
    with face.standby.open(face.app):
        asking = asyncio.create_task(face.client.post("/orders"))
        await face.asked.wait()
    face.go.set()  # too late: its owners do nothing any more
    answer = await asking
    assert (answer.status_code, answer.json()["code"]) == (500, "LEASE_LOST")  # 503 would say: nothing was started
    assert "same ids" in answer.json()["message"]
