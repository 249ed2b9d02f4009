"""The account's money in the world: funding counts into the loss of the day, and what does not add up is told."""

from decimal import Decimal
from typing import Any

import pytest

from chimera.simulate.venue.account_spec import READY_ACCOUNT
from chimera.trading.intent import PositionSide
from chimera.trading.money import Quote
from support.incident_stage import SYMBOL, Stage, Story, Told, a_wish, play, without
from world.composed import LIMITS
from world.plan import KillAt

LOW_LIMIT = ("world.composed", "LIMITS", LIMITS.but(max_daily_loss=Quote(Decimal(50))))


def account_of(stage: Stage) -> Any:
    return stage.world.twin.usdm.floor.accounts[READY_ACCOUNT.name]


async def pay_funding(stage: Stage) -> None:
    """As the venue charges it: a row of income, and less in the wallet."""
    exchange, account = stage.world.twin.usdm, account_of(stage)
    held = account.position(SYMBOL, PositionSide.BOTH)
    exchange.cash.fund(account, held, Decimal(-60), stage.world.clock.now_ms())


async def steal(stage: Stage) -> None:
    """Money that nothing lists."""
    account_of(stage).wallet -= Decimal(7)


def drifts(told: Told) -> list[str]:
    return [str(alert["text"]) for alert in told.stage.alerts if alert["code"] == "MONEY_DRIFT"]


def of_day(hands: tuple[Any, ...]) -> Story:
    """A trade before the funding, one after it, and one more after a restart."""
    wishes = (a_wish(0, 3.0, hold_s=6), a_wish(1, 70.0, hold_s=6), a_wish(2, 90.0, hold_s=6))
    return Story(wishes=wishes, hands=hands, blows=(KillAt(at_s=82.0),), rough_s=100.0)


@pytest.mark.req("S4-LIM-1", "I22")
@pytest.mark.fault("G14")
def test_funding_counts_into_the_loss_of_the_day_and_a_restart_forgets_it_not() -> None:
    with without(LOW_LIMIT):
        told, spared = play(of_day(((20.0, pay_funding),))), play(of_day(()))
        with without(("chimera.services.router.bookkeeping:Bookkeeping", "untraded", lambda self, symbol: Decimal(0))):
            unread = play(of_day(((20.0, pay_funding),)))

    assert told.answers == {"w-0": "FILLED", "w-1": "REJECTED", "w-2": "REJECTED"}
    assert {str(row.get("code")) for row in told.stage.orders if row.get("status") == "REJECTED"} >= {
        "LIMIT_DAILY_LOSS"
    }
    assert told.broken == []
    assert drifts(told) == []  # it is in the venue's list
    assert spared.answers == unread.answers == dict.fromkeys(told.answers, "FILLED")


@pytest.mark.req("I7")
def test_money_that_nothing_explains_is_told_once_with_its_numbers() -> None:
    story = Story(wishes=(a_wish(),), hands=((130.0, steal),), calm_s=420.0)
    told = play(story)

    (text,) = drifts(told)
    assert text.endswith(": -7 is unexplained")
    assert drifts(play(Story(wishes=(a_wish(),), calm_s=420.0))) == []


@pytest.mark.req("I7")
def test_a_trade_that_the_venue_lists_and_nobody_counted_is_told() -> None:
    story = Story(wishes=(a_wish(),), calm_s=220.0)
    with without(("chimera.services.router.bookkeeping:Bookkeeping", "heard", lambda self, events: None)):
        told = play(story)

    assert len(drifts(told)) == 2  # the entry's and the exit's
    assert all("was never counted" in text for text in drifts(told))
