"""Transfers over S4's HTTP face, and the verb that asks for them."""

import json
from decimal import Decimal
from typing import Any, cast

import httpx2
import pytest
from fastapi import FastAPI
from router_fake import FakeTransfers, a_transfer

from chimera.cli import transfers as verb
from chimera.cli.codes import Exit, Stop
from chimera.ports.clock import Clock
from chimera.services.router.api import RouterApi
from chimera.services.router.http import build_app
from chimera.trading.errors import Refused
from chimera.trading.transfer import Route, Stage

pytestmark = pytest.mark.req("S4-XFER-1")
ASKED = {"route": "spot to fut", "amount": "12.5", "by": "me", "reason": "test"}


async def answered(fake: FakeTransfers, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    class Router:
        transferring = fake
        cash = None

    app: FastAPI = build_app(cast("RouterApi", Router()), clock=cast("Clock", None))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://s4") as client:
        reply = await client.request(method, path, content=None if body is None else json.dumps(body))
    return reply.status_code, json.loads(reply.text, parse_float=Decimal)


async def test_a_transfer_is_asked_for_in_words_and_answered_in_numbers() -> None:
    fake = FakeTransfers()
    status, row = await answered(fake, "POST", "/transfers", ASKED)

    assert (status, row["status"], row["amount"], row["transfer_id"]) == (
        200,
        "TAKEN",
        Decimal("12.5"),
        "transfer:main:3",
    )
    assert fake.asked == [(Route.SPOT_TO_FUT, "USDT", Decimal("12.5"), "me: test")]


@pytest.mark.parametrize("stage", [Stage.ASKED, Stage.IN_DOUBT])
async def test_what_is_not_known_yet_is_202(stage: Stage) -> None:
    assert (await answered(FakeTransfers(stage), "POST", "/transfers", ASKED))[0] == 202


@pytest.mark.parametrize(
    ("refused", "status"),
    [("TRANSFERS_OFF", 422), ("TRANSFER_LIMIT", 422), ("TRANSFER_UNDER_WAY", 409), ("TRANSFER_IN_DOUBT", 409)],
)
async def test_a_no_has_its_status(refused: str, status: int) -> None:
    fake = FakeTransfers(refused=Refused(refused, "no"))

    assert await answered(fake, "POST", "/transfers", ASKED) == (
        status,
        {"result": "FAIL", "code": refused, "message": "no", "field": None, "value": None, "accepted": None},
    )


@pytest.mark.parametrize(
    "wrong", [{"amount": "0"}, {"amount": "ten"}, {"route": "up"}, {"by": ""}, {"amount": None}, {"to": "me"}]
)
async def test_a_body_that_is_not_one_is_400(wrong: dict[str, Any]) -> None:
    fake = FakeTransfers()
    status, _ = await answered(fake, "POST", "/transfers", ASKED | wrong)

    assert (status, fake.asked) == (400, [])


async def test_somebody_settles_what_is_ambiguous() -> None:
    fake = FakeTransfers()
    status, row = await answered(fake, "POST", "/transfers/settle", {"happened": True, "by": "me"})

    assert (status, row["status"], fake.asked) == (200, "DONE", [(True, "me")])


async def test_what_was_moved_is_shown() -> None:
    status, shown = await answered(FakeTransfers(), "GET", "/transfers")

    assert (status, shown["ceiling"], shown["present"]["from"], shown["present"]["to"]) == (200, 100, "SPOT", "FUT")


def test_the_verb_tells_what_is_certain_and_what_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    verb._tell_one(a_transfer(Stage.DONE), as_json=False)
    assert capsys.readouterr().out == "transfer:main:3 DONE: 12.5 USDT SPOT to FUT\n"
    for row, code in ((a_transfer(Stage.IN_DOUBT), Exit.UNKNOWN), (a_transfer(Stage.FAILED, "-5013"), Exit.REFUSED)):
        with pytest.raises(Stop) as stopped:
            verb._tell_one(row, as_json=False)
        assert stopped.value.code == code


def test_the_verb_knows_two_routes() -> None:
    assert [verb._named(name) for name in ("spot-to-fut", "FUT_TO_SPOT")] == ["SPOT_TO_FUT", "FUT_TO_SPOT"]
    with pytest.raises(Refused, match="no such route"):
        verb._named("fut-to-bank")
