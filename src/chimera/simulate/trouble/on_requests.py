"""What each fault on requests does to one that it strikes.

A fault that needs a memory (a ban, what was placed lately) keeps it in its ``Armed``. Codes of spot and futures differ
where one sentence has two; the path tells which market is meant.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from chimera.simulate.door.messages import WireRequest
from chimera.simulate.door.refusals import CODES, Refusal
from chimera.simulate.trouble.answers import reduces
from chimera.simulate.trouble.armed import Armed
from chimera.simulate.trouble.faults import RequestFault, Trouble
from chimera.simulate.trouble.match import SPOT, client_ids_in, market_of
from chimera.trading.money import Millis

_BAN: Final = 418
LONGEST_BAN_MS: Final = 3 * 24 * 3_600_000
_SPOT_POOR: Final = "Account has insufficient balance for requested action."
_TOO_MANY: Final = (
    "Too many requests; current limit of IP is exceeded. Please use the websocket for live updates to avoid polling "
    "the API."
)
_BANNED: Final = "Way too many requests; IP banned until {}. Please use the websocket for live updates to avoid bans."
_CLOSED: Final = "This service is no longer available."
_UNKNOWN_ORDER: Final = "Order does not exist."

Strike = Callable[[Armed, WireRequest, Millis], RequestFault | None]


def _plain(trouble: Trouble) -> Strike:
    return lambda armed, request, now_ms: RequestFault(trouble=trouble)


def _either(trouble: Trouble) -> Strike:
    return lambda armed, request, now_ms: RequestFault(
        trouble=trouble, executed=armed.executed(), delay_ms=Millis(armed.params.get("ms", 0))
    )


def _lost(executed: bool) -> Strike:
    return lambda armed, request, now_ms: RequestFault(
        trouble=Trouble.DROP, executed=executed, delay_ms=Millis(armed.params["hang_ms"])
    )


def _late(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault:
    """Out or at the engine; what is late on its way in is so before it comes (``Schedule.on_arrival``)."""
    wait = armed.wait()
    engine_ms = wait if armed.params["way"] == "engine" else Millis(0)
    return RequestFault(trouble=Trouble.DELAY, delay_ms=wait, engine_ms=engine_ms)


def _late_ack(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault:
    return RequestFault(trouble=Trouble.DELAY, delay_ms=Millis(armed.params["ms"]))


def _maintenance(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault:
    if armed.params["answer"] == "503":
        return RequestFault(trouble=Trouble.UNAVAILABLE_503)
    return refusal(-1016, _CLOSED, HTTPStatus.SERVICE_UNAVAILABLE)


def _poor(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault | None:
    spot = market_of(request.path) == SPOT
    if reduces(request) or (spot and "side=sell" in f"{request.query}&{request.body}".lower()):
        return None
    return refusal(-2010, _SPOT_POOR) if spot else refusal(-2019, text_of(-2019))


def _refused(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault:
    code = armed.params["code"]
    return refusal(code, armed.params["msg"] or text_of(code))


def text_of(code: int) -> str:
    """What the venue prints with a code; gaps in it stay empty."""
    return Refusal(code, "", "").msg if code in CODES else ""


def _forgotten(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault | None:
    """A placement that queries will not know for a while."""
    if request.method == "POST" and "rder" in request.path:
        until_ms = now_ms + armed.params["ms"]
        armed.until_ms.update(dict.fromkeys(client_ids_in(request), until_ms))
    return None


def _unread(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault | None:
    """A query for what was placed a moment ago."""
    if request.method == "GET" and any(armed.until_ms.get(each, 0) > now_ms for each in client_ids_in(request)):
        return refusal(-2013, _UNKNOWN_ORDER)
    return None


def _untold(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault:
    return RequestFault(trouble=Trouble.LATE_ROWS, unread_ms=Millis(now_ms - armed.params["ms"]))


def _storm(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault | None:
    """The first of a storm: 429."""
    armed.until_ms["calm"] = now_ms + armed.params["retry_ms"]
    armed.until_ms["asked"] = 0
    return _blocked(armed, request, now_ms)


def _blocked(armed: Armed, request: WireRequest, now_ms: Millis) -> RequestFault | None:
    """Whether a storm or its ban is on for the request in hand: 429, and 418 for who did not wait."""
    memory, told = armed.until_ms, armed.params
    if now_ms < memory.get("banned", 0):
        return _waiting(_BAN, _BANNED.format(memory["banned"]), memory["banned"] - now_ms, armed)
    if now_ms >= memory.get("calm", 0):
        return None
    memory["asked"] += 1
    if memory["asked"] <= told["patience"]:
        return _waiting(HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY, memory["calm"] - now_ms, armed)
    ban_ms = min(told["ban_ms"] * 2 ** memory.get("bans", 0), LONGEST_BAN_MS)
    memory["bans"] = memory.get("bans", 0) + 1
    memory["banned"], memory["calm"] = now_ms + ban_ms, 0
    return _waiting(_BAN, _BANNED.format(memory["banned"]), ban_ms, armed)


def _waiting(status: int, msg: str, wait_ms: int, armed: Armed) -> RequestFault:
    seconds = str(-(-wait_ms // 1000))
    headers = {"Retry-After": seconds} if armed.params["header"] else {}
    return RequestFault(trouble=Trouble.REFUSE, status=int(status), code=-1003, msg=msg, headers=headers)


def refusal(code: int, msg: str, status: int = HTTPStatus.BAD_REQUEST) -> RequestFault:
    """A refusal as the venue writes it."""
    return RequestFault(trouble=Trouble.REFUSE, code=code, msg=msg, status=int(status))


STRIKES: Final[dict[str, Strike]] = {
    "latency": _late,
    "late_ack": _late_ack,
    "timeout_before": _lost(False),
    "timeout_after": _lost(True),
    "unknown_503": _either(Trouble.UNKNOWN_503),
    "unavailable_503": _plain(Trouble.UNAVAILABLE_503),
    "internal_503": _plain(Trouble.INTERNAL_503),
    "throttled_503": _plain(Trouble.THROTTLED_503),
    "overloaded_503": _either(Trouble.OVERLOADED_503),
    "unexpected_1006": _either(Trouble.UNEXPECTED_1006),
    "timeout_1007": _either(Trouble.TIMEOUT_1007),
    "rate_limit_storm": _storm,
    "maintenance": _maintenance,
    "balance_too_low": _poor,
    "zero_balance_read": _plain(Trouble.ZEROS),
    "read_lag": _forgotten,
    "trades_lag": _untold,
    "refused": _refused,
    "stop_refused": _refused,
}
AT_WORK: Final[dict[str, Strike]] = {"rate_limit_storm": _blocked, "read_lag": _unread}  # whatever chance says
