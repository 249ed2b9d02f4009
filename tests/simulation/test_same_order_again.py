"""The same order once more: fifty at once, with another body, after a restart and after a day."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from chimera.trading.errors import ChimeraError, Refused
from chimera.trading.ids import ClientOrderId, IntentId
from chimera.trading.intent import Intent, MarketNow, StopSpec
from chimera.trading.market import Market, Side
from chimera.trading.money import Millis, Price
from support.incident_stage import SYMBOL, Stage, Story, play, steps
from world.plan import KillAt

TIMES = 50


def an_order(stage: Stage, at_ms: int | None = None) -> Intent:
    return Intent(
        intent_id=IntentId("again"),
        client_order_id=ClientOrderId("s3-again"),
        market=Market.FUT,
        symbol=SYMBOL,
        side=Side.BUY,
        qty=steps(10),
        policy=MarketNow(),
        created_ms=Millis(at_ms or stage.world.clock.now_ms()),
        stop=StopSpec(price=Price(Decimal(65_000))),
        max_hold_s=10,
    )


async def ask(stage: Stage, intent: Intent, body: str = "body") -> str:
    try:
        outcome = await stage.ask_s4("again", lambda router: router.submit(intent, body, wait_ms=3_000))
    except Refused as error:
        return error.code
    except ChimeraError as error:
        return type(error).__name__
    return str(outcome.row["status"])


@pytest.mark.req("I3", "S4-IDEM-1")
@pytest.mark.fault("F5", "F6", "F7")
def test_the_same_order_fifty_times_at_once_and_later_is_one_order() -> None:
    told: dict[str, Any] = {}

    async def at_once(stage: Stage) -> None:
        told["order"] = order = an_order(stage)
        told["at_once"] = await asyncio.gather(*(ask(stage, order) for _ in range(TIMES)))

    async def later(stage: Stage) -> None:
        told.setdefault("later", []).append(await ask(stage, told["order"]))
        told.setdefault("other", []).append(await ask(stage, told["order"], "another body"))

    story = Story(
        hands=((4.0, at_once), (6.0, later), (12.0, later), (20.0, later)), blows=(KillAt(at_s=9), KillAt(at_s=18))
    )
    seen = play(story)

    assert seen.broken_but("I4 entry s3-again") == []  # the world's callers did not ask for it
    assert set(told["at_once"]) == {"FILLED"}
    assert (told["later"], told["other"]) == (["FILLED"] * 3, [told["other"][0]] * 3)
    assert told["other"][0] not in ("FILLED", "OutcomeUnknown", "NotSent")
    assert len(seen.entries) == 1
