"""S4's HTTP face: requests in, ``RouterApi`` calls, answers out. It decides nothing about money.

Statuses: 200 final, 202 still working or in doubt; refusals by the table in ``wire.failures``. No amount passes through
``float``, in or out. How a body is read and who is turned away is ``services.face``'s.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chimera.ports.clock import Clock
from chimera.services import face
from chimera.services.build import build
from chimera.services.exposition import MEDIA_TYPE, Samples, page
from chimera.services.face import Answer, answers
from chimera.services.objectives import with_levels
from chimera.services.router import steering, telemetry
from chimera.services.router.api import Outcome, RouterApi, instruments_of
from chimera.services.router.cash_http import add_cash
from chimera.services.router.operating import Operating
from chimera.services.router.operating_http import add_operating
from chimera.services.router.transfers_http import add_transfers
from chimera.services.service import Service
from chimera.services.tracing import called_by
from chimera.trading.errors import NotSent, Refused, StaleWriter, StoreUnavailable
from chimera.trading.intent import Intent
from chimera.wire import account_shown, asks, bodies, failures, naming, request_json, requests, shown, traceparent
from chimera.wire.intents import MAX_BODY_BYTES

_STEERING: Final = {
    "pause": "Send nothing more of an order until it is resumed; what rests leaves the book.",
    "resume": "Go on with an order that pauses: waits and gaps go on where they stopped.",
    "finish": "Take all that is left of an order now.",
}
MAX_NAME_CHARS: Final = 128  # no id of ours or of a caller's is longer
_NOT_READY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": account_shown.ReadyResponse, "description": "new orders are not taken"}
}
_FINAL_WORDS: Final = ("CANCELED", "FILLED", "REJECTED", "FLAT", "CLOSED")


def build_app(
    router: RouterApi,
    *,
    clock: Clock,
    allow_unprotected: bool = False,
    new_id: Callable[[], str] = lambda: secrets.token_hex(8),
    observed: Callable[[], Samples] = tuple,
    operating: Operating | None = None,
) -> FastAPI:
    """The application. ``new_id`` names an unforeseen error in answer and log; ``observed``: more for ``/metrics``;
    ``operating``: what operators change.
    """
    app = FastAPI(title="Chimera S4 Order Router", version="1", docs_url=None, redoc_url=None)
    app.add_middleware(face.Net, new_id=new_id)
    for kind in (Refused, StoreUnavailable, StaleWriter, NotSent, HTTPException):
        app.add_exception_handler(kind, _say_no)
    _add_intents(app, router, clock, allow_unprotected)
    _add_orders(app, router)
    _add_positions(app, router)
    _add_controls(app, router, clock)
    add_cash(app, lambda: router.cash, clock)
    add_transfers(app, lambda: router.transferring)
    add_operating(app, operating)
    _add_health(app, router, clock, observed)
    of_orders = (bodies.OrderCmdRequest, bodies.ReplaceRequest, bodies.CancelRequest)
    of_positions = (bodies.CloseRequest, bodies.SurveyRequest)
    others = (bodies.KillRequest, bodies.ArmRequest, bodies.TransferRequest, bodies.SettleRequest)
    of_operators = (bodies.ApproveRoutes, bodies.RollBackRoutes, bodies.RetryBreaker)
    face.publish(app, Service.S4, (*of_orders, *of_positions, *others, *of_operators))
    return app


def _caller(request: Request) -> traceparent.Caller | None:
    return traceparent.read(request.headers.get(traceparent.TRACEPARENT))


def _add_intents(app: FastAPI, router: RouterApi, clock: Clock, allow_unprotected: bool) -> None:
    async def read_intent(request: Request) -> tuple[Intent, Mapping[str, object]]:
        """Of a caller that traces it is his trace, unless the body names one."""
        document = request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES))
        intent = requests.order_intent(
            document,
            instruments=instruments_of(router),
            now_ms=clock.now_ms(),
            allow_unprotected=allow_unprotected,
            idempotency_key=request.headers.get("idempotency-key"),
        )
        return requests.traced(intent, _caller(request)), document

    @app.post(
        "/orders",
        operation_id="submit_order",
        responses=answers(shown.OrderResult, later=shown.OrderResult),
        **face.takes("OrderCmdRequest"),
    )
    async def submit(request: Request) -> Response:
        """Submit an intent, in the flat or the wrapped shape. The same intent again gives the same result."""
        intent, document = await read_intent(request)
        wait_ms = asks.wait_ms(request.headers.get("prefer"))
        with naming.by_caller(document), called_by(_caller(request)):
            outcome = await router.submit(intent, requests.body_hash(intent), wait_ms=wait_ms)
        headers = {"Location": f"/orders/{outcome.row['order_id']}"}
        if wait_ms is not None:
            headers["Preference-Applied"] = f"wait={wait_ms // 1000}" if wait_ms else "respond-async"
        return Answer(outcome.row, _order_status(outcome), headers)

    @app.post(
        "/orders/preview",
        operation_id="preview_order",
        responses=answers(shown.PreviewResult),
        **face.takes("OrderCmdRequest"),
    )
    async def preview(request: Request) -> Response:
        """What would come of an intent: plan and why, cost, protection, limits. Nothing is kept or sent."""
        intent, document = await read_intent(request)
        with naming.by_caller(document):
            row = await router.preview(intent)
        return Answer(naming.row_by_caller(row, document))


def _add_orders(app: FastAPI, router: RouterApi) -> None:
    for ask in steering.ASKS:
        app.post(f"/orders/{{name}}/{ask}", operation_id=f"{ask}_order", responses=answers(shown.OrderResult))(
            _steer(router, ask)
        )

    @app.post(
        "/orders/{name}/replace",
        operation_id="replace_order",
        responses=answers(shown.OrderResult, later=shown.OrderResult),
        **face.takes("ReplaceRequest"),
    )
    async def replace(name: str, request: Request) -> Response:
        """Change an order that lives: what rests is cancelled, and exactly what is left goes on under the new terms."""
        document = request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES))
        with naming.by_caller(document):
            outcome = await router.replace(_known_length(name), document)
        return Answer(outcome.row, _order_status(outcome))

    @app.get("/orders/{name:path}", operation_id="get_order", responses=answers(shown.OrderResult))
    async def order(name: str) -> Response:
        """The order by order, client or intent id, with its children, fills and timeline."""
        row = await router.order(_known_length(name))
        if row is None:
            raise failures.no_such_order(name)
        return Answer(row)

    @app.post(
        "/cancel",
        operation_id="cancel_order",
        responses=answers(shown.CancelResponse, later=shown.CancelResponse),
        **face.takes("CancelRequest"),
    )
    async def cancel(request: Request) -> Response:
        """Cancel by ``order_id`` XOR ``client_order_id``; cascades to pending slices and legs."""
        ask = asks.cancel(request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES)))
        row = await router.cancel(
            ask.name,
            by="client_order_id" if ask.by_client_id else "order_id",
            reason=ask.reason,
            escalate=ask.escalate,
            cascade=ask.cascade,
        )
        return Answer(row, _working_status(row))


def _steer(router: RouterApi, ask: steering.Ask) -> Callable[[str], Awaitable[Response]]:
    async def steer(name: str) -> Response:
        return Answer(await router.steer(_known_length(name), ask))

    steer.__doc__ = _STEERING[ask]
    return steer


def _add_positions(app: FastAPI, router: RouterApi) -> None:
    @app.get("/positions", operation_id="list_positions", responses=answers(account_shown.PositionsResponse))
    async def positions() -> Response:
        """Every position with its lots and protection; and the account's open orders that are not ours."""
        return Answer({"positions": await router.positions(), "external": router.external()})

    @app.get("/doubts", operation_id="list_doubts", responses=answers(account_shown.DoubtsResponse))
    async def doubts() -> Response:
        """Every order whose outcome, cancel or trades are not known yet, and what would settle it."""
        return Answer({"doubts": router.doubts()})

    @app.post(
        "/positions/{symbol}/close",
        operation_id="close_position",
        responses=answers(shown.CloseResponse, later=shown.CloseResponse),
        **face.takes("CloseRequest", required=False),
    )
    async def close(symbol: str, request: Request) -> Response:
        """Close a position or a part of it: reduce-only, target cancelled first, stop last."""
        body = await face.whole_body(request, MAX_BODY_BYTES)
        document, key = request_json.read_object(body) if body.strip() else {}, request.headers.get("idempotency-key")
        ask = asks.close(document, symbol, instruments_of(router), idempotency_key=key)
        row = await router.close(ask.market, ask.symbol, ask.qty, ask.reason, ask.name)
        return Answer(row, _working_status(row))

    @app.post(
        "/positions/{symbol}/survey",
        operation_id="survey_position",
        responses=answers(account_shown.SurveyResponse),
        **face.takes("SurveyRequest", required=False),
    )
    async def survey(symbol: str, request: Request) -> Response:
        """Ask the venue now about everything of a symbol; what it says is acted on as always."""
        body = await face.whole_body(request, MAX_BODY_BYTES)
        document = request_json.read_object(body) if body.strip() else {}
        market, named = asks.survey(document, symbol, instruments_of(router))
        return Answer(await router.survey(market, named))


def _add_controls(app: FastAPI, router: RouterApi, clock: Clock) -> None:
    receipt, armed = account_shown.KillReceipt, account_shown.ArmReceipt

    @app.post("/kill", operation_id="kill", responses=answers(receipt, later=receipt), **face.takes("KillRequest"))
    async def kill(request: Request) -> Response:
        """Forbid entries, cancel those that work, flatten where asked. 200: the venue shows that it is done."""
        document = request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES))
        wait_ms = asks.wait_ms(request.headers.get("prefer"))
        row = await router.kill(asks.kill(document, clock.now_ms()), wait_ms=wait_ms)
        return Answer(row, 200 if row["verified"] else 202)

    @app.post(
        "/arm",
        operation_id="arm",
        responses=answers(armed, later=account_shown.ArmWord),
        **face.takes("ArmRequest"),
    )
    async def arm(request: Request) -> Response:
        """Take entries again, in two steps: 202 names the word that the second must repeat."""
        ask = asks.arm(request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES)))
        row = await router.arm(ask.scope, ask.name, by=ask.by, reason=ask.reason, confirm=ask.confirm)
        return Answer(row, 200 if ask.confirm is not None else 202)

    @app.get("/killed", operation_id="killed", responses=answers(account_shown.KilledResponse))
    async def killed() -> Response:
        """What stands still, since when, by whom and why; and the words that would arm it again."""
        return Answer(router.killed())


def _add_health(app: FastAPI, router: RouterApi, clock: Clock, observed: Callable[[], Samples]) -> None:
    @app.get("/health", operation_id="health", responses=answers(shown.HealthResponse))
    async def health() -> Response:
        """State of each dependency, always 200 while the process answers."""
        return Answer({**router.health(), "build": build()})

    @app.get("/ready", operation_id="ready", responses=answers(account_shown.ReadyResponse) | _NOT_READY)
    async def ready() -> Response:
        """200 when new orders are taken, else 503: for the scheduler."""
        is_ready = router.ready()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @app.get("/metrics", operation_id="metrics", include_in_schema=False)
    async def metrics() -> Response:
        samples = with_levels(Service.S4, [*await telemetry.samples(router, clock.now_ms()), *observed()])
        return Response(page(Service.S4, samples), media_type=MEDIA_TYPE)


def _known_length(name: str) -> str:
    """The name; raises ``Refused`` NOT_FOUND for one too long to be an order's."""
    if len(name) > MAX_NAME_CHARS:
        raise failures.no_such_order(name)
    return name


def _order_status(outcome: Outcome) -> int:
    if not outcome.done:
        return 202
    if outcome.row["status"] == shown.OrderStatus.REJECTED:
        return failures.status_of(str(outcome.row.get("code") or "VENUE_REFUSED"))
    return 200


def _working_status(row: Mapping[str, object]) -> int:
    return 200 if row.get("status") in _FINAL_WORDS else 202


async def _say_no(_: Request, error: Exception) -> Response:
    return face.no(_as_refused(error), error)


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
        case _:
            return face.unread(error)
