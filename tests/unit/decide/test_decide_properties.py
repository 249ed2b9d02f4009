"""What holds of every decision, whatever the market, the fees, the rules and the settings."""

from decimal import Decimal
from typing import Any

import pytest
from decide_cases import D, a_budget, a_bundle, a_case, a_policy, a_rule, a_share, a_touch, fixture, some_features
from hypothesis import given, settings
from hypothesis import strategies as st

from chimera.decide.decision import Case, Terms, decide
from chimera.trading.decision import Open, Skip
from chimera.trading.market import Market, Side
from chimera.trading.money import BPS
from chimera.trading.venue import FeeRates
from chimera.wire.registry import read_listed

PLENTY = D(10**9)


@st.composite
def cases(draw: Any, *markets: Market) -> Case:
    """Any instrument, touch, fee, volatility and policy, with room in every budget."""
    tick = draw(st.sampled_from([D("0.1"), D("0.01"), D(1), D("0.5"), D("0.00001")]))
    step = draw(st.sampled_from([D("0.001"), D("0.01"), D("0.00001"), D(1)]))
    bid = draw(st.integers(1_000, 900_000)) * tick
    ask = bid + draw(st.integers(1, 3)) * tick
    fee = draw(st.sampled_from([D(0), D("0.0002"), D("0.0005"), D("0.001"), D("0.003")]))
    rules = read_listed(
        fixture("instrument_btcusdt.json")
        | {"tickSize": tick, "stepSize": step, "minNotional": draw(st.sampled_from([0, 5, 100]))}
        | {"maxQty": draw(st.sampled_from(["50", "100000000"]))}
    ).instrument
    limits = next(iter(a_case().terms.values())).gates.but(spread_bp_limit=D(10_000), depth_top1_usdt_min=D(0))
    base = a_policy(
        max_loss_usdt=draw(st.decimals("0.1", "20", places=1)),
        atr_mult=draw(st.decimals("0.5", "3", places=1)),
        roe=draw(st.decimals("0.01", "0.5", places=2)),
        spot_stop_bps=draw(st.decimals(1, 300, places=0)),
        spot_target_bps=draw(st.decimals(1, 300, places=0)),
    )
    sizes = base.sizes.but(
        margin_base_usdt=draw(st.decimals(5, 500, places=0)),
        leverage=draw(st.integers(1, 125)),
        spot_quote_budget_usdt=draw(st.decimals(5, 5000, places=0)),
    )
    share = a_share(fees=FeeRates(maker=fee, taker=fee), remaining_margin_usdt=PLENTY, remaining_notional_usdt=PLENTY)
    return a_case(
        asked_market=draw(st.sampled_from(markets or tuple(Market))),
        touch=a_touch(str(bid), str(ask), "100000"),
        features=some_features(atr=bid * draw(st.decimals("0.0001", "0.01", places=4))),
        terms={market: Terms(instrument=rules.but(market=market), gates=limits) for market in Market},
        policy=base.but(sizes=sizes),
        budget=a_budget(remaining_loss_usdt=PLENTY, markets=dict.fromkeys(Market, share)),
        side_hint=draw(st.sampled_from(Side)),
    )


mults = st.builds(
    lambda kind, factor: {"type": kind, "value": factor},
    st.sampled_from(["size_mult", "sl_mult", "tp_mult"]),
    st.decimals("0.01", "50", places=2),
)
conditions = st.builds(
    lambda name, op, limit: {"f": name, "op": op, "v": limit},
    st.sampled_from(["x", "y"]), st.sampled_from(["<", ">", "==", "!="]), st.integers(0, 2),
)  # fmt: skip
sets_of_rules = st.lists(st.tuples(conditions, mults), max_size=5).map(
    lambda parts: [a_rule(f"R{i}", when, action) for i, (when, action) in enumerate(parts)]
)


def fee_of(case: Case, market: Market) -> Decimal:
    assert case.budget is not None
    return case.budget.markets[market].fees_for(case.symbol).taker


def proceeds(decision: Open, price: Decimal, fee: Decimal, *, in_base: bool) -> Decimal:
    """Net of both fees, worked out coin by coin: what comes back when all that is held goes at ``price``."""
    entry, qty, sign = decision.levels.entry_price, decision.qty, decision.side.sign
    if in_base:  # spot: the fee of the buy is taken from what is bought
        held, paid = qty * (1 - fee), qty * entry
        return held * price * (1 - fee) - paid
    return sign * qty * (price - entry) - qty * entry * fee - qty * price * fee


@pytest.mark.req("DE-1", "S3-SIZE-1", "S3-SIZE-2", "S3-SLTP-1", "S3-SLTP-2", "S3-SLTP-3")
@settings(max_examples=400, deadline=None)
@given(cases(), sets_of_rules)
def test_every_open_obeys_filters_max_loss_and_profit(case: Case, rules: list[dict[str, Any]]) -> None:
    decision = decide(a_bundle(a_rule("ALWAYS"), *rules), case)
    if isinstance(decision, Skip):
        assert decision.reasons
        assert not any(reason.passed for reason in decision.reasons)
        return
    instrument, bars, fee = case.terms[decision.market].instrument, decision.levels, fee_of(case, decision.market)
    entry = case.touches[decision.market].aggressive(decision.side)
    ways = (False, True) if decision.market is Market.SPOT else (False,)

    assert bars.entry_price == entry
    assert instrument.on_step(decision.qty)
    assert max(instrument.step, instrument.min_qty) <= decision.qty <= instrument.max_qty
    assert decision.qty * entry >= instrument.min_notional
    for price in (bars.stop_price, bars.target_price):
        assert instrument.on_tick(price)
        assert price > 0
    assert (entry - bars.stop_price) * decision.side.sign > 0
    assert abs(entry - bars.stop_price) <= bars.d_wanted
    for in_base in ways:
        assert -proceeds(decision, bars.stop_price, fee, in_base=in_base) <= case.policy.levels.max_loss_usdt
        assert proceeds(decision, bars.target_price, fee, in_base=in_base) >= bars.profit_wanted
    assert bars.loss_at_stop <= case.policy.levels.max_loss_usdt
    assert bars.profit_at_target >= bars.profit_wanted
    if decision.market is Market.SPOT:
        assert decision.qty * entry <= case.policy.sizes.spot_quote_budget_usdt


@pytest.mark.req("DE-1", "S3-SLTP-2")
@settings(max_examples=100, deadline=None)
@given(cases(Market.FUT))
def test_the_profit_wanted_is_a_share_of_the_margin_and_the_target_no_further_than_a_tick(case: Case) -> None:
    decision = decide(a_bundle(a_rule("ALWAYS")), case)
    if isinstance(decision, Skip):
        return
    bars, fee, sign = decision.levels, fee_of(case, Market.FUT), decision.side.sign
    nearer = bars.target_price - sign * case.terms[Market.FUT].instrument.tick

    assert bars.profit_wanted >= case.policy.levels.roe * case.policy.sizes.margin_base_usdt
    locked = case.policy.levels.roe * decision.qty * bars.entry_price / decision.leverage
    assert bars.profit_wanted >= locked - D("1e-20"), "28 digits"
    assert proceeds(decision, nearer, fee, in_base=False) < bars.profit_wanted


@pytest.mark.req("DE-1", "S3-SLTP-1")
@settings(max_examples=200, deadline=None)
@given(cases())
def test_slippage_past_the_stop_is_excluded_and_what_it_costs_is_reported(case: Case) -> None:
    decision = decide(a_bundle(a_rule("ALWAYS")), case)
    if isinstance(decision, Skip):
        return
    bars, fee = decision.levels, fee_of(case, decision.market)
    worse = bars.stop_price * (1 - decision.side.sign * 7 / BPS)

    at_stop = proceeds(decision, bars.stop_price, fee, in_base=False)
    past_it = proceeds(decision, worse, fee, in_base=False)

    assert abs(bars.loss_at_stop + at_stop) < D("1e-15")
    assert abs((at_stop - past_it) - 7 * bars.slippage_per_bp) < D("1e-15")


@pytest.mark.req("DE-1", "S3-L1-3")
@settings(max_examples=200, deadline=None)
@given(st.lists(mults, min_size=1, max_size=6))
def test_every_clamp_holds_and_is_reported_exactly_where_it_bites(actions: list[dict[str, Any]]) -> None:
    bundle = a_bundle(*(a_rule(f"R{i}", action=action) for i, action in enumerate(actions)))
    wide = {m: t.but(instrument=t.instrument.but(min_notional=D(0), step=D("1e-8"))) for m, t in a_case().terms.items()}
    decision = decide(bundle, a_case(terms=wide, budget=a_budget(remaining_loss_usdt=PLENTY)))

    clamps = {clamp.name: clamp for clamp in decision.why.clamps}
    for kind in ("size_mult", "sl_mult", "tp_mult"):
        product = D(1)
        for action in actions:
            product *= action["value"] if action["type"] == kind else 1
        bound = getattr(bundle.bounds, kind)
        assert (kind in clamps) == (not bound.low <= product <= bound.high)
        if kind in clamps:
            assert clamps[kind].asked == product
            assert clamps[kind].given in (bound.low, bound.high)
    assert decision.why.sizing is not None
    assert bundle.bounds.size_mult.low <= decision.why.sizing.size_mult <= bundle.bounds.size_mult.high


SILENT = {"allOf": [{"f": "x", "op": ">=", "v": 0}, {"f": "y", "op": "<", "v": 0}]}
any_action = st.one_of(
    mults,
    st.sampled_from(["BUY", "SELL"]).map(lambda side: {"type": "side", "value": side}),
    st.sampled_from(["FUT", "SPOT"]).map(lambda market: {"type": "market", "value": market}),
    st.sampled_from(["MARKET", "OCO"]).map(lambda kind: {"type": "exec_policy", "value": {"type": kind}}),
    st.just({"type": "skip_entry"}),
)


@pytest.mark.req("DE-1", "S3-L1-4")
@settings(max_examples=300, deadline=None)
@given(cases(), sets_of_rules, any_action, st.integers(0, 100), st.sampled_from(["silent", "later", "elsewhere"]))
def test_a_rule_that_does_not_fire_changes_nothing(
    case: Case, rules: list[dict[str, Any]], action: dict[str, Any], priority: int, how: str
) -> None:
    rules = [a_rule("ALWAYS"), *rules]
    more: dict[str, Any] = {
        "silent": {"when": SILENT},
        "later": {"valid_from": "2030-01-01T00:00:00Z"},
        "elsewhere": {"applies": {"symbols": ["ETHUSDT"]}},
    }[how]

    without = decide(a_bundle(*rules), case)
    with_it = decide(a_bundle(*rules, a_rule("QUIET", action=action, priority=priority) | more), case)

    assert type(with_it) is type(without)
    assert with_it.but(trace=without.trace) == without
    told = [rule for rule in with_it.why.rules if rule.rule_id != "QUIET"]
    assert with_it.why.but(rules=tuple(told)) == without.why


@pytest.mark.req("DE-1", "S3-SLTP-1", "S3-SLTP-2")
@settings(max_examples=300, deadline=None)
@given(cases(Market.FUT), sets_of_rules)
def test_short_is_the_mirror_of_long(case: Case, rules: list[dict[str, Any]]) -> None:
    """Around one price that both would take. A fee is a share of each exit's own price: it alone breaks the mirror."""
    tick, fee = case.terms[Market.FUT].instrument.tick, fee_of(case, Market.FUT)
    price = case.touches[Market.FUT].ask
    at = {
        Side.BUY: case.touches[Market.FUT].but(bid=price - tick, ask=price),
        Side.SELL: case.touches[Market.FUT].but(bid=price, ask=price + tick),
    }
    bundle = a_bundle(a_rule("ALWAYS"), *rules)
    long, short = (decide(bundle, case.but(side_hint=side, touches={Market.FUT: at[side]})) for side in at)

    assert long.rules_fired == short.rules_fired
    assert long.why.clamps == short.why.clamps
    if isinstance(long, Skip) or isinstance(short, Skip):
        return
    assert long.sizing == short.sizing
    one, other = long.levels, short.levels
    assert one.d_wanted == other.d_wanted
    assert abs(one.d_cap * (1 - fee) - other.d_cap * (1 + fee)) < D("1e-15")
    assert one.profit_wanted == other.profit_wanted
    if fee == 0:
        assert price - one.stop_price == other.stop_price - price
        assert one.target_price - price == price - other.target_price
