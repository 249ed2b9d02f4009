"""The route table and the breaker on S4's HTTP face, as operators change them."""

from fastapi import FastAPI, Request, Response

from chimera.services import face
from chimera.services.face import Answer, answers
from chimera.services.router.operating import Operating
from chimera.services.router.transfers_http import MAX_BODY_BYTES
from chimera.trading.errors import Refused
from chimera.trading.money import Millis
from chimera.wire import account_shown, bodies, request_json, shape


def add_operating(app: FastAPI, operating: Operating | None) -> None:
    """``operating`` None: nobody may, as in a process that only shows its schema."""

    def desk() -> Operating:
        if operating is None:
            raise Refused("NOT_ENABLED", "this router is not operated over HTTP")
        return operating

    of_routes = answers(account_shown.RoutesResponse)

    @app.get("/routes", operation_id="list_routes", responses=of_routes)
    async def routes() -> Response:
        """The route table: every revision with who, when and why, the newest first, and what is proposed."""
        return Answer(await desk().routes.shown())

    @app.post("/routes/approve", operation_id="approve_routes", responses=of_routes, **face.takes("ApproveRoutes"))
    async def approve(request: Request) -> Response:
        """Put the proposed table in force, under the next revision. `chimera route fit` proposes."""
        body = shape.fit(await _read(request), bodies.ApproveRoutes)
        return Answer(await desk().routes.approve(Millis(body.proposed_ms), body.by))

    @app.post("/routes/rollback", operation_id="roll_back_routes", responses=of_routes, **face.takes("RollBackRoutes"))
    async def roll_back(request: Request) -> Response:
        """Put an older revision's table in force again, under the next revision."""
        body = shape.fit(await _read(request), bodies.RollBackRoutes)
        return Answer(await desk().routes.roll_back(body.rev, body.by))

    @app.post(
        "/breaker/retry",
        operation_id="retry_breaker",
        responses=answers(account_shown.BreakerShown),
        **face.takes("RetryBreaker"),
    )
    async def retry(request: Request) -> Response:
        """End an open breaker's pause: one entry may try at once, and what becomes of it decides."""
        body = shape.fit(await _read(request), bodies.RetryBreaker)
        return Answer(desk().retry(body.market, body.by, body.reason))


async def _read(request: Request) -> dict[str, object]:
    return dict(request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES)))
