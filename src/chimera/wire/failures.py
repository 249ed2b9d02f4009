"""The one table from our errors to HTTP: code → status, and the one body every refusal has.

A code that is not in the table is a business rule's (422), so that a new rule of the core needs no line here. The
message is for people, the code is for programs and never changes its meaning.
"""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import Final

from chimera.trading.errors import Refused
from chimera.trading.money import text

ORDER_NAMES: Final = "order_id, client_order_id or intent_id of an order that this S4 was given; the console lists them"
STANDBY: Final = "STANDBY"  # another router acts for the account: nothing was started
LEASE_LOST: Final = "LEASE_LOST"  # another router acts now; this one may have begun

BAD_REQUEST: Final = (
    "MALFORMED",  # not JSON, or a value of the wrong kind
    "MISSING_FIELD",
    "UNKNOWN_FIELD",
    "OUT_OF_RANGE",
    "OFF_TICK",
    "BELOW_STEP",
    "STOP_PRICE_MISSING",
    "ONE_NAME",  # order_id XOR client_order_id
)
WHO: Final = (  # who asks is not known; nothing was started
    "TOKEN_NEEDED",
    "TOKEN_WRONG",
    "TOKEN_EXPIRED",
    "SIGNATURE_NEEDED",
    "SIGNATURE_MALFORMED",
    "SIGNATURE_WRONG",
    "SIGNATURE_EXPIRED",
    "SIGNATURE_EARLY",
    "SIGNATURE_REPLAYED",
)
CONFLICT: Final = (
    "ALREADY_FILLED",
    "NOT_WORKING",  # its intent is over, or being cancelled
    "POSITION_OPPOSED",
    "CLOSING",  # the position is being closed
    "LEVERAGE_IN_USE",  # what stands there was opened at another
    "LEVERAGE_TOO_OFTEN",  # it was changed a few times in the last minute
    "NOT_KILLED",
    "STILL_STANDS",  # an alert whose service will tell its end
    "CONFIRM",  # the word that arms again
    "TRANSFER_UNDER_WAY",
    "TRANSFER_IN_DOUBT",  # nothing more moves until the venue's history has spoken
    "BUNDLE_EXISTS",  # another content under this name
    "CONFIG_MOVED",  # others change it at the same time
    "NOTHING_ACTIVE",
    "NO_TRIAL",
    "TRIAL_RUNNING",
    "ROUTES_MOVED",  # the table that was looked at is not the one that stands there
    "ROUTES_FIXED",  # its file is not S4's to write
    "ROUTES_UNREADABLE",
    "BREAKER_NOT_OPEN",
    "SYMBOL_ISOLATED",  # others trade it on the account, and the policy is to keep away
)
AWAY: Final = (  # what it needs did not answer, or did not so often that it is not asked for a while
    "BREAKER_OPEN",
    "VENUE_DOWN",
    "STORE_DOWN",
    "NO_MARKET_DATA",
)
HELD: Final = (  # nothing was tried: we keep it back, and an alert of its own says why
    "NOT_READY",
    "RECOVERING",
    STANDBY,
    # barriers that stand for a while
    "BUS_AWAY",
    "CLOCK",
    "CLOCK_UNKNOWN",
    "LEDGER_AWAY",
    "LEDGER_AWAY_AT_BOOT",
    "LEDGER_RESTORED",
    "LEDGER_UNCHECKED",
    "LOOP_LAG",
    "MARKET_STALE",
    "PROBING",
    "QUEUE_FULL",
    "RATE_GOVERNOR",
    "REDIS_SHARED",
    "ROUTE_TABLE_UNREADABLE",
    "SUCCEEDING",
    "USER_STREAM",
    "VENUE_BAN",
    # and those that somebody has to lift
    "ACCOUNT_CANNOT_TRADE",
    "ACCOUNT_MODE",
    "KEY_REFUSED",
    "NO_PROTECTIVE_FORM",
    "NO_STOP_SLOTS",
    "SYMBOL_NOT_TRADING",
)
RULES: Final = (
    "DUPLICATE_ID",  # another body under a used id
    "CANCELED",  # one of its ids, before it came
    "KEY_MISMATCH",  # the Idempotency-Key header names neither id of the body
    "UNKNOWN_SYMBOL",
    "NOT_ENABLED",
    "UNPROTECTED",
    "WRONG_SIDE_STOP",
    "WRONG_SIDE_TARGET",
    "MIN_NOTIONAL",
    "REDUCE_ONLY_OPENS",
    "BELOW_FILLED",  # a change to less than has filled
    "KILL_SWITCH",
    "STALE_INTENT",
    "VENUE_REFUSED",
    "BUNDLE_REFUSED",  # by lint
    "TRANSFERS_OFF",
    "TRANSFER_ASSET",
    "TRANSFER_LIMIT",
)

STATUSES: Final[Mapping[str, HTTPStatus]] = {
    **dict.fromkeys(BAD_REQUEST, HTTPStatus.BAD_REQUEST),
    **dict.fromkeys(WHO, HTTPStatus.UNAUTHORIZED),
    "CROSS_ORIGIN": HTTPStatus.FORBIDDEN,
    "ROLE_TOO_LOW": HTTPStatus.FORBIDDEN,
    "NOT_FOUND": HTTPStatus.NOT_FOUND,
    "METHOD_NOT_ALLOWED": HTTPStatus.METHOD_NOT_ALLOWED,
    **dict.fromkeys(CONFLICT, HTTPStatus.CONFLICT),
    "TOO_LARGE": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    **dict.fromkeys(RULES, HTTPStatus.UNPROCESSABLE_ENTITY),
    "TOO_MANY_REQUESTS": HTTPStatus.TOO_MANY_REQUESTS,
    "INTERNAL": HTTPStatus.INTERNAL_SERVER_ERROR,
    "OUTCOME_UNKNOWN": HTTPStatus.INTERNAL_SERVER_ERROR,  # the store was away in the middle of a change
    LEASE_LOST: HTTPStatus.INTERNAL_SERVER_ERROR,
    **dict.fromkeys((*AWAY, *HELD), HTTPStatus.SERVICE_UNAVAILABLE),
}

AT_THE_DOOR: Final = frozenset({*WHO, "CROSS_ORIGIN", "ROLE_TOO_LOW", "NOT_FOUND", "METHOD_NOT_ALLOWED"})
FOREIGN: Final = "HTTP_"  # begins the code of an answer that is none of ours

REMEDIES: Final[Mapping[str, tuple[str, str]]] = {
    "LIMIT_ORDER_NOTIONAL": ("qty", "orders of at most S4_MAX_ORDER_NOTIONAL_USDT each: less, or TWAP slices"),
    "LIMIT_POSITION_NOTIONAL": ("qty", "what S4_MAX_POSITION_NOTIONAL_USDT leaves beside all that is open"),
    "LIMIT_GROSS_NOTIONAL": ("qty", "what S4_MAX_GROSS_NOTIONAL_USDT leaves beside all positions of the account"),
    "LIMIT_DAILY_LOSS": ("kind", "orders that only reduce, until 00:00 UTC"),
    "LIMIT_PRICE_COLLAR": ("exec_policy", "a price within S4_PRICE_COLLAR_BPS of the mark"),
    "LIMIT_ORDER_RATE": ("kind", "orders that only reduce; entries again within 10 s"),
    "KILL_SWITCH": ("kind", "orders that only reduce, until somebody arms"),
    "INSUFFICIENT_BALANCE": ("qty", "what the free margin carries at this leverage"),
}  # of an order that was taken and then refused at the last hop: the field that decides it, and what would be accepted

_SHOWN_CHARS: Final = 80


def kept_back(no: str, asked: Mapping[str, object]) -> Refused:
    """What the last hop says, ``CODE: sentence``, as a refusal of what was asked for."""
    code, _, message = no.partition(": ")
    field, value, accepted = remedy(code, asked)
    return Refused(code, message, field=field, value=value, accepted=accepted)


def remedy(code: str, asked: Mapping[str, object]) -> tuple[str | None, object, str | None]:
    """The field that decides it, what it held, and what would be accepted; each None where nothing is known to help."""
    field, accepted = REMEDIES.get(code, (None, None))
    return field, None if field is None else asked.get(field), accepted


def status_of(code: str) -> int:
    """HTTP status of a refusal; 422 for a business rule that the table does not name (``LIMIT_...``)."""
    return int(STATUSES.get(code, HTTPStatus.UNPROCESSABLE_ENTITY))


def is_of_the_door(code: str) -> bool:
    """Whether who answered ``POST /orders`` has not looked at the order: it was turned away before, or is another."""
    return code in AT_THE_DOOR or code.startswith(FOREIGN)


def no_such_order(name: str, *, field: str = "order_id", message: str = "no such order") -> Refused:
    """Nothing was sent under this name, or nothing that is the caller's to change."""
    return Refused("NOT_FOUND", message, field=field, value=name, accepted=ORDER_NAMES)


def error_body(refused: Refused) -> dict[str, object]:
    """``{result: FAIL, code, message, field, value, accepted}``; the value shortened, and safe to show."""
    return {
        "result": "FAIL",
        "code": refused.code,
        "message": refused.message,
        "field": refused.field,
        "value": _shown(refused.value),
        "accepted": refused.accepted,
    }


def _shown(value: object) -> object:
    match value:
        case None | bool():
            return value
        case Decimal():
            return text(value) if value.is_finite() else str(value)
        case int():
            return value
        case str():
            short = value if len(value) <= _SHOWN_CHARS else value[:_SHOWN_CHARS] + "..."
            return short.encode("utf-8", "backslashreplace").decode("utf-8")  # a lone surrogate has no UTF-8 form
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a JSON object"
        case _:
            return str(value)[:_SHOWN_CHARS]
