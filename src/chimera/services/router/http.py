"""S4's HTTP face: requests in, ``RouterApi`` calls, answers out. It decides nothing about money.

Statuses: 200 final, 202 still working or in doubt; refusals by the table in ``wire.failures``. A body is read to at
most ``MAX_BODY_BYTES``, however it is sent; no amount passes through ``float``, in or out. Programs call this, not
web pages: a request that changes something and carries an ``Origin`` is refused, so that a page open in a browser on
this machine cannot trade. An error that nobody foresaw answers with an id, and the log has the rest under that id.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chimera.ports.clock import Clock
from chimera.services.answers import Answer
from chimera.services.router.api import Outcome, RouterApi
from chimera.trading.errors import NotSent, Refused, StaleWriter, StoreUnavailable
from chimera.trading.ids import Symbol
from chimera.trading.instrument import Instrument
from chimera.trading.market import Market
from chimera.wire import bodies, failures, request_json, requests

MAX_BODY_BYTES: Final = 65_536  # an order has some hundreds; parsing this much keeps the loop well under 10 ms
_DRAIN_BYTES: Final = 16_777_216  # read and dropped of a body that is too large, so that the sender hears the answer
_FINAL_WORDS: Final = ("CANCELED", "FILLED", "REJECTED", "FLAT", "CLOSED")

log = structlog.get_logger(__name__)


def build_app(
    router: RouterApi,
    *,
    clock: Clock,
    allow_unprotected: bool = False,
    new_id: Callable[[], str] = lambda: secrets.token_hex(8),
) -> FastAPI:
    """The application. ``new_id`` names an unforeseen error in answer and log."""
    app = FastAPI(title="Chimera S4 Order Router", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(_Net, new_id=new_id)
    for kind in (Refused, StoreUnavailable, StaleWriter, NotSent, HTTPException):
        app.add_exception_handler(kind, _say_no)
    _add_orders(app, router, clock, allow_unprotected)
    _add_positions(app, router)
    _add_health(app, router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it
    return app


def _add_orders(app: FastAPI, router: RouterApi, clock: Clock, allow_unprotected: bool) -> None:
    @app.post(
        "/orders", operation_id="submit_order", responses=_answers(bodies.OrderResult, 202), **_takes("OrderCmdRequest")
    )
    async def submit(request: Request) -> Response:
        """Submit an intent, in the flat or the wrapped shape. The same intent again gives the same result."""
        document = request_json.read_object(await _body(request))
        intent = requests.order_intent(
            document,
            instruments=_instruments(router),
            now_ms=clock.now_ms(),
            allow_unprotected=allow_unprotected,
            idempotency_key=request.headers.get("idempotency-key"),
        )
        wait_ms = requests.wait_ms(request.headers.get("prefer"))
        outcome = await router.submit(intent, requests.body_hash(intent), wait_ms=wait_ms)
        headers = {"Location": f"/orders/{outcome.row['order_id']}"}
        if wait_ms is not None:
            headers["Preference-Applied"] = f"wait={wait_ms // 1000}" if wait_ms else "respond-async"
        return Answer(outcome.row, _order_status(outcome), headers)

    @app.get("/orders/{name:path}", operation_id="get_order", responses=_answers(bodies.OrderResult, 404))
    async def order(name: str) -> Response:
        """The order by order, client or intent id, with its children, fills and timeline."""
        row = await router.order(name) if len(name) <= 128 else None
        if row is None:
            raise Refused("NOT_FOUND", "no such order", field="order_id", value=name)
        return Answer(row)

    @app.post(
        "/cancel",
        operation_id="cancel_order",
        responses=_answers(bodies.CancelResponse, 202),
        **_takes("CancelRequest"),
    )
    async def cancel(request: Request) -> Response:
        """Cancel by ``order_id`` XOR ``client_order_id``; cascades to pending slices and legs."""
        ask = requests.cancel(request_json.read_object(await _body(request)))
        row = await router.cancel(
            ask.name,
            by="client_order_id" if ask.by_client_id else "order_id",
            reason=ask.reason,
            escalate=ask.escalate,
            cascade=ask.cascade,
        )
        return Answer(row, _working_status(row))


def _add_positions(app: FastAPI, router: RouterApi) -> None:
    @app.get("/positions", operation_id="list_positions", responses=_answers(None))
    async def positions() -> Response:
        """Every position with its lots and protection."""
        return Answer({"positions": await router.positions()})

    @app.post(
        "/positions/{symbol}/close",
        operation_id="close_position",
        responses=_answers(None, 202),
        **_takes("CloseRequest", required=False),
    )
    async def close(symbol: str, request: Request) -> Response:
        """Close a position or a part of it: reduce-only, target cancelled first, stop last."""
        body = await _body(request)
        ask = requests.close(request_json.read_object(body) if body.strip() else {}, symbol, _instruments(router))
        row = await router.close(ask.market, ask.symbol, ask.qty, ask.reason)
        return Answer(row, _working_status(row))


def _add_health(app: FastAPI, router: RouterApi) -> None:
    @app.get("/health", operation_id="health", responses=_answers(bodies.HealthResponse))
    async def health() -> Response:
        """State of each dependency, always 200 while the process answers."""
        return Answer(router.health())

    @app.get("/ready", operation_id="ready", responses=_answers(None, 503))
    async def ready() -> Response:
        """200 when new orders are taken, else 503: for the scheduler."""
        is_ready = router.ready()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)


def _instruments(router: RouterApi) -> requests.Instruments:
    """The router's instruments; before it has read them, a symbol is not unknown but asked too early."""

    def find(market: Market, symbol: Symbol) -> Instrument | None:
        found = router.instrument(market, symbol)
        if found is None and not router.ready():
            raise Refused("NOT_READY", "the venue's symbols are not read yet; try again", field="symbol", value=symbol)
        return found

    return find


def _order_status(outcome: Outcome) -> int:
    if not outcome.done:
        return 202
    if outcome.row["status"] == bodies.OrderStatus.REJECTED:
        return failures.status_of(str(outcome.row.get("code") or "VENUE_REFUSED"))
    return 200


def _working_status(row: Mapping[str, object]) -> int:
    return 200 if row.get("status") in _FINAL_WORDS else 202


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
    headers = dict(getattr(error, "headers", None) or {})  # "Allow", where the method was wrong
    if status == 503:
        headers["Retry-After"] = "1"
    return JSONResponse(failures.error_body(refused), status, headers)


def _as_refused(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case StoreUnavailable():
            return Refused("STORE_DOWN", "the ledger is away: nothing was started; try again with the same ids")
        case StaleWriter():
            return Refused("STORE_DOWN", "another process owns this position now; try again with the same ids")
        case NotSent():
            return Refused("VENUE_DOWN", "the venue did not take the request; try again with the same ids")
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
            return
        if scope["method"] not in ("GET", "HEAD") and any(name == b"origin" for name, _ in scope["headers"]):
            no = Refused("CROSS_ORIGIN", "web pages do not trade here", field="Origin", accepted="no Origin header")
            await JSONResponse(failures.error_body(no), failures.status_of(no.code))(scope, receive, send)
            return
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


def _takes(schema: str, *, required: bool = True) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {"openapi_extra": {"requestBody": {"required": required, "content": content}}}


def _answers(model: type[BaseModel] | None, *others: int) -> dict[int | str, dict[str, Any]]:
    shown: dict[str, Any] = {} if model is None else {"model": model}
    answers: dict[int | str, dict[str, Any]] = {200: {**shown, "description": "final"}}
    if 202 in others:
        answers[202] = {**shown, "description": "still working, or the outcome is in doubt"}
    for status in (400, 403, 404, 409, 413, 422, 500, 503):
        answers[status] = {"model": bodies.ErrorBody, "description": "refused"}
    return answers


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's schema with the request bodies, which are read by hand to keep their digits."""
    if app.openapi_schema is None:
        schema = FastAPI.openapi(app)
        asked = (bodies.OrderCmdRequest, bodies.CancelRequest, bodies.CloseRequest)
        _, definitions = models_json_schema(
            [(model, "validation") for model in asked], ref_template="#/components/schemas/{model}"
        )
        schema["components"]["schemas"].update(definitions["$defs"])
        app.openapi_schema = schema
    return app.openapi_schema
