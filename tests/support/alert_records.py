"""Alerts as S3 and S4 tell them, for those who test what is made of them."""

from typing import Any, Final

import msgspec

from chimera.trading.events import Severity
from chimera.wire.alerts import S4, AlertRecord, described
from chimera.wire.events import fields_of

T0: Final = 1_767_225_600_000  # 2026-01-01T00:00:00Z


def a_record(code: str = "USER_STREAM", severity: Severity = Severity.ERROR, **more: Any) -> AlertRecord:
    return msgspec.convert(fields(code, severity, **more), AlertRecord, strict=False)


def fields(code: str = "USER_STREAM", severity: Severity = Severity.ERROR, **more: Any) -> dict[str, str]:
    """As they stand on the stream."""
    told: dict[str, Any] = {"service": S4, "account_id": "main", "text": "it is away", "at_ms": T0, "market": "FUT"}
    return fields_of(described(severity=severity, code=code, **(told | more)))
