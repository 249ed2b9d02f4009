"""Which rules are asked, when, and what several actions of one rule do."""

from typing import Any

import pytest
from decide_cases import BTC, NOW, D, a_bundle, a_case, a_rule, some_features
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.decide.decision import decide
from chimera.decide.rules.bundle import EVERY_SYMBOL
from chimera.trading.decision import Code, Open, RuleVerdict, Skip
from chimera.trading.intent import MakerThenTaker, OrderList
from chimera.trading.market import Market, Side
from chimera.trading.routes import Shape

BEFORE, AFTER = "2025-11-13T02:13:19Z", "2025-11-13T02:13:21Z"  # a second around NOW
AT = "2025-11-13T02:13:20Z"
assert NOW == 1_763_000_000_000

symbols = st.lists(st.sampled_from(["A", "B", "C", EVERY_SYMBOL]), min_size=1, max_size=3)


@pytest.mark.req("S3-L1-4")
@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), symbols), max_size=12))
def test_the_index_has_each_symbol_s_rules_in_firing_order(rules: list[tuple[int, list[str]]]) -> None:
    documents = [
        a_rule(f"R{i:02}", priority=priority, applies={"symbols": names}) for i, (priority, names) in enumerate(rules)
    ]
    bundle = a_bundle(*documents) if documents else a_bundle(a_rule("R", status="DISABLED"))

    for symbol in ("A", "B", "C", "UNHEARD"):
        apply = [each for each in documents if {symbol, EVERY_SYMBOL} & set(each["applies"]["symbols"])]
        expected = sorted((each["priority"], each["rule_id"]) for each in apply)
        assert [(rule.priority, rule.rule_id) for rule in bundle.for_symbol(symbol)] == expected


def test_what_is_asked_for_a_symbol_does_not_grow_with_the_rules_of_others() -> None:
    """No rule of another symbol is looked at: were one, its missing factor would be in the trace."""
    others = [
        a_rule(f"O{i}", {"f": "y", "op": ">", "v": 0}, applies={"symbols": [f"S{i}"]}, priority=1) for i in range(500)
    ]
    whole = some_features()
    features = whole.but(values={name: each for name, each in whole.values.items() if name != "y"})
    bundle = a_bundle(a_rule("MINE"), *others)

    decision = decide(bundle, a_case(features=features))

    assert isinstance(decision, Open)
    assert [verdict.rule_id for verdict in decision.why.rules] == ["MINE"]
    assert len(bundle.for_symbol(BTC)) == 1
    assert bundle.for_symbol(BTC) is bundle.for_symbol(BTC), "made when the bundle was compiled, not when asked"


WINDOWS: list[tuple[dict[str, str], str]] = [
    ({"valid_from": AFTER}, f"valid from {AFTER}"),
    ({"valid_until": BEFORE}, f"valid until {BEFORE}"),
    ({"valid_until": AT}, f"valid until {AT}"),
    ({"valid_from": AT}, ""),
    ({"valid_from": BEFORE, "valid_until": AFTER}, ""),
]


@pytest.mark.req("S3-L1-1")
@pytest.mark.parametrize(("window", "idle"), WINDOWS)
def test_a_rule_counts_from_its_first_moment_until_before_its_last(window: dict[str, str], idle: str) -> None:
    decision = decide(a_bundle(a_rule("R", **window)), a_case())

    (verdict,) = decision.why.rules
    assert (verdict.fired, verdict.idle) == (not idle, idle)
    if idle:
        assert isinstance(decision, Skip)
        assert [reason.code for reason in decision.reasons] == [Code.NO_RULE]


def test_a_rule_outside_its_time_needs_no_factor() -> None:
    later = a_rule("L", {"f": "rho_usdttwd_14", "op": "<", "v": 9}, valid_from=AFTER)
    whole = some_features()
    features = whole.but(values={name: each for name, each in whole.values.items() if name != "rho_usdttwd_14"})

    assert isinstance(decide(a_bundle(a_rule("R"), later), a_case(features=features)), Open)


def test_a_rule_whose_factor_is_missing_is_in_the_trace_and_says_which() -> None:
    whole = some_features()
    features = whole.but(values={name: each for name, each in whole.values.items() if name != "y"})

    decision = decide(a_bundle(a_rule("A"), a_rule("B", {"f": "y", "op": ">", "v": 0})), a_case(features=features))

    assert decision.why.rules[1] == RuleVerdict(
        rule_id="B", fired=False, action="size_mult 1", idle="feature y is missing"
    )


@pytest.mark.req("S3-L1-3")
def test_several_actions_of_one_rule_all_count() -> None:
    twap = {"slices": 3, "gap_ms": 500, "curve": "sqrt"}
    actions: list[dict[str, Any]] = [
        {"type": "size_mult", "value": "1.2"},
        {"type": "side", "value": "SELL"},
        {"type": "sl_mult", "value": "0.5"},
        {"type": "exec_policy", "value": {"type": "MakerThenTaker", "maker_wait_ms": 700, "twap": twap}},
    ]

    decision = decide(a_bundle(a_rule("R", action=actions)), a_case())

    assert isinstance(decision, Open)
    assert decision.rules_fired == ("R",)
    assert (decision.side, decision.sizing.size_mult, decision.levels.d_wanted) == (Side.SELL, D("1.2"), D(45))
    assert decision.policy == MakerThenTaker(wait_ms=700, slices=3, gap_ms=500, shape=Shape.SQRT)
    assert decision.why.rules[0].action == (
        "size_mult 1.2, side SELL, sl_mult 0.5, exec_policy MakerThenTaker maker_wait_ms 700 slices 3 gap_ms 500"
        " curve sqrt"
    )


def test_one_rule_may_name_market_and_policy() -> None:
    actions = [{"type": "market", "value": "SPOT"}, {"type": "exec_policy", "value": {"type": "OCO"}}]

    decision = decide(a_bundle(a_rule("R", action=actions)), a_case())

    assert isinstance(decision, Open)
    assert (decision.market, decision.policy) == (Market.SPOT, OrderList())


def test_no_rule_fired_says_it_in_numbers_too() -> None:
    decision = decide(a_bundle(a_rule("R", {"f": "x", "op": "<", "v": 0})), a_case())

    assert isinstance(decision, Skip)
    (reason,) = decision.reasons
    assert (reason.name, reason.value, reason.op, reason.limit, reason.margin) == (
        "rules_fired", D(0), ">=", D(1), D(-1),
    )  # fmt: skip
