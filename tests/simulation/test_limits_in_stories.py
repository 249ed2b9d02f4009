"""S4-LIM-1 and I22 in stories: intents that all meet the limit at one instant, and a loss that is on paper only."""

from decimal import Decimal

import pytest

from chimera.trading.intent import MarketNow
from chimera.trading.money import Quote
from support.incident_stage import BID, Story, Told, a_wish, play, policy_of, steps, without
from world.composed import LIMITS

AT_ONCE = 12
LOSS = Quote(Decimal(5))  # a percent of ten lots is 6.6


def of_one_instant() -> Story:
    """Each alone is well within the limit, and four of them are beyond it; makers and takers in turn."""
    policies = (MarketNow(), policy_of(wait_ms=2_000))
    wishes = (a_wish(number, qty=steps(20), policy=policies[number % 2]) for number in range(AT_ONCE))
    return Story(wishes=tuple(wishes))


@pytest.mark.req("S4-LIM-1", "I22")
def test_a_dozen_at_one_instant_are_never_more_than_the_limit_together() -> None:
    told = play(of_one_instant())

    assert told.broken == []
    assert 0 < told.bought * BID <= LIMITS.max_position_notional
    assert len(told.answers) == AT_ONCE
    assert {each for each in told.answers.values() if "FILLED" not in each and "CANCELED" not in each}


@pytest.mark.req("I22")
def test_without_the_limits_the_same_dozen_is_beyond_them() -> None:
    assert any(each.startswith("I22") for each in play(of_one_instant(), "limits_at_last_hop").broken)


def losing_on_paper() -> Told:
    """Its price falls by a percent and comes back; the first intent never closes meanwhile."""
    wishes = (
        a_wish(0, 3.0, stop_bps=300, hold_s=25),
        a_wish(1, 8.0, qty=steps(2), stop_bps=300, hold_s=5),
        a_wish(2, 14.0, qty=steps(2), stop_bps=300, hold_s=5),
    )
    with without(("world.composed", "LIMITS", LIMITS.but(max_daily_loss=LOSS))):
        return play(Story(wishes=wishes, moves=((6.0, -100), (11.0, 0)), rough_s=32.0))


@pytest.mark.req("S4-LIM-1", "I22")
def test_a_loss_that_only_floats_takes_no_entry_until_the_price_is_back() -> None:
    told = losing_on_paper()

    assert told.broken == []
    assert "LIMIT_DAILY_LOSS" in told.answers["w-1"] or told.answers["w-1"] == "REJECTED"
    assert (told.answers["w-0"], told.answers["w-2"]) == ("FILLED", "FILLED")
    assert {each.client_order_id.split("-")[1] for each in told.entries} == {"w0", "w2"}
