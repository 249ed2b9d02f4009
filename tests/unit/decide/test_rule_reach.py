"""Conditions: what a ``not`` makes of margins, and what can hold at all, against a search of every case."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from decide_cases import D
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.decide.rules.clause import Clause, compile_clause, inverse
from chimera.decide.rules.compare import TESTS
from chimera.decide.rules.finding import Lint
from chimera.decide.rules.reach import can_hold, dead_ends, implies

KNOWN = ("x", "y", "side_hint")
GRID = [D(half) / 2 for half in range(-1, 8)]  # between, at and beyond the constants 0..3
PLAIN = ("<", "<=", ">", ">=", "==", "!=")

numbers = st.integers(0, 3)
leaves = st.one_of(
    st.builds(lambda f, op, v: {"f": f, "op": op, "v": v}, st.sampled_from("xy"), st.sampled_from(PLAIN), numbers),
    st.builds(
        lambda f, v: {"f": f, "op": "in", "v": v}, st.sampled_from("xy"), st.lists(numbers, min_size=1, max_size=3)
    ),
    st.builds(
        lambda f, v: {"f": f, "op": "between", "v": sorted(v)}, st.sampled_from("xy"), st.tuples(numbers, numbers)
    ),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"allOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=7,
)


def compiled(when: Any) -> Clause:
    lint = Lint("R")
    clause = compile_clause(when, lint, KNOWN)
    assert clause is not None, lint.findings
    return clause


def naive(when: Any, values: Mapping[str, Decimal]) -> bool:
    """The meaning of the document, word by word."""
    if "allOf" in when:
        return all(naive(part, values) for part in when["allOf"])
    if "anyOf" in when:
        return any(naive(part, values) for part in when["anyOf"])
    if "not" in when:
        return not naive(when["not"], values)
    limits = tuple(map(D, when["v"])) if isinstance(when["v"], list) else (D(when["v"]),)
    return TESTS[when["op"]](values[when["f"]], limits)


def everywhere() -> list[dict[str, Decimal]]:
    return [{"x": x, "y": y} for x, y in product(GRID, GRID)]


@pytest.mark.req("S3-L1-1")
@settings(max_examples=150, deadline=None)
@given(conditions)
def test_a_condition_means_what_its_document_says(when: Any) -> None:
    clause = compiled(when)

    for values in everywhere():
        assert clause.holds(values) == naive(when, values)


@settings(max_examples=150, deadline=None)
@given(conditions, st.sampled_from(GRID), st.sampled_from(GRID))
def test_each_comparison_says_by_how_much_it_holds_or_fails(when: Any, x: Decimal, y: Decimal) -> None:
    clause = compiled(when)

    for leaf in clause.explain({"x": x, "y": y}):
        assert leaf.value == {"x": x, "y": y}[leaf.factor]
        assert leaf.margin >= 0 if leaf.holds else leaf.margin <= 0
        assert leaf.path.startswith("$.when")


def test_under_a_not_a_comparison_is_judged_as_it_counts() -> None:
    clause = compiled({"not": {"anyOf": [{"f": "x", "op": "<", "v": 5}, {"f": "y", "op": "between", "v": [1, 3]}]}})

    at_least, outside = clause.explain({"x": D(4), "y": D(7)})

    assert (at_least.op, at_least.holds, at_least.margin) == (">=", False, D(-1))
    assert at_least.path == "$.when.not.anyOf[0]"
    assert (outside.op, outside.holds, outside.margin) == ("outside", True, D(4))


@pytest.mark.req("S3-L1-2")
@settings(max_examples=300, deadline=None)
@given(conditions)
def test_what_can_hold_is_what_some_value_satisfies(when: Any) -> None:
    condition = compiled(when).condition
    some = any(naive(when, values) for values in everywhere())

    assert can_hold(condition) == some
    assert some or list(dead_ends(condition))
    assert can_hold(inverse(condition)) == any(not naive(when, values) for values in everywhere())


@settings(max_examples=200, deadline=None)
@given(conditions, conditions)
def test_one_condition_implies_another_where_no_value_says_otherwise(one: Any, other: Any) -> None:
    broken = any(naive(one, values) and not naive(other, values) for values in everywhere())

    assert implies(compiled(one).condition, compiled(other).condition) == (not broken)


def test_a_huge_condition_is_believed_rather_than_searched() -> None:
    """2 ** 40 boxes, none with a value: lint gives up and invents nothing."""
    forks = [
        {"anyOf": [{"f": "x", "op": "between", "v": [i, i + 99]}, {"f": "y", "op": "between", "v": [i, i + 99]}]}
        for i in range(40)
    ]

    assert can_hold(compiled({"allOf": [*forks, {"not": {"allOf": forks}}]}).condition)
