"""S3's HTTP face: requests in, ``Strategy`` calls, answers out. It decides nothing.

Refusals have the one error body of ``wire.failures`` and its statuses. A body is read to at most ``MAX_BODY_BYTES``,
however it is sent; no amount passes through ``float``, in or out. Programs call this, not web pages: a request that
changes something and carries an ``Origin`` is refused.
"""

import secrets
from collections.abc import Callable
from typing import Annotated, Any, Final

import structlog
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chimera.services.answers import Answer
from chimera.services.strategy.engine import Strategy
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.wire import failures, request_json, shape
from chimera.wire.bodies import ErrorBody, HealthResponse
from chimera.wire.decisions import BatchAnswer, BatchRequest, DecideRequest, DecisionAnswer

RECENT_MAX: Final = 200
MAX_BODY_BYTES: Final = 262_144  # a batch of a hundred with their contexts
_DRAIN_BYTES: Final = 16_777_216  # read and dropped of a body that is too large, so that the sender hears the answer

log = structlog.get_logger(__name__)


def build_app(strategy: Strategy, *, new_id: Callable[[], str] = lambda: secrets.token_hex(8)) -> FastAPI:
    """The application; ``strategy.run()`` is the caller's to keep going. ``new_id`` names an unforeseen error."""
    app = FastAPI(title="Chimera S3 Strategy Engine", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(_Net, new_id=new_id)
    for kind in (Refused, StoreUnavailable, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _say_no)
    _add_decisions(app, strategy)
    _add_health(app, strategy)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return app


def _add_decisions(app: FastAPI, strategy: Strategy) -> None:
    @app.post("/decide", operation_id="decide", responses=_answers(DecisionAnswer), **_takes("DecideRequest"))
    async def decide(request: Request) -> Response:
        """Decide on one symbol. Answers when the signal (and the intent, if any) is durable."""
        body = shape.fit(request_json.read_object(await _body(request)), DecideRequest)
        answer = await strategy.decide(body)
        return Answer(answer.model_dump(mode="json"))

    @app.post("/decide/batch", operation_id="decide_batch", responses=_answers(BatchAnswer), **_takes("BatchRequest"))
    async def decide_batch(request: Request) -> Response:
        """Decide on many symbols; each has a result of its own."""
        body = shape.fit(request_json.read_object(await _body(request)), BatchRequest)
        answer = await strategy.decide_batch(body)
        return Answer(answer.model_dump(mode="json"))

    @app.get("/decisions", operation_id="list_decisions", responses=_answers(None))
    async def decisions(newest: Annotated[int, Query(ge=1, le=RECENT_MAX)] = 50) -> Response:
        """The newest decisions with why, newest first, skips too."""
        return Answer({"decisions": await strategy.recent(newest)})


def _add_health(app: FastAPI, strategy: Strategy) -> None:
    @app.get("/health", operation_id="health", responses=_answers(HealthResponse))
    async def health() -> Response:
        """State of each dependency, always 200 while the process answers."""
        return Answer(await strategy.health())

    @app.get("/ready", operation_id="ready", responses=_answers(None))
    async def ready() -> Response:
        """200 when a decision could become durable now, else 503: for the scheduler."""
        is_ready = await strategy.ready()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @app.get("/metrics", operation_id="metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(strategy.telemetry.page(), media_type="text/plain; version=0.0.4")


async def _body(request: Request) -> bytes:
    """All of the body; a larger one is drained up to a bound and refused, declared or chunked alike."""
    declared = request.headers.get("content-length", "")
    too_large = declared.isdecimal() and int(declared) > MAX_BODY_BYTES
    held, seen = bytearray(), 0
    async for chunk in request.stream():
        seen += len(chunk)
        too_large = too_large or seen > MAX_BODY_BYTES
        if seen > _DRAIN_BYTES:
            break
        if not too_large:
            held += chunk
    if too_large:
        raise Refused("TOO_LARGE", "the body is too large", accepted=f"at most {MAX_BODY_BYTES} bytes")
    return bytes(held)


async def _say_no(_: Request, error: Exception) -> Response:
    refused = _as_refused(error)
    status = failures.status_of(refused.code)
    return JSONResponse(failures.error_body(refused), status, {"Retry-After": "1"} if status == 503 else None)


def _as_refused(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case StoreUnavailable():
            return Refused("STORE_DOWN", "the store is away: the decision is not durable and nothing was sent")
        case HTTPException(status_code=405):
            return Refused("METHOD_NOT_ALLOWED", "this path has no such method")
        case HTTPException(status_code=404):
            return Refused("NOT_FOUND", "no such path")
        case _:
            return Refused("MALFORMED", "the request could not be read")


class _Net:
    """Around everything: no page's request passes, and no exception reaches the client as more than an id."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD") and any(name == b"origin" for name, _ in scope["headers"]):
            no = Refused("CROSS_ORIGIN", "web pages do not trade here", field="Origin", accepted="no Origin header")
            await JSONResponse(failures.error_body(no), failures.status_of(no.code))(scope, receive, send)
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
                no = Refused("INTERNAL", f"something went wrong here; error id {error_id}")
                await JSONResponse(failures.error_body(no), failures.status_of(no.code))(scope, receive, send)


def _takes(schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"openapi_extra": {"requestBody": {"required": True, "content": content}}}


def _answers(model: type[BaseModel] | None) -> dict[int | str, dict[str, Any]]:
    shown: dict[str, Any] = {} if model is None else {"model": model}
    answers: dict[int | str, dict[str, Any]] = {200: {**shown, "description": "the answer"}}
    for status in (400, 403, 404, 413, 422, 500, 503):
        answers[status] = {"model": ErrorBody, "description": "refused"}
    return answers


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's schema with the request bodies, which are read by hand to keep their digits."""
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        _, definitions = models_json_schema(
            [(DecideRequest, "validation"), (BatchRequest, "validation")], ref_template="#/components/schemas/{model}"
        )
        schema["components"]["schemas"].update(definitions["$defs"])
        app.openapi_schema = schema
    return app.openapi_schema
