"""Who is asking, and is it really them, now: key header, HMAC over the exact bytes, time window.

The signature covers the query followed by the body as sent, less the ``signature`` parameter (Binance general-info).
"""

import hmac
import re
from enum import StrEnum
from hashlib import sha256

from chimera.simulate.door.messages import WireRequest
from chimera.simulate.door.params import Params
from chimera.simulate.door.refusals import AHEAD_OF_SERVER, Refusal
from chimera.simulate.usdm.accounts import Account

AHEAD_MS = 1_000
DEFAULT_WINDOW_MS = 5_000
MAX_WINDOW_MS = 60_000
KEY_HEADER = "X-MBX-APIKEY"
_KEY = re.compile(r"[A-Za-z0-9_-]{8,128}")


class Security(StrEnum):
    """What a call must bring."""

    NONE = "none"
    KEY = "key"  # USER_STREAM, MARKET_DATA
    SIGNED = "signed"  # TRADE, USER_DATA


def authenticate(
    request: WireRequest, params: Params, security: Security, by_key: dict[str, Account], now_ms: int
) -> Account | None:
    """The account that may make this call; ``None`` for a public one."""
    if security is Security.NONE:
        return None
    key = request.header(KEY_HEADER)
    if key is None or _KEY.fullmatch(key) is None:
        raise Refusal(-2014)
    account = by_key.get(key)
    if account is None:
        raise Refusal(-2015)
    if security is Security.SIGNED:
        _check_signature(request, params, account)
        _check_time(params, now_ms)
    return account


def signature(secret: bytes, payload: str) -> str:
    """HMAC-SHA256 as lower-case hex."""
    return hmac.new(secret, payload.encode(), sha256).hexdigest()


def payload(request: WireRequest) -> str:
    """The signed bytes: query then body, without ``signature``, nothing at the join."""
    return _unsigned(request.query) + _unsigned(request.body)


def _unsigned(part: str) -> str:
    if "signature=" not in part:
        return part
    return "&".join(each for each in part.split("&") if not each.startswith("signature="))


def _check_signature(request: WireRequest, params: Params, account: Account) -> None:
    if not params.text("timestamp"):
        raise Refusal(-1102, "timestamp")
    given = params.text("signature")
    if not given:
        raise Refusal(-1102, "signature")
    if not hmac.compare_digest(signature(account.secret, payload(request)).encode(), given.lower().encode()):
        raise Refusal(-1022)


def _check_time(params: Params, now_ms: int) -> None:
    sent = params.integer("timestamp")
    window = params.integer_or("recvWindow", DEFAULT_WINDOW_MS)
    if window > MAX_WINDOW_MS:
        raise Refusal(-1130, "recvWindow")
    if sent >= now_ms + AHEAD_MS:
        raise Refusal(-1021, text=AHEAD_OF_SERVER)
    if now_ms - sent > window:
        raise Refusal(-1021)
