"""The control API's part about faults: what there is, what is armed, arm, clear, play a scenario.

``GET /sim/faults`` · ``POST /sim/faults`` (one fault or a list, all or none) · ``DELETE /sim/faults?id=`` (all without
an id) · ``POST /sim/scenario``. A body that does not fit is answered with its field, its value and what is accepted.
"""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from chimera.simulate.door.messages import NO_JSON, WireRequest
from chimera.simulate.trouble.catalogue import CATALOGUE
from chimera.simulate.trouble.faults import Faults
from chimera.simulate.trouble.scenario import CODE, Scenario, fault, read, shown
from chimera.simulate.trouble.schedule import Schedule
from chimera.trading.errors import Refused
from chimera.trading.money import Millis

FAULTS: Final = "/sim/faults"
SCENARIO: Final = "/sim/scenario"
PATHS: Final = frozenset({FAULTS, SCENARIO})
_BAD_VALUE: Final = -1130


def answer(
    request: WireRequest, faults: Faults, now_ms: Millis, begin: Callable[[Scenario], Schedule]
) -> tuple[int, Any]:
    """Status and body for a request to one of ``PATHS``. ``begin`` puts a scenario in the place of what is armed."""
    try:
        match request.method, request.path:
            case "GET", "/sim/faults":
                return HTTPStatus.OK, picture(_schedule(faults), now_ms)
            case "POST", "/sim/faults":
                return HTTPStatus.OK, {"ids": _arm(_schedule(faults), request, now_ms)}
            case "DELETE", "/sim/faults":
                ids = [value for name, value in parse_qsl(request.query) if name == "id"]
                return HTTPStatus.OK, {"cleared": _schedule(faults).clear(ids or None)}
            case "POST", "/sim/scenario":
                _schedule(faults)
                scenario = read(_mapping(request.body))
                begun = begin(scenario)
                return HTTPStatus.OK, {"name": scenario.name, "seed": scenario.seed, "ids": begun.ids}
            case _:
                return HTTPStatus.NOT_FOUND, {"code": -5000, "msg": f"{request.method} is not offered here"}
    except Refused as refused:
        about = {"field": refused.field, "value": refused.value, "accepted": refused.accepted}
        return HTTPStatus.BAD_REQUEST, {"code": _BAD_VALUE, "msg": refused.message, **about}


def picture(schedule: Schedule, now_ms: Millis) -> dict[str, Any]:
    """The catalogue, and what is armed of it."""
    scenario = schedule.scenario
    return {
        "scenario": {"name": scenario.name, "seed": scenario.seed, "since_ms": schedule.since_ms},
        "armed": schedule.picture(now_ms),
        "catalogue": list(CATALOGUE.values()),
    }


def _schedule(faults: Faults) -> Schedule:
    if isinstance(faults, Schedule):
        return faults
    raise Refused(CODE, "this venue's faults are of its owner's own making; none can be armed from outside")


def _arm(schedule: Schedule, request: WireRequest, now_ms: Millis) -> tuple[str, ...]:
    body = _decoded(request.body)
    if isinstance(body, list):
        return schedule.arm([fault(row, f"[{place}].") for place, row in enumerate(body)], now_ms)
    return schedule.arm([fault(body)], now_ms)


def _mapping(body: str) -> Mapping[str, Any]:
    given = _decoded(body)
    if not isinstance(given, Mapping):
        raise Refused(CODE, "a scenario is a mapping", field="body", value=shown(given), accepted="a JSON object")
    return given


def _decoded(body: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except NO_JSON as error:
        raise Refused(CODE, f"this is not JSON ({error})", field="body", accepted="JSON") from error
