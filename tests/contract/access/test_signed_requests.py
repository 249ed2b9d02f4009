"""Signed requests at the gate, and S3's own client behind them: over a network they are asked for, on loopback not."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from access_doors import TOKENS, Doors, a_row, bearer, served
from aiohttp import web
from yarl import URL

from chimera.client import RouterClient
from chimera.client.credentials import Credentials, CredentialsFault, credentials
from chimera.client.http import ServiceHttp
from chimera.services.access.door import Door
from chimera.services.access.gate import Terms
from chimera.services.access.table import Role
from chimera.services.service import Service
from chimera.trading.errors import NotSent, Refused
from chimera.trading.money import Millis
from chimera.wire.signed import WINDOW_MS, sign, signing_key

FAR = Terms(rate=1_000, signs=True)
BODY = b"{}"


def header(
    doors: Doors, *, ts: int = 0, nonce: str = "0" * 32, name: str = "signer", path: str = "/orders"
) -> dict[str, str]:
    key = signing_key(TOKENS["signer"])
    made = sign(key, name, "POST", path, BODY, now_ms=Millis(doors.clock.now_ms() + ts), nonce=nonce)
    return {"Authorization": made.header()}


async def test_a_signed_request_passes_once_and_only_as_it_was_signed(doors: Doors) -> None:
    async with doors.client(Service.S4, FAR) as client:

        async def code(given: dict[str, str], path: str = "/orders", body: bytes = BODY) -> Any:
            return (await client.post(path, content=body, headers=given)).json()["code"]

        doors.clock.pass_ms(2 * WINDOW_MS)
        assert await code(header(doors)) == "MISSING_FIELD", "the application has read its body"
        assert await code(header(doors)) == "SIGNATURE_REPLAYED"
        assert await code(header(doors, nonce="1" * 32), body=b"[]") == "SIGNATURE_WRONG"
        assert await code(header(doors, nonce="2" * 32), path="/orders/preview") == "SIGNATURE_WRONG"
        assert await code(header(doors, nonce="2" * 32), path="/orders?a=b") == "SIGNATURE_WRONG"
        assert await code(header(doors, nonce="3" * 32, ts=-WINDOW_MS - 1)) == "SIGNATURE_EXPIRED"
        assert await code(header(doors, nonce="3" * 32, ts=WINDOW_MS + 1)) == "SIGNATURE_EARLY"
        assert await code(header(doors, nonce="4" * 32, name="nobody")) == "SIGNATURE_WRONG"
        assert await code(header(doors, nonce="4" * 32, name="admin")) == "SIGNATURE_WRONG", (
            "a token that signs nothing"
        )
        assert await code({"Authorization": "Chimera-HMAC x"}) == "SIGNATURE_MALFORMED"
        assert await code(header(doors, nonce="5" * 32, path="/kill"), path="/kill") == "ROLE_TOO_LOW"


async def test_over_a_network_the_token_of_a_key_that_signs_is_not_taken(doors: Doors) -> None:
    async with doors.client(Service.S4, FAR) as far, doors.client(Service.S4) as near:
        assert (await far.post("/orders", content=BODY, headers=bearer("signer"))).json()["code"] == "SIGNATURE_NEEDED"
        assert (await near.post("/orders", content=BODY, headers=bearer("signer"))).status_code == 400
        assert (await far.post("/orders", content=BODY, headers=bearer("s3"))).status_code == 400


async def test_a_restart_takes_nothing_that_was_signed_before(doors: Doors) -> None:
    sent = header(doors)
    async with doors.client(Service.S4, FAR) as client:
        assert (await client.post("/orders", content=BODY, headers=sent)).status_code == 400
    doors.clock.pass_ms(1)
    async with doors.client(Service.S4, FAR) as client:
        answer = await client.post("/orders", content=BODY, headers=sent)

    assert answer.json()["code"] == "SIGNATURE_EXPIRED"


async def test_a_body_beyond_the_bound_is_not_held_to_be_verified(doors: Doors) -> None:
    async def parts() -> Any:
        for _ in range(3):
            yield b"x" * 50

    async with doors.client(Service.S4, Terms(rate=9, signs=True, body_most=100)) as client:
        answer = await client.post("/orders", content=parts(), headers=header(doors))

    assert answer.status_code == 413


# ── the client's side ──


def test_over_a_network_the_token_stays_at_home() -> None:
    mine = Credentials("chm_secret_of_mine", "signer")
    near = mine.headers("POST", URL("http://127.0.0.1:8084/orders"), b"")
    far = mine.headers("POST", URL("http://s4.example:8084/orders"), b"")

    assert near == {"Authorization": "Bearer chm_secret_of_mine"}
    assert far["Authorization"].startswith("Chimera-HMAC name=signer,ts=")
    assert "secret_of_mine" not in str(far)
    assert far != mine.headers("POST", URL("http://s4.example:8084/orders"), b""), "each has a nonce of its own"


def test_a_token_that_cannot_sign_goes_over_a_network_encrypted_or_not_at_all() -> None:
    mine = Credentials("chm_secret_of_mine")

    assert mine.headers("GET", URL("https://s4.example/positions"), b"")["Authorization"].startswith("Bearer ")
    with pytest.raises(NotSent, match="unencrypted"):
        mine.headers("GET", URL("http://s4.example/positions"), b"")


async def test_the_client_of_s4_says_who_it_is_in_every_call(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call is another request, signed anew, over a real socket."""
    heard: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        heard.append(request.headers["Authorization"])
        return web.json_response({"positions": []})

    app = web.Application()
    app.router.add_get("/positions", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    monkeypatch.setattr("chimera.client.credentials._on_loopback", lambda _: False)
    try:
        async with RouterClient(f"http://127.0.0.1:{port}", credentials=Credentials("chm_t", "signer")) as client:
            await asyncio.gather(client.positions(), client.positions())
    finally:
        await runner.cleanup()

    assert len(set(heard)) == 2
    assert all(each.startswith("Chimera-HMAC name=signer") for each in heard)


async def test_what_the_client_signs_is_what_the_gate_reads(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a socket, with all that is odd about a target: quoted parts, a query, a body of another alphabet."""
    monkeypatch.setattr("chimera.client.credentials._on_loopback", lambda _: False)
    mine = Credentials(TOKENS["signer"], "signer")
    async with served(doors, Door(host="127.0.0.1", tokens=doors.path), FAR) as address:
        http = ServiceHttp(address, credentials=mine)
        for path in ("/orders", "/orders?a=b%20c&d=%2F", "/orders?"):
            with pytest.raises(Refused) as told:
                await http.post(path, {"qty": "1", "note": "止损"})
            assert told.value.code == "UNKNOWN_FIELD", path
        for path in ("/orders/a%2Fb%20c", "/kill"):
            with pytest.raises(Refused) as told:
                await http.call("GET" if "orders" in path else "POST", path)
            assert told.value.code == "ROLE_TOO_LOW", "who it is was believed"
        await http.close()


def test_a_token_comes_from_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("signer chm_abc\n")
    path.chmod(0o640)
    with pytest.raises(CredentialsFault, match="chmod 600"):
        credentials(path)
    path.chmod(0o600)
    mine = credentials(path)
    assert mine is not None
    assert mine.headers("GET", URL("http://s4.example/"), b"")["Authorization"].startswith("Chimera-HMAC name=signer")
    path.write_text("one two chm_three")
    with pytest.raises(CredentialsFault) as told:
        credentials(path)
    assert "chm_three" not in str(told.value)
    with pytest.raises(CredentialsFault):
        credentials(tmp_path / "none")
    assert credentials(None) is None


def test_a_row_that_signs_does_not_hold_the_token() -> None:
    row = a_row("signer", Role.READ, signs=True)

    assert row.signing == signing_key(TOKENS["signer"]).hex()
    assert TOKENS["signer"] not in str(row)
