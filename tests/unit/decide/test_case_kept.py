"""A case that was stored is the case: read back it is equal, and decided again it comes to the same, word for word."""

from typing import Any

import msgspec
import pytest
from decide_cases import D, a_bundle, a_rule
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decide_properties import cases, sets_of_rules

from chimera.decide.decision import Case, decide
from chimera.decide.outcome import outcome, parts
from chimera.trading.budget import Reserve
from chimera.trading.ids import IntentId
from chimera.trading.market import Market
from chimera.trading.money import Quote
from chimera.wire import codec

policies = st.sampled_from(
    [
        {"type": "MARKET"}, {"type": "OCO"},
        {"type": "MakerThenTaker", "maker_wait_ms": 500, "twap": {"slice_usdt": "250.50", "gap_ms": 100}},
    ]
)  # fmt: skip


@pytest.mark.req("S3-PER-1")
@settings(max_examples=200, deadline=None)
@given(cases(), sets_of_rules, policies, st.booleans(), st.sampled_from(["NaN", "1E-18", "0E-8", "123456.70"]))
def test_a_stored_case_is_the_case(
    case: Case, rules: list[dict[str, Any]], policy: dict[str, Any], promised: bool, odd: str
) -> None:
    own = Reserve(
        intent_id=IntentId("i"), market=Market.FUT, symbol=case.symbol, margin_usdt=Quote(D("7.10")),
        notional_usdt=Quote(D(70)), loss_usdt=Quote(D(1)),
    )  # fmt: skip
    seen = case.features.values
    values = {**seen, "y": seen["y"].but(value=D(odd))}
    case = case.but(reserved=(own,) if promised else (), features=case.features.but(values=values))
    bundle = a_bundle(a_rule("ALWAYS"), a_rule("HOW", action={"type": "exec_policy", "value": policy}), *rules)

    row = codec.unseal(codec.seal({"case": case}), dict[str, object])
    again = msgspec.convert(row["case"], Case, strict=False)

    one, other = decide(bundle, case), decide(bundle, again)
    assert codec.encode(again) == codec.encode(case)
    assert parts(outcome(one), outcome(other)) == ()
    assert codec.plain(one.why) == codec.plain(other.why)
    assert one.reason == other.reason
