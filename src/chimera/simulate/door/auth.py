"""Who is asking, is it really them, and is it now: key, permission, signature over the exact bytes, time window.

REST signs the query followed by the body as sent, less ``signature`` (Binance general-info); the WebSocket API the
parameters sorted by name. ``Claim`` holds whichever it is, so both faces are judged by the same rules.
"""

import binascii
import hmac
import re
from base64 import b64decode
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Final

from chimera.simulate.door.keyring import Key, KeyKind, Keyring, Permission
from chimera.simulate.door.messages import WireRequest
from chimera.simulate.door.params import Params
from chimera.simulate.door.public_keys import signed_by
from chimera.simulate.door.refusals import AHEAD_OF_SERVER, Refusal
from chimera.trading.value import Value

AHEAD_MS = 1_000
DEFAULT_WINDOW_MS = 5_000
MAX_WINDOW_MS = 60_000
KEY_HEADER = "X-MBX-APIKEY"
KEY_FORM: Final = r"[A-Za-z0-9_-]{8,128}"
_KEY = re.compile(KEY_FORM)
_WINDOW = re.compile(r"[0-9]{1,20}(\.[0-9]{1,3})?")
_MICROS_FROM: Final = 10**14  # a timestamp this long is in microseconds: as milliseconds it is of the year 5138


class Security(StrEnum):
    """What a call must bring."""

    NONE = "none"
    KEY = "key"  # USER_STREAM, MARKET_DATA
    SIGNED = "signed"  # TRADE, USER_DATA


class Claim(Value):
    """Who says to be asking: the key as sent and the text that its signature covers.

    ``session``: the key of a WebSocket API connection that is logged on; it needs neither key nor signature again.
    ``key_param``: the parameter that the key is given as, if it is one.
    """

    api_key: str | None
    payload: str
    session: Key | None = None
    key_param: str = ""


def authenticate(
    claim: Claim,
    params: Params,
    security: Security,
    permission: Permission,
    keyring: Keyring,
    now_ms: int,
    *,
    fine: bool,
) -> Key | None:
    """The key that may make this call; ``None`` for a public one. ``fine``: spot's microseconds and decimals."""
    if security is Security.NONE:
        return None
    key = _key_of(claim, keyring)
    if security is Security.SIGNED:
        if not params.text("timestamp"):
            raise Refusal(-1102, "timestamp")
        if claim.session is None or claim.api_key is not None:
            _check_signature(claim.payload, params, key)
        check_time(params, now_ms, fine=fine)
    if permission not in key.permissions:
        raise Refusal(-1002 if permission is Permission.TRANSFER else -2015)
    return key


def _key_of(claim: Claim, keyring: Keyring) -> Key:
    if claim.api_key is None and claim.session is not None:
        return claim.session
    if claim.api_key is None and claim.key_param:
        raise Refusal(-1102, claim.key_param)
    if claim.api_key is None or _KEY.fullmatch(claim.api_key) is None:
        raise Refusal(-2014)
    key = keyring.get(claim.api_key)
    if key is None:
        raise Refusal(-2015)
    return key


def signature(secret: bytes, payload: str) -> str:
    """HMAC-SHA256 as lower-case hex."""
    return hmac.new(secret, payload.encode(), sha256).hexdigest()


def is_signed(key: Key, payload: str, given: str) -> bool:
    """Whether ``given`` is the key's signature: hex in either case for HMAC, base64 for the others."""
    if key.kind is KeyKind.HMAC:
        return hmac.compare_digest(signature(key.secret, payload).encode(), given.lower().encode())
    try:
        raw = b64decode(given, validate=True)
    except (binascii.Error, ValueError):  # ValueError: text beyond ASCII
        return False
    return signed_by(key.secret, payload.encode(), raw)


def payload(request: WireRequest) -> str:
    """What a REST signature covers: query then body, without ``signature``, nothing at the join."""
    return _unsigned(request.query) + _unsigned(request.body)


def _unsigned(part: str) -> str:
    if "signature=" not in part:
        return part
    return "&".join(each for each in part.split("&") if not each.startswith("signature="))


def _check_signature(payload: str, params: Params, key: Key) -> None:
    given = params.text("signature")
    if not given:
        raise Refusal(-1102, "signature")
    if not is_signed(key, payload, given):
        raise Refusal(-1022)


def check_time(params: Params, now_ms: int, *, fine: bool, late_ms: int = 0) -> None:
    """Refuse what is too early or too late. ``late_ms``: how much later than ``now_ms`` this gate is reached."""
    sent = params.integer("timestamp")
    sent_us = sent if fine and sent >= _MICROS_FROM else sent * 1_000
    now_us = (now_ms + late_ms) * 1_000
    window_us = _window_us(params, fine=fine)
    if sent_us >= now_us + AHEAD_MS * 1_000:
        raise Refusal(-1021, text=AHEAD_OF_SERVER)
    if now_us - sent_us > window_us:
        raise Refusal(-1021)


def _window_us(params: Params, *, fine: bool) -> int:
    if not params.has("recvWindow"):
        return DEFAULT_WINDOW_MS * 1_000
    if fine:
        text = params.need("recvWindow")
        if _WINDOW.fullmatch(text) is None:
            raise Refusal(-1102, "recvWindow")
        window_us = int(Decimal(text) * 1_000)
    else:
        window_us = params.integer("recvWindow") * 1_000
    if window_us > MAX_WINDOW_MS * 1_000:
        raise Refusal(-1131) if fine else Refusal(-1130, "recvWindow")
    return window_us
