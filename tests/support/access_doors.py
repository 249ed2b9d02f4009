"""Gates before the four applications, with tokens of every role, over fakes."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from console_others import FakeAlerts, FakeBundles, FakeCosts, FakeDoctor, FakeExplain, FakeSimulator
from console_stage import FakeS3, FakeS4, HandClock
from fastapi import FastAPI
from router_fake import FakeRouter
from stand_in import StandIn
from starlette.datastructures import Headers

from chimera.adapters.memory.bus import MemoryBus
from chimera.adapters.memory.ledger import MemoryLedger
from chimera.services.access.door import Door, gated
from chimera.services.access.gate import Gate, Terms
from chimera.services.access.table import ROLES, Role
from chimera.services.access.tokens import TokenBook, TokenFile, new_token
from chimera.services.alerts.desk import Desk
from chimera.services.alerts.http import build_app as alerts_app
from chimera.services.alerts.telling import Policy
from chimera.services.alerts.watch import Watch
from chimera.services.clock import SystemClock
from chimera.services.console.app import build_app as console_app
from chimera.services.console.login import Signed
from chimera.services.router.http import build_app as router_app
from chimera.services.service import Service
from chimera.services.serving import listen, serve_app
from chimera.services.strategy.http import build_app as strategy_app

OWN = {"Origin": "http://127.0.0.1:8080", "X-Chimera-Console": "1", "Content-Type": "application/json"}
TOKENS = {word: f"chm_{word * 12}" for word in (*ROLES, "s3", "signer", "late", "gone")}


def bearer(word: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKENS[word]}"}


def write_tokens(path: Path, *rows: Any) -> None:
    """In one step, for its owner alone."""
    made = path.with_suffix(".new")
    made.write_bytes(msgspec.json.encode(TokenFile(tokens=rows)))
    made.chmod(0o600)
    os.replace(made, path)


def a_row(word: str, role: Role, now_ms: int = 0, **how: Any) -> Any:
    return new_token(word, role, TOKENS[word].removeprefix("chm_"), now_ms=now_ms, **how)[0]


_BEHIND: dict[str, Any] = {name: StandIn() for name in ("clock", "router", "s4", "signed", "desk", "watch")}


class _Behind(Signed):
    """Whoever is signed in at the doors of just now."""

    def __init__(self, behind: StandIn) -> None:
        self._behind = behind

    def sign_in(self, token: str) -> str | None:
        return str(found) if (found := self._behind.sign_in(token)) else None

    def sign_out(self, headers: Headers) -> None:
        self._behind.sign_out(headers)

    def word_of(self, headers: Headers) -> str:
        return str(self._behind.word_of(headers))


@cache
def _applications() -> dict[Service, FastAPI]:
    """Drawn once: that takes longer than most tests."""
    clock, router, s4, signed, desk, watch = _BEHIND.values()
    bus = MemoryBus(HandClock())
    page = console_app(
        router=s4, strategy=FakeS3(), explain=FakeExplain(), bundles=FakeBundles(), bus=bus, clock=clock,
        simulator=FakeSimulator(), costs=FakeCosts(), alerts=FakeAlerts(), doctor=FakeDoctor(), signed=_Behind(signed),
    )  # fmt: skip
    strategy: Any = _Nobody()
    return {
        Service.S4: router_app(router, clock=clock),
        Service.S3: strategy_app(strategy),
        Service.CONSOLE: page,
        Service.ALERTS: alerts_app(desk, watch, clock),
    }


class Doors:
    """One book of tokens, and a client of each service through its gate."""

    def __init__(self, path: Path) -> None:
        self.clock = HandClock()
        self.path = path
        now = self.clock.now_ms()
        self.rows = [
            *(a_row(word, role) for word, role in ROLES.items()),
            a_row("s3", Role.READ, key_of="s3"),
            a_row("signer", Role.READ, key_of="s3", signs=True),
            a_row("late", Role.ADMIN, expires_ms=now),
            a_row("gone", Role.ADMIN).but(revoked_ms=now),
        ]
        write_tokens(path, *self.rows)
        self.book = TokenBook(path, self.clock)
        self.signed = Signed(self.book, self.clock)
        self.router, self.s4 = FakeRouter(), FakeS4()
        rows, bus = MemoryLedger(), MemoryBus(self.clock)
        self.desk = Desk(rows=rows, streams=bus, clock=self.clock, channels=(), policy=Policy())
        self.watch = Watch({}, 30_000, self.clock, lambda *_: None)
        for name, behind in _BEHIND.items():
            behind.now = getattr(self, name)
        self.apps = _applications()

    def gate(self, service: Service, **how: Any) -> Gate:
        sessions = self.signed if service is Service.CONSOLE else None
        book = how.pop("book", self.book)
        return Gate(self.apps[service], service, clock=self.clock, book=book, sessions=sessions, **how)

    def client(self, service: Service, terms: Terms = Terms(rate=100_000), **how: Any) -> httpx2.AsyncClient:  # noqa: B008 - a frozen value
        gate = self.gate(service, terms=terms, **how)
        transport = httpx2.ASGITransport(app=gate, raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")


class _Nobody:
    """A strategy that cannot do anything it is asked: the net answers 500 for it."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)


@asynccontextmanager
async def served(
    doors: Doors, door: Door, terms: Terms | None = None, service: Service = Service.S4
) -> AsyncIterator[str]:
    """A service through its gate on a real socket; its address."""
    bound, stop = listen("s4", door.host, 0), asyncio.Event()
    told: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    clock = SystemClock()
    sessions = doors.signed if service is Service.CONSOLE else None
    gate = gated(doors.apps[service], service, door, clock, sessions=sessions)
    if terms is not None:
        gate = Gate(doors.apps[service], service, clock=clock, book=door.book(clock), terms=terms, sessions=sessions)
    serving = asyncio.create_task(
        serve_app(gate, bound, asyncio.Event().wait(), stop=stop, ready=told.set_result, tls=door.tls())  # type: ignore[arg-type]  # work that never ends
    )
    waited: set[asyncio.Future[Any]] = {told, serving}
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        yield told.result()
    finally:
        stop.set()
        await serving
