"""Somebody wants to know now: the venue is asked, its word is acted on, and where it is silent that is said."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from console_stage import HandClock
from grounds import a_ground

from chimera.services.router.ground import Ground
from chimera.services.router.surveying import PATIENCE_MS, survey
from chimera.trading.commands import Ask, Survey
from chimera.trading.errors import Refused
from chimera.trading.facts import Fact
from chimera.trading.market import Market
from support.desk import SYMBOL, Desk, a_long

pytestmark = pytest.mark.req("S4-REC-1")


class Surveyed:
    """An owner over a desk, whose venue holds the position, and answers a survey where it ``answers``."""

    def __init__(self, desk: Desk, clock: HandClock, *, answers: bool = True) -> None:
        self._desk, self._clock, self._answers = desk, clock, answers
        self.surveys = 0
        self.cover = SimpleNamespace(unprotected_ms=lambda: 0, guarded_ms=lambda: 0, max_unprotected_ms=0)
        self.recovered = SimpleNamespace(is_set=lambda: True)

    @property
    def holding(self) -> Any:
        self._clock.pass_ms(50)  # whoever looks waits between two looks
        return self._desk.holding

    def hear(self, fact: Fact) -> None:
        asked = any(isinstance(command, Survey) for command in self._desk.hear(fact))
        self.surveys += asked
        if asked and self._answers:
            self._desk.later(10).survey(qty="0.01")


def ground_over(desk: Desk, owner: Surveyed, clock: HandClock) -> Ground:
    return a_ground({desk.holding.key: owner}, clock=clock, scene=lambda _: desk.scene)


async def test_what_the_venue_says_is_acted_on() -> None:
    desk, clock = a_long(), HandClock()
    owner = Surveyed(desk, clock)

    told = await survey(ground_over(desk, owner, clock), Market.FUT, SYMBOL)

    assert (told["heard"], told["position"]["qty"], owner.surveys) == (True, "0.01", 1)
    assert any(isinstance(command, Ask) for command in desk.told), "it does not list the stop: it is asked why"


async def test_one_that_is_under_way_is_waited_for_and_a_silent_venue_is_said() -> None:
    desk, clock = a_long(), HandClock()
    owner = Surveyed(desk, clock, answers=False)
    ground = ground_over(desk, owner, clock)
    began_ms = clock.mono_ms

    first, second = await survey(ground, Market.FUT, SYMBOL), await survey(ground, Market.FUT, SYMBOL)

    assert (first["heard"], second["heard"], owner.surveys) == (False, False, 1)
    assert clock.mono_ms - began_ms >= PATIENCE_MS


@pytest.mark.parametrize(("loaded", "code"), [(True, "UNKNOWN_SYMBOL"), (False, "NOT_READY")])
async def test_a_symbol_that_nobody_owns_is_refused(loaded: bool, code: str) -> None:
    ground = a_ground()._replace(loaded=cast("Any", lambda: loaded))
    with pytest.raises(Refused) as no:
        await survey(ground, Market.FUT, "ETHUSDT")
    assert no.value.code == code


async def test_a_refusal_names_what_is_traded() -> None:
    desk, clock = a_long(), HandClock()
    ground = ground_over(desk, Surveyed(desk, clock), clock)
    with pytest.raises(Refused) as no:
        await survey(ground, Market.FUT, "ETHUSDT")
    assert (no.value.field, no.value.value, no.value.accepted) == ("symbol", "ETHUSDT", SYMBOL)
