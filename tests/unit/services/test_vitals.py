"""How long a connection lives: pings and pongs, the day, and how much it may say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chimera.services.simulator.vitals import (
    FUTURES_API,
    FUTURES_STREAMS,
    LIFE_MS,
    SPOT_STREAMS,
    Cadence,
    End,
    Vitals,
)

BOTH = pytest.mark.parametrize("cadence", [FUTURES_STREAMS, SPOT_STREAMS])
START = 1_763_635_200_000


@BOTH
def test_a_ping_in_each_rhythm_and_none_between(cadence: Cadence) -> None:
    vitals = Vitals(cadence, START)
    assert vitals.due(START + cadence.ping_ms - 1) is None
    first = vitals.due(START + cadence.ping_ms)
    assert isinstance(first, bytes)
    assert vitals.due(START + cadence.ping_ms) is None
    second = vitals.due(START + 2 * cadence.ping_ms)
    assert second not in (None, first), "each ping is told from the others"


@BOTH
def test_who_answers_lives_a_day(cadence: Cadence) -> None:
    vitals = Vitals(cadence, START)
    for now in range(START, START + LIFE_MS, cadence.ping_ms):
        due = vitals.due(now)
        assert not isinstance(due, End), due
        if due is not None:
            vitals.pong(due)
    assert vitals.due(START + LIFE_MS) is End.AGE


@BOTH
@pytest.mark.parametrize("answer", [None, b"", b"hello"])
def test_who_does_not_repeat_a_payload_in_time_ends(cadence: Cadence, answer: bytes | None) -> None:
    vitals = Vitals(cadence, START)
    pinged = START + cadence.ping_ms
    assert vitals.due(pinged)
    for now in range(pinged, pinged + cadence.pong_ms, 1_000):
        assert not isinstance(vitals.due(now), End)
        if answer is not None:
            vitals.pong(answer)
    assert vitals.due(pinged + cadence.pong_ms) is End.NO_PONG


def test_the_last_pong_answers_the_pings_before_it() -> None:
    vitals = Vitals(SPOT_STREAMS, START)
    payloads = [vitals.due(START + 20_000 * number) for number in (1, 2, 3)]
    vitals.pong(payloads[1])
    assert not isinstance(vitals.due(START + 20_000 + 60_000), End)
    assert vitals.due(START + 60_000 + 60_000) is End.NO_PONG


@BOTH
def test_too_many_frames_in_a_second(cadence: Cadence) -> None:
    vitals, most = Vitals(cadence, START), cadence.inbound
    assert most is not None
    assert [vitals.heard(START + 999) for _ in range(most)] == [None] * most
    assert vitals.heard(START + 999) is End.TOO_MANY
    assert vitals.heard(START + 1_000) is None


@given(st.lists(st.integers(0, 3_000), max_size=200))
def test_an_api_connection_may_ask_as_often_as_its_weight_lasts(pauses: list[int]) -> None:
    vitals, now = Vitals(FUTURES_API, START), START
    for pause in pauses:
        now += pause
        assert vitals.heard(now) is None
