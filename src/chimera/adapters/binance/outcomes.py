"""One table: what an HTTP answer means, by the two questions of ``trading.errors``.

Sources, named beside each row: BEC = developers.binance.com USD-M error-code page; BGI = USD-M general-info; 7.4 = the
project's Binance reference "Executed, not executed, unknown"; RC = its reliability reference "Reply classes". Where
they differ the more careful one wins. What no row knows may have happened.
The codes here are futures': spot gives several numbers another meaning (-2021, -2022, -1008, every 5xx) and has a
table of its own. What both have in common is ``judged``. Why a certain no was said stands in ``refusals``.
"""

import re
from collections.abc import Callable
from typing import Final

import msgspec

from chimera.adapters.binance.refusals import BY_CODE, BY_STATUS, NEWER_RULES
from chimera.adapters.binance.transport import Reply
from chimera.trading.errors import ChimeraError, NotSent, OutcomeUnknown, VenueRejected
from chimera.trading.money import Millis

NO_SUCH_ORDER: Final = -2013
NO_NEED_TO_CHANGE_MARGIN: Final = -4046
TOO_MANY: Final = frozenset({-1003, -1015})  # requests, orders
CLOCK_CODES: Final = frozenset({-1021, -5028})  # a fresh clock is needed before the next try

# Lowest and highest code of each certain family, and who says so.
_REJECTED: Final[tuple[tuple[int, int, str], ...]] = (
    (-1002, -1002, "not authorised; BEC"),
    (-1014, -1013, "-1013 invalid message, -1014 unsupported combination; 7.4"),
    (-1020, -1020, "unsupported operation; BEC"),
    (-1016, -1016, "service shut down; BEC"),
    (-1023, -1022, "-1022 bad signature, -1023 start after end; 7.4"),
    (-1099, -1099, "not found, unauthenticated or unauthorised; BEC"),
    (-1199, -1100, "-11xx, malformed or missing parameters; 7.4"),
    (-2010, -2010, "new order rejected (its duplicate text apart); 7.4"),
    (-2011, -2011, "unknown order, on cancel: it ended some way, ask; RC"),
    (-2013, -2013, "order does not exist, on query; RC: no proof by itself"),
    (-2017, -2014, "-2014 key format, -2015 key, IP, permission, -2016 no window, -2017 keys locked; 7.4"),
    (-2028, -2018, "-2018...-2028 margin, reduce-only, position, leverage; 7.4"),
    (-4999, -4000, "-4xxx; 7.4. -4116 means that an order with this id lives: code kept"),
    (-5000, -5000, "path or method invalid; BEC"),
    (-5022, -5021, "-5021 FOK could not fill, -5022 GTX could not rest: no order exists; 7.4"),
    (-5027, -5024, "modify refused; BEC"),
    (-5029, -5029, "modify below notional; BEC"),
    (-5041, -5037, "price match, STP, GTD, book depth; 7.4"),
    (-5043, -5043, "a modify is pending; BEC"),
    (-5047, -5047, "modify, not reduce-only; BEC"),
)
_NOT_SENT: Final[dict[int, str]] = {
    -1003: "too many requests; 7.2",
    -1015: "too many new orders; 7.2",
    -1021: "time stamp outside recvWindow or ahead; 7.4",
    -5028: "too late at the matching engine; 7.4",
}
BANNED: Final = 418
BAN_MS: Final = Millis(120_000)  # the shortest ban (7.2), where neither header nor text dates it
LIMITED: Final = frozenset({BANNED, 429})  # 7.2: refused at the door
_THROTTLED: Final = "Request throttled by system-level protection"  # BGI: a certain failure
_AWAY: Final = "Service Unavailable"  # BGI: a certain failure
_DUPLICATE: Final = "duplicate order"
_BAN: Final = re.compile(r"banned until (\d{13})")
_TEXT_MAX: Final = 200
_RETRY_AFTER_MAX_S: Final = 7 * 86_400  # bans last three days at most (7.2)


class _Trouble(msgspec.Struct):
    code: int | str
    msg: str = ""


def trouble(reply: Reply, server_ms: Millis) -> ChimeraError | None:
    """What a USD-M reply says went wrong, or None for a 2xx without an error body. ``server_ms`` dates ban texts."""
    return judged(reply, server_ms, by_code, _server_error)


def judged(
    reply: Reply,
    server_ms: Millis,
    by_code: Callable[[int, str], ChimeraError],
    server_error: Callable[[int, int | None, str], ChimeraError],
) -> ChimeraError | None:
    """The same by one market's meanings of codes, and of a 5xx (status, code, text)."""
    code, text = said(reply.body)
    if reply.status in LIMITED or code in TOO_MANY:
        wait_ms = _retry_after_ms(reply, text, server_ms)
        if reply.status == BANNED:
            wait_ms = wait_ms or BAN_MS
        return NotSent(f"{reply.status} {code or ''} {text}".strip(), wait_ms)
    if reply.status >= 500:
        return server_error(reply.status, code, text)
    if 200 <= reply.status < 300:
        return None if code is None or code >= 0 else by_code(code, text)
    if code is not None and code < 0 and reply.status not in (403, 408):
        return by_code(code, text)
    if reply.status in BY_STATUS:  # 7.4, 7.2: key, or an endpoint that is not there
        return VenueRejected(reply.status, text or "HTTP status without a code", BY_STATUS[reply.status])
    # 403 is the firewall (RC: unknown once), 408 the backend's time-out (BGI), 3xx and codeless 4xx are nobody we know.
    return OutcomeUnknown(f"HTTP {reply.status} {code or ''} {text}".strip())


def by_code(code: int, text: str) -> ChimeraError:
    """The meaning of a futures error code."""
    if code in _NOT_SENT:
        return NotSent(f"{code}: {text}")
    if code == -1008 and _THROTTLED in text:
        return NotSent(f"{code}: {text}")
    if code == -2010 and _DUPLICATE in text.lower():
        return OutcomeUnknown(f"{code}: {text}")  # an order with this id lives: ask for it
    if any(low <= code <= high for low, high, _ in _REJECTED):
        why = BY_CODE.get(code)
        return VenueRejected(code, text, why, of_rules=why in NEWER_RULES)
    return OutcomeUnknown(f"{code}: {text}")  # -1000, -1001, -1006, -1007, -1010, -1008 otherwise, and the unheard of


def _server_error(status: int, code: int | None, text: str) -> ChimeraError:
    """BGI, change log 2025-10-23: of the four 503 texts two are certain failures; "Internal error" RC doubts."""
    said = f"HTTP {status} {code or ''} {text}".strip()
    if status == 503 and (_THROTTLED in text or text.strip().rstrip(".") == _AWAY):
        return NotSent(said)
    return OutcomeUnknown(said)


def said(body: bytes) -> tuple[int | None, str]:
    """Code and text of an error body; a body that is not one is its own text."""
    try:
        found = msgspec.json.decode(body, type=_Trouble)
        return int(found.code), found.msg[:_TEXT_MAX]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None, body[:_TEXT_MAX].decode("utf-8", "replace")


def throttled(body: bytes) -> bool:
    """Whether the venue sheds load; what reduces is exempt (BGI)."""
    return _THROTTLED in said(body)[1]


def _retry_after_ms(reply: Reply, text: str, server_ms: Millis) -> Millis | None:
    """The header (seconds), else the ban's end in the text (epoch ms, venue clock), else None."""
    header = reply.headers.get("retry-after", "")
    if header.isascii() and header.isdigit():
        return Millis(min(int(header[:9]), _RETRY_AFTER_MAX_S) * 1000)
    ban = _BAN.search(text)
    return None if ban is None else Millis(max(int(ban[1]) - server_ms, 0))
