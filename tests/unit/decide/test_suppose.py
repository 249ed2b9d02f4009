"""What-if: every figure that a verdict names can be supposed, and then it is what the verdict shows."""

from decimal import Decimal
from typing import Any

import pytest
from decide_cases import NOW, D, a_budget, a_bundle, a_case, a_rule, a_share, a_touch
from hypothesis import given
from hypothesis import strategies as some

from chimera.decide.decision import decide
from chimera.decide.gates import ROOM
from chimera.decide.suppose import FIGURES, PRICES, SCORE, Supposed, figure, supposing, told
from chimera.trading.budget import Reserve
from chimera.trading.decision import Open, Skip
from chimera.trading.errors import Refused
from chimera.trading.ids import IntentId, Symbol
from chimera.trading.market import Market, Side
from chimera.trading.money import Quote

ALWAYS = a_bundle(a_rule("ALWAYS"))
OWN = Reserve(
    intent_id=IntentId("i"), market=Market.FUT, symbol=Symbol("BTCUSDT"), margin_usdt=Quote(D(7)),
    notional_usdt=Quote(D(70)), loss_usdt=Quote(D(1)),
)  # fmt: skip


@pytest.mark.req("S3-API-2")
@given(some.sampled_from(sorted(ROOM)), some.integers(0, 10**6))
def test_a_supposed_figure_of_the_room_is_what_its_gate_judges(name: str, value: int) -> None:
    case = supposing(a_case(reserved=(OWN,)), {name: D(value)})
    gates = {gate.name: gate for gate in decide(ALWAYS, case).why.gates}

    assert gates[name].value == value
    assert figure(case, name) == value


@pytest.mark.req("S3-API-2")
@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("spread_bps", "9", "SPREAD"), ("depth_top1_usdt", "1", "DEPTH"), ("funding_next_abs", "0.01", "FUNDING"),
        ("touch.bid", "60000", "SPREAD"), ("touch.bid_qty", "0", "DEPTH"), ("touch.age_ms", "2001", "MARKET_STALE"),
        ("risk.budget.age_ms", "5001", "BUDGET_STALE"), ("risk.budget.loss_usdt", "-1", "BUDGET_LOSS"),
        ("risk.budget.margin_usdt", "19", "BUDGET_MARGIN"), ("risk.budget.notional_usdt", "1", "BUDGET_NOTIONAL"),
        ("concurrent_entries", "2", "CONCURRENT_ENTRIES"), ("score.size_mult_ml", "0.001", "BELOW_STEP"),
        ("side_hint", "0", "NO_SIDE"),
    ],
)  # fmt: skip
def test_each_figure_can_turn_an_entry_into_a_skip(name: str, value: str, code: str) -> None:
    decision = decide(ALWAYS, supposing(a_case(), {name: D(value)}))

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [code]
    assert told(a_case(), {name: D(value)}) == (
        Supposed(name=name, given=D(value), seen=figure(a_case(), name)),
    )  # fmt: skip
    assert figure(a_case(), name) is not None


def test_every_figure_of_a_case_is_known_by_its_name() -> None:
    case = a_case(reserved=(OWN,), touch=a_touch().but(at_ms=NOW - 5))

    seen = {name: figure(case, name) for name in FIGURES}

    assert None not in seen.values()
    assert (seen["touch.age_ms"], seen["risk.budget.loss_usdt"], seen["concurrent_entries"]) == (5, 49, 2)
    assert set(FIGURES) == {*PRICES, "touch.age_ms", *SCORE, *ROOM}


def test_nothing_supposed_is_the_same_case() -> None:
    case = a_case()
    assert supposing(case, {}) is case


def test_a_supposed_touch_is_fresh_and_of_both_markets_and_may_be_the_first() -> None:
    old = a_case(touch=a_touch().but(at_ms=NOW - 60_000))
    none = a_case(touch=None)
    whole = {"touch.bid": D(100), "touch.ask": D("100.01"), "touch.bid_qty": D(50), "touch.ask_qty": D(50)}

    assert {touch.at_ms for touch in supposing(old, {"touch.ask": D(65802)}).touches.values()} == {NOW}
    assert set(supposing(none, whole).touches) == set(Market)
    assert supposing(old, {"touch.age_ms": D(9)}).touches[Market.FUT].at_ms == NOW - 9
    with pytest.raises(Refused) as no:
        supposing(none, {"touch.ask": D(1)})
    assert (no.value.code, no.value.field) == ("MISSING_FIELD", "context.touch.bid")


def test_a_supposed_side_is_the_wished_side() -> None:
    decision = decide(ALWAYS, supposing(a_case(side_hint=None), {"side_hint": D(-1)}))
    assert isinstance(decision, Open)
    assert decision.side is Side.SELL


def test_a_missing_budget_stays_missing() -> None:
    decision = decide(ALWAYS, supposing(a_case(budget=None), {"risk.budget.loss_usdt": D(50)}))
    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == ["BUDGET_MISSING"]
    assert figure(a_case(budget=None), "risk.budget.loss_usdt") is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("touch.bid", "0"), ("touch.bid", "70000"), ("touch.ask_qty", "-1"), ("touch.age_ms", "0.5"),
        ("touch.age_ms", "-1"), ("touch.age_ms", "1e30"), ("concurrent_entries", "1.5"), ("side_hint", "0.5"),
        ("score.size_mult_ml", "-1"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(Refused) as no:
        supposing(a_case(budget=a_budget(markets=dict.fromkeys(Market, a_share()))), {name: Decimal(value)})
    assert (no.value.code, no.value.field) == ("OUT_OF_RANGE", f"context.{name}")


@pytest.mark.req("S3-API-2")
@given(
    some.dictionaries(
        some.sampled_from([*FIGURES, "spread_bps", "atr", "x", "depth_top1_usdt", "side_hint"]),
        some.one_of(some.decimals("-1e19", "1e19", places=9), some.sampled_from(["0", "1", "1e-18", "1e33", "-1"])),
        max_size=5,
    )
)
def test_whatever_is_supposed_is_decided_or_refused(given: dict[str, Any]) -> None:
    try:
        case = supposing(a_case(), {name: Decimal(value) for name, value in given.items()})
    except Refused:
        return
    decision = decide(ALWAYS, case)
    assert decision.reason
