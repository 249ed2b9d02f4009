"""I21 at S3's side: what cannot be a market is a skip with its reason, and nothing goes to the router."""

from typing import Any

import pytest
from strategy_world import START, D, Stage, ask

from chimera.trading.money import Price, Qty


@pytest.mark.req("I21", "S3-FEAT-1")
@pytest.mark.fault("C10", "C12")
@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        ({"bid": Price(D(65_900))}, "MARKET_MISSING"),
        ({"bid": Price(D(0))}, "MARKET_MISSING"),
        ({"ask_qty": Qty(D(-1))}, "MARKET_MISSING"),
        ({"bid_qty": Qty(D(0))}, "DEPTH"),
        ({"at_ms": START - 2_001}, "MARKET_STALE"),
        ({"at_ms": START + 2_001}, "MARKET_STALE"),
    ],
    ids=["crossed", "zero", "negative size", "empty", "old", "of the future"],
)
async def test_a_market_that_cannot_be_is_a_skip_and_reaches_nobody(shown: dict[str, Any], reason: str) -> None:
    stage = Stage()
    await stage.show(**shown)
    async with stage.process() as strategy:
        answer = await strategy.decide(ask())

    assert answer.decision == "skip"
    assert [each["code"] for each in answer.reasons] == [reason]
    assert stage.router.got == []
