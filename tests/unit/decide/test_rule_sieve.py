"""The sieve against asking every rule: the same rules fire, and the trace has every comparison's verdict."""

from decimal import Decimal
from typing import Any

import pytest
from decide_cases import BTC, NOW, D, a_bundle, a_case, a_rule, some_features
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.decide.decision import Trail, decide
from chimera.decide.features import Features
from chimera.decide.rules import sieve
from chimera.decide.rules.bundle import ALWAYS, Rule
from chimera.decide.rules.compare import MARGINS, TESTS, Comparison
from chimera.decide.rules.finding import LintFailed
from chimera.decide.rules.fire import ask_each, fire
from chimera.decide.rules.reach import bounding, is_box
from chimera.trading.decision import Code, RuleVerdict

FACTORS = ("x", "y", "rv_pctile_30d")
numbers = st.sampled_from([D(-1), D(0), D("0.5"), D("0.50"), D(1), D(2), D("2.5")])
comparisons = st.one_of(
    st.builds(
        lambda f, op, v: {"f": f, "op": op, "v": v},
        st.sampled_from(FACTORS), st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers,
    ),
    st.builds(lambda f, v: {"f": f, "op": "in", "v": v}, st.sampled_from(FACTORS), st.lists(numbers, min_size=1)),
    st.builds(
        lambda f, v: {"f": f, "op": "between", "v": sorted(v)},
        st.sampled_from(FACTORS), st.lists(numbers, min_size=2, max_size=2),
    ),
)  # fmt: skip
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"allOf": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=6,
)
actions = st.sampled_from(
    [{"type": "size_mult", "value": "1.1"}, {"type": "side", "value": "SELL"}, {"type": "skip_entry"}]
)
times: st.SearchStrategy[dict[str, str]] = st.sampled_from(
    [{}, {}, {}, {"valid_from": "2030-01-01T00:00:00Z"}, {"valid_until": "2030-01-01T00:00:00Z"}]
)


@st.composite
def bundles(draw: Any) -> Any:
    """Whatever lint lets through of up to eight rules."""
    documents = []
    for i in range(draw(st.integers(1, 8))):
        document = a_rule(f"R{i}", draw(conditions), draw(actions), priority=draw(st.integers(0, 3))) | draw(times)
        try:
            a_bundle(document)
        except LintFailed:
            continue
        documents.append(document)
    return a_bundle(*documents or [a_rule("R")])


@st.composite
def features(draw: Any) -> Features:
    """Values at, between and beyond the numbers of the rules; a factor may be missing or old."""
    told = some_features(**{name: draw(st.one_of(numbers, st.decimals(-3, 3, places=2))) for name in FACTORS})
    values = dict(told.values)
    if draw(st.integers(0, 5)) == 0:
        values.pop(draw(st.sampled_from(FACTORS)))
    if draw(st.integers(0, 5)) == 0:
        values["x"] = values.get("x", values["atr"]).but(at_ms=NOW - 60_001)
    return told.but(values=values)


@pytest.mark.req("DE-1", "S3-L1-2", "S3-L1-4")
@pytest.mark.parametrize("bits_max", [sieve.BITS_MAX, 0], ids=["sifted", "nothing sifted by"])
@settings(max_examples=400, deadline=None)
@given(st.data())
def test_the_sieve_fires_what_asking_every_rule_fires(bits_max: int, data: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sieve, "BITS_MAX", bits_max)
        bundle, told = data.draw(bundles()), data.draw(features())

    asked, fired = ask_each(bundle.for_symbol(BTC), told), fire(bundle, BTC, told)

    assert fired.rule_ids == tuple(rule.rule_id for rule in asked.fired)
    codes = [reason.code for reason in fired.against]
    assert [reason for reason in fired.against if reason in asked.lacking] == list(asked.lacking)
    assert (Code.NO_RULE in codes) == (asked.counted == 0)
    assert (Code.NO_RULE_FIRED in codes) == bool(asked.counted and not asked.fired and not asked.lacking)
    assert (Code.SKIP_ENTRY in codes) == any(rule.ends for rule in asked.fired)
    if Code.NO_RULE_FIRED in codes:
        assert fired.against[0].text == f"none of {asked.counted} rules fired"


@pytest.mark.req("DE-1", "S3-L1-2")
@settings(max_examples=300, deadline=None)
@given(bundles(), features())
def test_the_trace_has_every_comparison_s_own_verdict(bundle: Any, told: Features) -> None:
    """Worked out here once more, from the condition as it counts and the values that the decision had."""
    decision = decide(bundle, a_case(features=told, side_hint=None))

    trail = decision.trace
    assert isinstance(trail, Trail)
    assert trail.asked is not None
    assert decision.why == decision.why
    verdicts = {verdict.rule_id: verdict for verdict in decision.why.rules}
    for rule in bundle.for_symbol(BTC)[: len(verdicts)]:
        values = {name: trail.asked.need(name) for name in rule.clause.factors}
        usable = {name: value for name, value in values.items() if isinstance(value, Decimal)}
        if rule.window.closed(NOW) or usable != values:
            assert verdicts[rule.rule_id].idle
            continue
        _agrees(verdicts[rule.rule_id], rule, usable)
    assert tuple(verdict.rule_id for verdict in decision.why.rules if verdict.fired) == decision.rules_fired


def _agrees(verdict: RuleVerdict, rule: Rule, values: dict[str, Decimal]) -> None:
    assert verdict.fired == _holds(rule.clause.condition, values)
    for told, leaf in zip(verdict.clauses, rule.clause.comparisons, strict=True):
        value = values[leaf.factor]
        assert (told.path, told.factor, told.op, told.limits, told.value) == (
            leaf.path, leaf.factor, leaf.op, leaf.limits, value,
        )  # fmt: skip
        assert told.holds == TESTS[leaf.op](value, leaf.limits)
        assert told.margin == MARGINS[leaf.op](value, leaf.limits)


def _holds(condition: Any, values: dict[str, Decimal]) -> bool:
    if isinstance(condition, Comparison):
        return TESTS[condition.op](values[condition.factor], condition.limits)
    held = [_holds(part, values) for part in condition.parts]
    return all(held) if type(condition).__name__ == "AllOf" else any(held)


@settings(max_examples=400, deadline=None)
@given(bundles(), st.fixed_dictionaries({name: st.one_of(numbers, st.decimals(-3, 3, places=2)) for name in FACTORS}))
def test_a_condition_holds_only_inside_its_box_and_a_box_everywhere_inside(
    bundle: Any, values: dict[str, Decimal]
) -> None:
    for rule in bundle.rules:
        condition = rule.clause.condition
        inside = all(_within(region, values[factor]) for factor, region in bounding(condition).items())
        if is_box(condition):
            assert rule.clause.holds(values) == inside
        elif rule.clause.holds(values):
            assert inside


def _within(region: Any, value: Decimal) -> bool:
    return any(low <= (value, 0) and (value, 1) <= high for low, high in region)


def test_a_plain_conjunction_is_not_asked_itself() -> None:
    plain = {"allOf": [{"f": "x", "op": ">=", "v": 0}, {"not": {"anyOf": [{"f": "y", "op": "<", "v": 0}]}}]}
    either = {"anyOf": [{"f": "x", "op": ">", "v": 0}, {"f": "y", "op": ">", "v": 0}]}

    made = a_bundle(a_rule("A", plain), a_rule("B", either), a_rule("C", {"anyOf": [plain["allOf"][0]]})).sieve

    assert made.unsure == 0b010
    assert (made.everyone, made.factors) == (0b111, ("x", "y"))


def test_a_rule_without_a_time_of_its_own_is_always_valid() -> None:
    bundle = a_bundle(a_rule("A"), a_rule("B", valid_until="2030-01-01T00:00:00Z"))

    assert [rule.window is ALWAYS for rule in bundle.rules] == [True, False]
    assert [rule.rule_id for rule in bundle.timed] == ["B"]
    assert bundle.counted(BTC, NOW) == 2
