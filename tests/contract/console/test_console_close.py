"""Closing in two steps: the effect first, then exactly that, and nobody but our own page may ask."""

import re
from typing import Any

import httpx2
import pytest
from console_stage import HandClock, Stage, a_position, flat

from chimera.trading.errors import NotSent, OutcomeUnknown, Refused

PATH = "/acts/close"
LOOK = f"{PATH}?position=BTCUSDT"
OWN = {"Origin": "http://127.0.0.1:8080", "X-Chimera-Console": "1", "Content-Type": "application/json"}


async def token(client: httpx2.AsyncClient) -> str:
    found = re.search(r'data-effect="(\w+)"', (await client.get(LOOK)).text)
    assert found is not None
    return found.group(1)


async def confirm(client: httpx2.AsyncClient, effect: str, typed: str = "BTCUSDT") -> httpx2.Response:
    body = {"about": {"position": "BTCUSDT"}, "confirm": typed, "effect": effect}
    return await client.post(PATH, json=body, headers=OWN)


async def test_the_effect_is_shown_and_nothing_happens(stage: Stage, client: httpx2.AsyncClient) -> None:
    html = (await client.get(LOOK)).text

    for told in ("65,968.3", "s3-btc-1-p1", "SELL", "0.02 BTCUSDT", "reduce-only", "65,742.1", "s3-btc-1-s1", "+0.43"):
        assert told in html
    assert stage.s4.closed == []


async def test_confirmed_it_is_asked_once_and_reported(stage: Stage, client: httpx2.AsyncClient) -> None:
    answer = await confirm(client, await token(client), typed=" btcusdt ")

    assert answer.status_code == 200
    assert stage.s4.closed == ["BTCUSDT"]
    assert "taken: closing" in await stage.drawn("deeds")


async def test_a_wrong_word_does_nothing(stage: Stage, client: httpx2.AsyncClient) -> None:
    answer = await confirm(client, await token(client), typed="ETHUSDT")

    assert (answer.status_code, stage.s4.closed) == (422, [])
    assert "type BTCUSDT" in answer.text


@pytest.mark.parametrize(
    "changes",
    [{"qty": "0.03"}, {"qty": "-0.02"}, {"stop": None}, {"target": None}],
    ids=lambda change: next(iter(change)),
)
async def test_an_effect_that_is_no_longer_true_is_shown_anew(
    stage: Stage, client: httpx2.AsyncClient, changes: dict[str, Any]
) -> None:
    shown = await token(client)
    stage.s4.rows = [a_position(**changes)]

    answer = await confirm(client, shown)

    assert (answer.status_code, stage.s4.closed) == (409, [])
    assert "changed since you looked" in answer.text
    assert shown not in answer.text


async def test_a_moved_price_is_still_the_same_effect(stage: Stage, client: httpx2.AsyncClient) -> None:
    shown = await token(client)
    stage.s4.rows = [a_position(mark_price="65900.0", unrealized_pnl="2.00", seq=213)]

    assert (await confirm(client, shown)).status_code == 200


async def test_a_flat_position_has_nothing_to_close(stage: Stage, client: httpx2.AsyncClient) -> None:
    shown = await token(client)
    stage.s4.rows = [flat()]

    assert (await client.get(LOOK)).status_code == 404
    assert (await confirm(client, shown)).status_code == 404
    assert stage.s4.closed == []


async def test_while_s4_is_away_nothing_is_asked(stage: Stage, client: httpx2.AsyncClient) -> None:
    shown = await token(client)
    stage.s4.error = NotSent("connection refused")

    answer = await confirm(client, shown)

    assert (answer.status_code, stage.s4.closed) == (503, [])
    assert "Nothing was done" in answer.text


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused("UNKNOWN_SYMBOL", "not traded here"), "Nothing was done. UNKNOWN_SYMBOL: not traded here"),
        (NotSent("connection refused"), "Nothing was done. not sent: connection refused"),
        (OutcomeUnknown("no answer in 2000 ms"), "It may be on its way"),
    ],
)
async def test_each_answer_of_s4_is_told_as_what_it_means(
    stage: Stage, client: httpx2.AsyncClient, error: Exception, told: str
) -> None:
    stage.s4.close_error = error

    assert told in (await confirm(client, await token(client))).text


async def test_the_receipt_follows_to_flat_step_by_step(stage: Stage, client: httpx2.AsyncClient) -> None:
    await confirm(client, await token(client))
    clock = stage.clock
    assert isinstance(clock, HandClock)

    stage.s4.rows = [a_position(target=None, exit="USER_REQUEST")]
    await stage.look()
    assert "✓ target at 65,968.3 is gone" in await stage.drawn("deeds")
    assert "… stop at 65,742.1 stays until flat" in await stage.drawn("deeds")

    stage.s4.rows = [flat(realized_pnl="-0.77", fees="0.97", closed_count=13)]
    await stage.look()
    assert "✓ stop at 65,742.1 is gone" in await stage.drawn("deeds")
    assert "−0.23" in await stage.drawn("deeds")  # noqa: RUF001  # 0.43 gained less 0.66 fees, with a true minus

    clock.pass_ms(60_001)
    await stage.look()
    assert (await stage.drawn("deeds")).strip() == ""


async def test_a_refused_close_is_never_shown_as_done(stage: Stage, client: httpx2.AsyncClient) -> None:
    stage.s4.close_error = Refused("CLOSING", "no")
    await confirm(client, await token(client))

    stage.s4.rows = [flat(closed_count=13)]
    await stage.look()

    assert "Nothing was done" in await stage.drawn("deeds")
    assert "Flat" not in await stage.drawn("deeds")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:9999"},
        {"X-Chimera-Console": "0"},
        {"X-Chimera-Console": ""},
        {"Content-Type": "text/plain"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
    ids=str,
)
async def test_no_other_page_can_close(stage: Stage, client: httpx2.AsyncClient, headers: dict[str, str]) -> None:
    effect = await token(client)
    body = f'{{"about":{{"position":"BTCUSDT"}},"confirm":"BTCUSDT","effect":"{effect}"}}'

    answer = await client.post(PATH, content=body, headers=OWN | headers)

    assert (answer.status_code, answer.json()["code"], stage.s4.closed) == (403, "CROSS_ORIGIN", [])


async def test_a_name_that_is_not_ours_is_shown_nothing(stage: Stage, client: httpx2.AsyncClient) -> None:
    """A rebound name would otherwise read the positions."""
    for path in ("/", "/events", LOOK):
        assert (await client.get(path, headers={"Host": "evil.example:8080"})).status_code == 403
    assert (await client.get("/", headers={"Host": "localhost:1234"})).status_code == 200


async def test_a_body_of_another_shape_is_refused(stage: Stage, client: httpx2.AsyncClient) -> None:
    for body in (b"", b"[]", b'{"confirm":"BTCUSDT"}', b'{"about":{},"confirm":1,"effect":"x"}', b"\xff"):
        answer = await client.post(PATH, content=body, headers=OWN)
        assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")
    assert stage.s4.closed == []


async def test_every_answer_carries_the_policy(client: httpx2.AsyncClient) -> None:
    for path in ("/", LOOK, "/static/console.js", "/nowhere", "/health"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


async def test_the_page_has_no_inline_script_or_style(stage: Stage, client: httpx2.AsyncClient) -> None:
    await stage.look()
    html = (await client.get("/")).text

    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"\son\w+=|\sstyle=|<style", html) == []
    assert 'href="//' not in html
    assert re.findall(r'(?:src|href)="(?!/|#|data:)[^"]*"', html) == []
