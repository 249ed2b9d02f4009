"""Transfers between the wallets on S4's HTTP face."""

from collections.abc import Callable
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from chimera.services import face
from chimera.services.face import Answer, answers
from chimera.services.router.api import TransfersApi
from chimera.trading.transfer import Stage
from chimera.wire import account_shown, bodies, request_json, shape

MAX_BODY_BYTES: Final = 4_096
_NEITHER: Final = ("DELETE", "HEAD", "OPTIONS", "PATCH", "PUT", "TRACE")
_OPEN: Final = (Stage.ASKED, Stage.IN_DOUBT)


def add_transfers(app: FastAPI, api: Callable[[], TransfersApi]) -> None:
    """``api`` is asked for with each request."""
    moved = answers(account_shown.TransferShown, later=account_shown.TransferShown)

    @app.get("/transfers", operation_id="list_transfers", responses=answers(account_shown.TransfersResponse))
    async def transfers() -> Response:
        """What may move between the wallets, what is under way, and the newest that are over."""
        return Answer(api().shown())

    @app.post("/transfers", operation_id="transfer", responses=moved, **face.takes("TransferRequest"))
    async def transfer(request: Request) -> Response:
        """Move money between the spot and the futures wallet. 202, or 500 `OUTCOME_UNKNOWN`: its outcome is not known
        yet; ask again, never send again. 503: nothing was begun."""
        document = request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES))
        body = shape.fit(document, bodies.TransferRequest)
        row = await api().ask(body.route, body.asset, body.amount, f"{body.by}: {body.reason}")
        return Answer(row, 202 if row["status"] in _OPEN else 200)

    @app.api_route("/transfers", methods=list(_NEITHER), include_in_schema=False)
    async def neither() -> Response:
        """Starlette names the methods of one route alone where two share a path."""
        raise HTTPException(405, headers={"Allow": "GET, POST"})

    @app.post("/transfers/settle", operation_id="settle_transfer", responses=moved, **face.takes("SettleRequest"))
    async def settle(request: Request) -> Response:
        """Say whether an AMBIGUOUS transfer happened, once somebody has looked: then others may follow."""
        body = shape.fit(request_json.read_object(await face.whole_body(request, MAX_BODY_BYTES)), bodies.SettleRequest)
        return Answer(await api().settle(happened=body.happened, by=body.by))
