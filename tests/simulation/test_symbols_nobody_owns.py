"""Somebody trades by hand in a symbol that S4 does not trade: one owner comes, soon, and protects what is held."""

import asyncio
from typing import Any
from unittest import mock

import pytest

from chimera.adapters.binance.records import FuturesRecords
from chimera.services.router.config import RouterConfig
from chimera.services.router.router import Router
from chimera.trading.ids import Symbol
from chimera.trading.market import Side
from support.incident_stage import SYMBOL, Stage, Story, Told, play, steps, without
from support.story_deeds import asking
from world import composed

pytestmark = [pytest.mark.req("S4-REC-2", "I14"), pytest.mark.fault("B32")]

BOUGHT_S, SOLD_S = 6.0, 50.0
BY_HAND = ("I4 entry web_",)  # a person's entry has no intent
UNBOOKED = "I6 1 fills lost: "  # what is found later is adopted as the venue shows it, without its trades
UNHEARD = ("chimera.services.router.sweeping:Sweeping", "_filled_where_nobody_is", lambda *_: None)


def bought_by_hand(*more: tuple[float, Any], sold_s: float = SOLD_S) -> Told:
    """S4 trades ETHUSDT; the account's owner buys BTCUSDT, and sells it long after."""

    def config(**given: Any) -> RouterConfig:
        return RouterConfig(**(given | {"symbols": (Symbol("ETHUSDT"),)}))

    async def bought(stage: Stage) -> None:
        await stage.place("web_bought", Side.BUY, steps(5))

    async def sold(stage: Stage) -> None:
        await stage.place("web_sold", Side.SELL, steps(5))

    with mock.patch.object(composed, "RouterConfig", config):
        return play(Story(hands=((BOUGHT_S, bought), *more, (sold_s, sold)), bare_s=60.0))


def looks_s(told: Told) -> list[float]:
    """When the whole account was looked at."""
    asked = (at_s for at_s, request in told.requests if request.path == "/fapi/v1/openAlgoOrders" and _of_all(request))
    return list(asked)


def _of_all(request: Any) -> bool:
    return "symbol=" not in request.query


def test_what_fills_there_is_protected_within_a_second_and_the_next_look_is_as_late_as_ever() -> None:
    """It was bare for up to a minute, and no limit counted it."""
    told = bought_by_hand()

    assert told.broken_but(*BY_HAND) == []
    assert told.longest_bare_ms < 1_000
    assert told.live(SOLD_S - 1, "s")
    assert len([at_s for at_s in looks_s(told) if BOUGHT_S <= at_s < SOLD_S]) == 1


def test_without_the_look_at_once_it_is_bare_until_the_next_one() -> None:
    with without(UNHEARD):
        told = bought_by_hand()

    assert not told.live(SOLD_S - 1, "s")


def lagging(until_s: float) -> Any:
    """What the venue says of positions is older than the trade until then."""
    fresh = FuturesRecords._positions

    async def positions(self: FuturesRecords, *given: Any, **named: Any) -> Any:
        found = await fresh(self, *given, **named)
        return () if BOUGHT_S <= asyncio.get_running_loop().time() < until_s else found

    return without(("chimera.adapters.binance.records:FuturesRecords", "_positions", positions))


def test_a_reading_older_than_the_trade_is_followed_by_the_next_in_five_seconds() -> None:
    """It found nothing, and the position stayed bare for the rest of the minute."""
    with lagging(BOUGHT_S + 3):
        told = bought_by_hand()

    assert told.broken_but(*BY_HAND, UNBOOKED) == []
    assert told.longest_bare_ms < 6_000
    assert told.live(SOLD_S - 1, "s")


def test_what_was_bought_and_sold_at_once_is_looked_for_a_few_times() -> None:
    with lagging(BOUGHT_S + 1):
        told = bought_by_hand(sold_s=BOUGHT_S + 0.2)
    looks = [at_s - BOUGHT_S for at_s in looks_s(told) if at_s >= BOUGHT_S]

    assert told.broken_but(*BY_HAND, "I6 2 fills lost: ") == [], "it is nobody's"
    assert 3 <= len([after_s for after_s in looks if after_s < 25]) <= 6
    assert [after_s for after_s in looks if 25 <= after_s < 55] == []


def test_of_two_who_take_a_symbol_over_at_once_one_does() -> None:
    """The sweep and the daily reading of the rules may both find it: the second owner's fence ended the process."""

    async def both(router: Router) -> None:
        await asyncio.gather(router.take_over(SYMBOL), router.take_over(SYMBOL))

    told = bought_by_hand((BOUGHT_S, asking("taken", both)))
    machine = told.stage.world.s4

    assert (machine.exits, machine.deaths) == ([], 0)
    assert told.broken_but(*BY_HAND) == []
