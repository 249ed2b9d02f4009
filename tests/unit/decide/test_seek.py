"""What would have to change: every way that is told was decided again and opens, and nothing nearer of that figure."""

from decimal import Decimal
from typing import Any

import pytest
from decide_cases import NOW, D, a_budget, a_bundle, a_case, a_rule, a_share, a_touch, some_features, some_limits
from hypothesis import given, settings
from hypothesis import strategies as st
from test_rule_reach import conditions

from chimera.decide.decision import Case, Terms, decide
from chimera.decide.features import Ages
from chimera.decide.nearest import Change, changed
from chimera.decide.rules.bundle import Bundle
from chimera.decide.rules.finding import LintFailed
from chimera.decide.rules.flags import Flags, under
from chimera.decide.seek import Needed, seeking
from chimera.decide.steps import finished
from chimera.decide.suppose import supposing
from chimera.trading.decision import Feature, Open, Skip
from chimera.trading.market import Market
from chimera.trading.money import Millis

ANY = Flags()


def sought(bundle: Bundle, case: Case, flags: Flags = ANY) -> Needed:
    return finished(seeking(bundle, flags, case))


def opens(bundle: Bundle, case: Case, changes: tuple[Change, ...], flags: Flags = ANY) -> bool:
    again = supposing(case, {change.name: change.needed for change in changes})
    return isinstance(under(flags, decide(bundle, again)), Open)


def names(needed: Needed) -> list[str]:
    return [way.changes[0].name for way in needed.single]


@st.composite
def skipped(draw: Any) -> tuple[Bundle, Case]:
    """A market, a budget and rules of any sort, some of which say side, some skip."""
    actions = st.sampled_from(
        [{"type": "side", "value": "BUY"}, {"type": "side", "value": "SELL"}, {"type": "skip_entry"},
         {"type": "size_mult", "value": "0.3"}, {"type": "market", "value": "SPOT"}]
    )  # fmt: skip
    parts = draw(st.lists(st.tuples(conditions, actions), min_size=1, max_size=4))
    rules = [a_rule(f"R{i}", when, action, priority=i) for i, (when, action) in enumerate(parts)]
    limits = some_limits(spread_bp_limit=draw(st.sampled_from([D(3), D("0.1")])))
    terms = {market: Terms(instrument=one.instrument, gates=limits) for market, one in a_case().terms.items()}
    case = a_case(
        side_hint=None,
        features=some_features(x=draw(st.integers(0, 3)), y=draw(st.integers(0, 3)),
                               funding_next_abs=draw(st.sampled_from(["0.0001", "0.01"])),
                               atr=draw(st.sampled_from(["60", "0.01"]))),
        terms=terms,
        budget=a_budget(remaining_loss_usdt=draw(st.sampled_from([D(50), D(1)]))),
    )  # fmt: skip
    return a_bundle(*rules), case


@pytest.mark.req("S3-L1-1", "S3-API-2")
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_way_that_is_told_opens(data: Any) -> None:
    try:
        bundle, case = data.draw(skipped())
    except LintFailed:  # a condition that can never hold
        return
    needed = sought(bundle, case)

    for way in (*needed.single, *([needed.together] if needed.together else [])):
        assert opens(bundle, case, way.changes)
        if len(way.changes) > 1:
            for left_out in way.changes:
                rest = tuple(change for change in way.changes if change is not left_out)
                assert not opens(bundle, case, rest), "each of them is needed"
    for rule in needed.rules:
        for change in rule.alone:
            again = decide(bundle, supposing(case, {change.name: change.needed}))
            if rule.fired:
                assert rule.rule_id not in again.rules_fired
            elif isinstance(again.trace, type(decide(bundle, case).trace)) and not again.why.gates[0].passed:
                continue
    for miss in needed.reasons:
        if miss.change is not None:
            again = decide(bundle, supposing(case, {miss.change.name: miss.change.needed}))
            codes = {(reason.code.value, reason.name) for reason in again.reasons} if isinstance(again, Skip) else set()
            assert (miss.code, miss.name) not in codes, "the change passes what it is told for"


@settings(max_examples=60, deadline=None)
@given(x=st.integers(-30, 60), part=st.decimals("0.01", "0.99", places=2))
def test_nothing_nearer_of_the_same_figure_opens(x: int, part: Decimal) -> None:
    bundle = a_bundle(
        a_rule("A", {"allOf": [{"f": "x", "op": ">", "v": 1}, {"f": "x", "op": "<=", "v": 2}]}),
        a_rule("B", {"f": "x", "op": "between", "v": [4, 5]}),
    )
    case = a_case(features=some_features(x=D(x) / 10))
    needed = sought(bundle, case)

    if isinstance(decide(bundle, case), Open):
        assert needed.single == ()
        return
    (way,) = (way for way in needed.single if way.changes[0].name == "x")
    change = way.changes[0]
    assert change.value is not None
    assert change.difference is not None
    assert not opens(bundle, case, (changed("x", change.value, change.value + change.difference * part),)) or abs(
        change.difference * (1 - part)
    ) < D("0.01")


def test_a_shut_gate_and_its_nearest_value() -> None:
    case = a_case(touch=a_touch("65800", "65830"))
    needed = sought(a_bundle(), case)

    assert [(miss.code, miss.name, miss.change and miss.change.needed) for miss in needed.reasons] == [
        ("SPREAD", "spread_bps", 3)
    ]
    assert names(needed) == ["spread_bps"]
    assert needed.together is None
    assert needed.complete


def test_two_shut_gates_need_two_changes() -> None:
    case = a_case(touch=a_touch("65800", "65830"), features=some_features(funding_next_abs="0.01"))
    needed = sought(a_bundle(), case)

    assert needed.single == ()
    assert needed.together is not None
    assert {change.name: change.needed for change in needed.together.changes} == {
        "spread_bps": 3, "funding_next_abs": D("0.0005"),
    }  # fmt: skip


def test_no_rule_fired_names_each_rule_s_failing_clauses_and_the_one_change() -> None:
    case = a_case(features=some_features(rv_pctile_30d="0.30"))  # R-023 wants < 0.25 and rho < -0.3
    needed = sought(a_bundle(), case)

    (rule,) = needed.rules
    assert (rule.rule_id, rule.fired) == ("R-023", False)
    assert [(miss.name, miss.path, miss.margin) for miss in rule.misses] == [
        ("rv_pctile_30d", "$.when.allOf[0]", D("-0.05"))
    ]
    assert rule.misses[0].change == changed("rv_pctile_30d", D("0.30"), D("0.2499"))
    assert rule.alone == (changed("rv_pctile_30d", D("0.30"), D("0.2499")),)
    assert [way.changes for way in needed.single] == [rule.alone]


def test_a_rule_that_misses_by_two_factors_needs_both() -> None:
    case = a_case(features=some_features(rv_pctile_30d="0.30", rho_usdttwd_14="0"))
    needed = sought(a_bundle(), case)

    assert needed.single == ()
    assert needed.rules[0].alone == ()
    assert [change.name for change in needed.rules[0].together] == ["rv_pctile_30d", "rho_usdttwd_14"]
    assert needed.together is not None
    assert needed.together.changes == needed.rules[0].together


def test_a_rule_that_says_skip_would_have_to_let_go() -> None:
    bundle = a_bundle(a_rule("STOP", {"f": "x", "op": ">=", "v": 1}, {"type": "skip_entry"}, priority=1), a_rule("GO"))
    needed = sought(bundle, a_case())

    assert (needed.rules[0].rule_id, needed.rules[0].fired) == ("STOP", True)
    assert needed.rules[0].alone == (changed("x", D(1), D("0.999")),)
    assert {way.changes[0].name: way.changes[0].needed for way in needed.single} == {"x": D("0.999")}


def test_no_side_is_cured_by_a_wish() -> None:
    needed = sought(a_bundle(), a_case(side_hint=None))
    assert [way.changes[0].needed for way in needed.single] == [1], "the first of both, once"
    assert names(needed) == ["side_hint"]


def test_a_stale_factor_would_do_as_it_is_if_it_were_fresh() -> None:
    seen = some_features()
    old = seen.but(values=seen.values | {"rv_pctile_30d": Feature(value=D("0.2"), at_ms=Millis(NOW - 61_000))})
    needed = sought(a_bundle(), a_case(features=old))

    assert [way.changes[0].words for way in needed.single] == ["rv_pctile_30d 0.2, fresh"]


def test_a_missing_factor_is_found_among_what_rules_ask_of_it() -> None:
    seen = some_features()
    values = {name: feature for name, feature in seen.values.items() if name != "rv_pctile_30d"}
    needed = sought(a_bundle(), a_case(features=seen.but(values=values, ages=Ages(default_ms=Millis(60_000)))))

    (way,) = needed.single
    assert (way.changes[0].name, way.changes[0].value) == ("rv_pctile_30d", None)
    assert way.changes[0].needed < D("0.25")


@pytest.mark.req("S3-SLTP-1", "S3-SIZE-1")
def test_a_stop_inside_the_spread_and_a_size_too_small_are_found_by_probing() -> None:
    needed = sought(a_bundle(), a_case(features=some_features(atr="0.01")))
    assert [miss.code for miss in needed.reasons] == ["STOP_INSIDE_SPREAD"]
    (way,) = (way for way in needed.single if way.changes[0].name == "atr")
    edge = way.changes[0].needed
    assert way.changes[0].about
    nearer = (changed("atr", None, edge - (edge - D("0.01")) / 1000),)
    assert not opens(a_bundle(), a_case(features=some_features(atr="0.01")), nearer)

    tiny = a_case(score=a_case().score.but(size_mult_ml=D("0.01")))
    needed = sought(a_bundle(), tiny)
    assert [miss.code for miss in needed.reasons] == ["BELOW_STEP"]
    assert names(needed) == ["score.size_mult_ml"]


def test_a_budget_that_is_short_for_this_size_needs_what_it_lacks_or_a_smaller_size() -> None:
    share = a_share(remaining_margin_usdt=D(21))
    case = a_case(budget=a_budget(markets=dict.fromkeys(Market, share)), score=a_case().score.but(size_mult_ml=D(2)))
    needed = sought(a_bundle(a_rule("A", action={"type": "size_mult", "value": "1"})), case)

    assert [miss.code for miss in needed.reasons] == ["BUDGET_MARGIN"]
    assert set(names(needed)) == {"risk.budget.margin_usdt", "score.size_mult_ml"}


def test_what_no_figure_changes_is_said_and_has_no_way() -> None:
    off = sought(a_bundle(), a_case(), Flags(long=False))
    assert [(miss.code, miss.change) for miss in off.reasons] == [("FLAG_OFF", None)]
    none = sought(a_bundle(), a_case(touch=None))
    assert [miss.code for miss in none.reasons] == ["MARKET_MISSING"]
    assert (none.single, none.together) == ((), None)


def test_an_entry_needs_nothing_and_the_search_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sought(a_bundle(), a_case()) == Needed(tried=1)
    rules = [
        a_rule(f"R{i}", {"allOf": [{"f": "x", "op": "==", "v": i + 5}, {"f": "y", "op": "==", "v": i + 5}]})
        for i in range(200)
    ]
    needed = sought(a_bundle(*rules), a_case())
    assert (len(needed.rules), needed.rules_left) == (20, 180)
    monkeypatch.setattr("chimera.decide.seek.MOST_TRIED", 50)
    short = sought(a_bundle(*rules), a_case())
    assert not short.complete
    assert short.tried <= 51 + 6


def test_what_a_later_change_makes_needless_is_left_out() -> None:
    """A gate and two rules that skip: ``x`` silences the first and lets the second speak, which only ``y`` ends."""
    low = {"f": "y", "op": ">=", "v": 1}
    bundle = a_bundle(
        a_rule("S1", {"allOf": [{"f": "x", "op": ">=", "v": 1}, low]}, {"type": "skip_entry"}, priority=1),
        a_rule("S2", {"allOf": [{"f": "x", "op": "<", "v": 1}, low]}, {"type": "skip_entry"}, priority=2),
        a_rule("GO"),
    )
    needed = sought(bundle, a_case(touch=a_touch("65800", "65830")))

    assert needed.single == ()
    assert needed.together is not None
    assert {change.name for change in needed.together.changes} == {"spread_bps", "y"}


def test_the_search_rests_at_each_rule_so_that_decisions_go_on_beside_it() -> None:
    rules = [a_rule(f"R{i}", {"f": "x", "op": ">", "v": i + 5}) for i in range(300)]
    rests = sum(1 for _ in seeking(a_bundle(*rules), ANY, a_case()))
    assert rests > 2 * 300  # once to see what it missed, once for where it would answer otherwise
