"""An alert as the stream ``alerts`` carries it, made and read in one place.

A record says how bad it is (``severity``), what it is (``code``, stable), what it is about (``subject``), since when,
which others are the same (``dedupe``) and where the runbook tells what to do. ``lasts``: its end will be told, by a
record whose code ends it; until then it stands. ``life_ms``: since when the process that tells it has lived. What a
process knows in memory alone ends with it, so a later life takes back what an earlier one has left standing.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from chimera.trading.events import Severity
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire.codec import SCHEMA_VERSION, check_version
from chimera.wire.runbook import chapter

S3: Final = "s3-strategy"
S4: Final = "s4-router"

OVER: Final = "_OVER"
_ENDS: Final = {"BREAKER_CLOSED": "BREAKER_OPEN", "ARMED": "KILLED", "UNBLOCKED": "BLOCKED"}
_RANKS: Final = (Severity.INFO, Severity.WARN, Severity.ERROR, Severity.FATAL)


class About(NamedTuple):
    """What a code is about: itself, or the one that it ends."""

    code: str
    ends: bool


class AlertRecord(Value, tag=False, forbid_unknown_fields=False):
    """As read; a record of an older version has no more than the first four."""

    severity: Severity
    code: str
    text: str = ""
    at_ms: Millis = Millis(0)
    service: str = S4
    account_id: str = ""
    market: str = ""
    symbol: str = ""
    subject: str = ""
    since_ms: Millis | None = None
    lasts: bool = False
    life_ms: Millis = Millis(0)
    dedupe: str = ""
    runbook: str = ""


def read_alert(fields: Mapping[str, str]) -> AlertRecord:
    """A record of the stream. Raises ``msgspec.MsgspecError``, ``ValueError`` or ``NewerSchema``."""
    data = fields.get("data")
    row: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any]) if data else dict(fields)
    check_version(int(row.get("schema_version", SCHEMA_VERSION)))
    return msgspec.convert(row, AlertRecord, strict=False)


def about(code: str) -> About:
    """``USER_STREAM_OVER`` is about ``USER_STREAM``, and ends it."""
    if code.endswith(OVER):
        return About(code.removesuffix(OVER), ends=True)
    return About(_ENDS.get(code, code), ends=code in _ENDS)


def rank(severity: str) -> int:
    """The worse, the higher; what is no severity counts as the least."""
    return next((place for place, each in enumerate(_RANKS) if each == severity), 0)


def described(
    *,
    service: str,
    account_id: str,
    severity: Severity,
    code: str,
    text: str,
    at_ms: int,
    market: str = "",
    subject: str = "",
    since_ms: int | None = None,
    lasts: bool = False,
    life_ms: int = 0,
) -> dict[str, Any]:
    """The fields that every alert has, whoever tells it. ``since_ms`` None: it happened just now."""
    what = about(code)
    fields: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "service": service,
        "account_id": account_id,
        "severity": severity.value,
        "code": code,
        "subject": subject,
        "text": text,
        "at_ms": at_ms,
        "since_ms": at_ms if since_ms is None else since_ms,
        "lasts": lasts,
        "dedupe": ":".join((service, account_id, market, what.code, subject)),
        "runbook": chapter(what.code),
    }
    if market:
        fields["market"] = market
    if life_ms:
        fields["life_ms"] = life_ms
    return fields
