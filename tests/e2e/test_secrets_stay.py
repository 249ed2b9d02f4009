"""A canary for each secret: real processes work with it, and it is in nothing that they say, answer or keep.

Also the whole way of a key: S3 trades with its own at S4, both ask for tokens, and nobody else's request is answered.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from typer.testing import CliRunner

from chimera.cli.main import app as cli
from proofs.real import Service, Stage, stage

pytestmark = pytest.mark.slow

OWN_FILES: Final = ("accounts.json", "api.secret", "alice.token", "s3.token", "sim.log", "audit.jsonl")
BAD_HEADERS: Final = ("Bearer {}", "Basic {}", "Chimera-HMAC name=s3,ts=1,nonce={},sig={}", "{}")


class Canaries:
    """Each is drawn anew, so that it is nowhere but where it was put."""

    def __init__(self, folder: Path) -> None:
        self.key, self.secret, self.password, self.guess = (f"canary{secrets.token_hex(24)}" for _ in range(4))
        self.folder = folder
        self.tokens = folder / "tokens.json"
        account = {"name": "canary", "api_key": self.key, "secret": self.secret, "balance": "10000"}
        (folder / "accounts.json").write_text(json.dumps([account]))
        secret_file = folder / "api.secret"
        secret_file.write_text(self.secret)
        secret_file.chmod(0o600)
        self.chimera("token", "new", "alice", "--role", "admin", "--out", str(folder / "alice.token"))
        self.chimera("token", "new", "s3", "--key-of", "s3", "--signs", "--out", str(folder / "s3.token"))
        self.alice = (folder / "alice.token").read_text().strip()
        self.s3 = (folder / "s3.token").read_text().split()[1]

    def all(self) -> Mapping[str, str]:
        drawn = {"key": self.key, "secret": self.secret, "password": self.password, "guess": self.guess}
        signing = next(row["signing"] for row in json.loads(self.tokens.read_text())["tokens"] if row["name"] == "s3")
        return {**drawn, "alice": self.alice, "s3": self.s3, "signing": signing}

    def settings(self) -> dict[str, str]:
        return {
            "S4_BINANCE_KEY": self.key,
            "S4_BINANCE_SECRET_FILE": str(self.folder / "api.secret"),
            "S4_DB_ARANGO_PASS": self.password,
            "S4_API_TOKENS_PATH": str(self.tokens),
        }

    def of_s3(self) -> dict[str, str]:
        return {
            "S3_DB_ARANGO_PASS": self.password,
            "S3_API_TOKENS_PATH": str(self.tokens),
            "S3_S4_TOKEN_PATH": str(self.folder / "s3.token"),
        }

    def chimera(self, *words: str, **environ: str) -> str:
        """What a verb says, on both streams, or as a traceback."""
        done = CliRunner().invoke(cli, words, env={"CHIMERA_TOKENS_PATH": str(self.tokens), **environ})
        return done.output + done.stderr + repr(done.exception)


class Talk:
    """Everything that was answered."""

    def __init__(self, house: Stage, canaries: Canaries) -> None:
        self.house = house
        self.canaries = canaries
        self.heard: list[str] = []

    async def ask(
        self, method: str, url: str, body: object = None, authorization: str | None = None
    ) -> tuple[int, Any]:
        who = f"Bearer {self.canaries.alice}" if authorization is None else authorization
        headers = {"Authorization": who, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        async with self.house.http.request(method, url, data=data, headers=headers) as answer:
            text = await answer.text()
            self.heard.append(f"{answer.status} {dict(answer.headers)} {text}")
            return answer.status, json.loads(text) if text.startswith(("{", "[")) else text


@pytest.fixture
async def talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Talk]:
    monkeypatch.setattr("chimera.services.logs.to_stderr", lambda _: None)  # the runner's stderr is closed afterwards
    canaries = await asyncio.to_thread(Canaries, tmp_path)
    async with stage(tmp_path, more=("--accounts", str(tmp_path / "accounts.json"))) as house:
        house.s4 = house.router(**canaries.settings())
        house.s3._environ |= canaries.of_s3()
        await house.http.close()
        house.http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {canaries.alice}"})
        await house.s4.start()
        await house.feed.start()
        await house.s3.start()
        await house.until_open()
        await house.until_ready(house.s3_url)
        yield Talk(house, canaries)


async def test_no_secret_is_in_anything_that_is_said_answered_or_kept(talk: Talk, tmp_path: Path) -> None:
    house, canaries = talk.house, talk.canaries
    decided = await a_decision(talk)
    order = {"symbol": "BTCUSDT", "side": "BUY", "qty": "0.003", "client_order_id": "canary-1"}
    await talk.ask("POST", f"{house.s4_url}/orders", order)
    await talk.ask("POST", f"{house.s4_url}/orders", {**order, "secret": canaries.secret, "sl": canaries.key})
    talk.heard.pop()  # a refusal shows whoever asked what they sent; it is kept nowhere
    await talk.ask("POST", f"{house.s4_url}/kill", {"scope": "global", "by": "a", "reason": "drill", "flatten": True})
    for url in (house.s4_url, house.s3_url):
        for path in (
            "/health",
            "/ready",
            "/metrics",
            "/openapi.json",
            "/positions",
            "/decisions",
            "/orders/x",
            "/nowhere",
        ):
            await talk.ask("GET", url + path)
            for form in BAD_HEADERS:
                status, _ = await talk.ask("GET", url + path, authorization=form.format(canaries.guess, canaries.guess))
                assert status in ((200,) if path in ("/health", "/ready") else (401, 429))
    environ = {**canaries.settings(), **canaries.of_s3(), "S4_FUT_URL": house.venue_url}
    said = await asyncio.to_thread(verbs, canaries, house, environ)
    await stopped(house.s3, house.s4, house.feed)

    heard = {"answers": "\n".join(talk.heard), **said, **kept(tmp_path)}
    assert decided["intent"] is not None
    assert any(name.endswith("s4.log") and "operator_act" in text for name, text in heard.items()), "logs were read"
    assert any("s4.sqlite" in name and "canary-1" in text for name, text in heard.items()), "ledgers were read"
    hidden = {what: value for what, value in canaries.all().items() if what != "guess"}
    found = [(name, what) for name, text in heard.items() for what, value in hidden.items() if value in text]
    assert found == []
    assert [name for name, text in heard.items() if name != "answers" and canaries.guess in text] == []


async def a_decision(talk: Talk) -> dict[str, Any]:
    """One that opens: its intent went to S4 by S3's key, and S4 has it."""
    house = talk.house
    async with asyncio.timeout(60):
        while True:
            status, told = await talk.ask("POST", f"{house.s3_url}/decide", {"symbol": "BTCUSDT", "sideHint": "BUY"})
            assert status == 200, told
            if told["decision"] == "open":
                break
            await asyncio.sleep(0.2)
    name = told["intent"]["client_order_id"]
    async with asyncio.timeout(30):
        while (await talk.ask("GET", f"{house.s4_url}/orders/{name}"))[0] != 200:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    found: dict[str, Any] = told
    return found


def verbs(canaries: Canaries, house: Stage, environ: Mapping[str, str]) -> dict[str, str]:
    """What the command line says with all of it in its environment; also of settings that are wrong."""
    own = {"CHIMERA_TOKEN_PATH": str(canaries.folder / "alice.token"), "CHIMERA_S4_URL": house.s4_url}
    wrong = {"S4_MAX_ORDER_NOTIONAL_USDT": "x", "S4_BINANCE_SECRET": canaries.secret, "S3_DB_ARANGO_PAS": "y"}
    ledger = str(house.ledger_path("s4"))
    arguments = {
        f"arguments of {each.name}": Path(f"/proc/{each.pid}/cmdline").read_text() for each in (house.s3, house.s4)
    }
    return {
        **arguments,
        "doctor": canaries.chimera("doctor", "--json", "--s4", house.s4_url, **{**environ, **own}),
        "show": canaries.chimera("show", "--json", **{**environ, **own}),
        "tokens": canaries.chimera("token", "list", "--json"),
        "audit": canaries.chimera("audit", "show", "--ledger", ledger, "--json"),
        "verify": canaries.chimera("audit", "verify", "--ledger", ledger),
        "wrong s4": canaries.chimera("s4", **{**environ, **wrong}),
        "wrong s3": canaries.chimera("s3", **{**environ, **wrong}),
    }


def kept(folder: Path) -> dict[str, str]:
    """Every file but those that a secret was put into; the venue's own, which knows its customers, apart."""
    aside = {folder / name for name in OWN_FILES}
    files = [path for path in folder.rglob("*") if path.is_file() and path not in aside]
    return {str(path): path.read_bytes().decode("latin-1") for path in files if path.name != "tokens.json"}


async def stopped(*services: Service) -> None:
    await asyncio.gather(*(service.stop() for service in services))
