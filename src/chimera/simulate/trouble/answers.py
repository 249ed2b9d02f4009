"""What a client sees of a fault on its request: the venue's own texts, and who is spared.

Sources: Binance derivatives general-info (the four 503 texts, 2025-10-23), error-code pages of both markets. HTTP
status of -1006 is chosen (500: any 5xx leaves the outcome open), for no page gives one.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from chimera.simulate.door.messages import WireRequest, WireResponse
from chimera.simulate.trouble.faults import RequestFault, Trouble

JSON: Final = {"Content-Type": "application/json"}
ANSWERS: Final = {
    Trouble.UNKNOWN_503: (503, -1000, "Unknown error, please check your request or try again later."),
    Trouble.UNAVAILABLE_503: (503, 0, "Service Unavailable."),
    Trouble.INTERNAL_503: (503, -1001, "Internal error; unable to process your request. Please try again."),
    Trouble.THROTTLED_503: (
        503,
        -1008,
        "Request throttled by system-level protection. Reduce-only/close-position orders are exempt. Please try again.",
    ),
    Trouble.OVERLOADED_503: (
        503,
        -1008,
        "Server is currently overloaded with other requests. Please try again in a few minutes.",
    ),
    Trouble.UNEXPECTED_1006: (
        500,
        -1006,
        "An unexpected response was received from the message bus. Execution status unknown.",
    ),
    Trouble.TIMEOUT_1007: (
        408,
        -1007,
        "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    ),
}
_CLOSING: Final = ({"positionside": "long", "side": "sell"}, {"positionside": "short", "side": "buy"})


def spares(fault: RequestFault, request: WireRequest) -> bool:
    """Whether system protection lets this request pass: exits and cancels are exempt (Binance general-info)."""
    if fault.trouble is not Trouble.THROTTLED_503:
        return False
    return request.method != "POST" or reduces(request)


def reduces(request: WireRequest) -> bool:
    """Whether a placement can only lower exposure, by its own words."""
    sent = dict(part.split("=", 1) for part in f"{request.query}&{request.body}".lower().split("&") if "=" in part)
    if "true" in (sent.get("reduceonly"), sent.get("closeposition")):
        return True
    return any(sent.items() >= closing.items() for closing in _CLOSING)


def answer(fault: RequestFault, executed: WireResponse | None) -> WireResponse:
    """What the client sees; ``executed`` is the venue's own answer where it ran."""
    if executed is not None and fault.trouble is Trouble.DELAY:
        return executed.but(delay_ms=fault.delay_ms)
    if executed is not None and fault.trouble is Trouble.ZEROS:
        return executed.but(delay_ms=fault.delay_ms, body=zeroed(executed.body))
    if executed is not None and fault.trouble is Trouble.LATE_ROWS:
        return executed.but(delay_ms=fault.delay_ms, body=without_the_newest(executed.body, fault.unread_ms))
    if fault.trouble is Trouble.DROP:
        return WireResponse(status=0, headers={}, body=b"", dropped=True, delay_ms=fault.delay_ms)
    status, code, msg = ANSWERS.get(fault.trouble, (fault.status, fault.code, fault.msg))
    body = msgspec.json.encode({"code": code, "msg": msg})
    return WireResponse(status=status, headers=JSON | fault.headers, body=body, delay_ms=fault.delay_ms)


_KEPT: Final = frozenset({"accountAlias", "asset", "symbol", "positionSide"})


def zeroed(body: bytes) -> bytes:
    """The same answer with every amount, which Binance writes as a string of digits, zero. Ids and times stay."""
    return msgspec.json.encode(_zeroed(msgspec.json.decode(body)))


def without_the_newest(body: bytes, after_ms: int) -> bytes:
    """A list of rows without those after this moment; any other answer as it is."""
    rows = msgspec.json.decode(body)
    return msgspec.json.encode([row for row in rows if row["time"] <= after_ms]) if isinstance(rows, list) else body


def _zeroed(node: Any, name: str = "") -> Any:
    if isinstance(node, dict):
        return {key: _zeroed(value, key) for key, value in node.items()}
    if isinstance(node, list):
        return [_zeroed(each, name) for each in node]
    if isinstance(node, str) and name not in _KEPT and _is_amount(node):
        places = len(node.partition(".")[2])
        return f"{Decimal(0):.{places}f}"
    return node


def _is_amount(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1)
    return digits.isascii() and digits.isdigit()
