"""Somebody buys a dated contract by hand: S4 enters none, and protects and closes what is held in one."""

from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest

from chimera.adapters.binance import translate
from chimera.services.router.config import RouterConfig
from chimera.services.router.router import Router
from chimera.trading.ids import Symbol
from chimera.trading.market import Side
from chimera.trading.money import Millis
from chimera.trading.standstill import Kill, Scope
from support.incident_stage import SYMBOL, Stage, Story, Told, a_wish, play, steps
from support.story_deeds import asking
from world import composed

pytestmark = [pytest.mark.req("S4-REC-2", "S4-KILL-1"), pytest.mark.fault("B32")]

BOUGHT_S, KILLED_S, SOLD_S = 6.0, 12.0, 50.0
BY_HAND = ("I4 entry web_",)  # a person's entry has no intent


@contextmanager
def dated(symbols: tuple[str, ...]) -> Any:
    """The venue's BTCUSDT is a quarterly contract; the settings name ``symbols``."""
    perpetual = translate.instrument

    def quarterly(body: bytes) -> Any:
        return perpetual(body.replace(b'"PERPETUAL"', b'"CURRENT_QUARTER"') if b'"BTCUSDT"' in body else body)

    def config(**given: Any) -> RouterConfig:
        return RouterConfig(**(given | {"symbols": tuple(Symbol(name) for name in symbols)}))

    with mock.patch.object(translate, "instrument", quarterly), mock.patch.object(composed, "RouterConfig", config):
        yield


def bought(*, killed: bool = False) -> Told:
    async def by_hand(stage: Stage) -> None:
        await stage.place("web_bought", Side.BUY, steps(5))

    async def kill(router: Router) -> Any:
        asked = Kill(scope=Scope.GLOBAL, by="me", reason="out", at_ms=Millis(1), flatten=True)
        return await router.kill(asked, wait_ms=2_000)

    hands = ((BOUGHT_S, by_hand), *([(KILLED_S, asking("kill", kill))] if killed else []))

    async def sold(stage: Stage) -> None:
        await stage.place("web_sold", Side.SELL, steps(5))

    sales = () if killed else ((SOLD_S, sold),)
    with dated(("ETHUSDT",)):
        return play(Story(hands=(*hands, *sales), bare_s=60.0))


def test_what_is_held_there_gets_a_stop_within_a_second() -> None:
    told = bought()

    assert told.broken_but(*BY_HAND) == []
    assert told.longest_bare_ms < 1_000
    assert told.live(20.0, "s")


def test_a_flatten_closes_it_and_the_receipt_is_verified() -> None:
    """It was named as still held, and stood."""
    told = bought(killed=True)

    assert told.position(KILLED_S) != 0
    assert told.position(KILLED_S + 2) == 0
    assert told.stage.answers["kill"]["verified"] is True


def test_none_is_entered_though_the_settings_name_it() -> None:
    with dated((SYMBOL,)):
        told = play(Story(wishes=(a_wish(),), rough_s=12.0))

    assert told.broken == []
    assert told.answers == {"w-0": "GIVEN_UP SYMBOL_NOT_TRADING"}
    assert told.alerts.count("SYMBOL_NOT_TRADING") == 1
