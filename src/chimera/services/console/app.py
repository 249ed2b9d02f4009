"""The console's HTTP face: the page, its one event stream, and closing a position in two steps.

``GET /positions/{symbol}/close`` shows what closing would do, from S4's answer of that moment; ``POST`` does exactly
that, if it is still so and the symbol was typed. Asked twice, S4 does it once. Streams end when the server does.
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from importlib.resources import files
from typing import Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from chimera.client.credentials import ACTING_FOR
from chimera.ports.clock import Clock
from chimera.services import exposition
from chimera.services.console.closing import Answer, Close, Effect, effect_of
from chimera.services.console.guard import Guard
from chimera.services.console.login import Signed, add_login
from chimera.services.console.page import Page
from chimera.services.console.rows import PositionRow, read_row
from chimera.services.console.seen import Seen
from chimera.services.console.watch import BusSource, RouterSource, StrategySource, Watch
from chimera.services.exposition import Sample
from chimera.services.service import Service
from chimera.trading.errors import ChimeraError, NotSent, Refused
from chimera.wire import failures

UPDATE_S: Final = 0.1  # ten updates a second at most
HEARTBEAT_MS: Final = 1_000
PAGES_MAX: Final = 32
STATIC: Final = {"console.css": "text/css", "console.js": "text/javascript", "login.js": "text/javascript"}
RESTART_S: Final = 1.0

log = structlog.get_logger(__name__)


class CloseBody(BaseModel):
    """``confirm`` is the symbol as typed, ``effect`` the token of what was shown."""

    model_config = ConfigDict(extra="forbid")

    confirm: str = Field(max_length=64)
    effect: str = Field(max_length=64)


class Console:
    """One process's console: what it sees, draws and streams."""

    def __init__(
        self,
        *,
        router: RouterSource,
        strategy: StrategySource,
        bus: BusSource,
        clock: Clock,
        symbols: tuple[str, ...],
    ) -> None:
        self.seen = Seen(symbols=list(symbols))
        self.static = {name: files(__package__).joinpath("static", name).read_bytes() for name in STATIC}
        versions = {name: hashlib.sha256(body).hexdigest()[:12] for name, body in self.static.items()}
        self.page = Page(self.seen, clock, versions)
        self.watch = Watch(self.seen, router=router, strategy=strategy, bus=bus, clock=clock)
        self.router = router
        self.clock = clock
        self.pages = 0
        self._ended = asyncio.Event()

    def end(self) -> None:
        """Every stream ends now; the server calls it before it waits for its connections."""
        self._ended.set()

    async def keep_watching(self) -> None:
        """Until cancelled; a watch that breaks is shown, logged and begun again."""
        while True:
            try:
                await self.watch.run()
            except Exception as error:  # the last net: a console that has stopped looking must say so, not end
                log.exception("watch_broke")
                self.seen.fault = f"the console stopped looking: {error!r}"
                self.seen.changed("sources")
            await asyncio.sleep(RESTART_S)
            self.seen.fault = ""

    async def updates(self) -> AsyncIterator[str]:
        """Server-sent events: everything at first, then what has changed, and a heartbeat with the ages."""
        sent: dict[str, str] = {}
        spoke_ms = -HEARTBEAT_MS
        self.pages += 1
        try:
            yield "retry: 1000\n\n"
            while not self._ended.is_set():
                new = {name: html for name, html in self.page.sections().items() if sent.get(name) != html}
                mono_ms = self.clock.monotonic_ms()
                if new or mono_ms - spoke_ms >= HEARTBEAT_MS:
                    sent |= new
                    spoke_ms = mono_ms
                    said = {"seq": self.seen.sequence, "ages": self.page.ages(), "html": new}
                    yield f"id: {self.seen.sequence}\nevent: update\ndata: {json.dumps(said)}\n\n"
                with suppress(TimeoutError):
                    async with asyncio.timeout(UPDATE_S):
                        await self._ended.wait()
        finally:
            self.pages -= 1

    def measured(self) -> Iterator[Sample]:
        """For ``/metrics``."""
        yield Sample("console_pages", (), self.pages)
        yield Sample("console_fault", (), float(bool(self.seen.fault)))
        for source, age_ms in self.page.ages().items():
            if age_ms is not None:
                yield Sample("console_source_age_ms", (source,), age_ms)

    async def effect(self, name: str) -> Effect | None:
        """By S4's answer of now; None where there is nothing to close. Raises ``ChimeraError``."""
        for document in await self.router.positions():
            row = read_row(document, PositionRow)
            if row.name == name and row.is_open:
                return effect_of(row)
        return None

    async def close(self, effect: Effect) -> Close:
        """Ask S4; what it said, also when it said nothing."""
        close_id = secrets.token_hex(6)
        try:
            told = await self.router.close(effect.symbol, market=effect.market, close_id=f"console-{close_id}")
            answer, words = Answer.TAKEN, str(told.get("message") or "taken")
        except Refused as no:
            answer, words = Answer.REFUSED, f"{no.code}: {no.message}"
        except NotSent as no:
            answer, words = Answer.REFUSED, f"not sent: {no.reason}"
        except ChimeraError as unknown:
            answer, words = Answer.UNKNOWN, str(unknown)
        close = Close(
            close_id=close_id,
            effect=effect,
            asked_ms=self.clock.now_ms(),
            answer=answer,
            words=words,
        )
        log.info("close_asked", symbol=effect.name, qty=str(effect.qty), answer=answer.value, words=words)
        self.seen.take_close(close)
        return close


def build_app(
    *,
    router: RouterSource,
    strategy: StrategySource,
    bus: BusSource,
    clock: Clock,
    symbols: tuple[str, ...] = (),
    hosts: tuple[str, ...] = (),
    signed: Signed | None = None,
) -> FastAPI:
    """The application. Its ``state.console`` is the caller's to run (``keep_watching``) and to ``end``.

    ``symbols`` are shown before S4 has named its own; ``hosts`` are names it is reached under besides loopback's;
    ``signed``: who is signed in, where tokens are asked for.
    """
    console = Console(router=router, strategy=strategy, bus=bus, clock=clock, symbols=symbols)

    app = FastAPI(title="Chimera console", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.console = console
    own_word = signed.word_of if signed is not None else lambda _: "1"
    app.add_middleware(Guard, hosts=hosts, own_word=own_word)
    for kind in (RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _say_no)
    _add_page(app, console, own_word)
    _add_close(app, console)
    add_login(app, console.page, signed)
    return app


def _add_page(app: FastAPI, console: Console, own_word: Callable[[Headers], str]) -> None:
    @app.get("/")
    async def home(request: Request) -> Response:
        return HTMLResponse(console.page.whole(own_word(request.headers)))

    @app.get("/events")
    async def events() -> Response:
        if console.pages >= PAGES_MAX:
            return JSONResponse({"message": f"{PAGES_MAX} pages are open"}, 503, {"Retry-After": "5"})
        return StreamingResponse(console.updates(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in STATIC:
            return Response(status_code=404)
        # the page names the content's digest, so what was kept is never another version's
        return Response(
            console.static[name], media_type=STATIC[name], headers={"Cache-Control": "max-age=31536000, immutable"}
        )

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(exposition.page(Service.CONSOLE, console.measured()), media_type=exposition.MEDIA_TYPE)

    @app.get("/health")
    async def health() -> Response:
        return JSONResponse({"status": "ok" if not console.seen.fault else "degraded", "pages": console.pages})


def _add_close(app: FastAPI, console: Console) -> None:
    draw = console.page.draw

    @app.get("/positions/{symbol}/close")
    async def preview(symbol: str) -> Response:
        """The exact effect of closing now, to be confirmed."""
        found = await _find(console, symbol)
        return found if isinstance(found, Response) else HTMLResponse(draw("confirm.html", effect=found, changed=False))

    @app.post("/positions/{symbol}/close")
    async def close(symbol: str, body: CloseBody, request: Request) -> Response:
        """Close, if the symbol was typed and the effect is still the one that was shown."""
        ACTING_FOR.set(request.scope.get("chimera.who", ""))
        if body.confirm.strip().upper() != symbol.upper():
            return _nothing_done(console, f"Nothing was done: type {symbol} to confirm.", 422)
        found = await _find(console, symbol)
        if isinstance(found, Response):
            return found
        if found.token != body.effect:
            return HTMLResponse(draw("confirm.html", effect=found, changed=True), 409)
        return HTMLResponse(draw("asked.html", close=await console.close(found)))


async def _find(console: Console, symbol: str) -> Effect | Response:
    try:
        effect = await console.effect(symbol)
    except (ChimeraError, msgspec.MsgspecError) as away:
        return _nothing_done(console, f"Nothing was done: S4 does not answer ({away}).", 503)
    return effect or _nothing_done(console, f"Nothing to do: {symbol} is flat.", 404)


def _nothing_done(console: Console, words: str, status: int) -> Response:
    return HTMLResponse(console.page.draw("refusal.html", words=words), status)


async def _say_no(_: Request, error: Exception) -> Response:
    match error:
        case HTTPException(status_code=404):
            refused = Refused("NOT_FOUND", "no such page")
        case HTTPException(status_code=405):
            refused = Refused("METHOD_NOT_ALLOWED", "this path has no such method")
        case _:
            refused = Refused("MALFORMED", "the request could not be read")
    return JSONResponse(failures.error_body(refused), failures.status_of(refused.code))
