"""A message in lines for people, and as the document that a webhook gets. Secrets are struck out of both."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

from chimera.services.alerts.telling import Kind, Message, Part
from chimera.services.alerts.ticket import Ticket, What, shown
from chimera.services.logs import redacted
from chimera.wire.codec import SCHEMA_VERSION
from chimera.wire.runbook import PAGE

LINE_MOST: Final = 400
_HEADS: Final = {Kind.DIGEST: "Digest", Kind.TEST: "Test: this channel works. Nothing is wrong."}


def lines(message: Message, runbook_url: str, account: str = "") -> str:
    """For a messenger. Times are UTC."""
    told = list(_lines(message, runbook_url))
    head = _HEADS.get(message.kind)
    return "\n".join(([f"{account} {head}".strip()] if head else []) + told)


def _lines(message: Message, runbook_url: str) -> Iterator[str]:
    for part in message.parts:
        ticket = part.ticket
        yield f"{_begin(part)} {ticket.code} {ticket.subject}".rstrip()
        text = ticket.resolved.note if ticket.resolved is not None and ticket.resolved.note else ticket.text
        if text:
            yield f"  {redacted(text)[:LINE_MOST]}"
        often = f", {ticket.count} times" if ticket.count > 1 else ""
        yield f"  {ticket.service}, since {_clock(ticket.since_ms)}{often}, id {ticket.id}"
        if part.what is not What.RESOLVED and ticket.runbook:
            yield f"  {link(ticket, runbook_url)}"
    if message.more:
        yield f"and {len(message.more)} more: chimera alerts list"


def _begin(part: Part) -> str:
    if part.what is What.RESOLVED:
        return f"over ({part.ticket.severity}):"
    again = " (still, nobody has acknowledged it)" if part.what is What.REMINDER else ""
    return f"{part.ticket.severity}{again}:"


def link(ticket: Ticket, runbook_url: str) -> str:
    """To the chapter, wherever this house keeps its runbook."""
    return ticket.runbook.replace(PAGE, runbook_url, 1) if ticket.runbook.startswith(PAGE) else ticket.runbook


def document(message: Message, runbook_url: str) -> dict[str, Any]:
    """For a program."""
    return {
        "schema_version": SCHEMA_VERSION,
        "type": f"alerts.{message.kind.lower()}",
        "id": message.id,
        "at_ms": message.at_ms,
        "alerts": [_row(part, runbook_url) for part in message.parts],
        "more": len(message.more),
    }


def _row(part: Part, runbook_url: str) -> dict[str, Any]:
    row = shown(part.ticket)
    del row["told"]
    return row | {
        "what": part.what.value,
        "text": redacted(part.ticket.text),
        "runbook": link(part.ticket, runbook_url),
    }


def _clock(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%m-%d %H:%M:%S} UTC"
