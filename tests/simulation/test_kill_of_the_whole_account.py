"""A kill of everything where somebody has just opened a position on a symbol that nobody here owns yet."""

import asyncio
from typing import Any
from unittest import mock

import pytest

from chimera.adapters.binance.records import FuturesRecords
from chimera.services.router.config import RouterConfig
from chimera.services.router.router import Router
from chimera.trading.errors import OutcomeUnknown
from chimera.trading.ids import Symbol
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.trading.standstill import Kill, Scope
from support.incident_stage import Stage, Story, Told, play, steps, without
from support.story_deeds import asking
from world import composed

pytestmark = [pytest.mark.req("S4-KILL-1", "I17"), pytest.mark.fault("B32")]

KILLED_S = 6.5


def killed(*, flatten: bool, place_s: float = 6.0, heard: bool = False) -> Told:
    """S4 trades ETHUSDT; the account's owner sells BTCUSDT by hand, and the user stream does not tell of it, long
    before the next look at the whole account. ``heard``: it does tell.
    """

    def config(**given: Any) -> RouterConfig:
        return RouterConfig(**(given | {"symbols": (Symbol("ETHUSDT"),)}))

    async def by_hand(stage: Stage) -> None:
        await stage.place("web_now", Side.SELL, steps(5))

    async def kill(router: Router) -> Any:
        return await router.kill(
            Kill(scope=Scope.GLOBAL, by="me", reason="out", at_ms=Millis(1), flatten=flatten), wait_ms=2_000
        )

    hands = ((place_s, by_hand), (KILLED_S, asking("kill", kill)))
    unheard = ("chimera.services.router.sweeping:Sweeping", "_filled_where_nobody_is", lambda *_: None)
    with mock.patch.object(composed, "RouterConfig", config), without(*(() if heard else (unheard,))):
        return play(Story(hands=hands, bare_s=60.0))


def test_a_flatten_is_not_over_before_the_whole_account_was_looked_at() -> None:
    """It was verified and signed while the position stood, and nothing ever closed it."""
    told = killed(flatten=True)
    receipt = told.stage.answers["kill"]

    assert told.position(KILLED_S) != 0
    assert told.position(KILLED_S + 2) == 0
    assert (receipt["verified"], receipt["positions"]) == (True, {"BTCUSDT": "0", "ETHUSDT": "0"})


def test_without_the_look_the_receipt_names_what_is_still_held() -> None:
    with without(("chimera.services.router.sweeping:Sweeping", "look", _nothing)):
        told = killed(flatten=True)
    receipt = told.stage.answers["kill"]

    assert told.position(19.0) != 0
    assert (receipt["verified"], receipt["remains"]) == (False, ["BTCUSDT: -0.005 is still held"])


def test_a_kill_that_leaves_open_what_is_held_names_it_and_closes_nothing() -> None:
    told = killed(flatten=False)
    receipt = told.stage.answers["kill"]

    assert (receipt["verified"], receipt["positions"]) == (True, {"BTCUSDT": "-0.005", "ETHUSDT": "0"})
    assert told.position(19.0) != 0


def test_where_the_whole_account_is_not_told_nothing_is_verified() -> None:
    async def deaf(_: object) -> None:
        raise OutcomeUnknown("no answer")

    with without(("chimera.adapters.binance.records:FuturesRecords", "whole", deaf)):
        receipt = killed(flatten=True).stage.answers["kill"]

    assert (receipt["verified"], receipt["remains"]) == (False, ["the whole account was not heard: no answer"])


def test_what_is_opened_by_hand_after_it_was_flat_is_left_alone() -> None:
    told = killed(flatten=True, place_s=12.0)

    assert told.position(60.0) != 0


def test_a_flatten_goes_on_until_what_was_just_traded_can_be_seen() -> None:
    """The stream told of the trade, and what the venue says of positions was older: the look found nothing to close."""
    fresh = FuturesRecords._positions

    async def lagging(self: FuturesRecords, *given: Any, **named: Any) -> Any:
        found = await fresh(self, *given, **named)
        return () if asyncio.get_running_loop().time() < KILLED_S + 4 else found

    with without(("chimera.adapters.binance.records:FuturesRecords", "_positions", lagging)):
        told = killed(flatten=True, heard=True)

    assert told.position(KILLED_S + 3) != 0
    assert told.position(KILLED_S + 20) == 0


async def _nothing(*_: object) -> None:
    return
