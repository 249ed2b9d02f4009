"""Signing in to the console, where tokens are asked for: a token is shown once, then a cookie stands for it.

The cookie is ``HttpOnly`` and ``SameSite=Strict``, and so that nothing can be done by it alone every change must carry
the word that the page of that session was given. A session ends with the process, after ``SESSION_MS``, and with its
token.
"""

import secrets
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from typing import Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import Headers

from chimera.ports.clock import Clock
from chimera.services.access.tokens import TokenBook
from chimera.services.console.page import Page
from chimera.trading.errors import Refused
from chimera.trading.value import Value
from chimera.wire import failures

COOKIE: Final = "chimera_session"
SESSION_MS: Final = 43_200_000  # a shift
MOST: Final = 256

log = structlog.get_logger(__name__)


class LoginBody(BaseModel):
    """``token`` as ``chimera token new`` printed it."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=256)


class _Session(Value, tag=False):
    name: str
    word: str  # that a change must carry
    until_ms: int


class Signed:
    """Who is signed in: ``access.gate.Sessions``. Bounded: the oldest is signed out."""

    def __init__(self, book: TokenBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def sign_in(self, token: str) -> str | None:
        """The cookie's value; None for a token that is nobody's, or has expired."""
        row = self._book.holder(token)
        if row is None or row.state(self._clock.now_ms()) != "valid" or row.key_of:
            return None
        cookie = secrets.token_urlsafe(32)
        until_ms = self._clock.monotonic_ms() + SESSION_MS
        self._sessions[cookie] = _Session(name=row.name, word=secrets.token_urlsafe(32), until_ms=until_ms)
        if len(self._sessions) > MOST:
            self._sessions.popitem(last=False)
        log.info("signed_in", who=row.name)
        return cookie

    def sign_out(self, headers: Headers) -> None:
        self._sessions.pop(_cookie(headers), None)

    def word_of(self, headers: Headers) -> str:
        """What the page of this session must send with a change; ``1`` where nobody is asked."""
        found = self._found(headers)
        return "1" if found is None else found.word

    def who(self, headers: Headers) -> str | None:
        """As the gate asks."""
        found = self._found(headers)
        return None if found is None else found.name

    def _found(self, headers: Headers) -> _Session | None:
        cookie = _cookie(headers)
        found = self._sessions.get(cookie)
        if found is not None and self._clock.monotonic_ms() >= found.until_ms:
            del self._sessions[cookie]
            return None
        return found


def add_login(app: FastAPI, page: Page, signed: Signed | None) -> None:
    """The routes; without ``signed`` there is nobody to sign in."""

    @app.get("/login")
    async def login_page() -> Response:
        return HTMLResponse(page.draw("login.html"))

    @app.post("/login")
    async def sign_in(body: LoginBody, request: Request) -> Response:
        """A token for a cookie."""
        cookie = None if signed is None else signed.sign_in(body.token.strip())
        if cookie is None:
            no = Refused("TOKEN_WRONG", "nobody may sign in with this token")
            return JSONResponse(failures.error_body(no), failures.status_of(no.code))
        answer = JSONResponse({"signed_in": True})
        secure = request.url.scheme == "https"
        answer.set_cookie(
            COOKIE, cookie, max_age=SESSION_MS // 1000, httponly=True, samesite="strict", secure=secure, path="/"
        )
        return answer

    @app.post("/logout")
    async def sign_out(request: Request) -> Response:
        if signed is not None:
            signed.sign_out(request.headers)
        answer = JSONResponse({"signed_in": False})
        answer.delete_cookie(COOKIE)
        return answer


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value
