"""What is no number decides nothing: NaN, an infinity or a number beyond all size ends in a reason, where it enters."""

from decimal import Decimal
from typing import Any

import pytest
from decide_cases import D, a_bundle, a_case, a_rule, a_touch, some_features
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.decide.decision import Case, decide
from chimera.decide.score import checked
from chimera.trading.decision import Code, Open, Score, Skip
from chimera.trading.market import Market
from chimera.trading.money import sound, text
from chimera.wire.budget import budget_document, read_budget

NONE = ["NaN", "-NaN", "sNaN", "NaN123", "Infinity", "-Infinity", "1E+20", "-1E+20", "1E+999999999", "1E-999999999"]
no_numbers = st.sampled_from(NONE).map(Decimal)
OPS = ["<", "<=", ">", ">=", "==", "!="]


def asked_by(op: str) -> dict[str, Any]:
    return a_rule("ASKS", {"f": "x", "op": op, "v": 0})


@pytest.mark.req("S3-FEAT-1", "S3-L1-5", "I9", "I21")
@pytest.mark.parametrize("op", [*OPS, "in", "between"])
@pytest.mark.parametrize("wrong", NONE)
def test_a_rule_s_factor_that_is_no_number_is_a_skip_that_names_it(wrong: str, op: str) -> None:
    """``NaN != 0`` would hold, and ``not x < 0`` too: a comparison with it is never made."""
    limits: Any = {"in": [0, 1], "between": [-1, 1]}.get(op, 0)
    for when in ({"f": "x", "op": op, "v": limits}, {"not": {"f": "x", "op": op, "v": limits}}):
        decision = decide(a_bundle(a_rule("ASKS", when)), a_case(features=some_features(x=wrong)))

        assert isinstance(decision, Skip)
        assert [(reason.code, reason.name) for reason in decision.reasons] == [(Code.FEATURE_INVALID, "x")]
        assert wrong.removeprefix("s") in decision.reason
        assert [(rule.fired, bool(rule.idle)) for rule in decision.why.rules] == [(False, True)]


@pytest.mark.req("S3-FEAT-1", "I21")
@pytest.mark.parametrize("name", ["atr", "funding_next_abs"])
@pytest.mark.parametrize("wrong", NONE)
def test_a_gate_s_factor_that_is_no_number_is_a_skip_that_names_it(wrong: str, name: str) -> None:
    decision = decide(a_bundle(a_rule("R")), a_case(features=some_features(**{name: wrong})))

    assert isinstance(decision, Skip)
    assert [(reason.code, reason.name) for reason in decision.reasons] == [(Code.FEATURE_INVALID, name)]


@pytest.mark.req("S3-FEAT-1", "S3-API-2")
@pytest.mark.parametrize("name", ["x", "atr", "spread_bps", "depth_top1_usdt", "side_hint"])
def test_a_what_if_that_is_no_number_is_a_skip_as_well(name: str) -> None:
    rule = a_rule("R", {"f": name, "op": "!=", "v": 77}) if name != "atr" else a_rule("R")
    for wrong in NONE:
        decision = decide(a_bundle(rule), a_case(supposed={name: D(wrong)}))

        assert isinstance(decision, Skip)
        assert {reason.code for reason in decision.reasons} == {Code.FEATURE_INVALID}


@pytest.mark.req("I21")
@pytest.mark.parametrize("wrong", NONE)
@pytest.mark.parametrize("part", ["bid", "ask", "bid_qty", "ask_qty"])
def test_a_touch_that_is_no_number_is_a_skip(part: str, wrong: str) -> None:
    decision = decide(a_bundle(a_rule("R")), a_case(touch=a_touch().but(**{part: D(wrong)})))

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [Code.MARKET_INVALID]


@pytest.mark.req("I21")
@pytest.mark.fault("C10")
@pytest.mark.parametrize("market", Market)
@pytest.mark.parametrize(("bid", "ask"), [("65801", "65801"), ("65802", "65801"), ("65801.0", "65801")])
def test_a_locked_or_crossed_touch_is_a_skip_with_its_numbers(market: Market, bid: str, ask: str) -> None:
    """Either market's, also where a rule moves the entry there."""
    other = next(each for each in Market if each is not market)
    touches = {market: a_touch(bid, ask), other: a_touch()}
    asked = decide(a_bundle(a_rule("R")), a_case(touches=touches, asked_market=market))
    moved = decide(a_bundle(a_rule("R", action={"type": "market", "value": market.value})), a_case(touches=touches))

    for decision in (asked, moved) if market is Market.SPOT else (asked,):
        assert isinstance(decision, Skip)
        [reason] = decision.reasons
        assert (reason.code, reason.value, reason.op, reason.limit) == (Code.MARKET_CROSSED, D(bid), "<", D(ask))
        assert reason.margin == D(ask) - D(bid)


@pytest.mark.req("S3-L2-1")
@pytest.mark.parametrize("wrong", [*NONE, "-0.0001", "2.0001"])
def test_a_score_that_is_no_number_or_beyond_its_bounds_is_the_constant(wrong: str) -> None:
    good = Score(p=D("0.6"), size_mult_ml=D("1.5"), source="model")

    assert checked(good, D(2)) is good
    for bad in (good.but(p=D(wrong)), good.but(size_mult_ml=D(wrong))):
        given = checked(bad, D(2))
        assert (given.p, given.size_mult_ml) == (D("0.65"), D(1))
        assert given.fallback


@pytest.mark.req("S3-L0-3")
@pytest.mark.parametrize("wrong", NONE)
def test_a_budget_with_what_is_no_number_is_none(wrong: str) -> None:
    whole = a_case().budget
    assert whole is not None
    assert read_budget(budget_document(whole)) == whole
    share = whole.markets[Market.FUT]
    changed = [
        whole.but(remaining_loss_usdt=D(wrong)),
        *(
            whole.but(markets={**whole.markets, Market.FUT: share.but(**{part: D(wrong)})})
            for part in ("remaining_margin_usdt", "remaining_notional_usdt")
        ),
        whole.but(markets={Market.FUT: share.but(fees=share.fees.but(taker=D(wrong)))}),
        whole.but(markets={Market.FUT: share.but(fees_of={"BTCUSDT": share.fees.but(maker=D(wrong))})}),
    ]
    for budget in changed:
        with pytest.raises(ValueError, match=r"is no amount|are none"):
            read_budget(budget_document(budget))


@pytest.mark.req("I21", "S3-FEAT-1")
@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["atr", "funding_next_abs", "x", "y", "rv_pctile_30d"]), no_numbers, min_size=1),
    st.sampled_from(OPS),
    st.sampled_from(Market),
)
def test_no_decision_to_open_was_ever_made_of_what_is_no_number(
    wrong: dict[str, Decimal], op: str, market: Market
) -> None:
    rules = [a_rule("ALWAYS", {"f": "y", "op": ">", "v": 0}), asked_by(op)]
    case: Case = a_case(features=some_features(**wrong), asked_market=market)

    decision = decide(a_bundle(*rules), case)

    needed = {"x", "y"} | ({"atr", "funding_next_abs"} if market is Market.FUT else set())
    assert isinstance(decision, Skip if needed & wrong.keys() else Open)
    assert decision.why is not None  # written in words without raising


@given(st.decimals(allow_nan=True, allow_infinity=True))
def test_what_is_sound_can_be_compared_and_written(number: Decimal) -> None:
    if not sound(number):
        return
    assert (number < 0) or (number >= 0)
    assert Decimal(text(number)) == number
