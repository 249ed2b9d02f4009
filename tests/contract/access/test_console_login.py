"""Signing in to the console: a cookie that nothing can be done with alone, and that ends with its token."""

import re

import httpx2
import pytest
from access_doors import OWN, TOKENS, Doors, a_row, write_tokens

from chimera.client.credentials import ACTING_FOR
from chimera.services.access.table import Role
from chimera.services.console.guard import HEADERS
from chimera.services.console.login import COOKIE, SESSION_MS
from chimera.services.service import Service

CLOSE = "/acts/close"
LOOK = f"{CLOSE}?position=BTCUSDT"
ASKED = {"about": {"position": "BTCUSDT"}, "confirm": "BTCUSDT"}


async def sign_in(client: httpx2.AsyncClient, word: str) -> httpx2.Response:
    return await client.post("/login", json={"token": TOKENS[word]}, headers=OWN)


async def own_word(client: httpx2.AsyncClient) -> str:
    found = re.search(r'data-own="([^"]+)"', (await client.get("/")).text)
    assert found is not None
    return found.group(1)


async def test_a_page_is_seen_after_signing_in_and_not_before(doors: Doors) -> None:
    async with doors.client(Service.CONSOLE) as client:
        assert (await client.get("/")).headers["location"] == "/login"
        assert "API token" in (await client.get("/login")).text
        answer = await sign_in(client, "read")
        assert (await client.get("/")).status_code == 200
        cookie = answer.headers["set-cookie"]

    assert answer.status_code == 200
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKENS["read"] not in cookie


@pytest.mark.parametrize("word", ["gone", "late", "s3"])
async def test_nobody_signs_in_by_a_token_that_is_over_or_a_services(doors: Doors, word: str) -> None:
    async with doors.client(Service.CONSOLE) as client:
        answer = await sign_in(client, word)

    assert (answer.status_code, answer.headers.get("set-cookie")) == (401, None)
    assert TOKENS[word] not in answer.text


async def test_a_cookie_closes_nothing_without_the_word_of_its_page(doors: Doors) -> None:
    async with doors.client(Service.CONSOLE) as client:
        await sign_in(client, "trade")
        word = await own_word(client)
        shown = re.search(r'data-effect="(\w+)"', (await client.get(LOOK)).text)
        assert shown is not None
        body = ASKED | {"effect": shown.group(1)}
        for wrong in ("1", "", word[:-1], word + "x"):
            answer = await client.post(CLOSE, json=body, headers=OWN | {"X-Chimera-Console": wrong})
            assert (answer.status_code, answer.json()["code"]) == (403, "CROSS_ORIGIN"), wrong
        for wrong_origin in ("http://evil.example", "null"):
            headers = OWN | {"X-Chimera-Console": word, "Origin": wrong_origin}
            assert (await client.post(CLOSE, json=body, headers=headers)).status_code == 403
        assert doors.s4.closed == []

        assert (await client.post(CLOSE, json=body, headers=OWN | {"X-Chimera-Console": word})).status_code == 200
    assert doors.s4.closed == ["BTCUSDT"]


async def test_s4_is_told_for_whom_the_console_asks(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    for_whom: list[str] = []
    close = doors.s4.close

    async def closing(*args: str, **how: str) -> dict[str, object]:
        for_whom.append(ACTING_FOR.get())
        return await close(*args, **how)  # type: ignore[arg-type]  # handed on as it came

    monkeypatch.setattr(doors.s4, "close", closing)
    async with doors.client(Service.CONSOLE) as client:
        await sign_in(client, "trade")
        headers = OWN | {"X-Chimera-Console": await own_word(client)}
        shown = re.search(r'data-effect="(\w+)"', (await client.get(LOOK)).text)
        assert shown is not None
        await client.post(
            CLOSE,
            json=ASKED | {"effect": shown.group(1)},
            headers=headers,
        )

    assert for_whom == ["trade"]


async def test_whoever_may_only_read_sees_and_closes_nothing(doors: Doors) -> None:
    async with doors.client(Service.CONSOLE) as client:
        await sign_in(client, "read")
        headers = OWN | {"X-Chimera-Console": await own_word(client)}
        answer = await client.post(CLOSE, json=ASKED | {"effect": "x"}, headers=headers)

    assert (answer.status_code, answer.json()["code"], doors.s4.closed) == (403, "ROLE_TOO_LOW", [])


async def test_a_session_ends_with_its_token_its_time_or_by_signing_out(doors: Doors) -> None:
    async with doors.client(Service.CONSOLE) as client:

        async def status() -> int:
            return (await client.get("/")).status_code

        await sign_in(client, "read")
        assert await status() == 200
        write_tokens(doors.path, *(row for row in doors.rows if row.name != "read"))
        doors.clock.pass_ms(1_000)
        assert await status() == 303
        write_tokens(doors.path, *doors.rows)
        doors.clock.pass_ms(1_000)
        assert await status() == 200, "the same name, valid again"
        write_tokens(doors.path, a_row("read", Role.READ, expires_ms=doors.clock.now_ms() + 5_000))
        doors.clock.pass_ms(5_000)
        assert await status() == 303

        write_tokens(doors.path, *doors.rows)
        doors.clock.pass_ms(SESSION_MS)
        assert await status() == 303
        await sign_in(client, "read")
        kept = dict(client.cookies)
        await client.post("/logout", json={}, headers=OWN | {"X-Chimera-Console": await own_word(client)})
        assert await status() == 303
        client.cookies.set(COOKIE, kept[COOKIE], domain="127.0.0.1")
        assert await status() == 303, "its cookie kept elsewhere is worth nothing"


async def test_every_answer_has_the_headers_and_the_policy_stays_strict(doors: Doors) -> None:
    async with doors.client(Service.CONSOLE) as client:
        answers = [await client.get("/login"), await client.get("/health"), await sign_in(client, "read")]
        answers.append(await client.get("/"))

    for answer in [answers[0], *answers[2:]]:
        assert all(answer.headers[name] == value for name, value in HEADERS.items())
    assert answers[1].headers["content-security-policy"].startswith("default-src 'none'"), "the gate's own answer"
    assert "unsafe" not in HEADERS["content-security-policy"]
    assert not re.search(r"<script>|style=|\son\w+=", answers[0].text)
