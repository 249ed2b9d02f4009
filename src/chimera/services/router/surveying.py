"""Asking the venue about a symbol because somebody wants to know now: its orders, its position, its trades.

It is the survey that every owner makes from time to time, made at once; what comes of it is heard and acted on as
always, so a stop that is missing is sent again and an order in doubt is settled. One at a time: who asks while one is
under way waits for that one.
"""

import asyncio
from typing import Any, Final

from chimera.services.router.board import position_row
from chimera.services.router.ground import Ground
from chimera.trading.facts import Gapped
from chimera.trading.ids import Symbol
from chimera.trading.market import Market

PATIENCE_MS: Final = 1_500  # a caller of ours waits for two seconds
STEP_S: Final = 0.05


async def survey(ground: Ground, market: Market, symbol: str) -> dict[str, Any]:
    """The position as it is after the venue's word, or as it was where that did not come in time (``heard`` false).

    Raises ``Refused`` UNKNOWN_SYMBOL or NOT_READY.
    """
    owner = ground.owner_of(Symbol(symbol)) if market is ground.market else None
    if owner is None:
        raise ground.not_loaded("symbol", symbol) or ground.not_traded(symbol)
    before_ms, deadline_ms = owner.holding.surveyed_ms, ground.clock.monotonic_ms() + PATIENCE_MS
    if owner.holding.survey_asked_ms is None:
        owner.hear(Gapped())
    while owner.holding.surveyed_ms == before_ms and ground.clock.monotonic_ms() < deadline_ms:  # noqa: ASYNC110 - owners tell of events, and a survey that changes nothing is none
        await asyncio.sleep(STEP_S)
    holding = owner.holding
    return {
        "symbol": symbol,
        "market": str(market),
        "heard": holding.surveyed_ms != before_ms,
        "surveyed_ms": holding.surveyed_ms or None,
        "position": position_row(owner, ground.scene(holding)),
    }
