"""``POST /decide`` goes past the routes and answers as its route would: the same statuses, heads and bodies."""

from collections.abc import Iterator
from typing import Any, Final

import httpx2
import pytest
from fastapi import FastAPI
from stand_in import StandIn

from chimera.services import face
from chimera.services.strategy.http import build_app
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.market import Market
from chimera.wire.decisions import DecideRequest, DecisionAnswer

SKIP: Final = DecisionAnswer(
    decision="skip", symbol="BTCUSDT", market=Market.FUT, reason="no", config_rev=1, rules_fired=[], reasons=[],
    explanation={"levels": {"d_cap": "1.50"}}, dry_run=False, signal_id="s",
)  # fmt: skip
ASKED: Final = b'{"symbol": "BTCUSDT"}'


class Behind:
    """A strategy that answers this, or raises it."""

    def __init__(self, word: DecisionAnswer | Exception) -> None:
        self._word = word

    async def decide(self, request: DecideRequest) -> DecisionAnswer:
        if isinstance(self._word, Exception):
            raise self._word
        return self._word


@pytest.fixture(scope="module")
def faces() -> Iterator[tuple[FastAPI, FastAPI, StandIn]]:
    """As it is built, and with its routes alone."""
    behind: Any = StandIn()
    with pytest.MonkeyPatch.context() as patch:
        straight = build_app(behind, new_id=lambda: "e-1")
        patch.setattr(face, "Straight", lambda app, **_: app)
        yield straight, build_app(behind, new_id=lambda: "e-1"), behind


async def told(app: FastAPI, method: str, path: str, body: bytes, head: dict[str, str]) -> tuple[Any, ...]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://s3") as client:
        answer = await client.request(method, path, content=body, headers=head)
    return answer.status_code, answer.content, sorted(answer.headers.items())


@pytest.mark.parametrize("word", [SKIP, Refused("NOT_READY", "not yet"), StoreUnavailable("away"), ValueError("oh")])
@pytest.mark.parametrize(
    ("method", "path", "body", "head"),
    [
        ("POST", "/decide", ASKED, {}),
        ("POST", "/decide", b"{", {}),
        ("POST", "/decide", b" " * 300_000, {}),
        ("POST", "/decide?x=1", ASKED, {}),
        ("POST", "/decide", ASKED, {"Origin": "http://localhost"}),
        ("POST", "/decide/", ASKED, {}),
        ("GET", "/decide", b"", {}),
        ("POST", "/nowhere", ASKED, {}),
    ],
)
async def test_it_answers_as_its_route_does(
    word: DecisionAnswer | Exception,
    method: str,
    path: str,
    body: bytes,
    head: dict[str, str],
    faces: tuple[FastAPI, FastAPI, StandIn],
) -> None:
    straight, routed, behind = faces
    behind.now = Behind(word)

    assert await told(straight, method, path, body, head) == await told(routed, method, path, body, head)


async def test_no_route_is_looked_for(faces: tuple[FastAPI, FastAPI, StandIn], monkeypatch: pytest.MonkeyPatch) -> None:
    straight, _, behind = faces
    behind.now = Behind(SKIP)
    monkeypatch.setattr(straight.router, "routes", [])

    status, *_ = await told(straight, "POST", "/decide", ASKED, {})

    assert status == 200
