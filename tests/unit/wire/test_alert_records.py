"""What a record of the stream ``alerts`` says: of what, since when, what is the same, where to read on."""

import re
from pathlib import Path
from typing import Final

import msgspec
import pytest

from chimera.trading.events import Alert, Event, Severity
from chimera.trading.ids import DEFAULT_ACCOUNT, PositionKey, Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis
from chimera.wire.alerts import S3, S4, AlertRecord, about, described, rank
from chimera.wire.events import Publish, fields_of, writes
from chimera.wire.runbook import CHAPTER_OF

pytestmark = pytest.mark.req("S4-ALR-1", "S3-ALR-1")

RUNBOOK: Final = Path(__file__).resolve().parents[3] / "docs" / "runbook.md"
KEY: Final = PositionKey(venue="binance", account=DEFAULT_ACCOUNT, market=Market.FUT, symbol=Symbol("BTCUSDT"))


def a_record(code: str, **more: object) -> AlertRecord:
    told = described(
        service=S4, account_id="main", severity=Severity.ERROR, code=code, text="x", at_ms=7, market="FUT", **more
    )  # type: ignore[arg-type]  # as a test gives them
    return msgspec.convert(fields_of(told), AlertRecord, strict=False)  # the stream has text alone


def test_the_end_of_a_level_has_the_key_of_its_beginning() -> None:
    began = a_record("USER_STREAM", subject="BTCUSDT", lasts=True, since_ms=5)
    ended = a_record("USER_STREAM_OVER", subject="BTCUSDT", since_ms=5)

    assert began.dedupe == ended.dedupe == "s4-router:main:FUT:USER_STREAM:BTCUSDT"
    assert (began.lasts, ended.lasts, began.since_ms) == (True, False, 5)
    assert ended.runbook == began.runbook == "runbook.md#user-stream-silent-listen-key"


def test_another_subject_market_or_service_is_another_alert() -> None:
    one = a_record("BAD_DOCUMENT", subject="a")
    another = described(service=S3, account_id="main", severity=Severity.ERROR, code="BAD_DOCUMENT", text="", at_ms=7)

    assert one.dedupe != a_record("BAD_DOCUMENT", subject="b").dedupe
    assert one.dedupe != another["dedupe"]


@pytest.mark.parametrize(
    ("code", "of", "ends"),
    [
        ("BREAKER_CLOSED", "BREAKER_OPEN", True),
        ("BREAKER_OPEN", "BREAKER_OPEN", False),
        ("BREAKER_HALF_OPEN", "BREAKER_HALF_OPEN", False),
        ("ARMED", "KILLED", True),
        ("UNBLOCKED", "BLOCKED", True),
        ("CLOCK_OVER", "CLOCK", True),
    ],
)
def test_what_ends_what(code: str, of: str, ends: bool) -> None:
    assert about(code) == (of, ends)


def test_an_alert_of_a_position_is_about_its_symbol() -> None:
    body = Alert(severity=Severity.FATAL, code="EXIT_FAILING", text="3 closes")
    [told] = [w for w in writes(KEY, Event(seq=4, at_ms=Millis(9), body=body)) if isinstance(w, Publish)]

    assert told.fields["subject"] == "BTCUSDT"
    assert told.fields["dedupe"] == "s4-router:main:FUT:EXIT_FAILING:BTCUSDT"
    assert told.fields["since_ms"] == "9"
    assert told.fields["runbook"] == "runbook.md#a-close-that-fails"


def test_a_record_of_before_is_read() -> None:
    old = msgspec.convert(
        {"severity": "WARN", "code": "X", "text": "t", "at_ms": "3", "is": "Alert"}, AlertRecord, strict=False
    )

    assert (old.dedupe, old.runbook, old.lasts) == ("", "", False)


def test_severities_have_an_order() -> None:
    assert sorted(("WARN", "FATAL", "INFO", "ERROR", "?"), key=rank) == ["INFO", "?", "WARN", "ERROR", "FATAL"]


@pytest.mark.req("DEL-5")
def test_the_chapters_are_those_of_the_runbook() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| \[.+\]\(#([\w-]+)\) \|$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)

    assert dict(rows) == CHAPTER_OF
