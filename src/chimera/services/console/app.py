"""The console's HTTP face: one page for each screen, one event stream a page, and acts in two steps.

``GET /acts/NAME`` shows what an act would do, from the others' answers of that moment; ``POST`` does exactly that, if
it is still so and the word was typed. Asked twice, it is done once. Streams end when the server does.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Annotated, Final

import msgspec
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException

from chimera.client.credentials import ACTING_FOR
from chimera.ports.clock import Clock
from chimera.services import exposition
from chimera.services.build import build
from chimera.services.console.acts import Act, Deed, Desk, Effect, Given, carry_out
from chimera.services.console.finding import find_name, found_at
from chimera.services.console.guard import Guard
from chimera.services.console.login import Signed, add_login
from chimera.services.console.others import (
    AlertsSource,
    BundleSource,
    BusSource,
    CostSource,
    DoctorSource,
    ExplainSource,
    Others,
    ReplaySource,
    RouterSource,
    SimulatorSource,
    StrategySource,
)
from chimera.services.console.page import Page
from chimera.services.console.same import Terminal
from chimera.services.console.screen import VALUE_MOST, Screen, place_of
from chimera.services.console.screens import SCREENS
from chimera.services.console.seen import Seen
from chimera.services.console.stream import Streams
from chimera.services.console.views import Views
from chimera.services.console.watch import Watch
from chimera.services.exposition import Sample
from chimera.services.service import Service
from chimera.trading.errors import ChimeraError, Refused
from chimera.wire import failures

PAGES_MAX: Final = 32
STATIC: Final = {"console.css": "text/css", "console.js": "text/javascript", "login.js": "text/javascript"}
RESTART_S: Final = 1.0
FOLLOW_S: Final = 0.5  # between two questions about a deed that has not ended
WORDS_MOST: Final = 200
THEME: Final = "chimera_theme"  # a cookie that the page's script sets; it decides nothing but colours

log = structlog.get_logger(__name__)

_Words = Annotated[str, Field(max_length=WORDS_MOST)]


class ActBody(BaseModel):
    """``about``: the act's parameters; ``confirm``: the word as typed; ``effect``: the token of what was shown."""

    model_config = ConfigDict(extra="forbid")

    about: dict[str, Annotated[str, Field(max_length=VALUE_MOST)]] = Field(max_length=8)
    confirm: str = Field(max_length=64)
    effect: str = Field(max_length=64)
    fields: dict[str, _Words] = Field(default={}, max_length=12)


class Console:
    """One process's console: what it sees, draws and streams."""

    def __init__(
        self,
        others: Others,
        *,
        symbols: tuple[str, ...],
        screens: tuple[Screen, ...],
        terminal: Terminal,
        docs_url: str = "",
    ) -> None:
        self.clock = others.clock
        self.seen = Seen(symbols=list(symbols), sequence=others.clock.now_ms())
        self.static = {name: files(__package__).joinpath("static", name).read_bytes() for name in STATIC}
        versions = {name: hashlib.sha256(body).hexdigest()[:12] for name, body in self.static.items()}
        self.page = Page(self.seen, others.clock, screens, versions, terminal, docs_url)
        self.views = Views(others, self.seen)
        self.watch = Watch(self.seen, others)
        self.streams = Streams(self.seen, self.page, self.views, others.clock)
        self.desk = Desk(others, self.seen)

    def end(self) -> None:
        """Every stream ends now."""
        self.streams.end()

    async def keep_watching(self) -> None:
        """Until cancelled; a watch that breaks is shown, logged and begun again."""
        while True:
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self.watch.run())
                    tasks.create_task(self._follow_deeds())
            except Exception as error:  # the last net: a console that has stopped looking must say so, not end
                log.exception("watch_broke")
                self.seen.fault = f"the console stopped looking: {_first(error)!r}"
                self.seen.changed("sources")
            await asyncio.sleep(RESTART_S)
            self.seen.fault = ""

    async def _follow_deeds(self) -> None:
        while True:
            for deed_id, deed in tuple(self.seen.deeds.items()):
                if deed.act.ask is not None and deed.ended_ms is None:
                    with suppress(ChimeraError, msgspec.MsgspecError):  # asked again soon
                        self.seen.take_deed(deed_id, await deed.act.ask(self.desk, deed))
            self.seen.follow_deeds(self.clock.now_ms())
            await asyncio.sleep(FOLLOW_S)

    def measured(self) -> Iterator[Sample]:
        """For ``/metrics``."""
        yield Sample("console_pages", (), self.streams.open)
        yield Sample("console_fault", (), float(bool(self.seen.fault)))
        for source, age_ms in self.page.ages().items():
            if age_ms is not None:
                yield Sample("console_source_age_ms", (source,), age_ms)

    async def act(self, act: Act, effect: Effect, by: str, fields: Mapping[str, str]) -> Deed:
        """Carry it out under an id of its own."""
        return await carry_out(act, self.desk, effect, Given(secrets.token_hex(6), by, fields))


def build_app(
    *,
    router: RouterSource,
    strategy: StrategySource,
    explain: ExplainSource,
    bundles: BundleSource,
    bus: BusSource,
    clock: Clock,
    simulator: SimulatorSource | None = None,
    costs: CostSource | None = None,
    alerts: AlertsSource | None = None,
    doctor: DoctorSource | None = None,
    replays: ReplaySource | None = None,
    symbols: tuple[str, ...] = (),
    hosts: tuple[str, ...] = (),
    signed: Signed | None = None,
    screens: tuple[Screen, ...] = SCREENS,
    urls: Mapping[str, str] | None = None,
    docs_url: str = "",
) -> FastAPI:
    """The application. Its ``state.console`` is the caller's to run (``keep_watching``) and to ``end``.

    ``symbols`` are shown before S4 has named its own; ``hosts`` are names it is reached under besides loopback's;
    ``simulator``, ``costs``, ``alerts``, ``doctor``, ``replays``: where they are at hand; ``signed``: who is signed in,
    where tokens are asked for; ``urls``: of ``s3``, ``s4``, ``alerts`` and ``sim``, for what is copied; ``docs_url``:
    where the site of the pages is, for the runbook's chapters.
    """
    terminal = Terminal(urls or {}, guarded=signed is not None)
    others = Others(router, strategy, explain, bundles, bus, clock, simulator, costs, alerts, doctor, replays)
    console = Console(others, symbols=symbols, screens=screens, terminal=terminal, docs_url=docs_url)

    app = FastAPI(title="Chimera console", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.console = console
    own_word = signed.word_of if signed is not None else lambda _: "1"
    app.add_middleware(Guard, hosts=hosts, own_word=own_word)
    for kind in (RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _say_no)
    for screen in screens:
        _add_screen(app, console, screen, own_word)
        for act in screen.acts:
            _add_act(app, console, screen, act)
    _add_events(app, console, screens)
    _add_rest(app, console)
    add_login(app, console.page, signed)
    return app


def _add_screen(app: FastAPI, console: Console, screen: Screen, own_word: Callable[[Headers], str]) -> None:
    async def page(request: Request) -> Response:
        if not screen.open(console.seen):
            raise HTTPException(404)
        place = place_of(screen, request.path_params, request.query_params)
        view = await console.views.glance(place)
        theme = request.cookies.get(THEME, "")
        return HTMLResponse(console.page.whole(view, own_word=own_word(request.headers), theme=theme))

    app.add_api_route(screen.path, page, methods=["GET"], name=screen.name)


def _add_act(app: FastAPI, console: Console, screen: Screen, act: Act) -> None:
    draw = console.page.draw

    async def found(about: Mapping[str, str]) -> Effect | Response:
        if not screen.open(console.seen):
            raise HTTPException(404)
        try:
            effect = await act.effect(console.desk, {name: about.get(name, "") for name in act.asks})
        except Refused as no:
            return _nothing_done(console, f"Nothing was done. {no.code}: {no.message}", failures.status_of(no.code))
        except (ChimeraError, msgspec.MsgspecError) as away:
            return _nothing_done(console, f"Nothing was done: no answer ({away}).", 503)
        return effect or _nothing_done(console, "There is nothing to do: it is so already, or is gone.", 404)

    async def preview(request: Request) -> Response:
        """The exact effect of doing it now, to be confirmed."""
        about = {name: request.query_params.get(name, "")[:VALUE_MOST] for name in act.asks}
        effect = await found(about)
        if isinstance(effect, Response):
            return effect
        return HTMLResponse(draw("confirm.html", act=act, about=about, effect=effect, changed=False))

    async def do(body: ActBody, request: Request) -> Response:
        """Do it, if the word was typed and the effect is still the one that was shown."""
        who = request.scope.get("chimera.who", "")
        ACTING_FOR.set(who)
        effect = await found(body.about)
        if isinstance(effect, Response):
            return effect
        if body.confirm.strip().upper() != effect.word.upper():
            return _nothing_done(console, f"Nothing was done: type {effect.word} to confirm.", 422)
        if effect.token != body.effect:
            return HTMLResponse(draw("confirm.html", act=act, about=body.about, effect=effect, changed=True), 409)
        deed = await console.act(act, effect, who or "console", body.fields)
        return HTMLResponse(draw("asked.html", deed=deed))

    app.add_api_route(f"/acts/{act.name}", preview, methods=["GET"], name=f"preview_{act.name}")
    app.add_api_route(f"/acts/{act.name}", do, methods=["POST"], name=f"do_{act.name}")


def _add_events(app: FastAPI, console: Console, screens: tuple[Screen, ...]) -> None:
    @app.get("/events")
    async def events(request: Request, at: str = "/") -> Response:
        """``at``: the page's own address; ``since``, or the header ``Last-Event-ID``: the state it shows."""
        place = found_at(screens, at)
        if place is None or not place.screen.open(console.seen):
            return JSONResponse({"message": "no such page"}, 404)
        if console.streams.open >= PAGES_MAX:
            return JSONResponse({"message": f"{PAGES_MAX} pages are open"}, 503, {"Retry-After": "5"})
        known = request.headers.get("last-event-id") or request.query_params.get("since", "")
        known_seq = int(known) if known.isdecimal() and len(known) < VALUE_MOST else -1
        updates = console.streams.updates(place, known_seq)
        return StreamingResponse(updates, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _add_rest(app: FastAPI, console: Console) -> None:
    @app.get("/find")
    async def find(q: str = "") -> Response:
        """To whatever goes by that name: a screen, an order, a decision."""
        return RedirectResponse(await find_name(console.page.screens, console.desk.others, q[:VALUE_MOST]), 303)

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
        status = "ok" if not console.seen.fault else "degraded"
        return JSONResponse({"status": status, "pages": console.streams.open, "build": build()})


def _nothing_done(console: Console, words: str, status: int) -> Response:
    return HTMLResponse(console.page.draw("refusal.html", words=words), status)


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def _say_no(_: Request, error: Exception) -> Response:
    match error:
        case HTTPException(status_code=404):
            refused = Refused("NOT_FOUND", "no such page")
        case HTTPException(status_code=405):
            refused = Refused("METHOD_NOT_ALLOWED", "this path has no such method")
        case _:
            refused = Refused("MALFORMED", "the request could not be read")
    return JSONResponse(failures.error_body(refused), failures.status_of(refused.code))
