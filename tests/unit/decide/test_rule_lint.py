"""Lint: what refuses a bundle, what is only told, each with rule and JSON path."""

from typing import Any

import pytest
from decide_cases import FACTORS, a_bundle, a_rule, bounds

from chimera.decide.rules import advice
from chimera.decide.rules.advice import advising
from chimera.decide.rules.bundle import Bundle, compile_bundle
from chimera.decide.rules.finding import Finding, LintFailed
from chimera.decide.steps import finished


def advise(bundle: Bundle) -> tuple[Finding, ...]:
    return finished(advising(bundle))


def x(op: str, v: Any) -> dict[str, Any]:
    return {"f": "x", "op": op, "v": v}


def y(op: str, v: Any) -> dict[str, Any]:
    return {"f": "y", "op": op, "v": v}


SELL, BUY = {"type": "side", "value": "SELL"}, {"type": "side", "value": "BUY"}
SKIP, MORE = {"type": "skip_entry"}, {"type": "size_mult", "value": 2}
OCO, AT_ONCE = {"type": "exec_policy", "value": {"type": "OCO"}}, {"type": "exec_policy", "value": {"type": "MARKET"}}

IMPOSSIBLE = {
    "two sides of a line": ({"allOf": [x(">", 5), x("<", 3)]}, "$.when.allOf"),
    "open ends that meet": ({"allOf": [x(">", 5), x("<=", 5)]}, "$.when.allOf"),
    "a value that is left out": ({"allOf": [x("==", 5), x("!=", 5)]}, "$.when.allOf"),
    "lists apart": ({"allOf": [x("in", [1, 2]), x("in", [3])]}, "$.when.allOf"),
    "through a not": ({"not": {"anyOf": [x(">", 3), x("<=", 3)]}}, "$.when.not.anyOf"),
    "deep inside": ({"anyOf": [y(">", 0), {"allOf": [x(">", 5), {"not": x(">", 1)}]}]}, "$.when.anyOf[1].allOf"),
    "by every way": ({"allOf": [{"anyOf": [x(">", 5), y(">", 5)]}, x("<", 3), y("<", 3)]}, "$.when.allOf"),
    "no such side": ({"f": "side_hint", "op": "==", "v": 2}, "$.when"),
}


@pytest.mark.req("S3-L1-2")
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_can_never_hold_is_refused_at_its_path(name: str) -> None:
    when, path = IMPOSSIBLE[name]

    with pytest.raises(LintFailed) as refused:
        a_bundle(a_rule("NEVER", when))

    assert [(finding.rule_id, finding.path) for finding in refused.value.findings] == [("NEVER", path)]
    assert "can never hold" in str(refused.value)


def test_the_two_comparisons_that_exclude_each_other_are_named() -> None:
    with pytest.raises(LintFailed, match=r"x > 5 \(\$\.when\.allOf\[0\]\) excludes x < 3 \(\$\.when\.allOf\[2\]\)"):
        a_bundle(a_rule("R", {"allOf": [x(">", 5), y(">", 1), x("<", 3)]}))


@pytest.mark.req("S3-L1-2")
@pytest.mark.parametrize(
    ("applies", "path"),
    [
        ({"symbols": ["btcusdt"]}, "$.applies.symbols"),
        ({"symbols": ["BTCUSDT", "ETHUSDT "]}, "$.applies.symbols"),
        ({"symbols": ["*"], "services": ["s3-stratgy"]}, "$.applies.services"),
        ({"symbols": ["*"], "services": ["S3-Strategy"]}, "$.applies.services"),
        ({"symbols": ["*"], "services": ["s3_strategy"]}, "$.applies.services"),
    ],
    ids=str,
)
def test_a_rule_that_would_never_be_asked_for_a_misspelling_is_refused(applies: Any, path: str) -> None:
    with pytest.raises(LintFailed) as refused:
        a_bundle(a_rule("NEVER", action=SKIP, applies=applies))

    assert [(finding.rule_id, finding.path) for finding in refused.value.findings] == [("NEVER", path)]


@pytest.mark.parametrize("service", ["s4-router", "s9-other", "s3-strategy-eu"])
def test_a_rule_of_another_service_is_that_one_s(service: str) -> None:
    assert a_bundle(a_rule("R", applies={"symbols": ["*", "币安人生USDT"], "services": [service]})).rules == ()


WRONG = {
    "said twice": ({"action": [MORE, MORE]}, "$.action[1]"),
    "beside a skip": ({"action": [MORE, SKIP]}, "$.action[1]"),
    "no action": ({"action": []}, "$.action"),
    "an action of many": ({"action": [MORE, {"type": "explode"}]}, "$.action[1].type"),
    "no moment": ({"valid_from": "tomorrow"}, "$.valid_from"),
    "no such day": ({"valid_from": "2026-02-30T00:00:00Z"}, "$.valid_from"),
    "never": ({"valid_from": "2026-02-02T00:00:00Z", "valid_until": "2026-02-02T00:00:00Z"}, "$.valid_until"),
    "a list with prices": ({"action": {"type": "exec_policy", "value": {"type": "OCO", "tp_price": 1}}},
                           "$.action.value.tp_price"),
    "a list that waits": ({"action": {"type": "exec_policy", "value": {"type": "OCO", "maker_wait_ms": 1}}},
                          "$.action.value.type"),
    "two counts": ({"action": {"type": "exec_policy", "value": {"type": "MakerThenTaker",
                    "twap": {"slices": 2, "slice_usdt": 50}}}}, "$.action.value.twap.slice_usdt"),
    "a curve": ({"action": {"type": "exec_policy", "value": {"type": "MakerThenTaker", "twap": {"curve": "cubic"}}}},
                "$.action.value.twap.curve"),
    "a true that is 1": ({"action": {"type": "skip_entry", "value": 1}}, "$.action.value"),
    "a number as description": ({"description": 7}, "$.description"),
}  # fmt: skip


@pytest.mark.req("S3-L1-2")
@pytest.mark.parametrize("name", WRONG)
def test_each_fault_has_rule_and_path(name: str) -> None:
    change, path = WRONG[name]

    with pytest.raises(LintFailed) as refused:
        a_bundle(a_rule("WRONG") | change)

    assert ("WRONG", path) in [(finding.rule_id, finding.path) for finding in refused.value.findings]


def one_finding(*rules: dict[str, Any]) -> tuple[str, str, str]:
    (finding,) = advise(a_bundle(*rules))
    return finding.rule_id, finding.path, finding.message


def test_a_rule_behind_a_skip_that_always_comes_first_is_shadowed() -> None:
    stop = a_rule("A", x(">", 3), SKIP, priority=1)

    rule_id, path, words = one_finding(stop, a_rule("B", {"allOf": [x(">=", 4), y(">", 0)]}, MORE))

    assert (rule_id, path) == ("B", "$.when")
    assert "is shadowed" in words
    assert "A goes before it" in words


@pytest.mark.parametrize(
    "later",
    [
        a_rule("B", x(">", 2), MORE),  # may hold where A does not
        a_rule("B", x(">", 4), MORE, priority=0),  # fires before
        a_rule("B", x("<", 2), SKIP),
    ],
)
def test_a_rule_with_a_chance_is_not_shadowed(later: dict[str, Any]) -> None:
    assert advise(a_bundle(a_rule("A", x(">", 3), SKIP, priority=1), later)) == ()


def test_a_skip_of_one_symbol_or_one_week_shadows_nobody_else() -> None:
    here = a_rule("A", x(">", 3), SKIP, priority=1, applies={"symbols": ["BTCUSDT"]})
    week = a_rule("A", x(">", 3), SKIP, priority=1, valid_until="2026-12-01T00:00:00Z")
    always = a_rule("B", x(">", 4), MORE)

    assert advise(a_bundle(here, always)) == ()
    assert advise(a_bundle(week, always)) == ()
    assert len(advise(a_bundle(here, always | {"applies": {"symbols": ["BTCUSDT"]}}))) == 1
    assert len(advise(a_bundle(week, always | {"valid_until": "2026-11-30T00:00:00Z"}))) == 1


def test_two_sides_that_can_be_named_at_once_are_a_write_conflict() -> None:
    rule_id, path, words = one_finding(a_rule("A", x(">", 1), [MORE, BUY]), a_rule("B", y(">", 1), [MORE, SELL]))

    assert (rule_id, path) == ("B", "$.action[1]")
    assert "says side SELL where A says side BUY" in words


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (a_rule("A", x(">", 1), BUY), a_rule("B", x("<=", 1), SELL)),
        (a_rule("A", x(">", 1), BUY), a_rule("B", y(">", 1), BUY)),
        (a_rule("A", x(">", 1), MORE), a_rule("B", y(">", 1), MORE)),
        (a_rule("A", action=BUY, applies={"symbols": ["A"]}), a_rule("B", action=SELL, applies={"symbols": ["B"]})),
        (
            a_rule("A", action=BUY, valid_until="2026-11-21T00:00:00Z"),
            a_rule("B", action=SELL, valid_from="2026-11-21T00:00:00Z"),
        ),
    ],
)
def test_what_is_never_said_at_once_is_no_conflict(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert advise(a_bundle(one, other)) == ()


def test_of_two_policies_the_first_counts_and_the_second_may_be_shadowed() -> None:
    first = a_rule("A", x(">", 1), OCO)

    assert "then the first counts" in one_finding(first, a_rule("B", y(">", 1), AT_ONCE))[2]
    assert "is shadowed" in one_finding(first, a_rule("B", x(">", 2), AT_ONCE))[2]


def test_pairs_of_every_symbol_are_told_once() -> None:
    named = [a_rule(f"N{i}", action=MORE, applies={"symbols": [f"S{i}", "T"]}) for i in range(3)]

    assert len(advise(a_bundle(a_rule("A", x(">", 1), BUY), a_rule("B", y(">", 1), SELL), *named))) == 1


def test_a_crowd_is_looked_at_in_part_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "PAIRS_MAX", 5)
    rules = [a_rule(f"R{i}", x("==", i), BUY if i % 2 else SELL) for i in range(9)]

    (finding,) = advise(a_bundle(*rules))

    assert "not compared" in finding.message


def test_a_bundle_without_rules_is_whole() -> None:
    bundle = compile_bundle([], bundle_id="b", rev=1, bounds=bounds(), factors=FACTORS)

    assert (bundle.rules, bundle.for_symbol("BTCUSDT"), advise(bundle)) == ((), (), ())
