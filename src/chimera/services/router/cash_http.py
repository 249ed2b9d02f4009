"""The cash ledger on S4's HTTP face: entries, balances, profit and loss, as JSON and as CSV. Only questions."""

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI, Request, Response

from chimera.ports.clock import Clock
from chimera.reconcile.pnl import By
from chimera.services import face
from chimera.services.face import Answer, Answers, answers
from chimera.services.router.cash_desk import CashApi
from chimera.trading.cash import Account
from chimera.wire import account_shown
from chimera.wire.cash import LIMIT, MOST, cash_ask, entries_csv, entry_document, pnl_ask
from chimera.wire.paging import MOMENT

_SPAN: Final = [
    face.asked("from", f"from then on: {MOMENT}; unless given, 31 days back"),
    face.asked("to", f"before then: {MOMENT}"),
    face.asked("cursor", "what an earlier answer named: its next page"),
]
_ENTRIES: Final = {
    "parameters": [
        *_SPAN,
        face.asked("asset", "entries with a posting of it"),
        face.asked(
            "account", "entries with a posting of it", {"type": "string", "enum": [str(each) for each in Account]}
        ),
        face.counted("limit", "entries", LIMIT, MOST),
    ]
}
_PNL: Final = {
    "parameters": [
        *_SPAN,
        face.asked("by", "what a line is about", {"type": "string", "enum": [str(by) for by in By], "default": "day"}),
    ]
}


def add_cash(app: FastAPI, desk: Callable[[], CashApi], clock: Clock) -> None:
    """``desk`` is asked for with each request."""

    @app.get(
        "/cash/entries",
        operation_id="list_cash_entries",
        responses=answers(account_shown.EntriesResponse),
        openapi_extra=_ENTRIES,
    )
    async def entries(request: Request) -> Response:
        """Entries of the cash ledger by time; their postings sum to zero per asset. ``cursor``: there is more."""
        found, cursor = await desk().entries(cash_ask(request.query_params, clock.now_ms()))
        return Answer({"entries": [entry_document(entry) for entry in found], "cursor": cursor})

    @app.get("/cash/balances", operation_id="list_cash_balances", responses=answers(account_shown.BalancesResponse))
    async def balances() -> Response:
        """What stands on each account of the cash ledger; an income account stands below zero."""
        return Answer({"balances": await desk().balances()})

    written = {"description": "one line for each posting", "content": {"text/csv": {"schema": face.TEXT}}}
    csv: Answers = {**answers(account_shown.EntriesResponse), 200: written}

    @app.get(
        "/cash.csv",
        operation_id="export_cash",
        response_class=Response,
        responses=csv,
        openapi_extra=_ENTRIES,
    )
    async def export(request: Request) -> Response:
        """The same entries as CSV, the first page with its columns' names; the header ``X-Cursor``: there is more."""
        found, cursor = await desk().entries(cash_ask(request.query_params, clock.now_ms()))
        lines = entries_csv(found, header="cursor" not in request.query_params)
        return Response(lines, media_type="text/csv", headers={} if cursor is None else {"X-Cursor": cursor})

    @app.get("/pnl", operation_id="profit_and_loss", responses=answers(account_shown.PnlResponse), openapi_extra=_PNL)
    async def pnl(request: Request) -> Response:
        """Profit and loss by UTC day, strategy or position, without what is open. Lines of further pages add up."""
        by, ask = pnl_ask(request.query_params, clock.now_ms(), [str(by) for by in By])
        lines, cursor = await desk().pnl(by, ask)
        return Answer({"by": by, "lines": list(lines), "cursor": cursor})
