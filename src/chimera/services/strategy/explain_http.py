"""S3's HTTP face for what was decided and why: decisions, traces, what would have changed one, replays, blockers.

Only questions; it decides nothing. A question that cannot be read is refused by its name (400), a decision that is not
there is 404.
"""

from functools import partial
from typing import Final

from fastapi import FastAPI, Request, Response

from chimera.services import face
from chimera.services.face import WITHOUT_CONFLICT, Answer
from chimera.services.strategy.engine import Strategy
from chimera.services.strategy.tracing import shown
from chimera.wire import strategy_shown
from chimera.wire.codec import encode
from chimera.wire.decided import (
    LIMIT,
    MOST,
    OUTCOMES,
    REPLAY_LIMIT,
    REPLAY_MOST,
    blockers_ask,
    decisions_ask,
    replay_ask,
    signal_id,
)
from chimera.wire.paging import MOMENT

_answers = partial(face.answers, refused=WITHOUT_CONFLICT)

_SPAN: Final = [
    face.asked("symbol", "of this symbol alone"),
    face.asked("since", f"from then on: {MOMENT}"),
    face.asked("until", f"before then: {MOMENT}"),
    face.asked("cursor", "what an earlier answer named: its next page"),
]
_LISTED: Final = {
    "parameters": [
        *_SPAN,
        face.asked("outcome", "one of both", {"type": "string", "enum": list(OUTCOMES)}),
        face.counted("limit", "how many", LIMIT, MOST),
        face.counted("newest", "how many", LIMIT, MOST),
    ]
}
_OF_ONE: Final = {"parameters": [{"name": "signal_id", "in": "path", "required": True, "schema": face.TEXT}]}
_REPLAYED: Final = {"parameters": [*_SPAN, face.counted("limit", "how many", REPLAY_LIMIT, REPLAY_MOST)]}


_BLOCKED: Final = {"parameters": [face.asked("symbol", "of this symbol alone")]}


def add(app: FastAPI, strategy: Strategy) -> None:
    """One decision, and which there were."""

    @app.get(
        "/decisions",
        operation_id="list_decisions",
        responses=_answers(strategy_shown.DecisionsResponse),
        openapi_extra=_LISTED,
    )
    async def decisions(request: Request) -> Response:
        """Decisions with why, newest first, skips too. `cursor`: there is more. `newest` alone: the last ones."""
        ask = decisions_ask(request.query_params)
        if set(request.query_params) <= {"newest"}:  # also those from before rows had a moment to be found by
            return Answer({"decisions": [shown(row) for row in await strategy.recent(ask.limit)]})
        rows, cursor = await strategy.explaining.listed(ask)
        return Answer({"decisions": rows, "cursor": cursor})

    @app.get(
        "/decisions/{signal_id}",
        operation_id="get_decision",
        responses=_answers(strategy_shown.DecisionTrace),
        openapi_extra=_OF_ONE,
    )
    async def decision(request: Request) -> Response:
        """One decision: its factors with their ages, gates, rules, size, levels, and what became of its intent."""
        return Answer(await strategy.explaining.trace(signal_id(request.path_params["signal_id"])))

    @app.get(
        "/decisions/{signal_id}/needed",
        operation_id="get_decision_needed",
        responses=_answers(strategy_shown.NeededResponse),
        openapi_extra=_OF_ONE,
    )
    async def needed(request: Request) -> Response:
        """What would have had to be otherwise for it to trade, each proved by deciding again."""
        return Answer(await strategy.explaining.needed(signal_id(request.path_params["signal_id"])))

    @app.get(
        "/decisions/{signal_id}/fixture",
        operation_id="get_decision_fixture",
        responses=_answers(strategy_shown.FixtureResponse),
        openapi_extra=_OF_ONE,
    )
    async def fixture(request: Request) -> Response:
        """Its case, what decided it and what came of it: a file that decides it again on any machine."""
        found = await strategy.explaining.fixture(signal_id(request.path_params["signal_id"]))
        return Response(encode(found), media_type="application/json")  # as it is stored: the file is read back


def add_many(app: FastAPI, strategy: Strategy) -> None:
    """What many decisions come to: counted, decided again, and kept back now."""

    @app.get(
        "/skips", operation_id="count_skips", responses=_answers(strategy_shown.SkipsResponse), openapi_extra=_REPLAYED
    )
    async def skips(request: Request) -> Response:
        """Decisions counted by hour, and why those were skipped that were; newest first, a page at a time."""
        return Answer(await strategy.explaining.skips(replay_ask(request.query_params)))

    @app.get(
        "/bundles/{bundle_id}/replay",
        operation_id="replay",
        responses=_answers(strategy_shown.ReplayResponse),
        openapi_extra=_REPLAYED,
    )
    async def replay(bundle_id: str, request: Request) -> Response:
        """Stored decisions, oldest first, as this bundle would have made them; `active` is whichever is active."""
        return Answer(await strategy.explaining.replay(bundle_id, replay_ask(request.query_params)))

    @app.get(
        "/blockers",
        operation_id="blockers",
        responses=_answers(strategy_shown.BlockersResponse),
        openapi_extra=_BLOCKED,
    )
    async def blockers(request: Request) -> Response:
        """What keeps each symbol from being entered now, and since when: gates, rules, factors, S4's barriers."""
        return Answer(strategy.blockers.shown(blockers_ask(request.query_params)))
