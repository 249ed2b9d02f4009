"""After the venue's refusals for haste, the router whole: stops leave one at a time; under a ban nothing leaves."""

from typing import Any
from unittest import mock

import pytest

from chimera.adapters.binance import governor
from chimera.simulate.venue.audit import Kind
from support.incident_stage import Story, Told, a_wish, play, steps

RETRY_MS = 6_000
PLACE_STOP = "POST /fapi/v1/algoOrder"


def story(**params: Any) -> Story:
    """The first stop meets a storm; a second intent comes while it lasts."""
    storm = {
        "name": "rate_limit_storm",
        "params": {"retry_ms": RETRY_MS, "patience": 5} | params,
        "match": {"method": "POST", "path": "/fapi/v1/algoOrder"},
        "when": {"from_ms": 1_000},
        "count": 1,
    }
    return Story(wishes=(a_wish(), a_wish(1, 5.0, qty=steps(3))), faults=(storm,), bare_s=14)


def struck(told: Told) -> list[float]:
    """When the storm refused something, in seconds."""
    return [each.at_us / 1e6 for each in told.only(Kind.FAULT) if each.reason == "rate_limit_storm"]


def sent(told: Told, from_s: float, to_s: float) -> list[str]:
    return [f"{each.method} {each.path}" for at_s, each in told.requests if from_s < at_s < to_s]


@pytest.mark.fault("B7")
@pytest.mark.req("S4-RETRY-1", "I23")
def test_after_a_429_stops_are_tried_one_at_a_time_and_nothing_else_is_sent() -> None:
    told = play(story())
    began_s = struck(told)[0]

    assert told.broken == []
    meanwhile = sent(told, began_s + 0.05, began_s + RETRY_MS / 1000 - 0.05)
    assert 2 <= len(meanwhile) <= 3
    assert set(meanwhile) == {PLACE_STOP}
    assert "VENUE_BAN" not in told.alerts  # the venue bans who sends five while it lasts
    assert "RATE_GOVERNOR" in told.alerts
    assert told.longest_bare_ms < RETRY_MS + 3_000
    assert set(told.answers.values()) == {"FILLED"}


@pytest.mark.fault("B7")
def test_who_tries_as_often_as_it_likes_is_banned() -> None:
    """The net this is the proof of: a trickle that is none."""
    with mock.patch.multiple(governor, TRICKLE_MS=1, SLOWEST_TRICKLE_MS=1):
        told = play(story(patience=4))
    assert "VENUE_BAN" in told.alerts
    assert "VENUE_BAN" not in play(story(patience=4)).alerts


@pytest.mark.fault("B8")
@pytest.mark.req("S4-RETRY-1", "I23")
def test_under_a_ban_nothing_leaves_and_somebody_is_woken() -> None:
    """A venue without any patience: the second try of the stop is answered 418."""
    told = play(story(patience=1, ban_ms=8_000))
    began_s = struck(told)[1]

    assert told.broken == []
    assert sent(told, began_s + 0.001, began_s + 8) == []
    assert PLACE_STOP in sent(told, began_s + 8, began_s + 10.5)
    banned = next(alert for alert in told.stage.alerts if alert["code"] == "VENUE_BAN")
    assert banned["severity"] == "FATAL"
    assert "VENUE_BAN_OVER" in told.alerts
    assert len(struck(told)) == 2  # each further request would have been one more
