"""What the HTTP faces of S3, S4 and the alerts do alike: bodies read, answers and refusals given, a net around all.

Invariants: a body is read to at most a bound, however it is sent; a request that changes something and carries an
``Origin`` is refused, since programs call these services and a page open in a browser on this machine must not trade;
an exception that nobody foresaw reaches the caller as an id, and the log has the rest under that id.
It does not know what is asked for, nor any error of one service alone.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeAlias

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chimera.services.access.published import secured
from chimera.services.service import Service
from chimera.trading.errors import Refused
from chimera.wire import failures
from chimera.wire.answers import encode_answer
from chimera.wire.shown import ErrorBody

WITHOUT_CONFLICT: Final = (400, 403, 404, 413, 422, 500, 503)
REFUSED: Final = (400, 403, 404, 409, 413, 422, 500, 503)
_DRAIN_BYTES: Final = 16_777_216  # read and dropped of a body that is too large, so that the sender hears the answer

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]
Answers: TypeAlias = dict[int | str, dict[str, Any]]  # a route's, by status, as OpenAPI has them
Refusals: TypeAlias = tuple[type[Exception], ...]
SayNo: TypeAlias = Callable[[Request, Exception], Awaitable[Response]]

log = structlog.get_logger(__name__)


class Answer(JSONResponse):
    """Rows as JSON, with amounts as numbers of exact digits: ``wire.answers`` decides how they look."""

    def render(self, content: Any) -> bytes:
        return encode_answer(content)


async def whole_body(request: Request, most_bytes: int) -> bytes:
    """All of the body; a larger one is drained up to a bound and refused, declared or chunked alike."""
    declared = request.headers.get("content-length", "")
    too_large = declared.isdecimal() and int(declared) > most_bytes
    held, seen = bytearray(), 0
    async for chunk in request.stream():
        seen += len(chunk)
        too_large = too_large or seen > most_bytes
        if seen > _DRAIN_BYTES:
            break
        if not too_large:
            held += chunk
    if too_large:
        raise Refused("TOO_LARGE", "the body is too large", accepted=f"at most {most_bytes} bytes")
    return bytes(held)


def unread(error: Exception) -> Refused:
    """The refusal for what did not reach a service's own code: no such path, no such method, a request of no shape."""
    match error:
        case HTTPException(status_code=405):
            return Refused("METHOD_NOT_ALLOWED", "this path has no such method")
        case HTTPException(status_code=404):
            return Refused("NOT_FOUND", "no such path")
        case _:
            return Refused("MALFORMED", "the request could not be read")


def no(refused: Refused, error: Exception | None = None) -> Response:
    """The refusal's answer, with the headers that ``error`` brought ("Allow", where the method was wrong)."""
    status = failures.status_of(refused.code)
    headers = dict(getattr(error, "headers", None) or {})
    if status == 503:
        headers["Retry-After"] = "1"
    return JSONResponse(failures.error_body(refused), status, headers)


class Net:
    """Middleware around everything: no page's request passes, and no exception is more than an id to the client."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD") and any(name == b"origin" for name, _ in scope["headers"]):
            page = Refused("CROSS_ORIGIN", "web pages do not trade here", field="Origin", accepted="no Origin header")
            await no(page)(scope, receive, send)
        else:
            await self._guarded(scope, receive, send)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            log.info("client_gone", path=scope["path"])
        except Exception:  # the last net: whatever it is, the caller gets an id and the log the rest
            error_id = self._new_id()
            log.exception("unforeseen_error", error_id=error_id, method=scope["method"], path=scope["path"])
            if not started:
                await no(Refused("INTERNAL", f"something went wrong here; error id {error_id}"))(scope, receive, send)


class Straight:
    """Middleware beside the routes: one path and method go to their endpoint past routing and dependencies.

    The route stays what documents it and says 405. What the endpoint raises of ``refusals`` is answered by ``say_no``,
    as the application's exception handlers would.
    """

    def __init__(
        self, app: ASGIApp, method: str, path: str, endpoint: Endpoint, refusals: Refusals, say_no: SayNo
    ) -> None:
        self._app = app
        self._asked = method, path
        self._endpoint = endpoint
        self._refusals = refusals
        self._say_no = say_no

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"], scope["path"]) != self._asked:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            answer = await self._endpoint(request)
        except self._refusals as no:
            answer = await self._say_no(request, no)
        await answer(scope, receive, send)


def takes(schema: str, *, required: bool = True) -> dict[str, Any]:
    """A route's body in OpenAPI, where the route reads it by hand to keep its digits."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"openapi_extra": {"requestBody": {"required": required, "content": content}}}


def answers(
    model: type[BaseModel], *, later: type[BaseModel] | None = None, refused: Sequence[int] = REFUSED
) -> Answers:
    """What a route says. ``later``: the 202 of one whose work may go on after the answer."""
    said: Answers = {200: {"model": model, "description": "final" if later is not None else "the answer"}}
    if later is not None:
        said[202] = {"model": later, "description": "still working, or the outcome is in doubt"}
    return said | {status: {"model": ErrorBody, "description": "refused"} for status in refused}


TEXT: Final = {"type": "string"}


def asked(name: str, told: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """One question of a query, for ``openapi_extra``."""
    return {"name": name, "in": "query", "required": False, "description": told, "schema": schema or TEXT}


def counted(name: str, told: str, default: int, most: int) -> dict[str, Any]:
    """How many of what is told, from 1."""
    return asked(name, told, {"type": "integer", "minimum": 1, "maximum": most, "default": default})


def publish(app: FastAPI, service: Service, bodies: Sequence[type[BaseModel]]) -> None:
    """FastAPI's schema, with the request bodies that ``takes`` names, and with who may ask."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = FastAPI.openapi(app)
            _, definitions = models_json_schema(
                [(model, "validation") for model in bodies], ref_template="#/components/schemas/{model}"
            )
            schema["components"]["schemas"].update(definitions["$defs"])
            secured(schema, service)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
