"""Levels of what stands in the way: every reason of a skip has its kind, and a level keeps its moment."""

import pytest
from decide_cases import NOW, D, a_bundle, a_case, a_touch, some_features
from hypothesis import given
from hypothesis import strategies as st

from chimera.decide.blockers import EXPECTED, KINDS, PASSING, Blocker, Kind, of_decision, standing
from chimera.decide.decision import decide
from chimera.trading.decision import Code, Skip, Verdict
from chimera.trading.ids import Symbol
from chimera.trading.market import Market
from chimera.trading.money import Millis


def test_every_code_is_of_a_kind_or_passes_by_itself() -> None:
    assert set(KINDS) | set(PASSING) == set(Code)
    assert not set(KINDS) & set(PASSING)
    assert set(KINDS) >= EXPECTED


def test_a_skip_is_its_levels_and_an_entry_none() -> None:
    skip = decide(a_bundle(), a_case(touch=a_touch("65800", "65830"), features=some_features(funding_next_abs="0.01")))
    levels = of_decision(skip, NOW)

    assert levels is not None
    assert [(level.code, level.kind, level.name, level.market) for level in levels] == [
        ("FUNDING", Kind.GATE, "funding_next_abs", Market.FUT), ("SPREAD", Kind.GATE, "spread_bps", Market.FUT),
    ]  # fmt: skip
    assert (levels[0].value, levels[0].limit, levels[0].margin) == (D("0.01"), D("0.0005"), D("-0.0095"))
    assert of_decision(decide(a_bundle(), a_case()), NOW) == ()


def test_a_lock_says_nothing_of_how_things_stand() -> None:
    locked = Verdict(code=Code.LOCKED, passed=False, text="another process")
    skip = Skip(symbol=Symbol("BTCUSDT"), market=Market.FUT, config_rev=1, reasons=(locked,))
    assert of_decision(skip, NOW) is None


levels = st.builds(
    lambda code, name, since: Blocker(code=code, kind=Kind.GATE, text="t", name=name, since_ms=Millis(since)),
    st.sampled_from(["A", "B"]), st.sampled_from(["x", "y"]), st.integers(0, 50),
)  # fmt: skip


@pytest.mark.req("S3-PER-1")
@given(st.lists(st.lists(levels, max_size=4), max_size=6))
def test_a_level_stands_since_it_first_was_so_without_a_gap(looks: list[list[Blocker]]) -> None:
    held: tuple[Blocker, ...] = ()
    first: dict[object, int] = {}
    for number, look in enumerate(looks):
        now = [level.but(since_ms=Millis(number * 100)) for level in look]
        held = standing(held, now)
        first = {level.key: first.get(level.key, number * 100) for level in now}
        assert {level.key: level.since_ms for level in held} == first
        assert [level.since_ms for level in held] == sorted(level.since_ms for level in held)
