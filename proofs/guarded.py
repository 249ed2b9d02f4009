"""Every service behind its gate, as real processes, each secret of them drawn anew so that it can be looked for.

The venue, S4, S3, the feed, the alerts and the console; a token of every role, one that has expired, one that was
revoked, S3's key, and a key that signs. Whatever was answered is heard; ``shown`` says where a secret turned up: in an
answer, a log, a ledger, a file of Redis, or any other file that was not made for it.
"""

import asyncio
import io
import json
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import msgspec

from chimera.adapters.embedded.server import free_port
from chimera.services.access.table import ROLES, Role
from chimera.services.access.tokens import PREFIX, Token, TokenFile, new_token
from chimera.services.service import Service as Kind
from chimera.trading.money import Millis
from proofs.real import Service, Stage, stage

DAY_MS: Final = 86_400_000
OWN: Final = (  # made for secrets
    "accounts.json", "api.secret", "s3.token", "console.token", "tokens.json", "webhook.secret",
    "sim.log", "audit.jsonl",
)  # fmt: skip
_RATE: Final = "100000"


class Answer(NamedTuple):
    status: int
    code: str
    text: str


class Guarded:
    """The house, its holders' tokens by their names, and all that was answered."""

    def __init__(self, house: Stage, tokens: Mapping[str, str], signing: bytes, canaries: Mapping[str, str]) -> None:
        self.house = house
        self.tokens = tokens
        self.signing = signing
        self.canaries = canaries
        self.heard: list[str] = []
        self.running: tuple[Service, ...] = ()
        self.urls: dict[Kind, str] = {}  # of those that the house does not know

    def url(self, kind: Kind) -> str:
        own = {Kind.S3: self.house.s3_url, Kind.S4: self.house.s4_url}
        return {**own, **self.urls}[kind]

    async def ask(
        self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Heard, whatever it says. Of a stream, its beginning."""
        given = {"Content-Type": "application/json", **(headers or {})}
        timeout = aiohttp.ClientTimeout(total=30)
        data = None if body is None else io.BytesIO(body)
        async with self.house.http.request(
            method, url, data=data, headers=given, allow_redirects=False, timeout=timeout
        ) as answer:
            streams = "event-stream" in answer.headers.get("content-type", "")
            text = "" if streams else await answer.text(errors="replace")
            self.heard.append(f"{answer.status} {dict(answer.headers)} {text}")
            if streams:
                answer.close()
            return Answer(answer.status, _code_of(text), text)

    def bearer(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def shown(self) -> list[str]:
        """Where a secret is that should not be there; the services must have stopped."""
        files = {
            str(path.relative_to(self.house.folder)): path.read_bytes().decode("latin-1")
            for path in self.house.folder.rglob("*")
            if path.is_file() and path.name not in OWN
        }
        told = {"answers": "\n".join(self.heard), **files}
        return [
            f"{what} in {where}" for where, text in told.items() for what, each in self.canaries.items() if each in text
        ]


def _code_of(text: str) -> str:
    try:
        found = json.loads(text)
    except ValueError:
        return ""
    return str(found.get("code", "")) if isinstance(found, dict) else ""


@asynccontextmanager
async def guarded(folder: Path) -> AsyncIterator[Guarded]:
    """All of it, ready."""
    key, secret, password, webhook = (f"canary{secrets.token_hex(24)}" for _ in range(4))
    account = {"name": "main", "api_key": key, "secret": secret, "balance": "10000"}
    _private(folder / "accounts.json", json.dumps([account]))
    _private(folder / "api.secret", secret)
    _private(folder / "webhook.secret", webhook)
    tokens, signing = _tokens(folder / "tokens.json")
    for name in ("s3", "console"):
        _private(folder / f"{name}.token", tokens[name])
    canaries = {
        "key": key,
        "secret": secret,
        "password": password,
        "webhook": webhook,
        **tokens,
        "signing key": signing.hex(),
    }
    async with stage(folder, more=("--accounts", str(folder / "accounts.json"))) as house:
        doors = Guarded(house, tokens, signing, canaries)
        of_tokens = str(folder / "tokens.json")
        house.s4 = house.router(
            S4_BINANCE_KEY=key, S4_BINANCE_SECRET_FILE=str(folder / "api.secret"), S4_DB_ARANGO_PASS=password,
            S4_API_TOKENS_PATH=of_tokens, S4_API_RATE=_RATE,
        )  # fmt: skip
        house.s3 = house.strategy(
            S3_API_TOKENS_PATH=of_tokens, S3_API_RATE=_RATE, S3_S4_TOKEN_PATH=str(folder / "s3.token"),
            S3_DB_ARANGO_PASS=password,
        )  # fmt: skip
        ports = {kind: str(free_port()) for kind in (Kind.FEED, Kind.CONSOLE, Kind.ALERTS)}
        doors.urls = {kind: f"http://127.0.0.1:{port}" for kind, port in ports.items()}
        house.feed = house.service([*house.feed.words, "--port", ports[Kind.FEED]], {})
        words = ["console", "--port", ports[Kind.CONSOLE], "--s3", house.s3_url, "--s4", house.s4_url]
        words += ["--redis", house.redis_address, "--tokens", of_tokens, "--alerts", doors.urls[Kind.ALERTS]]
        console = house.service(words, {"CHIMERA_TOKEN_PATH": str(folder / "console.token")})
        telling = {
            "ALERTS_PORT": ports[Kind.ALERTS], "ALERTS_REDIS_ADDRESSES": house.redis_address,
            "ALERTS_LEDGER_PATH": str(house.ledger_path("alerts")), "ALERTS_API_TOKENS_PATH": of_tokens,
            "ALERTS_API_RATE": _RATE, "ALERTS_WEBHOOK_URL": "http://127.0.0.1:9/",
            "ALERTS_WEBHOOK_SECRET_FILE": str(folder / "webhook.secret"),
        }  # fmt: skip
        services = (house.s4, house.feed, house.s3, console, house.service(["alerts", "serve"], telling))
        doors.running = services
        try:
            for service in services:
                await (await service.start()).wait_ready()
            await house.http.close()
            house.http = aiohttp.ClientSession(headers=doors.bearer("admin"))
            await house.until_open()
            await house.until_ready(house.s3_url)
            await house.http.close()
            house.http = aiohttp.ClientSession()
            yield doors
        finally:
            await asyncio.gather(*(service.stop() for service in services))


def _tokens(path: Path) -> tuple[dict[str, str], bytes]:
    """The file, and what each holder has."""
    now_ms = Millis(time.time_ns() // 1_000_000)
    rows: list[Token] = []
    told: dict[str, str] = {}

    def hold(name: str, role: Role, **how: Any) -> None:
        row, told[name] = new_token(name, role, secrets.token_urlsafe(32), now_ms=now_ms, **how)
        rows.append(row)

    for word, role in ROLES.items():
        hold(word, role)
    hold("console", Role.ADMIN)
    hold("late", Role.ADMIN, expires_ms=now_ms - DAY_MS)
    hold("gone", Role.ADMIN)
    rows[-1] = rows[-1].but(revoked_ms=now_ms)
    hold("s3", Role.READ, key_of="s3")
    hold("signer", Role.READ, key_of="s3", signs=True)
    _private(path, msgspec.json.encode(TokenFile(tokens=tuple(rows))).decode())
    assert all(each.startswith(PREFIX) for each in told.values())
    return told, bytes.fromhex(rows[-1].signing)


def _private(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
