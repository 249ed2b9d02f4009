"""L1: operators, lint, firing."""

from typing import Any

import pytest
from decide_cases import FACTORS, D, a_bundle, a_case, a_rule, bounds, fixture, some_features
from hypothesis import given
from hypothesis import strategies as st

from chimera.decide.decision import decide
from chimera.decide.rules.bundle import compile_bundle
from chimera.decide.rules.finding import LintFailed
from chimera.trading.decision import Code, Open, Skip
from chimera.trading.intent import MakerThenTaker, MarketNow
from chimera.trading.market import Market, Side

OPS = [
    ("<", 1, "0.9", "1"), ("<=", 1, "1", "1.1"), (">", 1, "1.1", "1"), (">=", 1, "1", "0.9"),
    ("==", 1, "1.0", "1.1"), ("!=", 1, "1.1", "1"), ("in", [1, 2], "2", "3"),
    ("between", [1, 2], "2", "2.1"), ("between", [1, 2], "1", "0.9"),
]  # fmt: skip


def fires(when: Any, **features: Any) -> bool:
    return isinstance(decide(a_bundle(a_rule("R", when)), a_case(features=some_features(**features))), Open)


@pytest.mark.req("S3-L1-1")
@pytest.mark.parametrize(("op", "v", "yes", "no"), OPS)
def test_every_operator_at_its_edge(op: str, v: Any, yes: str, no: str) -> None:
    when = {"f": "x", "op": op, "v": v}

    assert fires(when, x=yes)
    assert not fires(when, x=no)
    assert fires({"not": when}, x=no)


@pytest.mark.req("S3-L1-1")
@given(x=st.booleans(), y=st.booleans())
def test_joints_are_the_logic_they_name(x: bool, y: bool) -> None:
    a, b = ({"f": name, "op": "==", "v": 1} for name in ("x", "y"))
    given_values = {"x": int(x), "y": int(y)}

    assert fires({"allOf": [a, b]}, **given_values) == (x and y)
    assert fires({"anyOf": [a, b]}, **given_values) == (x or y)
    assert fires({"not": {"allOf": [a, {"not": b}]}}, **given_values) == (not (x and not y))


WRONG = [
    ({"when": {"f": "moon", "op": "<", "v": 1}}, "$.when.f"),
    ({"when": {"allOf": [{"f": "x", "op": "~", "v": 1}]}}, "$.when.allOf[0].op"),
    ({"when": {"f": "x", "op": "<", "v": "one"}}, "$.when.v"),
    ({"when": {"f": "x", "op": "<", "v": True}}, "$.when.v"),
    ({"when": {"f": "x", "op": "between", "v": [2, 1]}}, "$.when.v"),
    ({"when": {"f": "x", "op": "in", "v": []}}, "$.when.v"),
    ({"when": {"anyOf": []}}, "$.when.anyOf"),
    ({"when": {"allOf": [{"f": "x", "op": "<", "v": 1}], "not": {}}}, "$.when"),
    ({"when": {"f": "x", "op": "<"}}, "$.when.v"),
    ({"action": {"type": "explode", "value": 1}}, "$.action.type"),
    ({"action": {"type": "size_mult", "value": 0}}, "$.action.value"),
    ({"action": {"type": "size_mult"}}, "$.action.value"),
    ({"action": {"type": "side", "value": "UP"}}, "$.action.value"),
    ({"action": {"type": "exec_policy", "value": {"type": "MARKET", "maker_wait_ms": 1}}}, "$.action.value.type"),
    ({"priority": "high"}, "$.priority"),
    ({"status": "MAYBE"}, "$.status"),
    ({"applies": {"symbols": []}}, "$.applies.symbols"),
    ({"colour": "red"}, "$.colour"),
]


@pytest.mark.req("S3-L1-2", "S3-CFG-2")
@pytest.mark.parametrize(("change", "path"), WRONG)
def test_lint_names_the_rule_and_the_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(LintFailed) as failed:
        a_bundle(a_rule("GOOD"), a_rule("BAD") | change)

    assert [(finding.rule_id, finding.path) for finding in failed.value.findings] == [("BAD", path)]


def test_a_rule_id_stands_once() -> None:
    with pytest.raises(LintFailed, match="stands twice"):
        a_bundle(a_rule("R"), a_rule("R"))


@pytest.mark.req("S3-L1-3", "S3-SIZE-1")
def test_the_fixture_rule_fires_and_scales_the_margin() -> None:
    decision = decide(a_bundle(), a_case())

    assert isinstance(decision, Open)
    assert decision.rules_fired == ("R-023",)
    assert decision.sizing.size_mult == D("1.2")
    assert decision.config_rev == 7


@pytest.mark.req("S3-L1-3")
def test_multipliers_multiply_and_the_clamp_is_reported() -> None:
    rules = [a_rule(f"R{i}", action={"type": "size_mult", "value": D("1.4")}) for i in range(3)]

    decision = decide(a_bundle(*rules), a_case())

    assert isinstance(decision, Open)
    assert decision.sizing.size_mult == D("1.5")
    (clamp,) = decision.why.clamps
    assert (clamp.name, clamp.asked, clamp.given) == ("size_mult", D("2.744"), D("1.5"))


@pytest.mark.req("S3-L1-3")
@given(st.lists(st.decimals("0.01", "50", places=2), min_size=1, max_size=6))
def test_the_clamp_always_holds(factors: list[Any]) -> None:
    rules = [a_rule(f"R{i}", action={"type": "size_mult", "value": f}) for i, f in enumerate(factors)]

    decision = decide(a_bundle(*rules), a_case(policy=a_case().policy))

    mult = decision.sizing.size_mult if isinstance(decision, Open) else decision.why.clamps[0].given
    assert D("0.5") <= mult <= D("1.5")


@pytest.mark.req("S3-L1-4", "S3-L1-3")
def test_priority_orders_and_skip_entry_ends_the_run() -> None:
    rules = [
        a_rule("C", priority=30),
        a_rule("B", priority=20, action={"type": "skip_entry"}),
        a_rule("A2", priority=10),
        a_rule("A1", priority=10),
    ]

    decision = decide(a_bundle(*rules), a_case())

    assert isinstance(decision, Skip)
    assert decision.rules_fired == ("A1", "A2", "B")
    assert [verdict.rule_id for verdict in decision.why.rules] == ["A1", "A2", "B"]
    assert [reason.code for reason in decision.reasons] == [Code.SKIP_ENTRY]


@pytest.mark.req("S3-L1-5")
@pytest.mark.parametrize(
    "rules", [[a_rule("R", status="DISABLED")], [a_rule("R", applies={"symbols": ["ETHUSDT"]})],
              [a_rule("R", applies={"symbols": ["*"], "services": ["s9"]})]],
)  # fmt: skip
def test_no_enabled_rule_is_a_skip(rules: list[dict[str, Any]]) -> None:
    decision = decide(a_bundle(*rules), a_case())

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [Code.NO_RULE]


@pytest.mark.req("S3-L1-5", "S3-FEAT-1")
def test_a_missing_factor_of_a_rule_is_a_skip_that_names_both() -> None:
    whole = some_features()
    features = whole.but(values={key: value for key, value in whole.values.items() if key != "y"})
    bundle = a_bundle(a_rule("A"), a_rule("B", {"f": "y", "op": ">", "v": 0}))

    decision = decide(bundle, a_case(features=features))

    assert isinstance(decision, Skip)
    assert [(reason.code, reason.name) for reason in decision.reasons] == [(Code.FEATURE_MISSING, "y")]
    assert "rule B" in decision.reason


def test_rules_that_none_fire_explain_each_clause() -> None:
    decision = decide(a_bundle(), a_case(features=some_features(rv_pctile_30d="0.31")))

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [Code.NO_RULE_FIRED]
    (rule,) = decision.why.rules
    failing, holding = rule.clauses
    assert (failing.factor, failing.value, failing.limits, failing.margin) == (
        "rv_pctile_30d", D("0.31"), (D("0.25"),), D("-0.06"),
    )  # fmt: skip
    assert failing.path == "$.when.allOf[0]"
    assert holding.holds


def test_sides_market_and_policy_come_from_actions() -> None:
    bundle = a_bundle(
        a_rule("A", action={"type": "side", "value": "SELL"}),
        a_rule("B", action={"type": "exec_policy", "value": {"type": "MakerThenTaker", "maker_wait_ms": 500}}),
        a_rule("C", action={"type": "exec_policy", "value": {"type": "MARKET"}}),
    )

    decision = decide(bundle, a_case())

    assert isinstance(decision, Open)
    assert decision.side is Side.SELL
    assert decision.policy == MakerThenTaker(wait_ms=500)
    market = decide(a_bundle(a_rule("C", action={"type": "exec_policy", "value": {"type": "MARKET"}})), a_case())
    assert isinstance(market, Open)
    assert market.policy == MarketNow()
    spot = decide(a_bundle(a_rule("A", action={"type": "market", "value": "SPOT"})), a_case())
    assert isinstance(spot, Open)
    assert spot.market is Market.SPOT


REFUSED = [
    ([{"type": "side", "value": "SELL"}, {"type": "side", "value": "BUY"}], {}, Code.SIDE_CONFLICT),
    ([{"type": "market", "value": "SPOT"}, {"type": "market", "value": "FUT"}], {}, Code.MARKET_CONFLICT),
    ([{"type": "market", "value": "SPOT"}], {"asked_market": Market.FUT}, Code.MARKET_CONFLICT),
    ([{"type": "size_mult", "value": 1}], {"side_hint": None}, Code.NO_SIDE),
    ([{"type": "size_mult", "value": 1}], {"asked_market": Market.SPOT, "side_hint": Side.SELL}, Code.SPOT_LONG_ONLY),
]


@pytest.mark.parametrize(("actions", "changes", "code"), REFUSED)
def test_what_does_not_say_one_thing_is_a_skip(actions: Any, changes: Any, code: Code) -> None:
    bundle = a_bundle(*(a_rule(f"R{i}", action=action) for i, action in enumerate(actions)))

    decision = decide(bundle, a_case(**changes))

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [code]


@given(st.integers(0, 100), st.sampled_from(["size_mult", "sl_mult", "tp_mult"]), st.decimals("0.1", "9", places=1))
def test_a_rule_that_does_not_fire_changes_nothing(priority: int, kind: str, value: Any) -> None:
    silent = a_rule("SILENT", {"f": "x", "op": "<", "v": 0}, {"type": kind, "value": value}, priority=priority)

    with_it = decide(a_bundle(fixture("rule_r023.json"), silent), a_case())
    without = decide(a_bundle(), a_case())

    assert isinstance(with_it, Open)
    assert isinstance(without, Open)
    assert with_it.but(trace=without.trace) == without


def test_a_bundle_keeps_its_factors() -> None:
    bundle = compile_bundle([], bundle_id="b", rev=1, bounds=bounds(), factors=FACTORS)

    assert bundle.factors == frozenset(FACTORS)
