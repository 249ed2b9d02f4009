"""Saying that somebody looks at an alert, or that it is over. What still stands is whoever keeps them's to say."""

from typing import Final

import msgspec

from chimera.services.console.acts import Act, Desk, Effect, Field, Given, Step
from chimera.services.console.others import AlertsSource, Others
from chimera.services.console.rows import TicketRow, read_row
from chimera.services.console.same import Same
from chimera.services.console.screen import Params
from chimera.trading.errors import Refused

OPEN: Final = "OPEN"
RESOLVED: Final = "RESOLVED"


def keeper(others: Others) -> AlertsSource:
    """Raises ``Refused`` where the console was told of none: that is no service which may be back soon."""
    if others.alerts is None:
        raise Refused("NOT_FOUND", "the console was not told where the alerts are kept (--alerts)")
    return others.alerts


async def _acknowledging(desk: Desk, params: Params) -> Effect | None:
    row = await _ticket(desk, params)
    if row.state != OPEN:
        return None
    return Effect(
        about=row.id,
        title=f"Acknowledge {_named(row)}?",
        lead=f"{row.text} It will be known that you look at it:",
        steps=(
            Step("nobody is reminded of it any more"),
            Step("it stands here until it is over" + (", which its service tells itself" if row.lasts else "")),
        ),
        button="Acknowledge",
        leave="Not yet",
        grave=False,
        rests_on=(row.severity,),
        fields=(Field("note", "A note, for whoever reads it after you", required=False),),
        same=_same(row, "ack"),
    )


async def _resolving(desk: Desk, params: Params) -> Effect | None:
    row = await _ticket(desk, params)
    if row.state == RESOLVED or row.lasts:
        return None
    return Effect(
        about=row.id,
        title=f"{_named(row)} is over?",
        lead=f"{row.text} By your word:",
        steps=(Step("it is resolved and leaves this list"), Step("told again, it is open again")),
        button="It is over",
        leave="It still stands",
        grave=False,
        rests_on=(str(row.last_ms),),
        fields=(Field("note", "What it was", required=False),),
        same=_same(row, "resolve"),
    )


async def _ticket(desk: Desk, params: Params) -> TicketRow:
    return read_row(await keeper(desk.others).alert(params["alert"]), TicketRow)


def _named(row: TicketRow) -> str:
    return f"{row.code} {row.subject}".rstrip()


def _same(row: TicketRow, verb: str) -> tuple[Same, ...]:
    body = msgspec.json.encode({"note": "why"}).decode()
    path = f"/alerts/{row.id}/{verb}"
    return (Same(service="alerts", method="POST", path=path, body=body, cli=f"chimera alerts {verb} {row.id}"),)


async def _acknowledge(desk: Desk, effect: Effect, given: Given) -> str:
    note = given.fields.get("note", "")
    await keeper(desk.others).acknowledge(effect.about, by=given.by, note=note)
    return "acknowledged"


async def _resolve(desk: Desk, effect: Effect, given: Given) -> str:
    note = given.fields.get("note", "")
    await keeper(desk.others).resolve(effect.about, by=given.by, note=note)
    return "resolved"


ACKNOWLEDGE: Final = Act(name="acknowledge", asks=("alert",), effect=_acknowledging, do=_acknowledge)
RESOLVE: Final = Act(name="resolve-alert", asks=("alert",), effect=_resolving, do=_resolve)
