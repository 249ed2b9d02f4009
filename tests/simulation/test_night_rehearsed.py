"""A quarter of an hour as ``make proof ID=OP-1`` rehearses a night; and its judge hears what is untold or false."""

from typing import Any

import pytest

from proofs.night import Look, Night, Told, play, schedule
from proofs.op_1 import faults, moments, story

HOURS = 0.25


@pytest.mark.slow
@pytest.mark.req("OP-1")
def test_what_was_told_of_a_short_night_is_what_happened() -> None:
    night = play(1, HOURS)

    assert faults(night) == []
    assert len(story(night)) == len(night.troubles) == 7
    assert night.fills > 20
    shown = moments(night)
    assert {"exchange down", "killed and armed"} <= set(shown)
    assert shown["killed and armed"]["killed"]["kills"]


# ── the judge ──


def told(code: str, at_s: float, **how: Any) -> Told:
    return Told(code=code, severity=how.pop("severity", "ERROR"), at_s=at_s, lasts=how.pop("lasts", False), text="",
                since_s=how.pop("since_s", at_s), **how)  # fmt: skip


def a_night(*more: Told, without: str = "", looks: tuple[Look, ...] = ()) -> Night:
    """A good one, of its troubles' codes alone; ``without`` a code, and with ``more``."""
    troubles, records = schedule(8.0), list(more)
    for trouble in troubles:
        over_s = trouble.at_s + trouble.for_s + 1
        for code in trouble.tells:
            lasts = code != "STOP_CROSSED"
            records.append(told(code, trouble.at_s + 1, lasts=lasts, severity="FATAL" if code == "KILLED" else "ERROR"))
            end = {"KILLED": "ARMED", "BREAKER_OPEN": "BREAKER_CLOSED"}.get(code, f"{code}_OVER")
            records += [told(end, over_s, severity="INFO", since_s=trouble.at_s + 1)] if lasts else []
    kept = sorted((each for each in records if each.code != without), key=lambda each: each.at_s)
    return Night(hours=8, troubles=troubles, told=tuple(kept), looks=looks, violations=(), intents=1, fills=1)


def test_a_good_night_has_no_fault() -> None:
    assert faults(a_night()) == []


@pytest.mark.parametrize(
    ("code", "said"),
    [("BUS_AWAY", "nobody told BUS_AWAY"), ("KILLED", "nobody told KILLED"), ("ARMED", "KILLED since"),
     ("USER_STREAM_OVER", "USER_STREAM since"), ("BREAKER_CLOSED", "BREAKER_OPEN since")],
)  # fmt: skip
def test_what_is_missing_is_heard(code: str, said: str) -> None:
    assert any(said in fault for fault in faults(a_night(without=code)))


@pytest.mark.parametrize(
    ("record", "said"),
    [(told("BUS_AWAY", 60.0), "is false (nothing happened)"), (told("KILLED", 7_300.0), "is false (exchange down"),
     (told("USER_STREAM", 7_400.0, since_s=10.0), "says since 10.0"),
     (told("USER_STREAM", 7_400.0, lasts=True), "USER_STREAM since 7201.0 s has no end")],
)  # fmt: skip
def test_what_is_false_is_heard(record: Told, said: str) -> None:
    assert any(said in fault for fault in faults(a_night(record)))


def test_how_the_last_makers_did_may_stand_when_the_night_is_over() -> None:
    assert faults(a_night(told("MAKER_FILL_RATIO_LOW", 7.9 * 3_600, lasts=True, severity="WARN"))) == []


def test_a_breaker_that_is_half_open_before_the_end_says_no_end() -> None:
    asks, closes = (told(f"BREAKER_{word}", 3_600 + 500.0, severity="INFO") for word in ("HALF_OPEN", "CLOSED"))

    assert faults(a_night(asks)) == []
    assert any("over before it was" in fault for fault in faults(a_night(closes)))


def test_an_end_before_the_end_is_heard() -> None:
    early = told("BUS_AWAY_OVER", 4 * 3_600 + 5.0, severity="INFO")

    assert any("over before it was" in fault for fault in faults(a_night(early)))


@pytest.mark.parametrize(
    ("look", "said"),
    [(Look(at_s=7_300.0, levels=()), "S4 does not say so"), (Look(at_s=60.0, levels=(("BUS_AWAY", 60.0),)), "no alert"),
     (Look(at_s=7_300.0, levels=(("USER_STREAM", 7_250.0),)), "the alerts since"),
     (Look(at_s=60.0, levels=None), "did not answer")],
)  # fmt: skip
def test_a_look_that_says_otherwise_is_heard(look: Look, said: str) -> None:
    assert any(said in fault for fault in faults(a_night(looks=(look,))))


def test_a_look_that_agrees_is_none() -> None:
    agrees = Look(at_s=7_300.0, levels=(("USER_STREAM", 7_201.0),))
    gone = Look(at_s=7 * 3_600 + 1.0, levels=None)

    assert faults(a_night(looks=(agrees, gone))) == []
