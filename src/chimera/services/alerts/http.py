"""The alerts' HTTP face: what stands, and the few deeds on it. It trades nothing and asks no venue."""

import secrets
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, Literal, TypeVar

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from chimera.ports.clock import Clock
from chimera.services import exposition, face
from chimera.services.alerts.desk import DEAF_MS, Desk, Line
from chimera.services.alerts.telling import untold
from chimera.services.alerts.ticket import shown
from chimera.services.alerts.watch import Watch
from chimera.services.build import build
from chimera.services.exposition import Sample
from chimera.services.face import Answer, answers
from chimera.services.service import Service
from chimera.trading.errors import Refused, StoreUnavailable
from chimera.trading.events import Severity
from chimera.wire import alerts_shown, request_json, shape

MAX_BODY_BYTES: Final = 8_192
LISTED_MAX: Final = 1_000
LOCAL: Final = "loopback"
_REFUSALS: Final = (Refused, StoreUnavailable, HTTPException, RequestValidationError)

Asked = Literal["standing", "open", "acknowledged", "resolved", "all"]
Newest = Annotated[int, Query(ge=1, le=LISTED_MAX)]
B = TypeVar("B", bound=BaseModel)


def build_app(
    desk: Desk, watch: Watch, clock: Clock, *, new_id: Callable[[], str] = lambda: secrets.token_hex(8)
) -> FastAPI:
    """The application; ``desk.run()`` and ``watch.run()`` are the caller's."""
    app = FastAPI(title="Chimera alerts", version="1", docs_url=None, redoc_url=None)
    for kind in _REFUSALS:
        app.add_exception_handler(kind, _say_no)
    app.add_middleware(face.Net, new_id=new_id)
    _add_reading(app, desk)
    _add_deeds(app, desk)
    _add_health(app, desk, watch, clock)
    face.publish(app, Service.ALERTS, alerts_shown.BODIES)
    return app


def _add_reading(app: FastAPI, desk: Desk) -> None:
    @app.get("/alerts", operation_id="list_alerts", responses=answers(alerts_shown.AlertsResponse))
    async def alerts(state: Asked = "standing", newest: Newest = 100) -> Response:
        """What stands, worst first; what is over, newest first."""
        told = await desk.find(state, newest)
        worst = desk.book.worst
        return Answer({"alerts": told, "counts": desk.book.counts(), "worst": None if worst is None else worst.value})

    @app.get("/alerts/{name}", operation_id="get_alert", responses=answers(alerts_shown.TicketShown))
    async def alert(name: str) -> Response:
        """One, also where it has long been over."""
        return Answer(await desk.one(name))


def _add_deeds(app: FastAPI, desk: Desk) -> None:
    @app.post("/alerts/test", operation_id="test_alerts", responses=answers(alerts_shown.TestResponse),
              **face.takes("TestBody", required=False))  # fmt: skip
    async def test(request: Request) -> Response:
        """A message to every channel, now; what each receiver said."""
        await _read(request, alerts_shown.TestBody)
        return Answer({"channels": await desk.test()})

    @app.post("/alerts/{name}/ack", operation_id="acknowledge_alert", responses=answers(alerts_shown.TicketShown),
              **face.takes("AckBody", required=False))  # fmt: skip
    async def acknowledge(name: str, request: Request) -> Response:
        """Somebody looks at it: nobody is reminded of it any more. It stands until it is over."""
        body = await _read(request, alerts_shown.AckBody)
        return Answer(shown(await desk.acknowledge(name, _who(request, body.by), body.note)))

    @app.post("/alerts/{name}/resolve", operation_id="resolve_alert", responses=answers(alerts_shown.TicketShown),
              **face.takes("ResolveBody", required=False))  # fmt: skip
    async def resolve(name: str, request: Request) -> Response:
        """It is over, by somebody's word."""
        body = await _read(request, alerts_shown.ResolveBody)
        return Answer(shown(await desk.resolve(name, _who(request, body.by), body.note, force=body.force)))


def _add_health(app: FastAPI, desk: Desk, watch: Watch, clock: Clock) -> None:
    @app.get("/health", operation_id="health", responses=answers(alerts_shown.AlertsHealth))
    async def health() -> Response:
        """Always 200 while the process answers."""
        return Answer({**health_of(desk, watch, clock), "build": build()})

    @app.get("/ready", operation_id="ready", responses=answers(alerts_shown.AlertsReady))
    async def ready() -> Response:
        """200 when tickets can be kept and the stream is heard."""
        is_ready = desk.store_up and _hears(desk, clock)
        return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)

    @app.get("/metrics", operation_id="metrics", include_in_schema=False)
    async def metrics() -> Response:
        page = exposition.page(Service.ALERTS, samples(desk, clock.now_ms()))
        return Response(page, media_type=exposition.MEDIA_TYPE)


def health_of(desk: Desk, watch: Watch, clock: Clock) -> dict[str, Any]:
    now_ms = clock.now_ms()
    channels = {name: _channel(desk, line, now_ms) for name, line in desk.lines.items()}
    good = desk.store_up and _hears(desk, clock) and all(each["state"] != "failing" for each in channels.values())
    checks = {
        "stream": "ok" if _hears(desk, clock) else "down",
        "store": "ok" if desk.store_up else "down",
        "channels": channels,
        "watched": watch.shown(),
    }
    return {"status": "ok" if good else "degraded", "checks": checks, "counts": desk.book.counts()}


def samples(desk: Desk, now_ms: int) -> Iterator[Sample]:
    """For ``/metrics``."""
    standing = desk.book.standing
    for severity in Severity:
        yield Sample("alerts_standing", (severity.value,), sum(each.severity is severity for each in standing))
    yield Sample("alerts_unreadable", (), desk.unreadable)
    yield Sample("alerts_crowded_out", (), desk.book.crowded_out)
    for name, line in desk.lines.items():
        yield Sample("alerts_sent", (name,), line.sent)
        yield Sample("alerts_attempts_failed", (name,), line.failed)
        yield Sample("alerts_channel_up", (name,), float(line.since_ms is None))
        yield Sample("alerts_untold", (name,), len(untold(desk.book.all, name, desk.policy, now_ms)))


def _channel(desk: Desk, line: Line, now_ms: int) -> dict[str, Any]:
    waiting = len(untold(desk.book.all, line.channel.name, desk.policy, now_ms))
    return {"state": line.state, "why": line.why, "since_ms": line.since_ms, "sent": line.sent, "waiting": waiting}


def _hears(desk: Desk, clock: Clock) -> bool:
    return desk.heard_ms is not None and clock.monotonic_ms() - desk.heard_ms < DEAF_MS


def _who(request: Request, said: str) -> str:
    return str(request.scope.get("chimera.who") or said or LOCAL)


async def _read(request: Request, model: type[B]) -> B:
    body = await face.whole_body(request, MAX_BODY_BYTES)
    return shape.fit(request_json.read_object(body) if body.strip() else {}, model)


async def _say_no(_: Request, error: Exception) -> Response:
    match error:
        case Refused():
            refused = error
        case StoreUnavailable():
            refused = Refused("STORE_DOWN", "the store of the tickets is away; try again")
        case RequestValidationError():
            first = error.errors()[0]
            field = str(first["loc"][-1])
            refused = Refused("OUT_OF_RANGE", first["msg"], field=field, value=str(first.get("input")))
        case _:
            refused = face.unread(error)
    return face.no(refused, error)
