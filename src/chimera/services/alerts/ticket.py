"""One alert as it is kept: open, acknowledged by somebody, resolved. Pure: records, deeds and the time go in.

The same alert told again is the same ticket, and so is one that comes back soon after it was over: whoever was told of
it need not be told ten times in ten minutes. A level is over when its end is told. What only happened is over when
somebody says so, or, where it was a warning, when nobody has heard of it for an hour. An error waits for a person. Who
acknowledged has seen it as it was then: what comes back, or grows worse, is nobody's again.
"""

import hashlib
from enum import StrEnum
from typing import Any, Final

from chimera.trading.events import Severity
from chimera.trading.money import Millis
from chimera.trading.value import Value
from chimera.wire.alerts import AlertRecord, about, rank

COMES_BACK_MS: Final = 600_000  # told again so soon after it was over, it goes on
UNHEARD_MS: Final = 3_600_000  # a warning that only happened
NEW_LIFE_MS: Final = 120_000  # for a service that began anew to say what still stands
TEXT_MOST: Final = 2_000  # characters that are kept of one


class State(StrEnum):
    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


class What(StrEnum):
    """What a channel was told of a ticket."""

    OPENED = "OPENED"
    REMINDER = "REMINDER"
    RESOLVED = "RESOLVED"


class Mark(Value, tag=False):
    """Who did it, when, and what they said."""

    by: str
    at_ms: Millis
    note: str = ""


class Told(Value, tag=False):
    what: What
    severity: Severity
    at_ms: Millis


class Ticket(Value, tag=False, forbid_unknown_fields=False):
    """``severity`` is the worst so far. ``heard``: the newest record of the stream that is counted in it."""

    id: str
    dedupe: str
    service: str
    account_id: str
    severity: Severity
    code: str
    subject: str
    text: str
    runbook: str
    since_ms: Millis
    last_ms: Millis
    count: int = 1
    lasts: bool = False
    life_ms: Millis = Millis(0)
    doubted_ms: Millis | None = None  # since when a new life of its service has not said that it still stands
    heard: str = ""
    acknowledged: Mark | None = None
    resolved: Mark | None = None
    told: dict[str, Told] = {}

    @property
    def state(self) -> State:
        if self.resolved is not None:
            return State.RESOLVED
        return State.OPEN if self.acknowledged is None else State.ACKNOWLEDGED

    @property
    def stands(self) -> bool:
        return self.resolved is None

    def as_bad_as(self, severity: Severity) -> bool:
        return rank(self.severity) >= rank(severity)

    def over(self, by: str, at_ms: int, note: str = "") -> "Ticket":
        """Resolved; the first word stays."""
        if self.resolved is not None:
            return self
        return self.but(resolved=Mark(by=by, at_ms=Millis(at_ms), note=note), doubted_ms=None)


def key_of(record: AlertRecord) -> str:
    """By which the same alert is known; records of older versions carry none."""
    if record.dedupe:
        return record.dedupe
    return ":".join(
        (record.service, record.account_id, record.market, about(record.code).code, record.subject or record.symbol)
    )


def heard(known: Ticket | None, record: AlertRecord, entry: str, now_ms: int) -> Ticket | None:
    """The ticket after this record; None where it opens none. ``entry``: its id on the stream, empty for our own."""
    if known is not None and entry and not _later(entry, known.heard):
        return known  # counted before a crash
    if about(record.code).ends:
        note = record.text[:TEXT_MOST]
        return None if known is None else known.over(record.service, record.at_ms or now_ms, note).but(heard=entry)
    if rank(record.severity) <= rank(Severity.INFO):
        return known
    if known is None or (known.resolved is not None and now_ms - known.resolved.at_ms > COMES_BACK_MS):
        return _opened(record, entry, now_ms)
    worst = max(known.severity, record.severity, key=rank)
    as_seen = known.stands and worst is known.severity
    return known.but(
        severity=worst,
        text=record.text[:TEXT_MOST],
        last_ms=record.at_ms or Millis(now_ms),
        count=known.count + 1,
        lasts=record.lasts,
        life_ms=max(known.life_ms, record.life_ms),
        doubted_ms=None,
        heard=entry or known.heard,
        acknowledged=known.acknowledged if as_seen else None,
        resolved=None,
    )


def _opened(record: AlertRecord, entry: str, now_ms: int) -> Ticket:
    dedupe, at_ms = key_of(record), record.at_ms or Millis(now_ms)
    since_ms = record.since_ms or at_ms
    where = (record.market, record.subject or record.symbol)
    return Ticket(
        id=hashlib.sha256(f"{dedupe}@{at_ms}".encode()).hexdigest()[:12],
        dedupe=dedupe,
        service=record.service,
        account_id=record.account_id,
        severity=record.severity,
        code=record.code,
        subject=" ".join(filter(None, where))[:200],
        text=record.text[:TEXT_MOST],
        runbook=record.runbook,
        since_ms=since_ms,
        last_ms=at_ms,
        lasts=record.lasts,
        life_ms=record.life_ms,
        heard=entry,
    )


def _later(entry: str, than: str) -> bool:
    """By Redis' ids: milliseconds, then a number."""
    return _order(entry) > _order(than)


def _order(entry: str) -> tuple[int, int]:
    at_ms, _, number = entry.partition("-")
    return (int(at_ms or 0), int(number or 0))


def doubted(ticket: Ticket, life_ms: int, now_ms: int) -> Ticket:
    """Its service has begun anew: what it held in memory is gone, and it will say what still stands."""
    if not (ticket.stands and ticket.lasts and 0 < ticket.life_ms < life_ms) or ticket.doubted_ms is not None:
        return ticket
    return ticket.but(doubted_ms=Millis(now_ms))


def aged(ticket: Ticket, now_ms: int) -> Ticket:
    """Over by itself, where time alone says so."""
    if not ticket.stands:
        return ticket
    if ticket.doubted_ms is not None and now_ms - ticket.doubted_ms >= NEW_LIFE_MS:
        return ticket.over("alerts", now_ms, f"{ticket.service} began anew and has not said it again")
    happened = not ticket.lasts and rank(ticket.severity) <= rank(Severity.WARN)
    if happened and now_ms - ticket.last_ms >= UNHEARD_MS:
        return ticket.over("alerts", now_ms, "not heard again for an hour")
    return ticket


def shown(ticket: Ticket) -> dict[str, Any]:
    """As the API answers."""
    return {
        "id": ticket.id,
        "state": ticket.state.value,
        "severity": ticket.severity.value,
        "code": ticket.code,
        "subject": ticket.subject,
        "service": ticket.service,
        "account_id": ticket.account_id,
        "text": ticket.text,
        "since_ms": ticket.since_ms,
        "last_ms": ticket.last_ms,
        "count": ticket.count,
        "lasts": ticket.lasts,
        "dedupe": ticket.dedupe,
        "runbook": ticket.runbook,
        "acknowledged": _mark(ticket.acknowledged),
        "resolved": _mark(ticket.resolved),
        "told": {name: {"what": told.what.value, "at_ms": told.at_ms} for name, told in ticket.told.items()},
    }


def _mark(mark: Mark | None) -> dict[str, Any] | None:
    return None if mark is None else {"by": mark.by, "at_ms": mark.at_ms, "note": mark.note}
