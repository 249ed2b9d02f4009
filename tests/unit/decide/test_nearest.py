"""Nearest values: what is proposed passes, and nothing nearer does; by every operator and for whole conditions."""

from decimal import Decimal
from typing import Any

import pytest
from decide_cases import D
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rule_reach import compiled, conditions, naive

from chimera.decide.nearest import alone, changed, nearest, passing, repair
from chimera.decide.rules.compare import OPS, TESTS
from chimera.decide.rules.reach import region

numbers = st.decimals(-1000, 1000, places=3)
limits_of = {
    "in": st.lists(numbers, min_size=1, max_size=4).map(tuple),
    "not in": st.lists(numbers, min_size=1, max_size=4).map(tuple),
    "between": st.tuples(numbers, numbers).map(lambda pair: tuple(sorted(pair))),
    "outside": st.tuples(numbers, numbers).map(lambda pair: tuple(sorted(pair))),
}
comparisons = st.sampled_from([*OPS, "not in", "outside"]).flatmap(
    lambda op: st.tuples(st.just(op), limits_of.get(op, numbers.map(lambda limit: (limit,))))
)


@pytest.mark.req("S3-L1-1")
@settings(max_examples=400)
@given(comparisons, numbers, st.decimals(0, 1, places=2))
def test_the_proposed_value_passes_and_no_nearer_one_does(
    comparison: tuple[str, tuple[Decimal, ...]], value: Decimal, part: Decimal
) -> None:
    op, limits = comparison
    change = passing("x", op, limits, value)

    assert change is not None
    assert TESTS[op](change.needed, limits)
    assert (change.needed == value) == TESTS[op](value, limits)
    assert change.difference == change.needed - value
    away = abs(change.needed - value)
    if away > D("0.001"):  # a step is one in the third place
        for nearer in (away * part, away - D("0.001001")):
            if nearer < away - D("0.001"):
                assert not TESTS[op](value + nearer, limits)
                assert not TESTS[op](value - nearer, limits)


@given(st.sampled_from(["<", ">", "!="]), st.decimals("1e-20", "1e25", places=3), st.decimals("0", "9e25", places=20))
def test_a_limit_of_many_digits_is_still_passed(op: str, limit: Decimal, value: Decimal) -> None:
    change = passing("x", op, (limit,), value)
    assert change is not None
    assert TESTS[op](change.needed, (limit,))


def test_the_smallest_change_as_people_would_write_it() -> None:
    assert passing("x", "<", (D("0.25"),), D("0.31")) == changed("x", D("0.31"), D("0.2499"))
    assert passing("x", "<=", (D("0.25"),), D("0.31")) == changed("x", D("0.31"), D("0.25"))
    assert passing("x", ">", (D(3),), D("2.125")) == changed("x", D("2.125"), D("3.001"))
    change = passing("spread_bps", "<=", (D(3),), D("3.4"))
    assert change is not None
    assert change.words == "spread_bps 3.4 -> 3"
    assert passing("side_hint", ">", (D(0),), D(0)) == changed("side_hint", D(0), D(1))
    assert passing("side_hint", "<", (D("-0.5"),), D(0)) == changed("side_hint", D(0), D(-1))


def test_a_span_narrower_than_a_step_is_met_in_its_middle() -> None:
    inside = (((D(1), 1), (D(2), 0)),)  # between 1 and 2, neither
    assert nearest(inside, D(9)) == D("1.999")
    assert nearest(inside, D("0.5")) == D("1.001")
    assert nearest((((D(1), 1), (D("1.0005"), 0)),), D(0)) == D("1.00025")
    assert nearest((), D(1)) is None
    assert nearest(region("!=", (D(5),)), D(5)) in (D("4.999"), D("5.001"))


values_of = st.fixed_dictionaries({"x": st.decimals(-1, 4, places=1), "y": st.decimals(-1, 4, places=1)})


@pytest.mark.req("S3-L1-1")
@settings(max_examples=300, deadline=None)
@given(conditions, values_of)
def test_one_factor_alone_turns_a_condition_exactly_where_a_search_finds_a_value(
    when: Any, values: dict[str, Decimal]
) -> None:
    condition = compiled(when).condition
    grid = [D(tenth) / 10 for tenth in range(-30, 61)]
    for factor in ("x", "y"):
        change = alone(condition, factor, values)
        turning = [point for point in grid if naive(when, {**values, factor: point})]
        if change is None:
            assert not turning
            continue
        assert naive(when, {**values, factor: change.needed})
        nearest_found = min((abs(point - values[factor]) for point in turning), default=None)
        assert nearest_found is None or abs(change.needed - values[factor]) <= nearest_found


@pytest.mark.req("S3-L1-1")
@settings(max_examples=300, deadline=None)
@given(conditions, values_of)
def test_a_repair_makes_the_condition_hold(when: Any, values: dict[str, Decimal]) -> None:
    changes = repair(compiled(when).condition, values)

    if changes is not None:
        repaired = values | {change.name: change.needed for change in changes}
        assert naive(when, repaired)
        assert bool(changes) or naive(when, values)
        assert all(change.needed != values[change.name] for change in changes)


def test_of_several_alternatives_the_fewest_and_smallest_changes_are_taken() -> None:
    both = {"allOf": [{"f": "x", "op": ">=", "v": 2}, {"f": "y", "op": ">=", "v": 2}]}
    when = {"anyOf": [both, {"f": "x", "op": ">=", "v": 9}, {"f": "y", "op": ">=", "v": 5}]}

    assert repair(compiled(when).condition, {"x": D(1), "y": D(1)}) == (changed("y", D(1), D(5)),)
    assert repair(compiled(when).condition, {"x": D(1), "y": D(7)}) == ()
