"""S3's HTTP face: requests in, ``Strategy`` calls, answers out. It decides nothing.

Refusals have the one error body of ``wire.failures`` and its statuses; no amount passes through ``float``, in or out.
How a body is read and who is turned away is ``services.face``'s.
"""

import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from chimera.services import face
from chimera.services.build import build
from chimera.services.exposition import MEDIA_TYPE
from chimera.services.face import WITHOUT_CONFLICT, Answer
from chimera.services.service import Service
from chimera.services.strategy import config_http, explain_http
from chimera.services.strategy.engine import Strategy
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.wire import request_json, shape, strategy_shown
from chimera.wire.bundles import BODIES
from chimera.wire.decisions import BatchAnswer, BatchRequest, DecideRequest, DecisionAnswer
from chimera.wire.shown import HealthResponse

_answers = partial(face.answers, refused=WITHOUT_CONFLICT)

_NOT_READY: Final[dict[int | str, dict[str, Any]]] = {
    503: {"model": strategy_shown.ReadyShown, "description": "no decision could become durable"}
}
_REFUSALS: Final = (Refused, StoreUnavailable, HTTPException, RequestValidationError)
MAX_BODY_BYTES: Final = 262_144  # a batch of a hundred with their contexts


def build_app(strategy: Strategy, *, new_id: Callable[[], str] = lambda: secrets.token_hex(8)) -> FastAPI:
    """The application; ``strategy.run()`` is the caller's to keep going. ``new_id`` names an unforeseen error."""
    app = FastAPI(title="Chimera S3 Strategy Engine", version="1", docs_url=None, redoc_url=None)
    for kind in _REFUSALS:
        app.add_exception_handler(kind, _say_no)
    _add_decisions(app, strategy)
    app.add_middleware(face.Net, new_id=new_id)  # around everything: it is the last one added
    _add_health(app, strategy)
    config_http.add(app, strategy)
    explain_http.add(app, strategy)
    explain_http.add_many(app, strategy)
    face.publish(app, Service.S3, (DecideRequest, BatchRequest, *BODIES))
    return app


def _add_decisions(app: FastAPI, strategy: Strategy) -> None:
    @app.post("/decide", operation_id="decide", responses=_answers(DecisionAnswer), **face.takes("DecideRequest"))
    async def decide(request: Request) -> Response:
        """Decide on one symbol. Answers when the signal (and the intent, if any) is durable."""
        body = shape.fit(request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES)), DecideRequest)
        return Answer(dict(await strategy.decide(body)))  # its parts are JSON's own already

    app.add_middleware(
        face.Straight, method="POST", path="/decide", endpoint=decide, refusals=_REFUSALS, say_no=_say_no
    )

    @app.post(
        "/decide/batch", operation_id="decide_batch", responses=_answers(BatchAnswer), **face.takes("BatchRequest")
    )
    async def decide_batch(request: Request) -> Response:
        """Decide on many symbols; each has a result of its own."""
        body = shape.fit(request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES)), BatchRequest)
        answer = await strategy.decide_batch(body)
        return Answer(answer.model_dump(mode="json"))


def _add_health(app: FastAPI, strategy: Strategy) -> None:
    @app.get("/health", operation_id="health", responses=_answers(HealthResponse))
    async def health() -> Response:
        """State of each dependency, always 200 while the process answers."""
        return Answer({**await strategy.health(), "build": build()})

    @app.get("/ready", operation_id="ready", responses=_answers(strategy_shown.ReadyShown) | _NOT_READY)
    async def ready() -> Response:
        """200 when a decision could become durable now, else 503: for the scheduler."""
        is_ready = await strategy.ready()
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @app.get("/metrics", operation_id="metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(strategy.telemetry.page(), media_type=MEDIA_TYPE)


async def _say_no(_: Request, error: Exception) -> Response:
    return face.no(_as_refused(error), error)


def _as_refused(error: Exception) -> Refused:
    match error:
        case Refused():
            return error
        case StoreUnavailable():
            return Refused("STORE_DOWN", "the store is away: the decision is not durable and nothing was sent")
        case _:
            return face.unread(error)
