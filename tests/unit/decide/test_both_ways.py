"""A short is a long seen in a mirror: every order, side and price of it, the gates, and what rules say of it."""

from typing import Any

import pytest
from decide_cases import D, a_bundle, a_case, a_rule, a_touch, fixture, some_features
from hypothesis import given, settings
from hypothesis import strategies as st
from test_decide_properties import cases, sets_of_rules

from chimera.decide.decision import Case, decide
from chimera.trading.decision import Code, Open, Skip
from chimera.trading.intent import TargetKind
from chimera.trading.market import Market, Side, Touch

pytestmark = pytest.mark.req("DE-1", "S3-SLTP-1", "S3-SLTP-2", "S3-L1-3")


def says(side: Side) -> dict[str, Any]:
    return a_rule("SIDE", action={"type": "side", "value": side.value})


def mirrored(case: Case) -> dict[Side, Case]:
    """Both ways around one price: the long's ask is the short's bid, with the quantity that stood there."""
    touch, tick = case.touches[Market.FUT], case.terms[Market.FUT].instrument.tick
    price = touch.ask
    long = touch.but(bid=price - tick, ask=price)
    short = touch.but(bid=price, ask=price + tick, bid_qty=touch.ask_qty, ask_qty=touch.bid_qty)
    return {
        Side.BUY: case.but(side_hint=Side.BUY, touches={Market.FUT: long}),
        Side.SELL: case.but(side_hint=Side.SELL, touches={Market.FUT: short}),
    }


@settings(max_examples=200, deadline=None)
@given(cases(Market.FUT), sets_of_rules, st.booleans())
def test_every_order_stands_on_its_own_side_of_the_market(
    case: Case, rules: list[dict[str, Any]], by_rule: bool
) -> None:
    """Whoever names the side, the caller or a rule: it is entered at the touch across, stopped out behind the other."""
    for side, one in mirrored(case).items():
        bundle = a_bundle(says(side) if by_rule else a_rule("ALWAYS"), *rules)
        decision = decide(bundle, one.but(side_hint=side.opposite if by_rule else side))
        if isinstance(decision, Skip):
            continue
        touch, bars = one.touches[Market.FUT], decision.levels
        assert decision.side is side
        assert decision.target.kind is TargetKind.NET_PROFIT_USDT
        assert decision.stop.price == bars.stop_price
        if side is Side.BUY:
            assert bars.stop_price < touch.bid < touch.ask == bars.entry_price < bars.target_price
        else:
            assert bars.stop_price > touch.ask > touch.bid == bars.entry_price > bars.target_price


@settings(max_examples=200, deadline=None)
@given(cases(Market.FUT), sets_of_rules)
def test_what_keeps_a_long_out_keeps_its_mirror_out_but_for_the_levels_themselves(
    case: Case, rules: list[dict[str, Any]]
) -> None:
    """Fees are a share of each exit's own price: near a bound one side may fit and the other not, and only there."""
    long, short = (decide(a_bundle(a_rule("ALWAYS"), *rules), one) for one in mirrored(case).values())
    at_the_bound = {Code.MAX_LOSS, Code.STOP_INSIDE_SPREAD, Code.TARGET_UNREACHABLE}

    reasons = [{reason.code for reason in each.reasons} if isinstance(each, Skip) else set() for each in (long, short)]
    assert reasons[0] - at_the_bound == reasons[1] - at_the_bound
    if isinstance(long, Open) and isinstance(short, Open):
        assert (long.qty, long.leverage, long.policy) == (short.qty, short.leverage, short.policy)
        assert long.sizing == short.sizing
        assert long.levels.profit_wanted == short.levels.profit_wanted


@settings(max_examples=100, deadline=None)
@given(cases(Market.SPOT), sets_of_rules, st.sampled_from(["hint", "rule", "moved"]))
def test_spot_never_opens_a_short_however_it_is_asked_to(case: Case, rules: list[dict[str, Any]], how: str) -> None:
    if how == "moved":
        case = case.but(asked_market=None)
        rules = [*rules, a_rule("MOVES", action={"type": "market", "value": "SPOT"})]
    bundle = a_bundle(says(Side.SELL) if how == "rule" else a_rule("ALWAYS"), *rules)

    decision = decide(bundle, case.but(side_hint=Side.BUY if how == "rule" else Side.SELL))

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [Code.SPOT_LONG_ONLY]


def thin(side: Side) -> Touch:
    return a_touch().but(**{"bid_qty" if side is Side.BUY else "ask_qty": D("0.001")})


@pytest.mark.parametrize("entry", Side)
@pytest.mark.parametrize("thin_side", Side)
def test_a_thin_side_shuts_the_gate_for_either_entry(entry: Side, thin_side: Side) -> None:
    """An entry takes the one side, and leaves by the other."""
    decision = decide(a_bundle(), a_case(side_hint=entry, touch=thin(thin_side)))

    assert isinstance(decision, Skip)
    assert [reason.code for reason in decision.reasons] == [Code.DEPTH]


@pytest.mark.parametrize(("hint", "fires"), [(Side.BUY, "LONGS"), (Side.SELL, "SHORTS")])
def test_a_rule_can_tell_the_wish_and_the_fixture_rule_takes_both(hint: Side, fires: str) -> None:
    rules = [
        a_rule("LONGS", {"f": "side_hint", "op": ">", "v": 0}),
        a_rule("SHORTS", {"f": "side_hint", "op": "<", "v": 0}),
        fixture("rule_r023.json"),
    ]
    decision = decide(a_bundle(*rules), a_case(side_hint=hint, features=some_features()))

    assert isinstance(decision, Open)
    assert decision.side is hint
    assert set(decision.rules_fired) == {fires, "R-023"}
